"""Sorting on the CPU by one 64-bit integer for each entry: its key in the upper half, its place in the lower.

XLA's CPU sort calls the comparator of a program for each comparison, through a pointer, unless it recognises a comparison
of two integers: it then sorts five times faster. So keys of up to 32 bits are turned into integers of the same order, and
the places, which make all entries different and so the sort stable, tell where the entries were. The result is that of
the comparator, to the bits: -0.0, 0.0 and the numbers that the comparator takes for zeros are equal, and so are all NaN.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.lax.gathering import numbers_text
from perspicax.xla.emit import i64, i64_array

__all__ = ["can_pack", "packed_sort"]

_SIGNED = {1: np.dtype(np.int8), 2: np.dtype(np.int16), 4: np.dtype(np.int32)}
_LONG = np.dtype(np.int64)
_FLOATS = {np.dtype(d): smallest for d, smallest in (
    (np.float32, np.finfo(np.float32).smallest_normal), (dtypes.bfloat16, dtypes.finfo(dtypes.bfloat16).smallest_normal),
    (np.float16, np.finfo(np.float16).smallest_subnormal))}
"""For each dtype the smallest number that XLA's comparison does not take for zero: it is made in float32."""


def can_pack(module: Any, xs: Sequence[Any], dimension: int, num_keys: int) -> bool:
    """Whether these operands are sorted by one integer for each entry, and whether that is the faster way."""
    key = xs[0].dtype
    known = key in _FLOATS or (key.kind in "iub" and key.itemsize <= 4)
    if not known or num_keys > 1 or module.platform != "cpu" or module.num_partitions > 1:
        return False
    sizes = xs[0].shape
    if not all(type(n) is int and n > 0 for n in sizes):  # none is empty or symbolic
        return False
    return 1 < sizes[dimension] < 2**31 and (len(xs) > 1 or key.kind not in "iu")


def packed_sort(b: Any, xs: Sequence[Any], dimension: int) -> list[Any]:
    """The operands in the order of the first one."""
    sizes = xs[0].shape
    long = ShapedArray(sizes, _LONG)
    places = b.hlo("iota", [], long, f"iota_dimension = {i64(dimension)}")
    half = b.constant(32, long)
    words = b.op("or", [b.op("shift_left", [b.convert(_key(b, xs[0]), _LONG), half], long), places], long)
    scalar = ShapedArray((), _LONG)
    before = b.region([scalar, scalar], lambda inner, x, y: [inner.compare(x, y, "LT", "SIGNED")])
    found = b.hlo("sort", [words], long, f"dimension = {i64(dimension)}, is_stable = false", [before])
    order = b.convert(b.op("and", [found, b.constant(2**31 - 1, long)], long), np.dtype(np.int32))
    return [_taken(b, x, order, dimension) for x in xs]


def _key(b: Any, x: Any) -> Any:
    """Signed integers in the order of the entries, and as wide as they are; those of bool are of 32 bits."""
    if x.dtype.kind == "b":
        return b.convert(x, np.dtype(np.int32))
    signed = ShapedArray(x.shape, _SIGNED[x.dtype.itemsize])
    if x.dtype.kind == "i":
        return x
    bits = b.hlo("bitcast_convert", [x], signed)
    limits = np.iinfo(signed.dtype)
    if x.dtype.kind == "u":
        return b.op("xor", [bits, b.constant(limits.min, signed)], signed)
    nothing, infinite, smallest = [b.constant(np.asarray(v, x.dtype).view(signed.dtype), signed)
                                   for v in (0, np.inf, _FLOATS[x.dtype])]
    size = b.op("and", [bits, b.constant(limits.max, signed)], signed)
    size = b.select(b.compare(size, smallest, "LT", "SIGNED"), nothing, size)
    key = b.select(b.compare(bits, nothing, "LT", "SIGNED"), b.hlo("negate", [size], signed), size)
    return b.select(b.compare(size, infinite, "GT", "SIGNED"), b.constant(limits.max, signed), key)


def _taken(b: Any, x: Any, order: Any, dimension: int) -> Any:
    """The entries of `x` at the places `order` along an axis."""
    sizes = tuple(order.shape)
    others = tuple([i for i in range(len(sizes)) if i != dimension])
    numbers = numbers_text("gather", (
        ("collapsed_slice_dims", (dimension,)), ("operand_batching_dims", others),
        ("start_indices_batching_dims", others), ("start_index_map", (dimension,))), len(sizes))
    return b.hlo("gather", [x, b.reshape(order, (*sizes, 1))], x.aval, f"dimension_numbers = {numbers}, indices_are_sorted "
                 f"= false, slice_sizes = {i64_array((1,) * len(sizes))}")
