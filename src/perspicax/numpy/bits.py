"""Truth values packed into bytes, and bytes unpacked."""
from __future__ import annotations

import operator
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.lax import bitwise, compare
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.reductions import reduce_sum
from perspicax.lax.slicing import slice_in_dim
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind
from perspicax.numpy.padding import pad
from perspicax.numpy.promote import array_like
from perspicax.numpy.shapes import moveaxis, ravel

_BYTE = np.dtype(np.uint8)


def _weights(bitorder: Any, function: str) -> tuple[int, ...]:
    """The position of each bit within its byte, in the order they come."""
    if bitorder == "little":
        return tuple(range(8))
    if bitorder == "big":
        return tuple(range(7, -1, -1))
    raise ArgumentValueError(says=f"`{function}` was given bitorder={bitorder!r}.", why='it is "big" or "little"')


@public
def packbits(a: Any, axis: int | None = None, bitorder: str = "big") -> Array:
    """Eight truth values along an axis as one byte.

    Args:
        a: array of booleans or integers; elements that are not 0 are ones.
        axis: the axis; `None` for the elements along one axis.
        bitorder: "big" puts the first value into the highest bit, "little" into the lowest.

    Returns:
        Array of uint8; along the axis it has an eighth of the entries, rounded up. Bits that are missing are 0.

    Raises:
        ArgumentKindError: `a` is floating or complex.

    >>> packbits(jnp.array([True, False, True]))
    Array([160], dtype=uint8)
    """
    x = asarray(array_like(a, "packbits"))
    if kind(x) not in ("bool", "int", "uint"):
        raise ArgumentKindError(says=f"`packbits` was given {x.aval.str_short()}.", why="it takes booleans and integers")
    weights = _weights(bitorder, "packbits")
    if axis is None:
        x, place = ravel(x), 0
    else:
        place = one_axis(axis, x.ndim, "packbits")
    return fused_call(_packed, (x,), axis=place, weights=weights)


def _packed(x: Any, *, axis: int, weights: tuple[int, ...]) -> Any:
    x = moveaxis(convert(compare.ne(x, np.zeros((), x.dtype)), _BYTE, False), axis, -1)
    missing = -x.shape[-1] % 8
    if missing:
        x = pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])
    x = lax_shape.reshape(x, (*x.shape[:-1], x.shape[-1] // 8, 8))
    moved = bitwise.shift_left(x, lax_shape.broadcast_in_dim(np.asarray(weights, _BYTE), x.shape, (x.ndim - 1,)))
    return moveaxis(reduce_sum(moved, (x.ndim - 1,)), -1, axis)


@public
def unpackbits(a: Any, axis: int | None = None, count: int | None = None, bitorder: str = "big") -> Array:
    """The bits of bytes along an axis, each as 0 or 1.

    Args:
        a: array of uint8.
        axis: the axis; `None` for the elements along one axis.
        count: how many bits of the axis are returned: zeros are put behind if there are fewer, and a negative number leaves
            out so many at the end. All by default.
        bitorder: "big" takes the highest bit first, "little" the lowest.

    Returns:
        Array of uint8, zeros and ones.

    Raises:
        ArgumentKindError: `a` is of another dtype.

    >>> unpackbits(jnp.array([160], dtype="uint8"), count=3)
    Array([1, 0, 1], dtype=uint8)
    """
    x = asarray(array_like(a, "unpackbits"))
    if x.dtype != _BYTE:
        raise ArgumentKindError(says=f"`unpackbits` was given {x.aval.str_short()}.", why="it takes bytes: uint8")
    weights = _weights(bitorder, "unpackbits")
    if axis is None:
        x, place = ravel(x), 0
    else:
        place = one_axis(axis, x.ndim, "unpackbits")
    wanted = None if count is None else operator.index(count)
    return fused_call(_unpacked, (x,), axis=place, count=wanted, weights=weights)


def _unpacked(x: Any, *, axis: int, count: int | None, weights: tuple[int, ...]) -> Any:
    x = moveaxis(x, axis, -1)
    shape = (*x.shape, 8)
    spread = lax_shape.broadcast_in_dim(x, shape, range(x.ndim))
    moved = bitwise.shift_right_logical(spread, lax_shape.broadcast_in_dim(np.asarray(weights, _BYTE), shape, (x.ndim,)))
    bits = bitwise.bitwise_and(moved, lax_shape.broadcast_in_dim(np.ones((), _BYTE), shape, ()))
    bits = lax_shape.reshape(bits, (*x.shape[:-1], x.shape[-1] * 8))
    total = bits.shape[-1]
    size = total if count is None else max(total + count, 0) if count < 0 else count
    if size > total:
        bits = pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, size - total)])
    elif size < total:
        bits = slice_in_dim(bits, 0, size, 1, bits.ndim - 1)
    return moveaxis(bits, -1, axis)


__all__ = ["packbits", "unpackbits"]
