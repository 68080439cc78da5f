"""Entries repeated, moved round, left out and put in."""
from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import sized_by_values, static_value
from perspicax.diagnose.boundary import public
from perspicax.lax import compare, elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.cumulative import cumsum
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather
from perspicax.lax.result_sharding import out_placed
from perspicax.lax.slicing import dynamic_slice_in_dim, slice_in_dim
from perspicax.lax.sorting import sort as lax_sort
from perspicax.lax.symbolic_sizes import size_in
from perspicax.numpy.arithmetic import remainder
from perspicax.numpy.axes import many_axes, one_axis, several
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import broadcast_to, filled
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.hosted import host_value, moved
from perspicax.numpy.joining import concatenate
from perspicax.numpy.logic import kind
from perspicax.numpy.plans import axis_of, planned
from perspicax.numpy.promote import array_like
from perspicax.numpy.search import index_dtype, known_value, searchsorted
from perspicax.numpy.shapes import ravel, reshaped
from perspicax.xla.array import NUMPY_AXES
from perspicax.xla.dispatch import HOST_LIMIT

_INT32 = np.dtype(np.int32)


def _tiled(A: Any, reps: Any) -> Any:
    counts = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    if any(type(n) is not int or n < 0 for n in counts):
        return None
    rank = max(A.ndim, len(counts))
    counts, sizes = (1,) * (rank - len(counts)) + counts, (1,) * (rank - A.ndim) + A.shape
    shape = tuple([n * size for n, size in zip(counts, sizes)])
    if 2 * rank > NUMPY_AXES or math.prod(shape) > HOST_LIMIT:
        return None
    pairs = tuple([v for n, size in zip(counts, sizes) for v in (n, size)])
    rows = tuple([v for size in sizes for v in (1, size)])

    def act(x: np.ndarray) -> np.ndarray:
        found = np.empty(pairs, x.dtype)
        found[...] = x.reshape(rows)
        return found.reshape(shape)

    return act


@planned(_tiled)
def tile(A: Any, reps: Any) -> Array:
    """An array repeated as a whole along its axes.

    Args:
        A: array.
        reps: how often along each axis, the last for the last; an integer, or a sequence of integers.
    """
    x = asarray(array_like(A, "tile"))
    counts = [operator.index(static_value(n, "jnp.tile", "reps")) for n in (
        reps if hasattr(reps, "__len__") and getattr(reps, "ndim", 1) != 0 else [reps])]
    if any(n < 0 for n in counts):
        raise ArgumentValueError(says=f"`tile` was given reps={tuple(counts)}.", why="a number of copies is at least 0")
    rank = max(x.ndim, len(counts))
    counts = [1] * (rank - len(counts)) + counts
    sizes = (1,) * (rank - x.ndim) + x.shape
    if all(n == 1 for n in counts):
        return lax_shape.broadcast_to_rank(x, rank) if rank > x.ndim else x
    pairs = [v for n, size in zip(counts, sizes) for v in (n, size)]
    places = tuple([2 * i + 1 for i in range(rank)])
    spread = lax_shape.broadcast_in_dim(reshaped(x, sizes), tuple(pairs), places)
    return reshaped(spread, tuple([n * size for n, size in zip(counts, sizes)]))


def _each_repeated(a: Any, repeats: Any, axis: Any = None) -> Any:
    place = 0 if axis is None else axis_of(axis, a)
    if type(repeats) is not int or repeats < 0 or place is None or a.size * repeats > HOST_LIMIT:
        return None
    return lambda x: x.repeat(repeats, axis)


@planned(_each_repeated)
def repeat(a: Any, repeats: Any, axis: int | None = None, *, total_repeat_length: int | None = None,
           out_sharding: Any = None) -> Array:
    """Each entry along an axis repeated.

    Args:
        a: array.
        repeats: how often: an integer, or a vector with one for each entry.
        axis: the axis; `None` for the elements along one axis.
        total_repeat_length: size of the axis of the result; needed where `repeats` is traced. What is over is cut off;
            the last entry fills what is missing.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Raises:
        ConcretizationTypeError: `repeats` is traced, and no total length is given.
    """
    x = asarray(array_like(a, "repeat", 0))
    if out_sharding is not None:
        return out_placed("repeat", out_sharding, lambda y, n: repeat(y, n, axis, total_repeat_length=total_repeat_length),
                          x, repeats)
    if axis is None:
        x, place = ravel(x), 0
    else:
        x = reshaped(x, (1,)) if x.ndim == 0 else x
        place = one_axis(axis, x.ndim, "repeat")
    n = x.shape[place]
    counts: Any = repeats if isinstance(repeats, (int, np.integer)) else asarray(
        repeats if isinstance(repeats, (list, tuple)) else array_like(repeats, "repeat", 1))
    value = np.asarray(counts) if not isinstance(counts, Array) else known_value(counts)
    if value is not None and value.dtype.kind not in "iub":
        raise ArgumentKindError(says=f"`repeat` was given repeats of dtype {value.dtype}.", why="they are integers")
    if np.ndim(counts) > 1 or (np.ndim(counts) == 1 and counts.shape[0] not in (1, n)):
        raise ArgumentValueError(says=f"`repeat` was given {np.shape(counts)[0]} repeats for an axis of {n} entries.",
                                 why="there is one for all entries, or one for each")
    if value is not None and (value < 0).any():
        raise NegativeRepeatsError(says="`repeat` was given a negative number of repeats.", why="each is at least 0")
    if value is not None and value.size == 1 and total_repeat_length is None:
        return _each(x, place, int(value.reshape(())))
    if value is None and total_repeat_length is None:
        raise sized_by_values(counts, "jnp.repeat", "total_repeat_length")
    if value is not None and total_repeat_length is None:
        index = np.repeat(np.arange(n), np.broadcast_to(value, (n,)))
        return _taken(x, asarray(index.astype(_INT32)), place)
    total = operator.index(total_repeat_length)  # type: ignore[arg-type]
    each = broadcast_to(asarray(counts), (n,), "repeat")
    return fused_call(_repeated, (x, each), axis=place, total=total)


class NegativeRepeatsError(ArgumentValueError, ArgumentKindError):
    """A negative number of repeats was asked for."""


def _each(x: Any, axis: int, count: int) -> Any:
    value = host_value(x, count)
    if value is not None:
        return moved(x, value.repeat(count, axis))
    sizes = (*x.shape[:axis + 1], count, *x.shape[axis + 1:])
    spread = lax_shape.broadcast_in_dim(x, sizes, (*range(axis + 1), *range(axis + 2, x.ndim + 1)))
    return reshaped(spread, (*x.shape[:axis], x.shape[axis] * count, *x.shape[axis + 1:]))


def _repeated(x: Any, counts: Any, *, axis: int, total: int) -> Any:
    """Place `i` of the result comes from the first entry whose repeats, summed up to it, are more than `i`."""
    ends = cumsum(convert(counts, index_dtype(), False), 0)
    index = searchsorted(ends, lax_shape.iota(index_dtype(), total), "right")
    return _taken(x, compare.clamp(np.zeros((), index.dtype), index, np.asarray(x.shape[axis] - 1, index.dtype)), axis)


def _taken(x: Any, index: Any, axis: int) -> Any:
    """The entries at indices that are inside."""
    offset = (*range(axis), *range(axis + 1, x.ndim))
    sizes = tuple([1 if i == axis else m for i, m in enumerate(x.shape)])
    if not index.shape[0]:
        return slice_in_dim(x, 0, 0, 1, axis)
    return gather(x, reshaped(index, (index.shape[0], 1)), GatherDimensionNumbers(offset, (axis,), (axis,)), sizes,
                  mode=GatherScatterMode.PROMISE_IN_BOUNDS)


@public
def resize(a: Any, new_shape: Any) -> Array:
    """The elements of an array, again and again from the beginning, in another shape of any size.

    Args:
        a: array.
        new_shape: of the result.
    """
    shape = tuple([operator.index(n) for n in (new_shape if hasattr(new_shape, "__len__") else (new_shape,))])
    if any(n < 0 for n in shape):
        raise ArgumentValueError(says=f"`resize` was given the shape {shape}.", why="sizes are at least 0")
    x = ravel(a)
    wanted = math.prod(shape)
    if not x.size or not wanted:
        return filled(ShapedArray(shape, x.dtype), 0)
    copies = -(-wanted // x.size)
    x = concatenate([x] * copies) if copies > 1 else x
    return reshaped(slice_in_dim(x, 0, wanted), shape)


# -- moved round

def _moved_on(a: Any, shift: Any, axis: Any = None) -> Any:
    if type(shift) is not int:
        return None
    if axis is None:
        order = np.roll(np.arange(a.size), shift % max(a.size, 1)).reshape(a.shape)
        return lambda x: x.take(order)
    place = axis_of(axis, a)
    if place is None:
        return None
    order = np.roll(np.arange(a.shape[place]), shift % max(a.shape[place], 1))
    return lambda x: x.take(order, place)


@planned(_moved_on)
def roll(a: Any, shift: Any, axis: Any = None) -> Array:
    """The entries along axes moved on, those that leave at the end come in at the beginning.

    Args:
        a: array.
        shift: by how many places; an integer, or one for each axis.
        axis: an axis, or several; `None` for the elements along one axis.
    """
    x = asarray(array_like(a, "roll"))
    if axis is None:
        return reshaped(_rolled(ravel(x), shift, (0,)), x.shape)
    given = several(axis)
    axes = (axis,) if given is None else given
    return _rolled(x, shift, tuple([one_axis(i, x.ndim, "roll") for i in axes]))


def _rolled(x: Any, shift: Any, axes: tuple[int, ...]) -> Any:
    value = None if isinstance(shift, Tracer) else np.asarray(shift if not isinstance(shift, (list, tuple)) else [
        np.asarray(s) if not isinstance(s, Tracer) else 0 for s in shift])
    traced = isinstance(shift, Tracer) or (isinstance(shift, (list, tuple)) and any(isinstance(s, Tracer) for s in shift))
    shifts: Any = asarray(shift) if traced else value
    count = max(len(axes), shifts.shape[0] if shifts.ndim else 1)
    if shifts.ndim > 1 or (shifts.ndim == 1 and shifts.shape[0] not in (1, len(axes)) and len(axes) != 1):
        raise ArgumentValueError(says=f"`roll` was given {shifts.shape[0]} shifts and {len(axes)} axes.",
                                 why="there is one shift for all axes, or one for each")
    axes = axes * count if len(axes) == 1 else axes
    for i, axis in enumerate(axes):
        step = shifts if shifts.ndim == 0 else shifts[i if shifts.shape[0] > 1 else 0]
        n = x.shape[axis]
        if not n:
            continue
        if traced:
            start = elementwise.sub(np.asarray(n, step.dtype), remainder(step, np.asarray(n, step.dtype)))
            x = dynamic_slice_in_dim(lax_shape.concatenate([x, x], axis), start, n, axis)
        elif int(step) % n:
            cut = n - int(step) % n
            x = lax_shape.concatenate([slice_in_dim(x, cut, n, 1, axis), slice_in_dim(x, 0, cut, 1, axis)], axis)
    return x


# -- left out and put in

def _static_index(obj: Any, function: str) -> Any:
    """What was given as places, as NumPy takes it; `None` where it is traced."""
    if isinstance(obj, slice):
        return obj
    if isinstance(obj, Tracer):
        return known_value(obj)
    return np.asarray(array_like(obj, function, 1))


@public
def delete(arr: Any, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False) -> Array:
    """An array without some of its entries.

    Args:
        arr: array.
        obj: an index, a vector of indices, a slice, or a mask.
        axis: the axis; `None` for the elements along one axis.
        assume_unique_indices: promises that no index occurs twice, so that the indices may be traced.
    """
    x = asarray(array_like(arr, "delete", 0))
    if axis is None:
        x, axis = ravel(x), 0
    place = one_axis(axis, x.ndim, "delete")
    n = x.shape[place]
    index = _static_index(obj, "delete")
    if index is None:
        return _deleted(x, asarray(obj), place, assume_unique_indices)
    if type(n) is SymbolicSize:
        if isinstance(index, slice) or index.ndim:
            operator.index(n)  # which entries these are depends on it: it raises
        at = int(index) if index >= 0 else n + int(index)
        return lax_shape.concatenate([slice_in_dim(x, 0, at, 1, place), slice_in_dim(x, at + 1, n, 1, place)], place)
    if not isinstance(index, slice) and index.ndim == 0 and index.dtype.kind in "iu" and not -n <= index < n:
        raise ArgumentValueError(says=f"`delete` was given the index {index} for an axis of {n} entries.",
                                 why=f"indices run from {-n} to {n - 1}" if n else "there is nothing to leave out")
    if not isinstance(index, slice) and index.dtype.kind in "iu" and index.size and (
            (index < -n).any() or (index >= n).any()):
        index = np.clip(index, -n, n - 1)  # as an index that is read
    kept = np.delete(np.arange(n), index)
    if kept.size and (np.diff(kept) == 1).all():
        return slice_in_dim(x, int(kept[0]), int(kept[-1]) + 1, 1, place)
    gaps = np.flatnonzero(np.diff(kept) != 1)
    if len(gaps) == 1:
        runs = np.split(kept, gaps + 1)
        return lax_shape.concatenate([slice_in_dim(x, int(r[0]), int(r[-1]) + 1, 1, place) for r in runs], place)
    return _taken(x, asarray(kept.astype(_INT32)), place)


def _deleted(x: Any, index: Any, axis: int, unique: bool) -> Any:
    if kind(index) == "bool" or (index.ndim and not unique):
        raise sized_by_values(index, "jnp.delete", "" if kind(index) == "bool" else "assume_unique_indices")
    index = ravel(index)
    n, m = x.shape[axis], index.shape[0]
    index = compare.select(compare.lt(index, np.zeros((), index.dtype)),
                           elementwise.add(index, np.asarray(n, index.dtype)), index)
    index = lax_sort(compare.clamp(np.zeros((), index.dtype), index, np.asarray(n - 1, index.dtype)))
    # entry i of the result is preceded by as many deleted ones as have (index - rank) <= i
    ranks = elementwise.sub(index, convert(lax_shape.iota(_INT32, m), index.dtype, False))
    kept = lax_shape.iota(index_dtype(), n - m)
    skipped = searchsorted(convert(ranks, kept.dtype, False), kept, "right")
    return _taken(x, elementwise.add(kept, convert(skipped, kept.dtype, False)), axis)


@public
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """An array with values put in before some of its entries.

    Args:
        arr: array.
        obj: before which entries: an index, a vector of indices, or a slice.
        values: array that broadcasts to the shape of what is put in; taken as `arr`'s dtype.
        axis: the axis; `None` for the elements along one axis.
    """
    x, v = asarray(array_like(arr, "insert", 0)), asarray(array_like(values, "insert", 2))
    v = convert(v, x.dtype, x.weak_type)
    if axis is None:
        x, axis = ravel(x), 0
    place = one_axis(axis, x.ndim, "insert")
    n = x.shape[place]
    index: Any = asarray(np.arange(n)[obj].astype(_INT32)) if isinstance(obj, slice) else asarray(
        array_like(obj, "insert", 1))
    if index.ndim == 0 and v.ndim:
        v = lax_shape.broadcast_to_rank(v, x.ndim) if v.ndim < x.ndim else v
        if place:  # along the axis itself, as NumPy has it for a single index
            order = [*range(1, place + 1), 0, *range(place + 1, v.ndim)]
            v = lax_shape.transpose(v, order) if (v.ndim == x.ndim and v.shape[0] != 1) or place else v
    count = v.shape[place] if index.ndim == 0 and v.ndim else max(index.size, 1) if index.ndim else 1
    if index.ndim and index.size == 1 and v.ndim == x.ndim:
        count = v.shape[place]
    sizes = (*x.shape[:place], count, *x.shape[place + 1:])
    v = broadcast_to(v, sizes, "insert")
    return fused_call(_inserted, (x, v, broadcast_to(ravel(index), (count,), "insert")), axis=place)


def _inserted(x: Any, v: Any, index: Any, *, axis: int) -> Any:
    """Entry i has the key 2 i + 1, what is put in before it 2 i; a stable sort of the keys is the order."""
    n, dtype = x.shape[axis], index_dtype()
    index = convert(index, dtype, False)
    index = compare.select(compare.lt(index, np.zeros((), dtype)), elementwise.add(index, size_in(n, dtype)), index)
    index = compare.clamp(np.zeros((), dtype), index, size_in(n, dtype))
    two, one = np.asarray(2, dtype), np.asarray(1, dtype)
    keys = lax_shape.concatenate([elementwise.add(elementwise.mul(lax_shape.iota(dtype, n), two), one),
                                  elementwise.mul(index, two)], 0)
    order = lax_sort((keys, lax_shape.iota(dtype, n + index.shape[0])), 0, True, 1)[1]
    return _taken(lax_shape.concatenate([x, v], axis), order, axis)


@public
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Array:
    """A vector without the zeros at its ends.

    Args:
        filt: array whose values are known.
        trim: "f" for the front, "b" for the back, or both.
        axis: an axis, or several; all by default.
    """
    x: Any = asarray(filt)
    value = known_value(x)
    if value is None:
        raise sized_by_values(x, "jnp.trim_zeros", "")
    front, back = "f" in trim.lower(), "b" in trim.lower()
    for i in many_axes(axis, x.ndim, "trim_zeros"):
        others = tuple([k for k in range(x.ndim) if k != i])
        used = np.flatnonzero((value != 0).any(others))
        start = (int(used[0]) if used.size else x.shape[i]) if front else 0
        stop = (int(used[-1]) + 1 if used.size else (start if front else 0)) if back else x.shape[i]
        x = slice_in_dim(x, start, max(start, stop), 1, i)
    return x


__all__ = ["delete", "insert", "repeat", "resize", "roll", "tile", "trim_zeros"]
