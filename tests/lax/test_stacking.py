"""Stacking, tiling, filling and collapsing: values against NumPy, types, mistakes."""
from __future__ import annotations

from typing import Any

import laws
import ml_dtypes
import numpy as np
import pytest

import perspicax
from perspicax import lax
from perspicax.core.dtype_errors import NotTypedError
from perspicax.lax.errors import OperandMismatchError, OperationShapeError
from perspicax.lax.index_errors import GatherDimensionsError
from perspicax.lax.join_errors import JoinError

X = np.arange(6.).reshape(2, 3).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("run", [lambda f: f, laws.jit], ids=["eager", "jit"])
def test_stack_and_unstack(axis: int, run: Any) -> None:
    made = run(lambda x: lax.stack([x, x + 1], axis))(X)
    np.testing.assert_array_equal(made, np.stack([X, X + 1], axis))
    parts = run(lambda x: list(lax.unstack(x, axis)))(made)
    np.testing.assert_array_equal(parts[0], X)
    np.testing.assert_array_equal(parts[1], X + 1)


@pytest.mark.parametrize("reps", [(2, 3), (1, 1), (0, 2)])
@pytest.mark.parametrize("run", [lambda f: f, laws.jit], ids=["eager", "jit"])
def test_tile(reps: tuple, run: Any) -> None:
    np.testing.assert_array_equal(run(lambda x: lax.tile(x, reps))(X), np.tile(X, reps))


def test_keys_are_stacked_and_tiled() -> None:
    keys = [perspicax.random.key(i) for i in range(2)]
    words = np.stack([np.asarray(perspicax.random.key_data(k)) for k in keys])
    for run in (lambda f: f, laws.jit):
        stacked = run(lambda a, b: lax.tile(lax.stack([a, b]), (2,)))(*keys)
        np.testing.assert_array_equal(perspicax.random.key_data(stacked), np.tile(words, (2, 1)))
        np.testing.assert_array_equal(perspicax.random.key_data(run(lambda a: lax.unstack(a)[3])(stacked)), words[1])


def test_full_and_full_like() -> None:
    assert lax.full(3, 1.).weak_type
    assert (lax.full((2,), 7, np.int8).dtype, lax.full((2,), 7, np.int8).tolist()) == (np.int8, [7, 7])
    assert lax.full_like(X, 2, shape=(4,)).tolist() == [2., 2., 2., 2.]
    assert lax.full_like(perspicax.ShapeDtypeStruct((2,), np.uint8), 3).dtype == np.uint8
    np.testing.assert_array_equal(laws.jit(lambda v: lax.full((2,), v))(3.), [3., 3.])
    key = lax.full_like(perspicax.random.key(0), 5)
    np.testing.assert_array_equal(perspicax.random.key_data(key), [5, 5])
    assert (lax.empty((2, 3), np.int8).shape, lax.empty(2, np.int8).dtype) == ((2, 3), np.int8)


def test_broadcast_like_and_collapse() -> None:
    np.testing.assert_array_equal(lax.broadcast_like(X[:, :1], X), X[:, [0, 0, 0]])
    np.testing.assert_array_equal(lax.collapse(np.stack([X, X]), 1), np.stack([X, X]).reshape(2, 6))
    assert lax.collapse(X, 1, 1).shape == (2, 1, 3)
    assert lax.shape_as_value((2, 3)).tolist() == [2, 3]


def test_index_take_begins_again_beyond_an_axis() -> None:
    found = lax.index_take(X, (np.array([0, -1, 3]), np.array([1, 4, -4])), (0, 1))
    np.testing.assert_array_equal(found, [X[0, 1], X[1, 1], X[1, 2]])
    np.testing.assert_array_equal(lax.index_take(X, (np.array([5]),), (1,)), [X[:, 2]])


def test_dtype_of_anything() -> None:
    assert [lax.dtype(v) for v in (1., 1, True, np.float64(1), "int8", float)] == [
        np.float32, np.int32, np.bool_, np.float32, np.int8, np.float32]
    with pytest.raises(NotTypedError):
        lax.dtype([1])


def test_the_largest_numbers_of_narrow_floats_are_not_infinite() -> None:
    x = np.array([6, -6, 1], ml_dtypes.float4_e2m1fn)
    for run in (lambda f: f, laws.jit):
        assert run(lambda v: lax.convert_element_type(v, np.int8))(x).tolist() == [6, -6, 1]


@pytest.mark.parametrize(("call", "error"), [
    (lambda: lax.stack([]), OperationShapeError), (lambda: lax.stack([X, X[0]]), JoinError),
    (lambda: lax.stack([X, X.astype(int)]), OperandMismatchError), (lambda: lax.unstack(X, 2), OperationShapeError),
    (lambda: lax.tile(X, (2,)), OperationShapeError), (lambda: lax.tile(X, (2, -1)), OperationShapeError),
    (lambda: lax.tile(X, (1.5, 1)), OperationShapeError), (lambda: lax.full((2,), X), OperationShapeError),
    (lambda: lax.broadcast_like(X, X[0]), OperationShapeError), (lambda: lax.collapse(X, 1, 0), OperationShapeError),
    (lambda: lax.index_take(X, (np.array([1]),), (0, 1)), GatherDimensionsError),
])
def test_mistakes(call: Any, error: type) -> None:
    with pytest.raises(error):
        call()
