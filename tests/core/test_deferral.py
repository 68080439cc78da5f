"""Operations that wait: what is asked for gets its value, what is not asked for never runs."""
from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.deferral import Deferred, at_once, deferring, settled, stand_in
from perspicax.core.tracer import Tracer
from perspicax.xla import compile as compilation

X = np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)


def mixture(x: Any) -> dict[str, Any]:
    """Functions that evaluation runs in different ways: kernels, programs of several operations, the host, loops."""
    x = jnp.asarray(x)
    squares = x @ x.T
    total, rows = lax.scan(lambda carry, row: (carry + row.sum(), carry * row), 0.0, x)
    return {
        "squares": squares, "mean": jnp.mean(jax.nn.relu(squares), axis=0), "softmax": jax.nn.softmax(x), "total": total,
        "rows": rows, "gelu": jax.nn.gelu(x), "jit": jax.jit(lambda a: jnp.tanh(a) * 3)(x), "row": x[1], "part": x[:, 1:],
        "gradient": jax.grad(lambda a: jnp.sin(a * squares.sum()).sum())(x), "batched": jax.vmap(jnp.cumsum)(x),
        "chosen": lax.cond(total > 0, lambda: x, lambda: -x), "set": x.at[0, 1].set(7.0), "variance": jnp.var(x, 1),
        "sorted": jnp.sort(x, axis=0), "random": jax.random.normal(jax.random.key(1), (5,)), "int": jnp.arange(4) * 3,
        "bits": jax.random.bernoulli(jax.random.key(2), 0.3, (7,)), "key": jax.random.split(jax.random.key(5))[0],
        "norm": jnp.linalg.norm(x), "custom": jax.numpy.logaddexp(x, 2 * x), "added": jnp.add.reduce(x),
    }


def test_what_is_asked_for_has_the_bits_of_evaluation_at_once() -> None:
    expected = mixture(X)
    with deferring():
        found = mixture(X)
    assert all(type(found[name]) is Deferred for name in ("squares", "softmax", "total", "gradient", "random", "jit"))
    for name, value in expected.items():
        got = settled(found[name])
        assert got.dtype == value.dtype and got.weak_type == value.weak_type, name
        if name == "key":
            got, value = jax.random.key_data(got), jax.random.key_data(value)
        assert np.asarray(got).tobytes() == np.asarray(value).tobytes(), name


def test_what_nobody_asks_for_is_neither_computed_nor_compiled() -> None:
    x = jnp.ones((3, 5, 7))
    before = compilation.compiled["count"], compilation.compiled["loaded"]
    with deferring():
        y = jnp.tanh(x)
        for _ in range(3000):  # deeper than Python's stack
            y = jnp.sin(y) * 2
        shape = (y @ jnp.ones((7, 2))).shape
        del y
    assert shape == (3, 5, 2)
    assert (compilation.compiled["count"], compilation.compiled["loaded"]) == before


def test_a_deep_chain_is_computed_without_recursion() -> None:
    with deferring():
        y = jnp.zeros(())
        for _ in range(5000):
            y = y + 1
        assert float(y) == 5000


@pytest.mark.parametrize("ask", [
    bool, int, float, complex, repr, str, np.asarray, lambda x: f"{x:.3f}", lambda x: x.item(), lambda x: x.tolist(),
    lambda x: range(10)[x.astype(int)], lambda x: x.tobytes(), lambda x: pickle.loads(pickle.dumps(x)).item(),
    lambda x: x.devices(), lambda x: x.sharding, lambda x: x.is_fully_addressable, lambda x: np.add(x, 1).item(),
    lambda x: np.from_dlpack(x).item(), lambda x: x.block_until_ready().item(), lambda x: jax.device_get(x).item(),
    lambda x: jnp.nonzero(x > 1)[0].shape if x.shape else 0, lambda x: x.on_device_size_in_bytes(), lambda x: x.is_deleted(),
])
def test_who_asks_for_a_value_gets_the_answer_of_an_array(ask: Any) -> None:
    expected = ask(jnp.float32(1.5) * 2)
    with deferring():
        value = jnp.float32(1.5) * 2
        assert type(value) is Deferred
        got = ask(value)
    assert type(got) is type(expected) and np.all(got == expected)


def test_every_question_that_tracers_refuse_is_answered() -> None:
    def code_of(member: Any) -> Any:
        function = getattr(member, "fget", member)
        return getattr(getattr(function, "__wrapped__", function), "__code__", None)

    members = {**vars(Array), **vars(Tracer)}
    refused = {name for name, member in members.items() if (code := code_of(member)) and "_without_value" in code.co_names}
    assert {"devices", "is_fully_addressable"} <= refused
    assert refused <= set(vars(Deferred))


def test_what_was_kept_goes_on_as_an_array_when_the_block_has_ended() -> None:
    with deferring():
        kept = jnp.asarray(X) * 2
    assert np.array_equal(kept + 1, X * 2 + 1)
    assert np.array_equal(jax.jit(lambda a: a + 1)(kept), X * 2 + 1)
    assert np.array_equal(jax.jit(lambda a: a + kept)(jnp.float32(1)), X * 2 + 1)
    assert np.array_equal(jax.grad(lambda a: (a * kept).sum())(kept), X * 2)
    assert np.array_equal(jax.vmap(lambda a: a + kept[0])(kept), X * 2 + X[0] * 2)
    assert np.array_equal(jax.block_until_ready({"a": kept})["a"], X * 2)
    assert np.array_equal(jax.device_put(kept), X * 2)
    assert np.array_equal(jnp.concatenate([kept, kept])[3:], X * 2)
    assert not isinstance(kept + 1, Deferred)


def test_operands_are_those_of_the_moment() -> None:
    x = X.copy()
    with deferring():
        doubled = jnp.multiply(x, 2)
        x[:] = 0
        assert np.array_equal(doubled, X * 2)


def test_effects_happen_when_they_are_asked_for_and_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[float] = []
    with deferring():
        y = jnp.asarray(X).sum()
        jax.debug.callback(lambda v: seen.append(round(float(v), 3)), y)
        jax.effects_barrier()
        assert seen == [6.0]
        jax.debug.print("sum {}", y)
        jax.effects_barrier()
    assert capsys.readouterr().out.startswith("sum 6.")


def test_host_functions_without_effects_run_only_if_needed() -> None:
    calls: list[int] = []

    def host(x: Any) -> Any:
        calls.append(1)
        return np.asarray(x) * 2

    with deferring():
        dead = jax.pure_callback(host, jax.ShapeDtypeStruct((3, 4), np.float32), jnp.asarray(X))
        assert dead.shape == (3, 4) and calls == []
        assert np.array_equal(dead, X * 2) and calls == [1]


def test_changed_options_hold_for_the_operations_of_their_block() -> None:
    with deferring():
        with jax.enable_x64(True):
            wide = jnp.asarray(np.float64(1) / 3) * 2
        assert wide.dtype == np.float64 and float(wide) == 2 / 3


def test_at_once_runs_at_once() -> None:
    with deferring():
        with at_once():
            assert type(jnp.asarray(X) + 1) is not Deferred
        assert type(jnp.asarray(X) + 1) is Deferred
    with at_once():
        assert type(jnp.asarray(X) + 1) is not Deferred


def test_inside_of_transformations_nothing_waits() -> None:
    def f(x: Any) -> Any:
        with deferring() as trace:
            assert trace is None
            return x * 2

    assert np.array_equal(jax.jit(f)(X), X * 2) and np.array_equal(jax.vmap(f)(X), X * 2)
    with jax.debug_nans(True), deferring() as trace:
        assert trace is None
    with jax.disable_jit(), deferring() as trace:
        assert trace is None


def test_of_a_stand_in_nothing_but_the_type_is_known() -> None:
    with deferring() as trace:
        assert trace is not None
        x = stand_in(trace, ShapedArray((3, 4), np.dtype(np.float32)))
        y = jnp.tanh(x).sum(0)
        assert y.shape == (4,) and settled(y) is y
        assert settled(jnp.zeros(y.shape) + 1).tolist() == [1.0] * 4
        with pytest.raises(jax.errors.TracerBoolConversionError):
            bool(y[0] > 0)
        assert settled(jax.jit(lambda a, b: (a, b * 2))(x, 3.0)[0]).shape == (3, 4)


@pytest.mark.parametrize("wrong", [
    lambda x: x + jnp.ones((5,)), lambda x: x @ x, lambda x: jnp.concatenate([x, x[0]]), lambda x: jnp.reshape(x, (5,)),
    lambda x: x.nothing, lambda x: lax.dot(x, x), lambda x: jnp.sum(x, axis=7), lambda x: x + "text", lambda x: x[0, 1, 2],
    lambda x: jax.nn.one_hot(x, 2.5), lambda x: hash(x), lambda x: bool(x), lambda x: int(x), lambda x: jnp.int32(3) + 2**40,
    lambda x: jax.grad(lambda a: a * 2)(x), lambda x: lax.scan(lambda c, a: (c[0], a), x, x), lambda x: list(x)[7],
    lambda x: jnp.einsum("ij,jk", x, x), lambda x: jnp.broadcast_to(x, (2, 2)), lambda x: jnp.stack([x, x[0]]),
    lambda x: x.at[0].set(jnp.ones(9)), lambda x: lax.add(x, jnp.int32(1)), lambda x: jnp.bitwise_and(x, x),
])
def test_mistakes_are_reported_as_by_evaluation_at_once(wrong: Any) -> None:
    def report(x: Any) -> Any:
        try:
            wrong(x)
        except Exception as error:
            return type(error), str(error)
        raise AssertionError("nothing was raised")

    base = jnp.asarray(X)
    expected = report(base * 2)
    with deferring():
        assert report(base * 2) == expected
