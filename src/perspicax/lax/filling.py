"""Arrays of one value, and what a shape or a value says of an array: `full`, `empty`, `broadcast_like`, `collapse`, `dtype`."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray, canonical_shape
from perspicax.core.config import local
from perspicax.core.errors import NotAnArrayError
from perspicax.core.primitive import Missing, NotLinear, Primitive
from perspicax.core.tracer import get_aval
from perspicax.lax import shape as shapes
from perspicax.lax.convert import convert, convert_element_type
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.operand import shape_of
from perspicax.transform.jvp import FLAT
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl, place
from perspicax.xla.dispatch import as_array

# -- empty

def _empty_emit(b: Any, *, shape: tuple, dtype: Any, out_sharding: Any) -> Any:
    out = b.out[0]
    return b.constant(np.zeros((), out.dtype), out)


empty_p: Primitive = Primitive(
    "empty", params=("shape", "dtype", "out_sharding"),
    type_rule=lambda *, shape, dtype, out_sharding: ShapedArray(shape, dtype), jvp=FLAT,
    transpose=NotLinear("it has no operands"), batch=Missing("it has no operands"), emit=_empty_emit,
    host=lambda *, shape, dtype, out_sharding: np.zeros(shape, dtype),
    physical=lambda params, avals, outs: {**params, "shape": params["shape"] + tuple(outs[0].dtype.physical_shape)},
    source="JAX, `lax.empty`")


def empty(shape: Any, dtype: Any, *, out_sharding: Any = None) -> Any:
    """An array whose entries may be anything; on the CPU they are 0.

    Args:
        shape: an integer, or a sequence of integers.
        dtype: of the result.
        out_sharding: a sharding.
    """
    dtype = dtypes.requested_dtype(dtype, "empty")
    made = local.trace.process(empty_p, (), (canonical_shape(shape), dtype, None))
    return _put(made, out_sharding)


def _put(x: Any, sharding: Any) -> Any:
    """`x` where a creation function was asked to put it; a value that is traced stays where the program runs."""
    if sharding is None or not isinstance(x, ArrayImpl):
        return x
    placed = sharding if hasattr(sharding, "devices_indices_map") else shardings.on_device(sharding)
    return place(x.value(), x.aval, placed, True)


# -- full

def full(shape: Any, fill_value: Any, dtype: Any = None, *, sharding: Any = None) -> Any:
    """An array with `fill_value` everywhere.

    Args:
        shape: an integer, or a sequence of integers.
        fill_value: a number, or an array without axes.
        dtype: that of `fill_value` by default; weak if that is.
        sharding: where the result lives; ignored while a function is traced.

    Raises:
        OperationShapeError: `fill_value` has axes.
    """
    sizes = canonical_shape(shape)
    value = as_operand(fill_value)
    aval: Any = get_aval(value)
    if aval.shape != ():
        raise OperationShapeError(says=f"full was given the fill value {aval.str_short()}.",
                                  why="it is a number, or an array without axes; `jnp.full` repeats arrays")
    if dtype is not None:
        wanted: Any = dtypes.requested_dtype(dtype, "full")
        if isinstance(wanted, dtypes.ExtendedDType):
            return _put(full_of_elements(sizes, value, wanted), sharding)
        value = convert(value, wanted, False)
    elif not isinstance(value, Array):
        value = convert(value, aval.dtype, aval.weak_type)
    made = shapes.broadcast_in_dim(value, sizes, ()) if sizes else value
    return _put(made, sharding)


def full_like(x: Any, fill_value: Any, dtype: Any = None, shape: Any = None, sharding: Any = None) -> Any:
    """`fill_value` everywhere, in the shape and dtype of `x`.

    Args:
        x: array, number, or anything with a shape and a dtype.
        fill_value: a number, or an array without axes.
        dtype: in place of that of `x`.
        shape: in place of that of `x`.
        sharding: in place of that of `x`; ignored while a function is traced.

    Returns:
        Array, weakly typed where `x` is and no dtype is given.
    """
    aval = _described(x)
    sizes = aval.shape if shape is None else canonical_shape(shape)
    weak = dtype is None and aval.weak_type
    if aval.extended and dtype is None:
        return full_of_elements(sizes, fill_value, aval.dtype)
    made = full(sizes, fill_value, aval.dtype if dtype is None else dtype)
    if weak:
        made = convert(made, aval.dtype, True)
    if sharding is None and shape is None and aval.explicit is not None:
        from perspicax.lax.constraints import laid_as  # for its weight: few programs need it

        return laid_as(made, aval.explicit)
    if sharding is None and shape is None and isinstance(x, ArrayImpl) and x.committed and not aval.weak_type:
        sharding = x.sharding
    return _put(made, sharding)


def full_of_elements(shape: tuple[int, ...], fill_value: Any, dtype: Any) -> Any:
    """An array of an extended dtype: of numbers that are `fill_value`; or of keys, all of whose words are, which is what a
    program begins with where keys are filled in later."""
    from perspicax.lax.random_bits import random_wrap_p  # for its weight: few programs need it

    word = as_operand(fill_value)
    if isinstance(dtype, dtypes.MeetingDType):
        number = word if get_aval(word).dtype == dtype else convert_element_type(  # type: ignore[attr-defined]
            convert_element_type(word, dtype.physical_dtype), dtype)
        return shapes.broadcast_in_dim(number, shape, ())
    if get_aval(word).extended:  # type: ignore[attr-defined]
        return shapes.broadcast_in_dim(convert_element_type(word, dtype), shape, ())
    words = shapes.broadcast_in_dim(convert_element_type(word, np.uint32), (*shape, *dtype.physical_shape), ())
    return random_wrap_p(words, impl=dtype.generator)


def _described(x: Any) -> Any:
    """The type of an array, of a number, or of what has a shape and a dtype."""
    try:
        return get_aval(as_operand(x))
    except NotAnArrayError:
        if not hasattr(x, "shape") or not hasattr(x, "dtype"):
            raise
        return ShapedArray(x.shape, x.dtype, getattr(x, "weak_type", False))


# -- shapes

def broadcast_like(arr: Any, like_arr: Any) -> Any:
    """An array repeated to the shape of another one, by NumPy's rule.

    Args:
        arr: array `[...]`.
        like_arr: array `[..., ...]`, whose last axes have the sizes of `arr`, or that has 1 there.

    Returns:
        Array of the shape of `like_arr` and the dtype of `arr`.

    Raises:
        OperationShapeError: `arr` has more axes, or its sizes do not fit.

    >>> broadcast_like(jnp.array([1, 2]), jnp.zeros((2, 2)))
    Array([[1, 2],
           [1, 2]], dtype=int32)
    """
    x = as_operand(arr)
    aval: Any = get_aval(x)
    like: Any = get_aval(as_operand(like_arr))
    rank = like.ndim - aval.ndim
    if rank < 0 or any(m not in (1, n) for m, n in zip(aval.shape, like.shape[rank:])):
        raise OperationShapeError(
            says=f"{aval.str_short()} cannot be broadcast like {like.str_short()}.",
            why=f"it has {aval.ndim} axes, which is more than {like.ndim}" if rank < 0 else
            "axes are matched from the right; each has the size of the other's, or 1")
    if aval.shape == like.shape and isinstance(x, Array):
        return x
    ones = [i for i, (m, n) in enumerate(zip(aval.shape, like.shape[rank:])) if m != n]
    kept = [i + rank for i in range(aval.ndim) if i not in ones]
    return shapes.broadcast_in_dim(shapes.squeeze(x, ones) if ones else x, like.shape, kept)


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """Some neighbouring axes of an array as one, the first of them the major part.

    Args:
        operand: array.
        start_dimension: the first axis.
        stop_dimension: the axis behind the last; all that follow when `None`. Both count as in a slice.

    Raises:
        OperationShapeError: the axes end before they start.

    >>> collapse(jnp.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    x = as_operand(operand)
    sizes = shape_of(x)
    low, high, _ = slice(start_dimension, stop_dimension).indices(len(sizes))
    if high < low:
        raise OperationShapeError(says=f"collapse of an array of shape {sizes} from axis {low} up to axis {high}.",
                                  why="the axes end before they start")
    return shapes.reshape(x, (*sizes[:low], int(np.prod(sizes[low:high], dtype=int)), *sizes[high:]))


def shape_as_value(shape: Any) -> Any:
    """A shape as a vector of int32."""
    return as_array(np.asarray(canonical_shape(shape), np.int32))


def dtype(x: Any) -> Any:
    """The dtype of a value, or the dtype that a type or a name stands for, as it is under the present options.

    Raises:
        NotTypedError: `x` has no dtype.
        UnknownDTypeError: `x` is a text that names no dtype.

    >>> dtype(1.5)
    dtype('float32')
    """
    return dtypes.dtype_of(x)


__all__ = ["broadcast_like", "collapse", "dtype", "empty", "empty_p", "full", "full_like", "shape_as_value"]
