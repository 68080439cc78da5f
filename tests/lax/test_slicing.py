"""Slices: values against NumPy, the laws of every rule, mistakes in the arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perspicax.lax.hook_table  # noqa: F401  (fills the hooks of the transformations)
from perspicax.lax import slicing
from perspicax.lax.index_errors import OutOfBoundsError, SliceArgumentError, StaticIndexError
from perspicax.transform.grad import jvp, vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

VALUE = np.random.RandomState(0).randn(4, 6).astype(np.float32)
X = as_array(VALUE)
UPDATE = np.random.RandomState(1).randn(2, 3).astype(np.float32)


def jit(fun: Callable[..., Any]) -> Any:
    return JitFunction(fun, JitOptions())


def inner(a: Any, b: Any) -> float:
    return float(np.vdot(np.asarray(a), np.asarray(b)))


def check_adjoint(fun: Callable[..., Any], *primals: np.ndarray) -> None:
    """⟨ȳ, J dx⟩ = ⟨Jᵀ ȳ, dx⟩, and J agrees with central differences (exactly, up to rounding: `fun` is linear)."""
    random = np.random.RandomState(2)
    tangents = [random.randn(*p.shape).astype(np.float32) for p in primals]
    arrays = [as_array(p) for p in primals]
    out, moved = jvp(fun, tuple(arrays), tuple(as_array(t) for t in tangents))
    ahead = fun(*[as_array(p + t) for p, t in zip(primals, tangents)]).value()
    behind = fun(*[as_array(p - t) for p, t in zip(primals, tangents)]).value()
    np.testing.assert_allclose(moved.value(), (ahead - behind) / 2, atol=1e-6)
    ct = random.randn(*out.shape).astype(np.float32)
    _, back = vjp(fun, *arrays)
    found = sum(inner(c.value(), t) for c, t in zip(back(as_array(ct)), tangents))
    assert found == pytest.approx(inner(ct, moved.value()), rel=1e-5)


@st.composite
def boxes(draw: Any) -> tuple[tuple, tuple, tuple]:
    low, high, steps = [], [], []
    for n in VALUE.shape:
        a, b = sorted((draw(st.integers(0, n)), draw(st.integers(0, n))))
        low.append(a)
        high.append(b)
        steps.append(draw(st.integers(1, 3)))
    return tuple(low), tuple(high), tuple(steps)


@given(boxes())
@settings(max_examples=50)
def test_slice_takes_what_numpy_takes(box: tuple[tuple, tuple, tuple]) -> None:
    expected = VALUE[tuple(map(slice, *box))]
    np.testing.assert_array_equal(slicing.slice(X, *box).value(), expected)


@pytest.mark.parametrize("box", [((1, 0), (3, 6), None), ((0, 1), (4, 6), (3, 2)), ((2, 2), (2, 5), (1, 1))])
def test_laws_of_slice(box: tuple) -> None:
    def fun(x: Any) -> Any:
        return slicing.slice(x, *box)

    np.testing.assert_array_equal(jit(fun)(X).value(), fun(X).value())
    check_adjoint(fun, VALUE)
    batch = np.stack([VALUE, 2 * VALUE], 1)
    np.testing.assert_array_equal(vmap(fun, in_axes=1)(as_array(batch)).value(),
                                  np.stack([fun(X).value(), 2 * fun(X).value()]))


def test_slices_along_one_axis() -> None:
    np.testing.assert_array_equal(slicing.slice_in_dim(X, -3, None, 2).value(), VALUE[-3::2])
    np.testing.assert_array_equal(slicing.slice_in_dim(X, 1, -1, axis=1).value(), VALUE[:, 1:-1])
    np.testing.assert_array_equal(slicing.index_in_dim(X, -1, axis=1).value(), VALUE[:, -1:])
    np.testing.assert_array_equal(slicing.index_in_dim(X, 2, keepdims=False).value(), VALUE[2])
    with pytest.raises(StaticIndexError) as info:
        slicing.index_in_dim(X, 9, axis=-1)
    assert (info.value.axis, info.value.index, info.value.size) == (1, 9, 6)


@given(st.integers(-9, 9), st.integers(-9, 9))
@settings(max_examples=40)
def test_a_start_is_moved_until_the_slice_fits(i: int, j: int) -> None:
    def clamped(s: int, n: int, size: int) -> int:
        return min(max(s + n if s < 0 else s, 0), n - size)

    a, b = clamped(i, 4, 2), clamped(j, 6, 3)
    expected = VALUE[a:a + 2, b:b + 3]
    np.testing.assert_array_equal(slicing.dynamic_slice(X, (i, j), (2, 3)).value(), expected)
    starts = as_array(np.array([i, j], np.int32))
    np.testing.assert_array_equal(COMPILED(X, starts).value(), expected)
    replaced = VALUE.copy()
    replaced[a:a + 2, b:b + 3] = UPDATE
    np.testing.assert_array_equal(slicing.dynamic_update_slice(X, UPDATE, (i, j)).value(), replaced)
    np.testing.assert_array_equal(COMPILED_UPDATE(X, UPDATE, starts).value(), replaced)


COMPILED = jit(lambda x, starts: slicing.dynamic_slice(x, starts, (2, 3)))
COMPILED_UPDATE = jit(lambda x, update, starts: slicing.dynamic_update_slice(x, update, starts))


def test_derivatives_of_dynamic_slices() -> None:
    start = (as_array(np.int32(9)), as_array(np.int32(1)))
    check_adjoint(lambda x: slicing.dynamic_slice(x, start, (2, 3)), VALUE)
    check_adjoint(lambda x, u: slicing.dynamic_update_slice(x, u, start), VALUE, UPDATE)
    check_adjoint(lambda u: slicing.dynamic_update_slice(X, u, start), UPDATE)
    check_adjoint(lambda x: slicing.dynamic_update_slice(x, UPDATE, start), VALUE)


@pytest.mark.parametrize("batched", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
def test_batches_of_dynamic_slices(batched: tuple[int, int, int]) -> None:
    values = [np.stack([VALUE, -VALUE, 2 * VALUE], 1), np.stack([UPDATE, -UPDATE, 3 * UPDATE]),
              np.array([[0, 0], [9, -1], [-3, 2]], np.int32)]
    single = [VALUE, UPDATE, values[2][1]]
    axes = tuple(a if b else None for a, b in zip((1, 0, 0), batched))
    args = [as_array(v if b else s) for v, s, b in zip(values, single, batched)]
    per_example = [[np.moveaxis(v, a, 0)[i] if b else s for v, s, a, b in zip(values, single, (1, 0, 0), batched)]
                   for i in range(3)]

    def update(x: Any, u: Any, i: Any) -> Any:
        return slicing.dynamic_update_slice(x, u, i)

    def read(x: Any, u: Any, i: Any) -> Any:
        return slicing.dynamic_slice(x, i, (2, 3))

    found = vmap(update, in_axes=axes)(*args).value()
    np.testing.assert_array_equal(found, np.stack([update(*map(as_array, e)).value() for e in per_example]))
    if batched[0] or batched[2]:
        found = vmap(read, in_axes=axes)(*args).value()
        np.testing.assert_array_equal(found, np.stack([read(*map(as_array, e)).value() for e in per_example]))


def test_dynamic_slices_along_one_axis() -> None:
    i = as_array(np.int8(-2))
    np.testing.assert_array_equal(slicing.dynamic_slice_in_dim(X, i, 2, axis=1).value(), VALUE[:, -2:])
    np.testing.assert_array_equal(slicing.dynamic_index_in_dim(X, i, keepdims=False).value(), VALUE[-2])
    found = slicing.dynamic_update_index_in_dim(X, np.zeros(4, np.float32), i, 1).value()
    np.testing.assert_array_equal(found[:, 4], 0)
    found = slicing.dynamic_update_slice_in_dim(X, np.zeros((2, 6), np.float32), 3, 0).value()
    np.testing.assert_array_equal(found[2:], 0)
    small = as_array(np.arange(300, dtype=np.float32))  # longer than its index type can count
    assert slicing.dynamic_index_in_dim(small, as_array(np.int8(-1))).value() == 299


@pytest.mark.parametrize("call", [
    lambda: slicing.slice(X, (0,), (1,)), lambda: slicing.slice(X, (0, 0), (5, 6)), lambda: slicing.slice(X, (2, 0), (1, 6)),
    lambda: slicing.slice(X, (0, 0), (4, 6), (0, 1)), lambda: slicing.slice(X, (0, "a"), (4, 6)),
    lambda: slicing.dynamic_slice(X, (0, 0), (5, 6)), lambda: slicing.dynamic_slice(X, (0,), (1, 6)),
    lambda: slicing.dynamic_slice(X, (0.0, 0), (1, 1)), lambda: slicing.dynamic_slice(X, np.zeros((1, 2), int), (1, 1)),
    lambda: slicing.dynamic_slice(X, (np.int8(1), np.uint8(2)), (1, 1)),
    lambda: slicing.dynamic_update_slice(X, np.ones((5, 6), np.float32), (0, 0)),
    lambda: slicing.dynamic_update_slice(X, np.ones(2, np.float32), (0, 0)),
], ids=range(12))
def test_arguments_that_do_not_fit(call: Callable[[], Any]) -> None:
    with pytest.raises(SliceArgumentError) as info:
        call()
    assert isinstance(info.value, TypeError) and isinstance(info.value, ValueError) and "why" in str(info.value)


def test_what_the_bounds_sanitizer_asks() -> None:
    rule = slicing.dynamic_slice_p.sanitize["bounds"]
    rule((X, 2, 3), {"slice_sizes": (2, 3)})
    with pytest.raises(OutOfBoundsError) as info:
        rule((X, 2, as_array(np.int32(4))), {"slice_sizes": (2, 3)})
    assert (info.value.axis, info.value.index, info.value.size, info.value.window) == (1, 4, 6, 3)
    assert "entries 4 to 6" in str(info.value)


def test_an_index_that_may_not_count_from_the_end() -> None:
    with pytest.raises(ValueError, match="is negative, and") as caught:
        slicing.dynamic_slice(np.ones((3, 3), np.float32), (-1, 0), (1, 1), allow_negative_indices=False)
    assert isinstance(caught.value, IndexError)
    assert caught.value.report.fixes[0].lines == ("2",)
