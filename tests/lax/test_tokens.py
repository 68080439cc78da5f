"""Tokens: made, joined, handed through transformations and programs; refused where an array is wanted."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.avals import abstract_token
from perspicax.core.errors import TokenOperandError
from perspicax.core.printer import check_jaxpr
from perspicax.lax.errors import TokenNeededError


def ordered(x):
    """A function whose token comes after another."""
    return lax.after_all(lax.create_token(x), lax.create_token()), x * x


def test_tokens_are_of_one_type_eagerly_and_traced():
    token = lax.after_all(lax.create_token(), lax.create_token())
    assert px.typeof(token) is abstract_token
    assert repr(token) == "Token()"
    assert token.block_until_ready() is token
    assert px.typeof(lax.after_all()) is abstract_token
    assert px.eval_shape(ordered, 1.0)[0] is abstract_token


def test_jaxprs_pass_the_checker():
    closed = px.make_jaxpr(ordered)(1.0)
    check_jaxpr(closed.jaxpr)
    assert [e.primitive.name for e in closed.eqns] == ["create_token", "create_token", "after_all", "mul"]


def test_programs_take_and_return_tokens():
    step = px.jit(lambda token, x: (lax.after_all(token, lax.create_token()), x + 1))
    token, x = step(lax.create_token(), 1.0)
    token, x = step(token, x)
    token, x = step(token, x)
    assert px.typeof(token) is abstract_token
    assert float(x) == 4.0
    closed_over = px.jit(lambda x: (lax.after_all(token), x))
    assert px.typeof(closed_over(1.0)[0]) is abstract_token
    assert "stablehlo.after_all" in step.lower(token, x).as_text()
    nested = px.jit(lambda t: step(*step(t, 1.0)))(token)
    assert float(nested[1]) == 3.0


def test_loops_and_branches_hand_tokens_on():
    @px.jit
    def f(x):
        token = lax.create_token()
        token, count = lax.while_loop(lambda s: s[1] < 3, lambda s: (lax.after_all(s[0]), s[1] + 1), (token, 0))
        token, ys = lax.scan(lambda t, a: (lax.after_all(t), a * 2), token, x)
        token = lax.cond(x[0] > 0, lambda t: lax.after_all(t), lambda t: t, token)
        return token, count, ys

    token, count, ys = f(jnp.arange(3.0))
    assert px.typeof(token) is abstract_token
    assert int(count) == 3
    assert np.array_equal(ys, [0.0, 2.0, 4.0])


@pytest.mark.parametrize("derivative", [
    lambda f: px.grad(lambda x: f(x)[1])(2.0),
    lambda f: px.grad(px.jit(lambda x: f(x)[1]))(2.0),
    lambda f: px.grad(px.checkpoint(lambda x: f(x)[1]))(2.0),
    lambda f: px.jvp(lambda x: f(x)[1], (2.0,), (1.0,))[1],
    lambda f: px.vmap(px.grad(lambda x: f(x)[1]))(jnp.full(1, 2.0))[0],
])
def test_derivatives_pass_tokens_by(derivative):
    assert float(derivative(ordered)) == 4.0


def test_the_tangent_of_a_token_is_that_of_an_integer():
    (token, value), (still, moved) = px.jvp(ordered, (2.0,), (1.0,))
    assert px.typeof(token) is abstract_token
    assert (still.dtype, float(value), float(moved)) == (px.float0, 4.0, 4.0)
    result, pull_back = px.vjp(ordered, 2.0)
    assert px.typeof(result[0]) is abstract_token
    assert float(pull_back((np.zeros((), px.float0), 1.0))[0]) == 4.0


def test_a_token_is_the_same_for_all_of_a_batch():
    token = lax.create_token()
    ys = px.vmap(lambda t, x: (lax.after_all(t), x * 2)[1], in_axes=(None, 0))(token, jnp.arange(3.0))
    assert np.array_equal(ys, [0.0, 2.0, 4.0])
    joined, _ = px.vmap(ordered, out_axes=(None, 0))(jnp.arange(3.0))
    assert px.typeof(joined) is abstract_token


@pytest.mark.parametrize("misuse", [
    lambda t: t + 1, lambda t: jnp.sin(t), lambda t: px.jit(lambda x: lax.create_token() * x)(1.0), np.asarray, bool,
    lambda t: px.vmap(ordered)(jnp.ones(3)), lambda t: lax.scan(lambda c, x: (c, lax.create_token()), 1.0, jnp.ones(3)),
    lambda t: t.nbytes, lambda t: t.reshape(1),
])
def test_a_token_is_no_array(misuse):
    with pytest.raises(TokenOperandError, match="a token, not an array"):
        misuse(lax.create_token())


def test_after_all_takes_nothing_but_tokens():
    with pytest.raises(TokenNeededError, match=r"x`, which is float32\[3\] and no token") as caught:
        x = jnp.ones(3)
        lax.after_all(lax.create_token(), x)
    assert caught.value.index == 1
    with pytest.raises(TokenNeededError):
        px.jit(lax.after_all)(1.0)


def test_stage_brings_a_number_into_the_jaxpr():
    closed = px.make_jaxpr(lambda: lax.stage_p.bind(3.0))()
    assert not closed.eqns
    assert list(closed.out_avals) == [px.typeof(3.0)]
    assert float(px.grad(lax.stage_p.bind)(1.0)) == 1.0
    assert np.array_equal(px.vmap(lax.stage_p.bind)(jnp.arange(2.0)), [0.0, 1.0])
    assert isinstance(lax.stage(3.0), px.Array)
    x = jnp.ones(2)
    assert lax.stage(x) is x
