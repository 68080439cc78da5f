"""Sorting, and the largest entries.

Floating numbers are ordered as a user expects of sorting: -0.0 and 0.0 are equal, NaN of either sign comes last.
Complex numbers are ordered by real, then by imaginary part.
"""
from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import Zero
from perspicax.lax import shape
from perspicax.lax.compare import compare_values
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import ANY, REAL, kind, kinds_text
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather
from perspicax.lax.host_order import ordered
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.operand import shape_of
from perspicax.lax.packed_sort import can_pack, packed_sort
from perspicax.lax.reduce_errors import SortKeysError, SortOperandsError, TopKError
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.xla.dispatch import checking
from perspicax.xla.emit import boolean, i64


def take_along(x: Any, indices: Any, axis: int) -> Any:
    """The entries of `x` at `indices` along an axis; the other axes go along. The indices are inside."""
    sizes = shape_of(indices)
    others = tuple([i for i in range(len(sizes)) if i != axis])
    numbers = GatherDimensionNumbers((), (axis,), (axis,), others, others)
    return gather(x, shape.reshape(indices, (*sizes, 1)), numbers, (1,) * len(sizes),
                          mode=GatherScatterMode.PROMISE_IN_BOUNDS)


# -- sort

def _sort_type(*avals: ShapedArray, dimension: int, is_stable: bool, num_keys: int) -> list[ShapedArray]:
    if any(a.shape != avals[0].shape for a in avals):
        raise SortOperandsError(avals=avals)
    for i, a in enumerate(avals[:num_keys]):
        if kind(a.dtype) not in ANY:
            raise OperandDtypeError(operation="sort", type_text=a.str_short(), accepts=kinds_text(ANY), index=i)
    return list(avals)


def _sort_jvp(primals: tuple, tangents: tuple, *, dimension: int, is_stable: bool, num_keys: int) -> tuple[list, list]:
    """The tangents take the places that their operands take: found by sorting the indices along."""
    sizes = shape_of(primals[0])
    places = shape.broadcasted_iota(dtypes.uint32, sizes, dimension)
    *outs, order = sort_p(*primals, places, dimension=dimension, is_stable=is_stable, num_keys=num_keys)
    moved = [Zero.like(x) if type(t) is Zero else take_along(t, order, dimension) for t, x in zip(tangents, outs)]
    return outs, moved


def _sort_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimension: int, **params: Any) -> tuple[list, list]:
    place = next(a for a in axes if a is not None)
    moved = [to_axis(x, a, place, axis.size) for x, a in zip(args, axes)]
    return sort_p(*moved, dimension=dimension + (place <= dimension), **params), [place] * len(args)


def _key(b: Any, x: Any) -> list[Any]:
    """The numbers by which a key is compared in total order: zeros made equal, NaNs made equal and last."""
    if kind(x.dtype) == "c":
        part = ShapedArray((), dtypes.finfo(x.dtype).dtype)
        return [v for name in ("real", "imag") for v in _key(b, b.hlo(name, [x], part))]
    if kind(x.dtype) != "f":
        return [x]
    zero, nan = b.constant(0, x.aval), b.constant(np.nan, x.aval)
    without_sign = b.select(b.compare(x, zero, "EQ", "FLOAT"), zero, x)
    return [b.select(b.compare(x, x, "NE", "FLOAT"), nan, without_sign)]


def _sort_emit(b: Any, *xs: Any, dimension: int, is_stable: bool, num_keys: int) -> list[Any]:
    if can_pack(b.module, xs, dimension, num_keys):
        return packed_sort(b, xs, dimension)
    scalars = [ShapedArray((), x.dtype) for x in xs for _ in (0, 1)]

    def before(inner: Any, *args: Any) -> list[Any]:
        """Lexicographic: the first key that differs decides."""
        left = [k for x in args[:2 * num_keys:2] for k in _key(inner, x)]
        right = [k for x in args[1:2 * num_keys:2] for k in _key(inner, x)]
        truth = ShapedArray((), np.dtype(bool))
        found: Any = None
        for x, y in zip(reversed(left), reversed(right)):
            less = compare_values(inner, x, y, "LT", total_order=True)
            if found is not None:
                equal = compare_values(inner, x, y, "EQ", total_order=True)
                less = inner.op("or", [less, inner.op("and", [equal, found], truth)], truth)
            found = less
        return [found]

    body = b.region(scalars, before)
    return b.hlo("sort", xs, list(b.out), f"dimension = {i64(dimension)}, is_stable = {boolean(is_stable)}", [body])


def _sort_host(*arrays: np.ndarray, dimension: int, is_stable: bool, num_keys: int) -> Any:
    if len(arrays) > 1 or (arrays[0].dtype.kind == "f" and (checking.nans or not is_stable)):
        return NotImplemented
    found = ordered(arrays[0], dimension)
    return found if found is NotImplemented else [found]


sort_p = Primitive(
    "sort", params=("dimension", "is_stable", "num_keys"), multiple_results=True,
    type_rule=_sort_type, jvp=_sort_jvp, transpose=NotLinear("the order of a sum is not the sum of the orders"),
    batch=_sort_batch, emit=_sort_emit, host=_sort_host, source="StableHLO specification, `sort`")


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Arrays sorted along an axis, in increasing order; NaN last.

    Args:
        operand: an array, or a sequence of arrays of one shape, of which the first are the keys and the others go along.
        dimension: the axis.
        is_stable: whether entries with equal keys keep their order.
        num_keys: how many of the arrays are keys, the first the most significant.

    Returns:
        An array, or a tuple of arrays for a sequence.

    Raises:
        SortOperandsError: there are no arrays, or their shapes differ.
        SortKeysError: `num_keys` is not between 1 and the number of arrays.

    >>> sort(jnp.array([3., jnp.nan, 1.]))
    Array([ 1.,  3., nan], dtype=float32)
    """
    several = isinstance(operand, Sequence) and not isinstance(operand, str)
    xs = tuple([as_operand(x) for x in operand]) if several else (as_operand(operand),)
    if not xs:
        raise SortOperandsError(avals=())
    num_keys = operator.index(num_keys)
    if not 1 <= num_keys <= len(xs):
        raise SortKeysError(num_keys=num_keys, count=len(xs))
    axis = shape.canonical_axis(dimension, len(shape_of(xs[0])), "dimension")
    found = local.trace.process(sort_p, xs, (axis, bool(is_stable), num_keys))
    return tuple(found) if several else found[0]


def sort_key_val(keys: Any, values: Any, dimension: int = -1, is_stable: bool = True) -> tuple[Any, Any]:
    """Keys sorted along an axis, and the values in the order of their keys."""
    found = sort((keys, values), dimension, is_stable)
    return found[0], found[1]


# -- top_k

def _top_k_type(x: ShapedArray, *, k: int, axis: int) -> list[ShapedArray]:
    if kind(x.dtype) not in REAL | frozenset("b"):
        raise OperandDtypeError(operation="top_k", type_text=x.str_short(), accepts=kinds_text(REAL), index=0)
    if not 0 <= k <= x.shape[axis]:
        raise TopKError(operand=x, k=k, axis=axis)
    sizes = (*x.shape[:axis], k, *x.shape[axis + 1:])
    return [ShapedArray(sizes, x.dtype, x.weak_type), ShapedArray(sizes, dtypes.int32)]


def _top_k_jvp(primals: tuple, tangents: tuple, *, k: int, axis: int) -> tuple[list, list]:
    values, indices = top_k_p(primals[0], k=k, axis=axis)
    return [values, indices], [take_along(tangents[0], indices, axis), Zero.like(indices)]


def _top_k_batch(axis_: BatchAxis, args: tuple, axes: tuple, *, k: int, axis: int) -> tuple[list, list]:
    place = axes[0]
    return top_k_p(args[0], k=k, axis=axis + (place <= axis)), [place, place]


def _top_k_emit(b: Any, x: Any, *, k: int, axis: int) -> list[Any]:
    last = x.ndim - 1
    if axis == last:
        return b.generic("chlo.top_k", [x], list(b.out), f"k = {i64(k)}")
    order = [i for i in range(x.ndim) if i != axis] + [axis]
    back = [order.index(i) for i in range(x.ndim)]
    outs = [ShapedArray(tuple([a.shape[i] for i in order]), a.dtype) for a in b.out]
    found = b.generic("chlo.top_k", [b.transpose(x, order)], outs, f"k = {i64(k)}")
    return [b.transpose(v, back) for v in found]


top_k_p = Primitive(
    "top_k", params=("k", "axis"), multiple_results=True,
    type_rule=_top_k_type, jvp=_top_k_jvp, transpose=NotLinear("the largest of a sum are not the sum of the largest"),
    batch=_top_k_batch, emit=_top_k_emit, source="CHLO, `top_k`")


def top_k(operand: Any, k: int, *, axis: int = -1) -> list[Any]:
    """The `k` largest entries along an axis, in decreasing order, and their indices; NaN counts as the largest.

    Args:
        operand: array of integers or real floating numbers.
        k: how many, at most the size of the axis.
        axis: the axis.

    Returns:
        `[values, indices]`, indices of dtype int32. Of equal entries the one with the lower index comes first.

    Raises:
        TopKError: `k` is negative or larger than the axis.
    """
    x = as_operand(operand)
    return local.trace.process(top_k_p, (x,), (operator.index(k), shape.canonical_axis(axis, len(shape_of(x)))))


__all__ = ["sort", "sort_key_val", "sort_p", "take_along", "top_k", "top_k_p"]
