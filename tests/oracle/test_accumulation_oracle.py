"""`VJP.with_refs`, `jax.ad` and `jax.memory` as in JAX."""
from __future__ import annotations

import jax
import jax.lib
import numpy as np
import pytest

import perspicax
import perspicax.lib

pytestmark = pytest.mark.oracle
BOTH = (jax, perspicax)
X = np.array([0.5, 1.0], np.float32)


def accumulated(J):
    total = J.new_ref(J.numpy.zeros(2))
    _, pull_back = J.vjp(lambda x, y, k: J.numpy.sum(J.numpy.sin(x) * y) * k, X, X, 2.0)
    out = [pull_back.with_refs(total, J.ad.GradValue(), J.ad.DontWant())(ct) for ct in (1.0, 2.0)]
    return total[...], [x[1] for x in out], [repr(x) for x in (out[0][0], out[0][2])]


def test_with_refs():
    theirs, ours = map(accumulated, BOTH)
    assert np.allclose(theirs[0], ours[0])
    assert np.allclose(theirs[1], ours[1])
    assert theirs[2] == ours[2]


def test_names():
    assert sorted(vars(jax.ad)) == sorted(vars(perspicax.ad))
    assert [(s.name, s.value) for s in jax.memory.Space] == [(s.name, s.value) for s in perspicax.memory.Space]
    assert jax.lib.__version__ == perspicax.lib.__version__


@pytest.mark.parametrize(("space", "program"), [
    ("Device", lambda J, s: J.device_put(X, s)), ("Host", lambda J, s: J.device_put(X, s)),
    ("Host", lambda J, s: J.jit(lambda x: J.device_put(x * 2, s) + 1)(X)),
    ("Host", lambda J, s: J.vmap(lambda x: J.device_put(x * x, s))(X)),
    ("Device", lambda J, s: J.grad(lambda x: J.numpy.sum(J.device_put(x * x, s)))(X)),  # JAX fails for the host
])
def test_memories_as_places(space, program):
    theirs, ours = [program(J, getattr(J.memory.Space, space)) for J in BOTH]
    assert np.array_equal(theirs, ours)
    assert theirs.dtype == ours.dtype


def test_any_memory_is_no_place():
    with pytest.raises(AssertionError):
        jax.device_put(X, jax.memory.Space.Any)
    with pytest.raises(ValueError, match="no memory in"):
        perspicax.device_put(X, perspicax.memory.Space.Any)
