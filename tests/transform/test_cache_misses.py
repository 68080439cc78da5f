"""What is said when a jitted function is traced again."""
from __future__ import annotations

import logging
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax import numpy as jnp

X = np.ones(3, np.float32)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """The explanations since the last question."""
    def texts() -> list[str]:
        found = [r.getMessage() for r in caplog.records if "TRACING CACHE MISS" in r.getMessage()]
        caplog.clear()
        return found

    with px.explain_cache_misses(True), caplog.at_level(logging.WARNING, "jax"):
        yield texts


def after(said: Any, *calls: Any) -> str:
    """What is said of the last call alone."""
    for call in calls:
        said()
        call()
    found = said()
    assert len(found) == 1, found
    return " ".join(found[0].split())


@pytest.mark.parametrize(("first", "second", "expected"), [
    (((X,), {}), ((X[:2],), {}), "x: float32[2], before float32[3] (shape)"),
    (((X,), {}), ((X.astype(np.int32),), {}), "x: int32[3], before float32[3] (dtype)"),
    (((np.float32(1),), {}), ((1.0,), {}), "x: float32[] weakly typed, as a Python number, before float32[] strongly typed"),
    ((({"w": X},), {}), (({"w": X[:1]},), {}), "x['w']: float32[1], before float32[3] (shape)"),
    ((({"w": X},), {}), (({"v": X},), {}), "has the key 'v'"),
    (((X,), {}), ((X, X), {}), "2 arguments by position, before 1"),
    (((X,), {"y": X}), ((X,), {"z": X}), "by name `z`, before `y`"),
    (((X,), {"n": 2}), ((X,), {"n": 3}), "n: 3, before 2 (static)"),
    (((X,), {"n": 2}), ((X,), {"n": 2.0}), "n: 2.0 of class float, before 2 of class int (static)"),
    (((X,), {}), ((X,), {"n": 3}), "n: 3, before left out (static)"),
])
def test_what_differs_is_named(said: Any, first: tuple, second: tuple, expected: str) -> None:
    @px.jit(static_argnames="n")
    def f(x: Any, y: Any = 0, *, z: Any = 0, n: Any = 0) -> Any:
        return x

    text = after(said, lambda: f(*first[0], **first[1]), lambda: f(*second[0], **second[1]))
    assert expected in text and "`f` is traced again" in text and "test_cache_misses.py" in text
    f(*second[0], **second[1])
    assert said() == []  # nothing is traced now


def test_the_nearest_call_is_the_one_compared_with(said: Any) -> None:
    f = px.jit(lambda a, b: a)
    text = after(said, lambda: f(X, X), lambda: f(X[:2], X[:2]), lambda: f({"a": X}, X), lambda: f(X[:2], X[:1]))
    assert "b: float32[1], before float32[2] (shape)" in text and "a: float32" not in text


def test_an_option_is_named(said: Any) -> None:
    f = px.jit(lambda x: x * 2)

    def precise() -> None:
        with px.default_matmul_precision("float32"):
            f(X)

    assert "jax_default_matmul_precision: 'float32', before None (option)" in after(said, lambda: f(X), precise)


def test_first_calls_and_new_function_objects(said: Any) -> None:
    def make(scale: float) -> Any:
        return px.jit(lambda x: x * scale)

    assert "for the first time" in after(said, lambda: make(1.0)(X))
    again = after(said, lambda: make(1.0)(X))
    assert "new function object" in again and "closed over" not in again
    changed = after(said, lambda: make(2.0)(X))
    assert "scale: 2.0, before 1.0 (closed over)" in changed and "pass scale as an argument" in changed
    one = eval("lambda x: x * k", world := {"k": 1})  # as in a loop at the top of a module
    assert "for the first time" in after(said, lambda: px.jit(one)(X))
    world["k"] = 2
    changed = after(said, lambda: px.jit(FunctionType(one.__code__, world))(X))
    assert "k: 2, before 1 (global)" in changed


def test_silence_where_nobody_asked(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "jax"):
        px.jit(lambda x: x)(jnp.ones(2))
    assert not caplog.records


def test_compilations_are_told_on_request(caplog: pytest.LogCaptureFixture) -> None:
    with px.log_compiles(True), caplog.at_level(logging.WARNING, "jax"):
        px.jit(lambda x: x * 3 + 1, inline=False)(jnp.ones(5))
    text = "\n".join([r.getMessage() for r in caplog.records])
    assert "Finished tracing jit(<lambda>)" in text and "Compiling jit_<lambda>" in text
    assert "Finished XLA compilation" in text
