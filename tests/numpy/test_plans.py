"""Eager calls that NumPy makes by a plan: the results are those of the compiled function, and mistakes are told as ever."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 11
V = np.array([3., -0., 0., np.nan, 1e-40, -2., np.inf, 3.], np.float32)
I = np.array([[1, 0], [-1, 1]], np.int32)

CALLS = {
    "argmax": lambda x: jnp.argmax(x),
    "argmax axis": lambda x: jnp.argmax(x, -1),
    "argmin kept": lambda x: jnp.argmin(x, 1, None, True),
    "argmax all kept": lambda x: jnp.argmax(x, keepdims=True),
    "argsort": lambda x: jnp.argsort(x, 1),
    "astype": lambda x: jnp.astype(x, jnp.float32),
    "astype number": lambda x: jnp.astype(x, int),
    "astype truth": lambda x: jnp.astype(x, "bool"),
    "argsort dtype": lambda x: jnp.argsort(x, dtype="int16", descending=True),
    "broadcast_to": lambda x: jnp.broadcast_to(x, (2, 2, 3, 4)),
    "broadcast_to list": lambda x: jnp.broadcast_to(x, [1, 2, 3, 4]),
    "expand_dims": lambda x: jnp.expand_dims(x, -2),
    "flip": lambda x: jnp.flip(x),
    "flip axes": lambda x: jnp.flip(x, (0, -1)),
    "flip list": lambda x: jnp.flip(x, axis=1),
    "moveaxis": lambda x: jnp.moveaxis(x, 0, -1),
    "pad": lambda x: jnp.pad(x, 2),
    "pad pairs": lambda x: jnp.pad(x, [(1, 0), (0, 2), (0, 0)]),
    "pad value": lambda x: jnp.pad(x, 1, constant_values=-0.0),
    "repeat": lambda x: jnp.repeat(x, 2),
    "repeat axis": lambda x: jnp.repeat(x, 3, 1),
    "roll": lambda x: jnp.roll(x, -5),
    "roll axis": lambda x: jnp.roll(x, 7, axis=-1),
    "sort": lambda x: jnp.sort(x),
    "sort falling": lambda x: jnp.sort(x, 0, descending=True),
    "squeeze": lambda x: jnp.squeeze(x[:1]),
    "squeeze axis": lambda x: jnp.squeeze(x[:, :1], 1),
    "stack": lambda x: jnp.stack([x, x[::-1], x], -2),
    "swapaxes": lambda x: jnp.swapaxes(x, 0, -1),
    "take": lambda x: jnp.take(x, I, axis=1),
    "take flat": lambda x: jnp.take(x, I),
    "take outside": lambda x: jnp.take(x, I + 2, 0),
    "tile": lambda x: jnp.tile(x, 2),
    "tile more": lambda x: jnp.tile(x, [2, 1, 1, 3]),
    "tril": lambda x: jnp.tril(x, -1),
    "triu": lambda x: jnp.triu(x, k=1),
    "where": lambda x: jnp.where(x > 0, x, 0.0),
    "where mixed": lambda x: jnp.where(x, x, 2.5),
    "where broadcast": lambda x: jnp.where(x[0] > 0, x, x[:, :1]),
    "where zero": lambda x: jnp.where(x > 0, x, -0.0),
    "where integers": lambda x: jnp.where(x > 0, 1, 0),
}


@pytest.mark.parametrize("name", CALLS)
def test_plans_make_what_the_compiled_function_makes(name):
    call = CALLS[name]
    for value in (X, X.astype(np.int8), X.astype(bool)):
        x = jnp.asarray(value)
        staged = jax.jit(call)(x)
        for found in (call(x), call(x), call(value)):  # the second by the plan; what is no array yet
            assert found.aval is staged.aval
            assert np.asarray(found).tobytes() == np.asarray(staged).tobytes()


@pytest.mark.parametrize("call", [jnp.sort, jnp.argsort, jnp.argmax, jnp.argmin, lambda x: jnp.sort(x, descending=True),
                                  lambda x: jnp.argsort(x, descending=True)])
@pytest.mark.parametrize("value", [V, V[:2], V[1:4], V[4:], V[::-1].copy(), V[[1, 2, 1]]])
def test_order_of_zeros_nan_and_subnormal_numbers(call, value):
    assert np.asarray(call(jnp.asarray(value))).tobytes() == np.asarray(jax.jit(call)(value)).tobytes()


MISTAKES = [
    (lambda a: jnp.flip(jnp.asarray(X), a), 1, 1.0),
    (lambda a: jnp.flip(jnp.asarray(X), a), (1,), (1.0,)),
    (lambda a: jnp.swapaxes(jnp.asarray(X), a, 0), 1, 3),
    (lambda a: jnp.broadcast_to(jnp.asarray(X), a), (1, 2, 3, 4), (1, 2, 3, 5)),
    (lambda a: jnp.broadcast_to(jnp.asarray(X), a), (1, 2, 3, 4), (1, 2, 3., 4)),
    (lambda a: jnp.take(jnp.asarray(X), a), I, I.astype(float)),
    (lambda a: jnp.pad(jnp.asarray(X), a), 1, -1),
    (lambda a: jnp.stack([jnp.asarray(X), a]), jnp.asarray(X), jnp.asarray(X[0])),
    (lambda a: jnp.argmax(jnp.asarray(X), a), 1, 4),
    (lambda a: jnp.sort(jnp.asarray(X), stable=True, order=a), None, "x"),
]


@pytest.mark.parametrize(("call", "right", "wrong"), MISTAKES)
def test_a_plan_does_not_let_mistakes_pass(call, right, wrong):
    call(right)
    call(right)
    with pytest.raises((TypeError, ValueError)) as caught:
        call(wrong)
    assert caught.traceback[-1].path.name == "test_plans.py"


def test_what_options_choose_is_no_part_of_a_plan():
    x = jnp.asarray(X)
    made = lambda: {f(x).dtype for f in (lambda x: jnp.argmax(x, 2), jnp.argsort, lambda x: x.astype(int)) for _ in range(3)}
    assert made() == {np.dtype(np.int32)}
    with jax.enable_x64(True):
        assert made() == {np.dtype(np.int64)}
    assert made() == {np.dtype(np.int32)}


def test_each_cast_to_what_is_not_to_be_had_is_told():
    x = jnp.asarray(X)
    for _ in range(3):
        with pytest.warns(UserWarning, match="float64"):
            assert x.astype("float64").dtype == np.float32
    for _ in range(3):
        with pytest.raises(TypeError, match="flot"):
            x.astype("flot")


def test_what_was_put_somewhere_stays_there():
    device = jax.devices()[0]
    x = jax.device_put(X, device)
    assert jnp.flip(x, 1).committed
    assert jnp.flip(jnp.asarray(X), 1).committed is False


def test_derivatives_go_the_general_way():
    x = jnp.asarray(X)
    jnp.roll(x, 3)
    grad = jax.grad(lambda x: (jnp.roll(x, 3) * x).sum())(x)
    assert np.asarray(grad).tolist() == (np.roll(X, 3) + np.roll(X, -3)).tolist()
    assert "rev" in str(jax.make_jaxpr(jnp.flip)(x))


@pytest.mark.parametrize("index", [1, -1, (slice(None), 2), (slice(0, 2), slice(None, None, -2)), (1, None, Ellipsis, 0)])
def test_parts_are_updated_to_the_bits_of_the_compiled_function(index):
    m = np.resize(V, (2, 5)).astype(np.float32)
    for method, value in (("add", -1e-40), ("multiply", np.float32(.1)), ("max", jnp.asarray(m[0, 1:2])), ("min", .25)):
        update = lambda m: getattr(m.at[index], method)(value)
        found = update(jnp.asarray(m))
        staged = jax.jit(update)(m)
        assert found.aval is staged.aval
        assert np.asarray(found).tobytes() == np.asarray(staged).tobytes()


def test_parts_refuse_values_that_do_not_fit():
    with pytest.raises(ValueError, match=r"float32\[3\]|\(3,\)"):
        jnp.asarray(X).at[1, 1].add(jnp.ones(3))
    with pytest.raises(ValueError, match=r"\(1, 1\)|\[1,1\]"):
        jnp.asarray(X).at[1, 1].add(jnp.ones((1, 1)))
