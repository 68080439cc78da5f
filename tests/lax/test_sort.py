"""Sorting and the largest entries: values against NumPy, the laws of every rule, the order of floats, mistakes."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import laws
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perspicax.core import dtypes
from perspicax.lax.errors import OperandDtypeError, OperationShapeError
from perspicax.lax.reduce_errors import SortKeysError, SortOperandsError, TopKError
from perspicax.lax.sorting import sort, sort_key_val, take_along, top_k
from perspicax.transform.grad import jvp
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

RANDOM = np.random.default_rng(0)
X = RANDOM.permutation(12).reshape(3, 4).astype(np.float64)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8", "bool"])
def test_values(dtype: str, axis: int) -> None:
    x = (X % 5 if dtype != "bool" else X % 2).astype(dtypes.to_dtype(dtype))
    found = sort(as_array(x), axis)
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(np.asarray(found), np.sort(x, axis))
    np.testing.assert_array_equal(np.asarray(laws.jit(lambda x: sort(x, axis))(x)), np.sort(x, axis))


@pytest.mark.parametrize("axis", [0, 1])
def test_laws(axis: int) -> None:
    laws.check_all(lambda x: sort(x, axis), X[:2])


def test_laws_of_several_operands() -> None:
    laws.check_all(lambda x, y: list(sort((x, y), 1)), X[:2], X[1:] * 0.5, order=1)


def test_nan_is_last_and_zeros_are_equal() -> None:
    x = np.float32([np.nan, 1, -0.0, 0.0, np.inf, -np.inf])
    x = np.append(x, np.uint32([0xFFC00000]).view(np.float32))  # a NaN with the sign bit set
    values, places = sort_key_val(x, np.arange(7, dtype=np.int32))
    np.testing.assert_array_equal(np.asarray(values), np.float32([-np.inf, 0, 0, 1, np.inf, np.nan, np.nan]))
    assert np.asarray(places).tolist() == [5, 2, 3, 1, 4, 0, 6]  # stable: equal keys keep their order
    assert np.signbit(np.asarray(values)[1:3]).tolist() == [True, False]


def test_complex_numbers_are_ordered_by_real_then_imaginary_part() -> None:
    x = np.complex64([1 + 2j, 1 + 1j, -1 + 9j, complex(np.nan, 0)])
    found = np.asarray(sort(x))
    assert found[:3].tolist() == [-1 + 9j, 1 + 1j, 1 + 2j]
    assert np.isnan(found[3])


# XLA takes subnormal numbers for 0 where it compares.
ROWS = st.tuples(st.integers(0, 2), st.floats(-1, 1, width=32, allow_subnormal=False), st.integers(-5, 5))


@given(st.lists(ROWS, min_size=6, max_size=6))
@settings(max_examples=30)
def test_lexicographic_order_of_several_keys(rows: list) -> None:
    a, b, c = (np.asarray(column, dtype) for column, dtype in zip(zip(*rows), (np.int32, np.float32, np.int32)))
    found = sort((a, b, c), num_keys=2)
    wanted = sorted(rows, key=lambda row: row[:2])  # Python's sort is stable too
    for got, column in zip(found, zip(*wanted)):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(column, np.asarray(got).dtype))


@pytest.mark.parametrize("axis", [0, 1])
def test_empty_arrays_are_sorted(axis: int) -> None:
    x = np.zeros((3, 0), np.float32)
    a, b = laws.jit(lambda x: sort_key_val(x, x, axis))(x)
    assert a.shape == b.shape == sort(x, axis).shape == (3, 0)


def test_unbatched_operands_go_along() -> None:
    keys, values = np.float32([[3, 1, 2], [1, 2, 3]]), np.int32([10, 20, 30])
    a, b = vmap(lambda k: sort_key_val(k, values))(keys)
    assert np.asarray(b).tolist() == [[20, 30, 10], [10, 20, 30]]
    assert np.asarray(a).tolist() == [[1, 2, 3], [1, 2, 3]]


def test_a_sequence_returns_a_tuple() -> None:
    assert isinstance(sort([X.astype("f")]), tuple)
    assert not isinstance(sort(X.astype("f")), tuple)


def test_tangents_take_the_places_of_their_operands() -> None:
    keys, values = np.float32([3, 1, 2]), np.int32([7, 8, 9])
    _, tangents = jvp(lambda k: sort_key_val(k, values), (keys,), (np.float32([30, 10, 20]),))
    assert np.asarray(tangents[0]).tolist() == [10, 20, 30]
    assert tangents[1].dtype == dtypes.float0


def test_take_along() -> None:
    order = np.argsort(X, 0).astype(np.int32)
    np.testing.assert_array_equal(np.asarray(take_along(X.astype("f"), order, 0)), np.sort(X, 0).astype("f"))


# -- top_k

@pytest.mark.parametrize(("k", "axis"), [(2, -1), (2, 0), (0, 1), (4, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_top_k(k: int, axis: int, dtype: Any) -> None:
    x = X.astype(dtype)
    values, indices = top_k(x, k, axis=axis)
    order = np.flip(np.argsort(x, axis), axis).take(range(k), axis)
    assert indices.dtype == np.int32
    np.testing.assert_array_equal(np.asarray(indices), order)
    np.testing.assert_array_equal(np.asarray(values), np.take_along_axis(x, order, axis))


@pytest.mark.parametrize("axis", [0, 1])
def test_laws_of_top_k(axis: int) -> None:
    laws.check_all(lambda x: top_k(x, 2, axis=axis)[0], X[:2])
    laws.check_vmap(lambda x: top_k(x, 2, axis=axis), X[:2])


def test_top_k_of_ties_and_nan() -> None:
    values, indices = top_k(np.float32([2, np.nan, 3, 3]), 3)
    assert np.asarray(indices).tolist() == [1, 2, 3]
    assert np.asarray(values)[1:].tolist() == [3, 3]


x34 = X.astype(np.float32)
MISTAKES: list[tuple[str, Callable[[], Any], type, dict]] = [
    ("other shapes", lambda: sort((x34, x34[0])), SortOperandsError, {}),
    ("no arrays", lambda: sort(()), SortOperandsError, {"avals": ()}),
    ("too many keys", lambda: sort((x34,), num_keys=2), SortKeysError, {"num_keys": 2, "count": 1}),
    ("no keys", lambda: sort((x34,), num_keys=0), SortKeysError, {"num_keys": 0, "count": 1}),
    ("no such axis", lambda: sort(x34, 2), OperationShapeError, {}),
    ("a scalar", lambda: sort(1.0), OperationShapeError, {}),
    ("more than there are", lambda: top_k(x34, 5), TopKError, {"k": 5, "axis": 1}),
    ("a negative number", lambda: top_k(x34, -1), TopKError, {"k": -1, "axis": 1}),
    ("largest of a scalar", lambda: top_k(1.0, 1), OperationShapeError, {}),
    ("largest of complex numbers", lambda: top_k(x34.astype(np.complex64), 1), OperandDtypeError, {"operation": "top_k"}),
]


@pytest.mark.parametrize(("mistake", "f", "error", "facts"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_reported(mistake: str, f: Callable[[], Any], error: type, facts: dict) -> None:
    with pytest.raises(error) as found:
        f()
    assert {name: getattr(found.value, name) for name in facts} == facts
    report = found.value.full_report  # type: ignore[attr-defined]
    assert report.says and report.why and "could not be made" not in str(report.notes)
