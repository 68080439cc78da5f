"""Comparisons of few floating numbers run in NumPy where that is what XLA answers."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as jax
from perspicax import lax
from perspicax.xla import compile as compilation

SPECIAL = [0., -0., 1e-40, -1e-40, 1e-38, 1.5, -1.5, np.inf, -np.inf, np.nan, 2e-5, 1e-7]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("compare", [lax.eq, lax.ne, lax.lt, lax.le, lax.gt, lax.ge])
def test_small_comparisons_are_those_of_the_compiled_function(compare, dtype):
    with np.errstate(over="ignore"):
        values = np.array(SPECIAL).astype(dtype)
    compiled = jax.jit(compare)
    for x in (values, values[5:10]):  # with subnormal numbers, which XLA takes for 0, and without
        x, y = [jax.numpy.asarray(v) for v in np.broadcast_arrays(x, x[:, None])]
        assert np.asarray(compare(x, y)).tobytes() == np.asarray(compiled(x, y)).tobytes()
    for x in values:  # a single number is looked at in another way
        assert bool(compare(jax.numpy.asarray(x), dtype(0))) == bool(compiled(x, dtype(0)))


def test_ordinary_numbers_need_no_program():
    x = jax.numpy.asarray(np.arange(7, dtype=np.float32) - 3)
    before = compilation.programs()
    assert np.asarray(lax.lt(x, np.float32(.5))).tolist() == [True] * 4 + [False] * 3
    assert compilation.programs() == before
