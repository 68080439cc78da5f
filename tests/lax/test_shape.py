"""Shape and order: values against NumPy, the laws of every rule, mistakes in the arguments."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import laws
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perspicax.core import dtypes
from perspicax.core.errors import ShapeError
from perspicax.core.tracer import get_aval
from perspicax.lax import shape
from perspicax.lax.errors import OperandDtypeError, OperandMismatchError, OperationShapeError
from perspicax.lax.join_errors import JoinError, SplitError
from perspicax.lax.reductions import reduce_sum
from perspicax.transform.grad import grad, vjp
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array

X = np.random.default_rng(0).standard_normal((2, 3))
Y = np.random.default_rng(1).standard_normal((2, 3))
ONE = np.random.default_rng(2).standard_normal((1, 3))

# name, function of arrays, arguments, what NumPy makes of them
CASES: list[tuple[str, Callable[..., Any], tuple, Callable[..., Any]]] = [
    ("broadcast_in_dim", lambda x: shape.broadcast_in_dim(x, (2, 4, 3), (0, 2)), (X,),
     lambda x: np.repeat(x[:, None], 4, 1)),
    ("broadcast_in_dim of size 1", lambda x: shape.broadcast_in_dim(x, (4, 2, 3), (1, 2)), (ONE,),
     lambda x: np.broadcast_to(x, (4, 2, 3))),
    ("broadcast", lambda x: shape.broadcast(x, (2, 2)), (X,), lambda x: np.broadcast_to(x, (2, 2, 2, 3))),
    ("broadcast_to_rank", lambda x: shape.broadcast_to_rank(x, 3), (X,), lambda x: x[None]),
    ("reshape", lambda x: shape.reshape(x, (3, 2)), (X,), lambda x: x.reshape(3, 2)),
    ("reshape in another order", lambda x: shape.reshape(x, (6,), (1, 0)), (X,), lambda x: x.T.reshape(6)),
    ("transpose", lambda x: shape.transpose(x, (1, 0)), (X,), np.transpose),
    ("squeeze", lambda x: shape.squeeze(x, (0,)), (ONE,), lambda x: x[0]),
    ("squeeze from the end", lambda x: shape.squeeze(x, -2), (ONE,), lambda x: x[0]),
    ("expand_dims", lambda x: shape.expand_dims(x, (0, 3)), (X,), lambda x: x[None, :, :, None]),
    ("concatenate", lambda x, y: shape.concatenate([x, y], 1), (X, Y[:, :1]), lambda x, y: np.concatenate([x, y], 1)),
    ("concatenate with itself", lambda x: shape.concatenate([x, x], 0), (X,), lambda x: np.concatenate([x, x])),
    ("pad", lambda x, v: shape.pad(x, v, ((1, 2, 0), (0, 1, 1))), (X, np.float64(0.5)),
     lambda x, v: padded(x, v, ((1, 2, 0), (0, 1, 1)))),
    ("pad that removes", lambda x, v: shape.pad(x, v, ((-1, 1, 0), (1, -2, 0))), (X, np.float64(0.5)),
     lambda x, v: padded(x, v, ((-1, 1, 0), (1, -2, 0)))),
    ("pad with gaps that removes", lambda x, v: shape.pad(x, v, ((-1, -1, 2), (0, 0, 0))), (X, np.float64(0.5)),
     lambda x, v: padded(x, v, ((-1, -1, 2), (0, 0, 0)))),
    ("rev", lambda x: shape.rev(x, (1,)), (X,), lambda x: x[:, ::-1]),
    ("rev of no axis", lambda x: shape.rev(x, ()), (X,), lambda x: x),
    ("split", lambda x: shape.split(x, (1, 0, 2), 1), (X,), lambda x: np.split(x, [1, 1], 1)),
]
def padded(x: np.ndarray, fill: Any, config: Any) -> np.ndarray:
    """What `pad` means, axis after axis, entry after entry."""
    for axis, (low, high, inner) in enumerate(config):
        moved = np.moveaxis(x, axis, 0)
        gap = np.full((inner, *moved.shape[1:]), fill, x.dtype)
        rows = [row for i, entry in enumerate(moved) for row in ([entry] if i == 0 else [*gap, entry])]
        edge = np.full(moved.shape[1:], fill, x.dtype)
        rows = [edge] * max(low, 0) + rows + [edge] * max(high, 0)
        rows = rows[max(-low, 0):len(rows) - max(-high, 0)]
        stacked = np.stack(rows) if rows else np.zeros((0, *moved.shape[1:]), x.dtype)
        x = np.moveaxis(stacked, 0, axis)
    return x


@pytest.mark.parametrize(("name", "f", "args", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_values(name: str, f: Callable[..., Any], args: tuple, wanted: Any) -> None:
    with laws.double():
        found = laws.numpy(f(*[as_array(x) for x in args]))
        for a, b in zip(found, laws.listed(wanted(*args)), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "f", "args", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_laws(name: str, f: Callable[..., Any], args: tuple, wanted: Any) -> None:
    laws.check_all(f, *args)


@pytest.mark.parametrize(("name", "f", "args", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_integers_and_booleans(name: str, f: Callable[..., Any], args: tuple, wanted: Any) -> None:
    for dtype in (np.int32, np.bool_):
        xs = [np.asarray(x > 0, dtype) for x in args]
        laws.check_types(f, *[as_array(x) for x in xs])
        laws.check_jit(f, *xs)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 2)), min_size=2, max_size=2))
@settings(max_examples=60)
def test_padding_of_any_width(config: list) -> None:
    """The host's rule against the definition; the compiled one is the subject of `check_jit`."""
    x = np.arange(6, dtype=np.int32).reshape(2, 3)
    try:
        wanted_shape = shape.pad_shape(x.shape, config)
        found = np.asarray(shape.pad(as_array(x), np.int32(-1), config))
    except OperationShapeError:
        assert min(wanted_shape) < 0
        return
    np.testing.assert_array_equal(found, padded(x, -1, config))


def test_padding_keeps_the_bits_of_nan() -> None:
    words = np.array([0x7FC00001, 0xFFC00002], np.uint32)
    found = np.asarray(shape.pad(as_array(words.view(np.float32)), np.float32(0), ((1, 0, 1),)))
    assert found.view(np.uint32).tolist() == [0, 0x7FC00001, 0, 0xFFC00002]


def test_vmap_over_the_fill_value_alone() -> None:
    found = vmap(lambda v: shape.pad(X.astype(np.float32), v, ((1, 0, 0), (0, 0, 1))))(as_array(np.float32([1, 2])))
    for i, fill in enumerate((1, 2)):
        np.testing.assert_array_equal(np.asarray(found)[i], padded(X.astype(np.float32), fill, ((1, 0, 0), (0, 0, 1))))


@pytest.mark.parametrize("dtype", ["int8", "uint32", "float32", "bfloat16", "complex64"])
def test_iota_counts_along_one_axis(dtype: str) -> None:
    kind = dtypes.to_dtype(dtype)
    for axis in (0, 1):
        wanted = np.broadcast_to(np.arange((2, 3)[axis]).reshape((-1, 1) if axis == 0 else (1, -1)), (2, 3))
        eager = shape.broadcasted_iota(dtype, (2, 3), axis)
        staged = laws.jit(lambda: shape.broadcasted_iota(dtype, (2, 3), axis))()
        for found in (eager, staged):
            assert found.dtype == kind
            np.testing.assert_array_equal(np.asarray(found).astype(np.complex64), wanted)
    assert np.asarray(shape.iota(np.int32, 4)).tolist() == [0, 1, 2, 3]


def test_iota_wraps_as_the_compiler_does() -> None:
    eager = np.asarray(shape.iota(np.int8, 300))
    staged = np.asarray(laws.jit(lambda: shape.iota(np.int8, 300))())
    np.testing.assert_array_equal(eager, staged)


def test_weak_types_are_kept() -> None:
    for f in (lambda x: shape.broadcast(x, (2,)), lambda x: shape.reshape(x, (1,)), lambda x: shape.expand_dims(x, (0,))):
        assert f(1.0).weak_type
        assert not f(np.float32(1)).weak_type
    weak = shape.broadcast(1.0, (2,))
    strong = as_array(np.ones(2, np.float32))
    assert shape.concatenate([weak, weak], 0).weak_type
    assert not shape.concatenate([weak, strong], 0).weak_type
    assert shape.pad(weak, 0.0, ((1, 0, 0),)).weak_type
    assert not shape.pad(strong, 0.0, ((1, 0, 0),)).weak_type
    assert all(x.weak_type for x in shape.split(weak, (1, 1)))


def test_nothing_to_do_returns_the_operand() -> None:
    x = as_array(X.astype(np.float32))
    assert shape.reshape(x, (2, 3)) is x
    assert shape.transpose(x, (0, 1)) is x
    assert shape.broadcast(x, ()) is x
    assert shape.broadcast_in_dim(x, (2, 3), (0, 1)) is x
    assert shape.squeeze(x, ()) is x
    assert shape.concatenate([x], 0) is x
    assert shape.broadcast_to_rank(x, 2) is x


def test_broadcast_shapes() -> None:
    assert shape.broadcast_shapes() == ()
    assert shape.broadcast_shapes((2, 1), (3,)) == (2, 3)
    assert shape.broadcast_shapes((0,), (1,)) == (0,)
    assert shape.broadcast_shapes((4, 1, 3), (2, 1), ()) == (4, 2, 3)
    with pytest.raises(OperationShapeError, match="axis -1 has the sizes 2, 3"):
        shape.broadcast_shapes((2,), (3,))


def test_canonical_axis() -> None:
    assert [shape.canonical_axis(a, 2) for a in (-2, -1, 0, 1)] == [0, 1, 0, 1]
    assert shape.canonical_axis(np.int64(1), 2) == 1
    for axis, rank in ((2, 2), (-3, 2), (0, 0), ("x", 2), (1.5, 2)):
        with pytest.raises(OperationShapeError):
            shape.canonical_axis(axis, rank)


def test_cotangents_may_be_numpy_arrays() -> None:
    x = X.astype(np.float32)
    for f in (lambda x: shape.concatenate([x, x], 0), lambda x: shape.pad(x, np.float32(0), ((1, 0, 0), (0, 0, 0))),
              lambda x: shape.broadcast(x, (2,)), lambda x: shape.transpose(x, (1, 0))):
        out, back = vjp(f, x)
        (found,) = back(np.ones(out.shape, np.float32))
        assert get_aval(found).shape == x.shape  # type: ignore[attr-defined]
    assert np.asarray(vjp(lambda x: shape.concatenate([x, x], 0), x)[1](np.ones((4, 3), np.float32))[0]).tolist() == \
        np.full((2, 3), 2).tolist()


def test_the_gradient_of_a_fill_value_counts_its_places() -> None:
    f = lambda v: shape.reshape(shape.pad(as_array(np.float32([1, 2])), v, ((1, 2, 1),)), (6,))
    total = grad(lambda v: reduce_sum(f(v), (0,)))(np.float32(3))
    assert float(total) == 4


def test_empty_arrays() -> None:
    empty = as_array(np.zeros((0, 3), np.float32))
    assert shape.reshape(empty, (3, 0)).shape == (3, 0)
    assert shape.concatenate([empty, as_array(np.ones((1, 3), np.float32))], 0).shape == (1, 3)
    assert np.asarray(shape.pad(empty, np.float32(7), ((1, 1, 2), (0, 0, 0)))).tolist() == [[7] * 3] * 2
    assert [x.shape for x in shape.split(empty, (0, 0))] == [(0, 3), (0, 3)]


x23 = as_array(np.ones((2, 3), np.float32))
MISTAKES: list[tuple[str, Callable[[], Any], type]] = [
    ("broadcast_in_dim to another size", lambda: shape.broadcast_in_dim(x23, (2, 4), (0, 1)), OperationShapeError),
    ("broadcast_in_dim decreasing", lambda: shape.broadcast_in_dim(x23, (2, 3, 4), (1, 0)), OperationShapeError),
    ("broadcast_in_dim too few", lambda: shape.broadcast_in_dim(x23, (2, 3, 4), (0,)), OperationShapeError),
    ("broadcast_in_dim outside", lambda: shape.broadcast_in_dim(x23, (2, 3), (0, 5)), OperationShapeError),
    ("reshape to another number", lambda: shape.reshape(x23, (4,)), OperationShapeError),
    ("reshape to a negative size", lambda: shape.reshape(x23, (-1,)), ShapeError),
    ("transpose with too few", lambda: shape.transpose(x23, (0,)), OperationShapeError),
    ("transpose with a repeated axis", lambda: shape.transpose(x23, (0, 0)), OperationShapeError),
    ("squeeze an axis of size 2", lambda: shape.squeeze(x23, (0,)), OperationShapeError),
    ("squeeze an axis twice", lambda: shape.squeeze(as_array(ONE.astype("f")), (0, -2)), OperationShapeError),
    ("squeeze what is not there", lambda: shape.squeeze(x23, (7,)), OperationShapeError),
    ("expand_dims at one place twice", lambda: shape.expand_dims(x23, (0, 0)), OperationShapeError),
    ("expand_dims outside", lambda: shape.expand_dims(x23, (5,)), OperationShapeError),
    ("concatenate nothing", lambda: shape.concatenate([], 0), OperationShapeError),
    ("a permutation of no integers", lambda: shape.transpose(x23, (1.0, 0)), OperationShapeError),
    ("padding of no integers", lambda: shape.pad(x23, 0., [(1.5, 0, 0), (0, 0, 0)]), OperationShapeError),
    ("a size that is no integer", lambda: shape.iota("int32", 2.5), OperationShapeError),
    ("pieces of no integers", lambda: shape.split(x23, (1.0, 1.0)), OperationShapeError),
    ("concatenate along an axis that is not there", lambda: shape.concatenate([x23, x23], 2), OperationShapeError),
    ("concatenate other ranks", lambda: shape.concatenate([x23, np.ones(3, np.float32)], 0), JoinError),
    ("concatenate other sizes", lambda: shape.concatenate([x23, np.ones((2, 1), np.float32)], 0), JoinError),
    ("concatenate other dtypes", lambda: shape.concatenate([x23, np.ones((2, 3), np.int32)], 0), OperandMismatchError),
    ("concatenate scalars", lambda: shape.concatenate([1.0, 2.0], 0), OperationShapeError),
    ("pad with another dtype", lambda: shape.pad(x23, np.int32(0), ((0, 0, 0),) * 2), OperandMismatchError),
    ("pad with an array", lambda: shape.pad(x23, np.ones(2, np.float32), ((0, 0, 0),) * 2), OperationShapeError),
    ("pad one axis of two", lambda: shape.pad(x23, np.float32(0), ((0, 0, 0),)), OperationShapeError),
    ("pad with negative gaps", lambda: shape.pad(x23, np.float32(0), ((0, 0, -1), (0, 0, 0))), OperationShapeError),
    ("pad away more than there is", lambda: shape.pad(x23, np.float32(0), ((-5, 1, 0), (0, 0, 0))), OperationShapeError),
    ("rev over an axis twice", lambda: shape.rev(x23, (0, 0)), OperationShapeError),
    ("rev over an axis that is not there", lambda: shape.rev(x23, (3,)), OperationShapeError),
    ("iota of booleans", lambda: shape.iota(bool, 3), OperandDtypeError),
    ("iota of negative size", lambda: shape.iota(int, -3), ShapeError),
    ("iota along an axis that is not there", lambda: shape.broadcasted_iota(int, (2, 3), 2), OperationShapeError),
    ("split into too little", lambda: shape.split(x23, (1,)), SplitError),
    ("split into a negative size", lambda: shape.split(x23, (-1, 3)), SplitError),
    ("split along an axis that is not there", lambda: shape.split(x23, (1, 1), 4), OperationShapeError),
]


@pytest.mark.parametrize(("mistake", "f", "error"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_reported(mistake: str, f: Callable[[], Any], error: type) -> None:
    with pytest.raises(error) as found:
        f()
    assert isinstance(found.value, (TypeError, ValueError))
    report = found.value.full_report  # type: ignore[attr-defined]
    assert report.says.endswith((".", "]"))
    assert report.why


def test_the_dimension_of_an_iota_counts_from_0() -> None:
    with pytest.raises(ValueError, match="dimension -1"):
        shape.broadcasted_iota(int, (2, 3), -1)
