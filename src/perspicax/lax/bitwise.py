"""Operations on the bits of integers and booleans."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.lax.families import BOOL, FLAT, INTEGER, ArrayLike, elementwise, integers_only
from perspicax.lax.operand import operand

BITS = INTEGER | BOOL


def _shift(f: Callable[..., Any], beyond: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    """A shift as XLA defines it: amounts count as unsigned, and from the width of the type on, all bits are lost."""
    def host(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        width = x.dtype.itemsize * 8
        within = (y >= 0) & (y < width) if y.dtype.kind == "i" else y < width
        shifted = f(x, np.where(within, y, 0).astype(y.dtype))
        return np.where(within, shifted, beyond(x)).astype(x.dtype)

    return integers_only(host)


def _shift_logically(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    words = np.dtype(f"u{x.dtype.itemsize}")
    return np.right_shift(x.view(words), y.view(words)).view(x.dtype)


def _count_bits(x: np.ndarray) -> np.ndarray:
    return np.bitwise_count(x.view(np.dtype(f"u{x.dtype.itemsize}"))).astype(x.dtype)


not_p = elementwise("not", over=BITS, jvp=FLAT, emit="not", host=integers_only(np.invert))
and_p = elementwise("and", over=BITS, jvp=FLAT, emit="and", host=integers_only(np.bitwise_and))
or_p = elementwise("or", over=BITS, jvp=FLAT, emit="or", host=integers_only(np.bitwise_or))
xor_p = elementwise("xor", over=BITS, jvp=FLAT, emit="xor", host=integers_only(np.bitwise_xor))
population_count_p = elementwise("population_count", over=INTEGER, jvp=FLAT, emit="popcnt",
                                 host=integers_only(_count_bits))
clz_p = elementwise("clz", over=INTEGER, jvp=FLAT, emit="count_leading_zeros")
shift_left_p = elementwise("shift_left", over=INTEGER, jvp=FLAT, emit="shift_left",
                           host=_shift(np.left_shift, np.zeros_like))
shift_right_arithmetic_p = elementwise(
    "shift_right_arithmetic", over=INTEGER, jvp=FLAT, emit="shift_right_arithmetic",
    host=_shift(lambda x, y: np.right_shift(x.view(_signed(x)), y.view(_signed(x))).view(x.dtype),
                lambda x: np.where(x.view(_signed(x)) < 0, -1, 0).astype(_signed(x)).view(x.dtype)))
shift_right_logical_p = elementwise("shift_right_logical", over=INTEGER, jvp=FLAT, emit="shift_right_logical",
                                    host=_shift(_shift_logically, np.zeros_like))


def _signed(x: np.ndarray) -> np.dtype:
    return np.dtype(f"i{x.dtype.itemsize}")


def bitwise_not(x: ArrayLike) -> Array:
    """Each bit inverted; of booleans the negation.

    Args:
        x: integer or boolean array.

    >>> bitwise_not(5)
    Array(-6, dtype=int32, weak_type=True)
    """
    return local.trace.p1(not_p, x if isinstance(x, Array) else operand(x))


def bitwise_and(x: ArrayLike, y: ArrayLike) -> Array:
    """Bits that are set in both; of booleans the conjunction.

    Args:
        x: integer or boolean array.
        y: array of the same dtype; shapes are equal, or one is a scalar.
    """
    return local.trace.p2(and_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def bitwise_or(x: ArrayLike, y: ArrayLike) -> Array:
    """Bits that are set in either; of booleans the disjunction.

    Args:
        x: integer or boolean array.
        y: array of the same dtype; shapes are equal, or one is a scalar.
    """
    return local.trace.p2(or_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def bitwise_xor(x: ArrayLike, y: ArrayLike) -> Array:
    """Bits that differ.

    Args:
        x: integer or boolean array.
        y: array of the same dtype; shapes are equal, or one is a scalar.
    """
    return local.trace.p2(xor_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def population_count(x: ArrayLike) -> Array:
    """How many bits of each element are set.

    Args:
        x: integer array.

    Returns:
        Counts, in the dtype of `x`.
    """
    return local.trace.p1(population_count_p, x if isinstance(x, Array) else operand(x))


def clz(x: ArrayLike) -> Array:
    """How many bits of each element, from the highest on, are zero.

    Args:
        x: integer array.

    Returns:
        Counts, in the dtype of `x`; for 0 the width of the type.
    """
    return local.trace.p1(clz_p, x if isinstance(x, Array) else operand(x))


def shift_left(x: ArrayLike, y: ArrayLike) -> Array:
    """`x` with its bits moved up by `y` places; zeros come in.

    Args:
        x: integer array.
        y: how far, of the same dtype, read as unsigned; from the width of the type on the result is 0.
    """
    return local.trace.p2(shift_left_p, x if isinstance(x, Array) else operand(x),
                          y if isinstance(y, Array) else operand(y))


def shift_right_arithmetic(x: ArrayLike, y: ArrayLike) -> Array:
    """`x` with its bits moved down by `y` places; copies of the highest bit come in.

    Args:
        x: integer array.
        y: how far, of the same dtype, read as unsigned; from the width of the type on only the highest bit is left.
    """
    return local.trace.p2(shift_right_arithmetic_p, x if isinstance(x, Array) else operand(x),
                          y if isinstance(y, Array) else operand(y))


def shift_right_logical(x: ArrayLike, y: ArrayLike) -> Array:
    """`x` with its bits moved down by `y` places; zeros come in.

    Args:
        x: integer array.
        y: how far, of the same dtype, read as unsigned; from the width of the type on the result is 0.
    """
    return local.trace.p2(shift_right_logical_p, x if isinstance(x, Array) else operand(x),
                          y if isinstance(y, Array) else operand(y))


__all__ = ["and_p", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "clz", "clz_p", "not_p", "or_p",
           "population_count", "population_count_p", "shift_left", "shift_left_p", "shift_right_arithmetic",
           "shift_right_arithmetic_p", "shift_right_logical", "shift_right_logical_p", "xor_p"]
