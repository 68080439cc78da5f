"""`checkify`: each category of checks, through every construct and transformation, and the messages."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax import lax
from perspicax import numpy as jnp
from perspicax.api.check_errors import (
    CheckArgumentError,
    CheckifyError,
    CheckifyLoopError,
    FailedCheckError,
    NaNError,
    UncheckedError,
)
from perspicax.experimental import checkify as ck
from perspicax.lax.debug_errors import DebugFormatError
from perspicax.transform.errors import CustomRuleError

X = np.array([1.0, -2.0, 3.0], np.float32)


def positive(x: Any) -> Any:
    ck.check(x > 0, "must be positive: {x} {}", x + 1, x=x)
    return x * 2


def found(f: Any, *args: Any, errors: Any = ck.user_checks) -> str | None:
    """What the checks found, staged or not."""
    plain, out = ck.checkify(f, errors=errors)(*args)
    staged, out_staged = px.jit(ck.checkify(f, errors=errors))(*args)
    for a, b in zip(px.tree.leaves(out), px.tree.leaves(out_staged), strict=True):
        np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(b, np.float64))
    assert _text(plain.get()) == _text(staged.get())
    return plain.get()


def _text(message: str | None) -> str | None:
    return None if message is None else message.rpartition(" (")[0]


def test_the_message_has_the_values_and_the_line() -> None:
    message = found(positive, jnp.float32(-3))
    assert message is not None and message.startswith("must be positive: -3.0 -2.0 (")
    assert "test_checkify.py:" in message and "`positive`" in message
    assert found(positive, jnp.float32(3)) is None


@pytest.mark.parametrize(("f", "bad", "good", "says"), [
    (lambda x: px.jit(positive)(x), -1.0, 1.0, "must be positive: -1.0 0.0"),
    (lambda x: px.checkpoint(positive)(x), -1.0, 1.0, "must be positive: -1.0 0.0"),
    (lambda x: lax.cond(x > 0, lambda: x, lambda: positive(x)), -1.0, 1.0, "must be positive: -1.0 0.0"),
    (lambda x: lax.scan(lambda c, s: (positive(c) - s, c), x, np.float32([1, 2, 3]))[0], 1.0, 20.0,
     "must be positive: 0.0 1.0"),
    (lambda x: lax.while_loop(lambda c: c < 5, lambda c: (positive(c), c + 1)[1], x), -2.0, 1.0, "must be positive: -2.0 -1.0"),
    (lambda x: lax.while_loop(lambda c: positive(c) < 5, lambda c: c + 1, x), -1.0, 1.0, "must be positive: -1.0 0.0"),
    (lambda x: lax.fori_loop(0, x.astype(int), lambda i, c: (ck.check(i < 2, "i is {}", i), c + i)[1], 0), 4.0, 2.0,
     "i is 2"),
    (lambda x: lax.map(lambda s: positive(s + x), X), 1.0, 5.0, "must be positive: -1.0 0.0"),
    (lambda x: px.vmap(lambda s: positive(s + x))(X), 1.0, 5.0, "must be positive: -1.0 0.0"),
    (lambda x: px.grad(positive)(x), -1.0, 1.0, "must be positive: -1.0 0.0"),
    (lambda x: px.jit(lambda y: lax.scan(lambda c, _: (lax.cond(c > 1, lambda: positive(c - 3), lambda: c), None), y, None,
                                         length=2)[0])(x), 2.0, 0.5, "must be positive: -1.0 0.0"),
])
def test_checks_of_the_user_within(f: Any, bad: float, good: float, says: str) -> None:
    if good != 3.0:
        assert found(f, jnp.float32(good)) is None
    assert _text(found(f, jnp.float32(bad))) == says


def test_a_batch_of_errors_tells_the_indices() -> None:
    error, out = px.jit(px.vmap(ck.checkify(positive)))(X)
    np.testing.assert_array_equal(out, X * 2)
    assert _text(error.get()) == "at mapped index 1: must be positive: -2.0 -1.0"
    nested, _ = px.vmap(px.vmap(ck.checkify(positive)))(np.stack([X, -X]))
    assert [line.partition(": ")[0] for line in nested.get().splitlines()] == [
        "at mapped index 0, 1", "at mapped index 1, 0", "at mapped index 1, 2"]


def test_the_first_failure_counts() -> None:
    def f(x: Any) -> None:
        ck.check(x > 0, "first")
        ck.check(x > 1, "second {}", x)

    assert _text(found(f, jnp.float32(-1))) == "first"
    assert _text(found(f, jnp.float32(0.5))) == "second 0.5"


@pytest.mark.parametrize(("f", "args", "errors", "says"), [
    (jnp.log, (np.float32(-1),), ck.nan_checks, "`log` made a NaN"),
    (lambda x: jnp.sum(px.jit(jnp.sqrt)(x)), (X,), ck.float_checks, "`sqrt` made a NaN"),
    (lambda x, y: x / y, (X, np.float32([1, 0, 2])), ck.div_checks, "division by zero"),
    (lambda x, y: x // y, (np.int32(3), np.int32(0)), ck.float_checks, "division by zero"),
    (lambda x, i: x[i], (X, np.int32(3)), ck.index_checks,
     "index 3 is out of bounds for axis 0 with size 3, of an array of shape (3,)"),
    (lambda x, i: x[1, i], (np.ones((2, 3), np.float32), np.array([0, 7, -9])), ck.index_checks,
     "index 7 is out of bounds for axis 1 with size 3, of an array of shape (2, 3)"),
    (lambda x, i: x.at[i].add(1), (jnp.asarray(X), np.array([1, -4])), ck.index_checks,
     "index -1 is out of bounds for axis 0 with size 3, of an array of shape (3,)"),
    (lambda x, i: lax.dynamic_slice(x, (i,), (2,)), (X, np.int32(2)), ck.all_checks,
     "index 2 is out of bounds for axis 0 with size 3, of an array of shape (3,)"),
    (lambda x, i: lax.dynamic_update_slice(x, x[:2], (i,)), (X, np.int32(2)), ck.all_checks,
     "index 2 is out of bounds for axis 0 with size 3, of an array of shape (3,)"),
    (px.vmap(lambda i: jnp.arange(5)[i]), (np.array([0, 7, 9]),), ck.index_checks,
     "index 7 is out of bounds for axis 0 with size 5, of an array of shape (5,)"),
    (lambda i, j: jnp.zeros((3, 4))[i, j], (np.array([0, 5]), np.array([9, 1])), ck.index_checks,
     "index 9 is out of bounds for axis 1 with size 4, of an array of shape (3, 4)"),
    (lambda x: x.at[jnp.array([5])].get(mode="clip"), (X,), ck.index_checks,
     "index 5 is out of bounds for axis 0 with size 3, of an array of shape (3,)"),
])
def test_automatic_checks(f: Any, args: tuple, errors: Any, says: str) -> None:
    arrays = [jnp.asarray(x) for x in args]
    assert _text(found(f, *arrays, errors=errors)) == says
    assert found(f, *arrays) is None  # nobody asked


@pytest.mark.parametrize("f", [
    lambda x: x[np.array([0, 2, -1])], lambda x: x.at[jnp.array([1])].get(mode="clip"), lambda x: jnp.log(abs(x)),
    lambda x: lax.dynamic_slice(x, (jnp.int32(1),), (2,)), lambda x: jnp.where(x > 0, x, 0.0) / 2])
def test_nothing_is_found_where_nothing_is_wrong(f: Any) -> None:
    assert found(f, jnp.asarray(X), errors=ck.all_checks) is None


def test_an_index_that_shall_be_clipped_is_inside() -> None:
    checked = ck.checkify(lambda x, k: x.at[k].get(mode="clip"), errors=ck.index_checks)
    for f in (checked, px.jit(checked)):
        error, entry = f(jnp.arange(4.0), 7)
        assert error.get() is None and float(entry) == 3.0


def test_derivatives_of_checked_functions() -> None:
    def loss(x: Any) -> Any:
        error, out = ck.checkify(lambda y: lax.fori_loop(0, 3, lambda i, c: positive(c), y), ck.all_checks)(x)
        return out, error

    value, error = px.jit(px.grad(loss, has_aux=True))(jnp.float32(-0.5))
    assert value == 8.0 and _text(error.get()) == "must be positive: -0.5 0.5"


@px.custom_jvp
def halved(x: Any) -> Any:
    return positive(x) / 4


halved.defjvps(lambda dx, y, x: 10 * dx)


@px.custom_vjp
def thirded(x: Any) -> Any:
    return positive(x) / 6


thirded.defvjp(lambda x: (x / 3, None), lambda _, ct: (20 * ct,))


@pytest.mark.parametrize(("f", "slope"), [(halved, 10), (thirded, 20)])
def test_rules_of_custom_derivatives_survive(f: Any, slope: int) -> None:
    scaled = lambda x: f(x * np.float32(2))
    assert _text(found(scaled, jnp.float32(-1))) == "must be positive: -2.0 -1.0"
    pair = lambda x: ck.checkify(scaled)(x)[::-1]
    assert px.grad(pair, has_aux=True)(jnp.float32(1))[0] == 2 * slope
    assert px.jit(px.vmap(px.grad(pair, has_aux=True)))(X)[0].tolist() == [2 * slope] * 3


def test_an_error_raises_and_is_handed_on() -> None:
    error, _ = ck.checkify(positive)(jnp.float32(-1))
    with pytest.raises(CheckifyError, match=r"must be positive: -1\.0 0\.0") as caught:
        error.throw()
    assert isinstance(caught.value.__cause__, FailedCheckError) and isinstance(caught.value, ck.JaxRuntimeError)
    assert "test_checkify.py" in str(caught.value)
    with pytest.raises(CheckifyError):
        ck.check_error(error)

    def f(x: Any) -> Any:
        ck.check_error(error)
        return x

    assert _text(found(f, jnp.float32(0))) == "must be positive: -1.0 0.0"
    fine, _ = ck.checkify(positive)(jnp.float32(1))
    fine.throw()
    assert fine.get_exception() is None and ck.init_error.get() is None
    nan, _ = ck.checkify(jnp.log, ck.all_checks)(jnp.float32(-1))
    assert type(nan.get_exception()) is NaNError


def test_checks_outside_of_checkify() -> None:
    with pytest.raises(CheckifyError, match="x is -1"):
        ck.check(jnp.bool_(False), "x is {}", -1)
    ck.check(True, "fine")
    ck.debug_check(False, "not looked at")
    assert px.jit(lambda x: (ck.debug_check(x > 0, "not looked at"), x)[1])(-1.0) == -1.0
    with pytest.raises(UncheckedError):
        px.jit(positive)(1.0)
    error, _ = ck.checkify(lambda x: ck.debug_check(x > 0, "looked at"))(jnp.float32(-1))
    assert _text(error.get()) == "looked at"


def test_checks_of_other_categories_are_left_out() -> None:
    for f in (positive, px.jit(positive), lambda x: lax.cond(x > 0, positive, positive, x)):
        assert found(f, jnp.float32(-1), errors=ck.nan_checks) is None


def test_arguments_stay_as_they_are() -> None:
    error, out = ck.checkify(lambda n, xs: xs[:n] if n > 1 else xs)(2, X)
    assert error.get() is None and out.shape == (2,)


def test_messages_show_trees_of_arrays_and_keys() -> None:
    def f(x: Any, key: Any) -> Any:
        ck.check(x[0] < 0, "saw {x} {key}", x={"a": x}, key=key)
        return x

    arrays = (jnp.ones(2, jnp.bfloat16), px.random.key(7))
    for g in (f, px.jit(f)):
        assert "saw {'a': Array([1, 1], dtype=bfloat16)} Array((), dtype=key<fry>) overlaying:\n[0 7]" in found(g, *arrays)


@pytest.mark.parametrize(("call", "kind"), [
    (lambda: ck.check(X > 0, "x"), "pred"), (lambda: ck.check(jnp.float32(1), "x"), "pred"),
    (lambda: ck.check("yes", "x"), "pred"), (lambda: ck.check(True, "{}", "word"), "value"),
    (lambda: ck.check_error("x"), "error"), (lambda: ck.checkify(3), "function"),
    (lambda: ck.checkify(positive, errors=NaNError), "errors")])
def test_arguments_that_do_not_fit(call: Any, kind: str) -> None:
    with pytest.raises(CheckArgumentError) as caught:
        call()
    assert caught.value.kind == kind


def test_messages_and_loops_that_do_not_fit() -> None:
    with pytest.raises(DebugFormatError):
        ck.check(True, "{} {}", 1)
    with pytest.raises(CheckifyLoopError):
        ck.checkify(px.vmap(lambda x: lax.while_loop(lambda c: c < 5, lambda c: positive(c) + 1, x)))(jnp.asarray(X))


def _ruled(kind: str, factor: Any) -> Any:
    """A function with a rule of its own that checks its argument and closes over `factor`."""
    def f(x: Any) -> Any:
        ck.check(jnp.all(x > 0), "not positive")
        return (x * factor).sum()

    if kind == "jvp":
        ruled = px.custom_jvp(f)
        ruled.defjvp(lambda p, t: (ruled(*p), (t[0] * factor).sum()))
        return ruled
    ruled = px.custom_vjp(f)
    ruled.defvjp(lambda x: (ruled(x), None), lambda _, ct: (ct * factor,))
    return ruled


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
@pytest.mark.parametrize("staged", [False, True])
def test_checks_of_functions_with_rules_that_close_over_arrays_are_not_lost_under_grad(kind: str, staged: bool) -> None:
    ruled = _ruled(kind, jnp.array([1., 2.]))
    checked = ck.checkify(lambda x: ruled(x))
    if staged:
        checked = px.jit(checked)
    gradient = px.grad(lambda x: checked(x)[::-1], has_aux=True)
    for x, message in ((jnp.array([1., -1.]), "not positive"), (jnp.array([1., 1.]), None)):
        found, error = gradient(x)
        np.testing.assert_array_equal(found, [1, 2])
        assert (error.get() or "").startswith(message or "") and (error.get() is None) == (message is None)


@pytest.mark.parametrize("kind", ["jvp", "vjp"])
def test_what_a_function_with_rules_closes_over_cannot_be_differentiated(kind: str) -> None:
    def loss(factor: Any) -> Any:
        return ck.checkify(px.jit(lambda f: _ruled(kind, f)(jnp.ones(2))))(factor)[1]

    with pytest.raises(CustomRuleError):
        px.grad(loss)(jnp.array([1., 2.]))
