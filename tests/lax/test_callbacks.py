"""Calls back to Python: what the function gets, in which order, under which transformation, and what happens when it raises."""
from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax import lax
from perspicax import numpy as jnp
from perspicax.experimental import io_callback
from perspicax.lax.callback_errors import CallbackArgumentError, CallbackResultError, CallbackTransformError
from perspicax.lax.debug_errors import DebugFormatError

SCALAR = px.ShapeDtypeStruct((), np.float32)
XS = np.array([0.5, -1.5, 2.0], np.float32)


def shapes_under_vmap(method: str | None) -> tuple[Any, list]:
    seen = []

    def add(x: Any, y: Any) -> Any:
        seen.append((np.shape(x), np.shape(y)))
        return np.asarray(x) + np.asarray(y)

    out = px.jit(px.vmap(lambda x, y: px.pure_callback(add, SCALAR, x, y, vmap_method=method), in_axes=(0, None)))(
        XS, np.float32(1))
    return np.asarray(out), seen


@pytest.mark.parametrize(("method", "expected"), [
    ("sequential", [((), ())] * 3), ("sequential_unrolled", [((), ())] * 3), ("expand_dims", [((3,), (1,))]),
    ("broadcast_all", [((3,), (3,))]), ("legacy_vectorized", [((3,), ())])])
def test_vmap_methods(method: str, expected: list) -> None:
    out, seen = shapes_under_vmap(method)
    np.testing.assert_array_equal(out, XS + 1)
    assert seen == expected


def test_batch_axes_of_a_batch_stack() -> None:
    f = lambda x: px.pure_callback(lambda v: np.asarray(v) * 2, SCALAR, x, vmap_method="sequential")
    xs = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(px.vmap(px.vmap(f), in_axes=1, out_axes=1)(xs), xs * 2)


def test_trees_numbers_and_keys_go_in_and_trees_come_out() -> None:
    def host(state: dict, scale: Any, *, key: Any) -> dict:
        assert key.dtype == px.random.key(0).dtype
        return {"w": np.asarray(state["w"]) * float(scale), "n": np.int64(7)}

    announced = {"w": px.ShapeDtypeStruct((3,), np.float32), "n": px.ShapeDtypeStruct((), np.int32)}
    for wrap in (lambda f: f, px.jit):
        out = wrap(lambda k: px.pure_callback(host, announced, {"w": jnp.asarray(XS)}, 2.0, key=k))(px.random.key(3))
        np.testing.assert_array_equal(out["w"], XS * 2)
        assert int(out["n"]) == 7 and out["n"].dtype == np.int32


def test_a_callback_may_use_the_library_itself() -> None:
    f = px.jit(lambda x: px.pure_callback(lambda v: px.jit(jnp.sin)(v) + 1, SCALAR, x))
    assert float(f(0.5)) == pytest.approx(np.sin(0.5) + 1)


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize(("kind", "function", "announced"), [
    ("type", lambda x: np.zeros(3, np.float32), SCALAR), ("type", lambda x: 1, SCALAR),
    ("structure", lambda x: (x, x), SCALAR), ("structure", lambda x: x, None)])
def test_what_is_returned_must_be_what_was_announced(staged: bool, kind: str, function: Any, announced: Any) -> None:
    wrap = px.jit if staged else lambda f: f
    with pytest.raises(px.errors.JaxRuntimeError) as caught:
        px.block_until_ready(wrap(lambda x: io_callback(function, announced, x))(1.0))
        px.effects_barrier()
    assert isinstance(caught.value.__cause__, CallbackResultError) and caught.value.__cause__.kind == kind


@pytest.mark.parametrize("staged", [False, True])
def test_what_a_callback_raises_is_the_cause_every_time_and_later_calls_are_fine(staged: bool) -> None:
    failing = [True]

    def host(x: Any) -> Any:
        if failing[0]:
            raise KeyError("no\nsuch table")
        return x

    f = (px.jit if staged else lambda g: g)(lambda x: io_callback(host, SCALAR, x, ordered=True))
    for _ in range(3):
        with pytest.raises(px.errors.JaxRuntimeError) as caught:
            px.block_until_ready(f(1.5))
            px.effects_barrier()
        error = caught.value
        assert isinstance(error.__cause__, KeyError) and error.callback == "host"
        assert "io_callback(host" in str(error)  # the user's line
        assert error.__cause__.__traceback__ is not None
    failing[0] = False
    assert float(f(2.5)) == 2.5
    px.effects_barrier()


@pytest.mark.parametrize(("call", "kind"), [
    (lambda: px.grad(lambda x: px.pure_callback(np.sin, SCALAR, x))(1.0), "derivative"),
    (lambda: px.vmap(lambda x: px.pure_callback(np.sin, SCALAR, x))(XS), "vmap"),
    (lambda: px.vmap(lambda x: io_callback(np.sin, SCALAR, x, ordered=True))(XS), "ordered")])
def test_transformations_that_cannot_see_into_it(call: Any, kind: str) -> None:
    with pytest.raises(CallbackTransformError) as caught:
        call()
    assert caught.value.kind == kind


@pytest.mark.parametrize(("call", "kind"), [
    (lambda: px.pure_callback(3, SCALAR, 1.0), "function"), (lambda: px.pure_callback(np.sin, "x", 1.0), "announced"),
    (lambda: px.pure_callback(np.sin, np.float64(0), 1.0), "wide"), (lambda: px.debug.callback(3), "function"),
    (lambda: px.pure_callback(np.sin, px.random.key(0)), "extended"),
    (lambda: px.pure_callback(np.sin, SCALAR, 1.0, vmap_method="batch"), "method")])
def test_arguments_that_do_not_fit(call: Any, kind: str) -> None:
    with pytest.raises(CallbackArgumentError) as caught:
        call()
    assert caught.value.kind == kind


# -- debugging

def printed(capsys: pytest.CaptureFixture[str], f: Any, *args: Any) -> list[str]:
    capsys.readouterr()
    px.block_until_ready(f(*args))
    px.effects_barrier()
    return capsys.readouterr().out.splitlines()


def show(x: Any, **options: Any) -> Any:
    px.debug.print("x={}", x, **options)
    return x * 2


@pytest.mark.parametrize("staged", [False, True])
def test_print_formats_trees_and_what_is_no_array(capsys: pytest.CaptureFixture[str], staged: bool) -> None:
    wrap = px.jit if staged else lambda f: f
    f = lambda x: px.debug.print("{:.2f} {tree} {name} {{}}", x, tree={"a": x, "b": [1, None]}, name="loss")
    assert printed(capsys, wrap(f), jnp.float32(1.2345)) == [
        "1.23 {'a': Array(1.2345, dtype=float32), 'b': [Array(1, dtype=int32"
        f"{'' if staged else ', weak_type=True'}), None]}} loss {{}}"]


def test_print_under_transformations(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, px.jit(px.vmap(show)), np.arange(3)) == ["x=0", "x=1", "x=2"]
    assert printed(capsys, px.jit(px.vmap(lambda x: show(x, ordered=True))), np.arange(2)) == ["x=0", "x=1"]
    assert printed(capsys, px.grad(lambda x: show(x)), 1.5) == ["x=1.5"]
    assert printed(capsys, px.jit(px.grad(px.jit(lambda x: show(x)))), 1.5) == ["x=1.5"]
    assert printed(capsys, px.grad(px.checkpoint(lambda x: jnp.sin(show(x)))), 1.5) == ["x=1.5", "x=1.5"]
    assert px.grad(lambda x: show(x))(1.5) == 2.0


def test_print_in_loops_and_branches(capsys: pytest.CaptureFixture[str]) -> None:
    loop = lambda n: lax.fori_loop(0, n, lambda i, c: (px.debug.print("i={}", i, ordered=True), c + i)[1], 0)
    assert printed(capsys, px.jit(loop), 4) == [f"i={i}" for i in range(4)]
    scan = lambda xs: lax.scan(lambda c, x: (c + show(x, ordered=True), None), 0, xs)
    assert printed(capsys, scan, np.arange(3)) == ["x=0", "x=1", "x=2"]
    branch = lambda p: lax.cond(p > 0, lambda: show(1), lambda: show(2))
    assert printed(capsys, px.jit(branch), 1) == ["x=1"]
    assert sorted(printed(capsys, px.vmap(branch), np.arange(2))) == ["x=1", "x=2"]  # neither reads the batch


def test_print_follows_the_print_options_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> None:
        with np.printoptions(precision=2):
            px.debug.print("{}", x)

    assert printed(capsys, px.jit(f), np.array([1.23456, 2], np.float32)) == ["[1.23 2.  ]"]


@pytest.mark.parametrize(("args", "kwargs", "kind", "fields"), [
    (("{} {x}", 1), {}, "missing", ("x",)), (("{} {}", 1), {}, "missing", ("1",)), (("x", 1), {}, "unused", ("0",)),
    (("{x.shape}",), {"x": 1, "y": 2}, "unused", ("y",)), (("{",), {}, "syntax", ()), ((3,), {}, "text", ())])
def test_formats_that_do_not_fit(args: tuple, kwargs: dict, kind: str, fields: tuple) -> None:
    with pytest.raises(DebugFormatError) as caught:
        px.debug.print(*args, **kwargs)
    assert (caught.value.kind, caught.value.fields) == (kind, fields)


def test_the_check_of_the_format_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, lambda: px.debug.print("a", 1, skip_format_check=True)) == ["a"]


def test_log_names_the_users_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "jax.debug"):
        px.jit(lambda x: px.debug.log("x is {}", x))(3)
        px.effects_barrier()
    record = caplog.records[-1]
    assert record.getMessage() == "x is 3" and record.filename == "test_callbacks.py"


def test_callback_as_a_decorator() -> None:
    seen = []

    @px.debug.callback(ordered=True)
    def note(x: Any, *, word: str) -> None:
        seen.append((int(x), word))

    px.jit(lambda x: (note(x, word="a"), note(x + 1, word="b"), x)[2])(1)
    px.effects_barrier()
    assert seen == [(1, "a"), (2, "b")]


def test_debugging_callbacks_keep_programs_as_they_are() -> None:
    jaxpr = px.make_jaxpr(lambda x: (px.debug.print("{}", x), px.debug.callback(print, x), x)[2])(1.0)
    assert [e.primitive.name for e in jaxpr.eqns] == ["debug_print", "debug_callback"]
    assert {repr(e) for e in jaxpr.effects} == {"Debug"}


def test_a_result_that_is_none_is_called_so() -> None:
    with pytest.raises(px.errors.JaxRuntimeError) as caught:
        px.pure_callback(lambda: None, px.ShapeDtypeStruct((), np.float32))
    text = " ".join(str(caught.value).split())
    assert "None instead of one array" in text and "0 arrays" not in text
