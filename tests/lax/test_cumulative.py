"""Cumulative reductions: values against NumPy, the laws of every rule, ties and infinities, mistakes."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import laws
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perspicax.lax import elementwise
from perspicax.lax.cumulative import (
    cumlogsumexp,
    cummax,
    cummin,
    cumprod,
    cumsum,
    prefixes,
)
from perspicax.lax.errors import OperandDtypeError, OperationShapeError
from perspicax.lax.slicing import index_in_dim
from perspicax.transform.grad import grad, jvp
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((3, 4))
FUNCTIONS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (cumsum, np.add.accumulate), (cumprod, np.multiply.accumulate), (cummax, np.maximum.accumulate),
    (cummin, np.minimum.accumulate), (cumlogsumexp, np.logaddexp.accumulate)]
IDS = [f.__name__ for f, _ in FUNCTIONS]


@pytest.mark.parametrize(("f", "accumulate"), FUNCTIONS, ids=IDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_values(f: Callable[..., Any], accumulate: Callable[..., Any], reverse: bool) -> None:
    with laws.double():
        for axis in (0, 1):
            wanted = np.flip(accumulate(np.flip(X, axis), axis), axis) if reverse else accumulate(X, axis)
            np.testing.assert_allclose(np.asarray(f(X, axis, reverse)), wanted, rtol=1e-12)


@pytest.mark.parametrize(("f", "accumulate"), FUNCTIONS, ids=IDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_laws(f: Callable[..., Any], accumulate: Callable[..., Any], reverse: bool) -> None:
    laws.check_all(lambda x: f(x, 1, reverse), X[:2], order=2 if f in (cumsum, cumprod) else 1)


@pytest.mark.parametrize(("f", "accumulate"), FUNCTIONS[:4], ids=IDS[:4])
@pytest.mark.parametrize("dtype", [np.int32, np.uint8])
def test_integers_on_the_host_are_those_of_the_compiler(f: Callable[..., Any], accumulate: Callable[..., Any],
                                                        dtype: Any) -> None:
    x = np.arange(1, 13).reshape(3, 4).astype(dtype) * np.asarray(37, dtype)  # overflows
    for reverse in (False, True):
        laws.check_jit(lambda x: f(x, 1, reverse), x)
    np.testing.assert_array_equal(np.asarray(f(x, 1)), accumulate(x, 1, dtype=dtype))


@given(st.integers(0, 9), st.integers(0, 1))
@settings(max_examples=20)
def test_prefixes_of_any_length(n: int, axis: int) -> None:
    x = RANDOM.integers(-9, 9, (n, 3) if axis == 0 else (3, n)).astype(np.int32)
    found = prefixes(lambda a, b: [elementwise.add(a[0], b[0])], [as_array(x)], axis)
    np.testing.assert_array_equal(np.asarray(found[0]), np.cumsum(x, axis, dtype=np.int32))


def test_entries_that_tie_share_the_derivative() -> None:
    x, direction = np.float32([1, 1, 0, 2]), np.float32([1, 3, 10, 100])
    assert np.asarray(jvp(cummax, (x,), (direction,))[1]).tolist() == [1, 2, 2, 100]
    assert np.asarray(jvp(cummin, (x,), (direction,))[1]).tolist() == [1, 2, 10, 10]


def test_cumprod_has_a_derivative_at_zero() -> None:
    found = grad(lambda x: index_in_dim(cumprod(x), -1, 0, keepdims=False))(np.float32([2, 0, 3]))
    assert np.asarray(found).tolist() == [0, 6, 0]


def test_cumlogsumexp_of_infinities() -> None:
    x, direction = np.float32([-np.inf, 1, np.inf, 2]), np.float32([1, 2, 3, 4])
    value, tangent = jvp(cumlogsumexp, (x,), (direction,))
    assert np.asarray(value).tolist() == [-np.inf, 1, np.inf, np.inf]
    assert np.asarray(tangent)[1:3].tolist() == [2, 3]
    assert np.asarray(cumlogsumexp(np.float32([-np.inf, -np.inf]))).tolist() == [-np.inf, -np.inf]
    assert np.isnan(np.asarray(cumlogsumexp(np.float32([1, np.nan, 2]))))[1:].all()


def test_large_numbers_do_not_overflow() -> None:
    found = np.asarray(cumlogsumexp(np.float32([1000, 1000])))
    np.testing.assert_allclose(found, [1000, 1000 + np.log(2)], rtol=1e-6)


def test_nan_stays() -> None:
    x = np.float32([1, np.nan, 3])
    for f in (cummax, cummin, cumsum, cumprod):
        assert np.isnan(np.asarray(f(x))).tolist() == [False, True, True]


def test_complex_maxima_are_ordered_by_real_then_imaginary_part() -> None:
    x = np.complex64([1 + 2j, 1 + 3j, 5j])
    assert np.asarray(cummax(x)).tolist() == [1 + 2j, 1 + 3j, 1 + 3j]
    assert np.asarray(cummin(x)).tolist() == [1 + 2j, 1 + 2j, 5j]


def test_empty_and_single() -> None:
    for f, _ in FUNCTIONS:
        assert f(np.zeros((0, 2), np.float32), 0).shape == (0, 2)
        assert np.asarray(f(np.float32([[3, 4]]), 0)).tolist() == [[3, 4]]
    assert vmap(lambda x: jvp(cumprod, (x,), (x,))[1])(np.zeros((2, 0), np.float32)).shape == (2, 0)


@pytest.mark.parametrize("axis", [2, -1])
def test_an_axis_that_is_not_there(axis: int) -> None:
    with pytest.raises(OperationShapeError, match=f"`cumsum` along axis {axis}"):
        cumsum(X, axis)


def test_dtypes_that_are_not_taken() -> None:
    with pytest.raises(OperandDtypeError) as found:
        cumsum(np.ones(3, bool))
    assert found.value.operation == "cumsum"
    with pytest.raises(OperandDtypeError):
        cumlogsumexp(np.ones(3, np.int32))
