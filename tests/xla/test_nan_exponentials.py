"""Exponentials of a NaN that the program holds; the compiler takes it for impossible, and would write nothing."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax

X = np.array([1., 2., -3., 0.], np.float32)
inner = jax.jit(lambda x: jnp.exp(x))

PROGRAMS = {
    "exp": lambda x, c: jnp.exp(jnp.where(c, x, jnp.nan)),
    "exp2 of a sum": lambda x, c: lax.exp2(x + jnp.nan),
    "hyperbolic": lambda x, c: lax.cosh(jnp.where(c, x, jnp.nan)) + lax.sinh(x + jnp.nan),
    "far away": lambda x, c: jnp.exp((jnp.where(c, x, jnp.nan) * 2 + x) / 3 - x),
    "within another function": lambda x, c: inner(jnp.where(c, x, jnp.nan)),
    "in a loop": lambda x, c: lax.fori_loop(0, 2, lambda i, y: jnp.exp(jnp.where(c, y, jnp.nan)), x),
    "in a branch": lambda x, c: lax.cond(c, lambda y: y, lambda y: jnp.exp(y + jnp.nan), x),
    "half": lambda x, c: jnp.exp(jnp.where(c, x.astype("float16"), jnp.nan)),
    "bfloat16": lambda x, c: jnp.exp(jnp.where(c, x.astype("bfloat16"), jnp.nan)),
    "gradient": lambda x, c: jax.grad(lambda x: jnp.exp(x + jnp.nan).sum())(x),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_nan_comes_out(name):
    found = np.asarray(jax.jit(PROGRAMS[name])(X, False)).astype(np.float32)
    assert np.isnan(found).all()


def test_others_are_left_alone():
    """Of the numbers of a program with a NaN elsewhere, and where the NaN has gone through a product of matrices."""
    def f(x, m):
        y = jnp.where(x > 0, x, jnp.nan)
        return jnp.exp(x), jnp.exp(m @ y), jnp.isnan(y)

    assert jax.jit(f).lower(X, np.eye(4, dtype=np.float32)).as_text().count("exponential") == 2
    assert "select %nan" not in jax.jit(f).lower(X, np.eye(4, dtype=np.float32)).as_text()


def test_ordinary_numbers_keep_their_bits():
    with_nan, without = jax.jit(lambda x, c: jnp.exp(jnp.where(c, x, jnp.nan))), jax.jit(jnp.exp)
    assert np.asarray(with_nan(X, True)).tobytes() == np.asarray(without(X)).tobytes()
