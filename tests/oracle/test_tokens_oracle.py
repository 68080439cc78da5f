"""Tokens: types, jaxprs and refusals as in JAX."""
from __future__ import annotations

import jax
import numpy as np
import pytest

import perspicax

pytestmark = pytest.mark.oracle


def ordered(J):
    return lambda x: (J.lax.after_all(J.lax.create_token(x), J.lax.create_token()), x * x)


@pytest.mark.parametrize("program", [
    lambda J: J.make_jaxpr(ordered(J))(1.0),
    lambda J: J.make_jaxpr(lambda t: J.lax.after_all(t))(J.lax.create_token()),
    lambda J: J.make_jaxpr(lambda t: t)(J.lax.create_token()),
    lambda J: J.make_jaxpr(lambda: J.lax.stage_p.bind(3.0))(),
    lambda J: J.make_jaxpr(J.vmap(lambda x: J.lax.stage(x)))(np.ones(2, np.float32)),
    lambda J: J.typeof(J.lax.create_token()),
    lambda J: J.eval_shape(ordered(J), 1.0)[0],
])
def test_texts(program):
    assert str(program(perspicax)).split() == str(program(jax)).split()


@pytest.mark.parametrize("program", [
    lambda J: J.jit(ordered(J))(2.0)[1], lambda J: J.grad(lambda x: ordered(J)(x)[1])(2.0),
    lambda J: J.vjp(ordered(J), 2.0)[0][1], lambda J: J.linearize(ordered(J), 2.0)[0][1],
    lambda J: J.vmap(lambda x: ordered(J)(x)[1])(np.arange(3, dtype=np.float32)),
    lambda J: J.jit(lambda t, x: (J.lax.after_all(t), x))(J.lax.create_token(), 1.0)[1],
])
def test_values(program):
    ours, theirs = program(perspicax), program(jax)
    assert np.array_equal(ours, theirs)
    assert (ours.dtype, ours.weak_type) == (theirs.dtype, theirs.weak_type)


@pytest.mark.parametrize(("program", "error"), [
    (lambda J: J.lax.after_all(3.0), TypeError), (lambda J: J.lax.create_token() + 1, TypeError),
    (lambda J: J.jit(lambda x: J.lax.create_token() + x)(1.0), AttributeError),
    (lambda J: J.vmap(lambda t: t)(J.lax.create_token()), ValueError),
])
def test_refusals(program, error):
    for J in (jax, perspicax):
        with pytest.raises(error):
            program(J)
