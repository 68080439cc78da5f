"""`associative_scan`: all partial results of an associative function, by a tree of logarithmic depth."""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import bitwise, elementwise, shape, slicing
from perspicax.lax.bodies import check_callable, leaf_paths
from perspicax.lax.control_errors import ScanElementsError
from perspicax.lax.operand import operand
from perspicax.lax.parameters import calling
from perspicax.transform import trees as tree
from perspicax.transform.stage import check_arguments, function_name


@public
def associative_scan(fn: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """The results of combining the first 1, 2, 3, … elements along an axis.

    Args:
        fn: `fn(a, b)` combines two runs of neighbouring elements, entry by entry along `axis`; it is associative, and
            returns what has the structure of `elems`.
        elems: pytree of arrays `[..., n, ...]`.
        reverse: combine from the last element to the first.
        axis: the axis along which the elements stand; may be negative.

    Returns:
        A pytree like `elems`; entry `i` along `axis` combines the elements 0 to `i`.

    Raises:
        ScanElementsError: the arrays differ in size along the axis, or lack it; or `fn` returns another structure.

    Neighbours are combined first, the scan of these pairs gives every second result, and one more step the others
    (Blelloch, Prefix sums and their applications, CMU-CS-90-190, 1990): `2 n` applications, in `2 log n` rounds.

    >>> associative_scan(lambda a, b: a * b, jnp.arange(1, 6))
    Array([  1,   2,   6,  24, 120], dtype=int32)
    """
    check_callable(fn, "associative_scan", "fn")
    leaves, structure = tree.flatten(elems)
    avals = check_arguments(leaves, tree.flatten(((elems,), {}))[1], fn, "associative_scan")
    if not leaves:
        raise ScanElementsError(kind="none", rows=(), axis=axis)
    axis = operator.index(axis)
    rows = tuple([(f"elems{path}", a.str_short()) for path, a in zip(leaf_paths(structure), avals)])
    if any(not -len(a.shape) <= axis < len(a.shape) for a in avals):
        raise ScanElementsError(kind="axis", rows=rows, axis=axis)
    axes = [axis % len(a.shape) for a in avals]
    n = avals[0].shape[axes[0]]
    if any(a.shape[i] != n for a, i in zip(avals, axes)):
        raise ScanElementsError(kind="sizes", rows=rows, axis=axis)

    def combine(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
        outs, found = tree.flatten(calling(fn, "associative_scan", "fn",
                                           (structure.unflatten(left), structure.unflatten(right))))
        if found != structure:
            forms = (("expected", str(structure)), ("returned", str(found)))
            raise ScanElementsError(kind="structure", rows=forms, axis=axis, function=function_name(fn))
        kept = [(get_aval(x), get_aval(y)) for x, y in zip(left, outs)]
        if any((a.shape, a.dtype) != (b.shape, b.dtype) for a, b in kept):
            changed = [(f"elems{path}", f"gets {a.str_short()}, returns {b.str_short()}")
                       for path, (a, b) in zip(leaf_paths(structure), kept) if (a.shape, a.dtype) != (b.shape, b.dtype)]
            raise ScanElementsError(kind="types", rows=tuple(changed), axis=axis, function=function_name(fn))
        return outs

    values: Sequence[Any] = [operand(x) for x in leaves]
    if reverse:
        values = [shape.rev(x, (i,)) for x, i in zip(values, axes)]
    values = _scan(combine, values, axes)
    if reverse:
        values = [shape.rev(x, (i,)) for x, i in zip(values, axes)]
    return structure.unflatten(values)


def _scan(combine: Callable[[Sequence[Any], Sequence[Any]], list[Any]], xs: Sequence[Any], axes: list[int]) -> list[Any]:
    n = _size(xs[0], axes[0])
    if n < 2:
        return list(xs)
    pairs = combine(_part(xs, axes, 0, n - 1, 2), _part(xs, axes, 1, n, 2))
    odd = _scan(combine, pairs, axes)
    rest = _part(xs, axes, 2, n, 2)
    before = odd if n % 2 else _part(odd, axes, 0, n // 2 - 1)
    later = combine(before, rest) if n > 2 else rest
    even = [shape.concatenate([slicing.slice_in_dim(x, 0, 1, axis=i), y], i) for x, y, i in zip(xs, later, axes)]
    return [_interleaved(a, b, i) for a, b, i in zip(even, odd, axes)]


def _size(x: Any, axis: int) -> int:
    return get_aval(x).shape[axis]


def _part(xs: Sequence[Any], axes: list[int], start: int, stop: int, step: int = 1) -> list[Any]:
    return [slicing.slice_in_dim(x, start, stop, step, axis=i) for x, i in zip(xs, axes)]


def _interleaved(even: Any, odd: Any, axis: int) -> Any:
    """Entries of both in turn; `even` comes first, and may have one more.

    By padding and adding, which XLA fuses. What is added is -0.0, so that the sign of a zero survives.
    """
    aval: Any = get_aval(even)
    more = _size(even, axis) - _size(odd, axis)
    if aval.extended:
        return _interleaved_parts(even, odd, axis)
    if dtypes.issubdtype(aval.dtype, np.complexfloating):
        fill = np.asarray(complex(-0.0, -0.0), aval.dtype)
    else:
        fill = np.asarray(-0.0 if dtypes.issubdtype(aval.dtype, np.floating) else 0, aval.dtype)
    spread = lambda low, high: [(low, high, 1) if i == axis else (0, 0, 0) for i in range(len(aval.shape))]
    one = shape.pad(even, fill, spread(0, 1 - more))
    two = shape.pad(odd, fill, spread(1, more))
    return (bitwise.bitwise_or if aval.dtype == dtypes.bool_ else elementwise.add)(one, two)


def _interleaved_parts(even: Any, odd: Any, axis: int) -> Any:
    parts = [slicing.slice_in_dim(x, i, i + 1, axis=axis)
             for i in range(_size(even, axis)) for x in (even, odd) if i < _size(x, axis)]
    return shape.concatenate(parts, axis)


__all__ = ["associative_scan"]
