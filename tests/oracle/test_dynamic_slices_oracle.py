"""`jax.ds` as in JAX."""
from __future__ import annotations

import jax
import numpy as np
import pytest

import perspicax

pytestmark = pytest.mark.oracle
READS = [
    lambda J, i: (J.ds(i, 3),), lambda J, i: (J.ds(i, 2, 2),), lambda J, i: (J.ds(i, 2), 1), lambda J, i: (0, J.ds(i, 2)),
    lambda J, i: (J.ds(i, 2), J.ds(i, 3)), lambda J, i: (..., J.ds(i, 2)), lambda J, i: (None, J.ds(2), J.ds(i, 1)),
    lambda J, i: (J.numpy.array([0, 2]), J.ds(i, 2)),
]


# Beside an array of indices, or with a stride, JAX does not count a negative start from the end.
@pytest.mark.parametrize(("index", "start"), [(f, i) for k, f in enumerate(READS) for i in (0, 1, 3, -2)
                                              if i >= 0 or k not in (1, 7)])
def test_reading(index, start):
    found = []
    for J in (jax, perspicax):
        m = J.numpy.arange(20.0).reshape(4, 5)
        found.append(np.asarray(J.jit(lambda i, J=J, m=m: m[index(J, i)])(np.int32(start))))
    assert np.array_equal(*found)


@pytest.mark.parametrize("start", [0, 2, 3])
@pytest.mark.parametrize("method", ["set", "add", "multiply", "max"])
def test_updating(method, start):
    found = []
    for J in (jax, perspicax):
        x = J.numpy.arange(5.0)
        found.append(np.asarray(J.jit(lambda i, J=J, x=x: getattr(x.at[J.ds(i, 3)], method)(2.5))(np.int32(start))))
    assert np.array_equal(*found)
