"""Slices: static ones, and those whose start is a value.

A start of a dynamic slice that would let the slice run over an end is moved until it fits (XLA's rule).
"""
from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.symbolic import as_size
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import Tracer, get_aval
from perspicax.lax import compare, convert, elementwise
from perspicax.lax import gathering as gathers
from perspicax.lax import scattering as scatters
from perspicax.lax import shape as shapes
from perspicax.lax.errors import OperandMismatchError
from perspicax.lax.index_errors import OutOfBoundsError, SliceArgumentError, StaticIndexError
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.operand import shape_of
from perspicax.lax.symbolic_sizes import size_in
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import as_cotangent, instantiate, lax
from perspicax.transform.jvp import LINEAR
from perspicax.xla.emit import i64_array

# -- slice

def _slice_type(x: ShapedArray, *, start_indices: tuple, limit_indices: tuple, strides: tuple | None) -> ShapedArray:
    steps = strides or (1,) * x.ndim
    if not len(start_indices) == len(limit_indices) == len(steps) == x.ndim:
        raise SliceArgumentError(
            says=f"`slice` of {x.str_short()} was given {len(start_indices)} starts, {len(limit_indices)} limits and "
                 f"{len(steps)} strides.", why=f"there is one of each for each of its {x.ndim} axes")
    for i, (start, limit, step, n) in enumerate(zip(start_indices, limit_indices, steps, x.shape)):
        if not 0 <= start <= limit <= n or step < 1:
            raise SliceArgumentError(
                says=f"The slice {start}:{limit}:{step} does not fit axis {i} of {x.str_short()}, which has size {n}.",
                why="0 <= start <= limit <= size, and strides are at least 1 (negative starts are for indexing, `x[-1:]`)")
    shape = tuple([-(-(limit - start) // step) for start, limit, step in zip(start_indices, limit_indices, steps)])
    return ShapedArray(shape, x.dtype, x.weak_type)


def _slice_transpose(ct: Any, x: Linear, *, start_indices: tuple, limit_indices: tuple, strides: tuple | None) -> list:
    steps = strides or (1,) * len(start_indices)
    config = [(start, n - (start + ((size - 1) * step + 1)) if size else n - start, step - 1)
              for start, n, step, size in zip(start_indices, x.aval.shape, steps, get_aval(ct).shape)]  # type: ignore
    return [shapes.pad(ct, np.zeros((), get_aval(ct).dtype), config)]  # type: ignore[attr-defined]


def _slice_batch(axis: BatchAxis, args: tuple, axes: tuple, *, start_indices: tuple, limit_indices: tuple,
                 strides: tuple | None) -> tuple[Any, int]:
    a = axes[0]
    return slice_p(args[0], start_indices=_with(start_indices, a, 0), limit_indices=_with(limit_indices, a, axis.size),
                   strides=None if strides is None else _with(strides, a, 1)), a


def _with(values: tuple, place: int, value: Any) -> tuple:
    """A tuple with one more entry."""
    return (*values[:place], value, *values[place:])


def _slice_host(x: np.ndarray, *, start_indices: tuple, limit_indices: tuple, strides: tuple | None) -> np.ndarray:
    # (..., Ellipsis) keeps an array where NumPy would make a scalar; arrays never change, so a view will do
    where: Any = (*map(builtins.slice, start_indices, limit_indices, strides or (None,) * x.ndim), ...)
    return x[where]


def _slice_emit(b: Any, x: Any, *, start_indices: tuple, limit_indices: tuple, strides: tuple | None) -> Any:
    return b.hlo("slice", [x], b.out[0], f"start_indices = {i64_array(start_indices)}, limit_indices = "
                 f"{i64_array(limit_indices)}, strides = {i64_array(strides or (1,) * len(start_indices))}")


def _slice_physical(params: dict, avals: list, outs: list) -> dict:
    words = tuple(avals[0].dtype.physical_shape)
    strides = params["strides"]
    return {"start_indices": params["start_indices"] + (0,) * len(words), "limit_indices": params["limit_indices"] + words,
            "strides": None if strides is None else strides + (1,) * len(words)}


slice_p = Primitive(
    "slice", params=("start_indices", "limit_indices", "strides"),
    type_rule=_slice_type, jvp=LINEAR, transpose=_slice_transpose, batch=_slice_batch, emit=_slice_emit,
    host=_slice_host, physical=_slice_physical, source="StableHLO specification, `slice`")
slice_p.extra["words_on_host"] = True  # random keys are sliced as their words are


def _integers(values: Any, what: str) -> tuple[int, ...]:
    try:
        return tuple([as_size(v) for v in values])
    except TypeError as error:
        if type(error) is not TypeError:  # a tracer has its own report
            raise
        raise SliceArgumentError(says=f"The {what} of a slice are {values!r}.", why="they are a sequence of integers") from None


def slice(operand: Any, start_indices: Sequence[int], limit_indices: Sequence[int],
          strides: Sequence[int] | None = None) -> Any:
    """Part of an array: entries `start:limit:stride` of each axis, all of them static.

    Args:
        operand: array of `n` axes.
        start_indices: first entry along each axis, from 0 up.
        limit_indices: one past the last entry along each axis, at most its size.
        strides: distance of the entries along each axis; 1 by default.

    Returns:
        Array of the operand's dtype.

    Raises:
        SliceArgumentError: they do not fit the operand.

    >>> slice(jnp.arange(6), (1,), (5,), (2,))
    Array([1, 3], dtype=int32)
    """
    steps = None if strides is None else _integers(strides, "strides")
    return local.trace.process(slice_p, (as_operand(operand),), (
        _integers(start_indices, "starts"), _integers(limit_indices, "limits"), steps))


def _axis_of(x: Any, axis: Any) -> tuple[int, tuple[int, ...]]:
    shape = shape_of(x)
    return shapes.canonical_axis(axis, len(shape)), shape


def slice_in_dim(operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0) -> Any:
    """`x[start:limit:stride]` along one axis; negative starts and limits count from the end, `None` is an end.

    Raises:
        SliceArgumentError: they do not fit the operand.
    """
    x = as_operand(operand)
    axis, shape = _axis_of(x, axis)
    n = shape[axis]
    start = 0 if start_index is None else as_size(start_index)
    limit = n if limit_index is None else as_size(limit_index)
    starts, limits, steps = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], limits[axis] = start + n if start < 0 else start, limit + n if limit < 0 else limit
    steps[axis] = operator.index(stride)
    return slice(x, starts, limits, steps)


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """`x[index]` along one axis, which stays with size 1 if `keepdims`.

    Raises:
        StaticIndexError: the index is outside.
    """
    x = as_operand(operand)
    axis, shape = _axis_of(x, axis)
    n, i = shape[axis], operator.index(index)
    if not -n <= i < n:
        raise StaticIndexError(operation="index_in_dim", axis=axis, index=i, size=n)
    one = slice_in_dim(x, i % n, i % n + 1, 1, axis)
    return one if keepdims else shapes.squeeze(one, (axis,))


# -- what dynamic_slice and dynamic_update_slice share

def _check_starts(name: str, x: ShapedArray, starts: Sequence[ShapedArray]) -> None:
    if len(starts) != x.ndim:
        raise SliceArgumentError(says=f"`{name}` of {x.str_short()} was given {len(starts)} start indices.",
                                 why=f"there is one for each of its {x.ndim} axes")
    for i, a in enumerate(starts):
        if a.shape != () or not dtypes.issubdtype(a.dtype, np.integer):
            raise SliceArgumentError(says=f"Start index {i} of `{name}` is {a.str_short()}.", why="starts are integer scalars")
        if a.dtype != starts[0].dtype:
            raise SliceArgumentError(says=f"{name}: the start indices are "
                                          f"{', '.join([s.str_short() for s in starts])}.",
                                     why="they must have one integer dtype")


def _clamped(starts: Sequence[Any], shape: Sequence[int], sizes: Sequence[int]) -> list[int]:
    return [min(max(int(s), 0), n - size) for s, n, size in zip(starts, shape, sizes)]


def _emitted_starts(b: Any, x: Any, starts: tuple) -> list:
    """The starts, with zeros for the words of an extended dtype."""
    dtype = starts[0].dtype if starts else np.dtype(np.int32)
    return [*starts, *[b.constant(np.zeros((), dtype)) for _ in range(x.ndim - len(starts))]]


def known(x: Any) -> np.ndarray | None:
    """The value of an operand where it is known; `None` for a traced one."""
    if isinstance(x, Tracer):
        inner = x.concrete()
        return None if inner is None else known(inner)
    if isinstance(x, Array):
        return x.value()  # type: ignore[attr-defined]
    return np.asarray(x)


def slice_out_of_bounds(shape: Sequence[int], starts: Sequence[Any], sizes: Sequence[int]) -> tuple[int, int, int] | None:
    """`(axis, start, size)` of the first start that is known and lets the slice run over an end."""
    for axis, (start, n, size) in enumerate(zip(starts, shape, sizes)):
        value = known(start)
        if value is not None and not 0 <= int(value) <= n - size:
            return axis, int(value), n
    return None


def _check_bounds(name: str, x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> None:
    aval: Any = get_aval(x)
    found = slice_out_of_bounds(aval.shape, starts, sizes)
    if found is not None:
        axis, start, n = found
        raise OutOfBoundsError(operation=name, type_text=aval.str_short(), axis=axis, index=start, size=n,
                               window=sizes[axis], outcome=f"the slice starts at {min(max(start, 0), n - sizes[axis])} instead")


# -- dynamic_slice

def _dynamic_slice_type(x: ShapedArray, *starts: ShapedArray, slice_sizes: tuple) -> ShapedArray:
    if len(slice_sizes) != x.ndim or any(not 0 <= size <= n for size, n in zip(slice_sizes, x.shape)):
        raise SliceArgumentError(says=f"`dynamic_slice` of {x.str_short()} cannot have the size {slice_sizes}.",
                                 why="there is one size for each axis, at most the size of that axis")
    _check_starts("dynamic_slice", x, starts)
    return ShapedArray(slice_sizes, x.dtype, x.weak_type)


def _dynamic_slice_jvp(primals: tuple, tangents: tuple, *, slice_sizes: tuple) -> tuple:
    x, *starts = primals
    out = dynamic_slice_p(x, *starts, slice_sizes=slice_sizes)
    t = tangents[0]
    return out, Zero.like(out) if type(t) is Zero else dynamic_slice_p(t, *starts, slice_sizes=slice_sizes)


def _dynamic_slice_transpose(ct: Any, x: Linear, *starts: Any, slice_sizes: tuple) -> list:
    return [dynamic_update_slice_p(lax().zeros(as_cotangent(x.aval)), ct, *starts), *[None] * len(starts)]


def _zero_start(starts: Sequence[Any]) -> np.ndarray:
    return np.zeros((), get_aval(starts[0]).dtype if starts else np.int32)  # type: ignore[attr-defined]


def _start_matrix(starts: Sequence[Any], axes: Sequence[int | None], size: int) -> Any:
    """The starts of each slice of a batch, as rows."""
    columns = [shapes.broadcast_in_dim(s, (size, 1), () if a is None else (0,)) for s, a in zip(starts, axes)]
    return shapes.concatenate(columns, 1)


def _dynamic_slice_batch(axis: BatchAxis, args: tuple, axes: tuple, *, slice_sizes: tuple) -> tuple[Any, int]:
    x, *starts = args
    a = axes[0]
    if all(s is None for s in axes[1:]):
        return dynamic_slice_p(x, *_with(tuple(starts), a, _zero_start(starts)),
                               slice_sizes=_with(slice_sizes, a, axis.size)), a
    rank = len(slice_sizes)
    rows = _start_matrix(starts, axes[1:], axis.size)
    kept = tuple(range(1, rank + 1))
    mode = gathers.GatherScatterMode.CLIP
    if a is None:
        numbers = gathers.GatherDimensionNumbers(kept, (), tuple(range(rank)))
        return gathers.gather(x, rows, numbers, slice_sizes, mode=mode), 0
    numbers = gathers.GatherDimensionNumbers(kept, (), kept, (0,), (0,))
    return gathers.gather(to_axis(x, a, 0, axis.size), rows, numbers, (1, *slice_sizes), mode=mode,
                          unique_indices=True, indices_are_sorted=True), 0


def _dynamic_slice_host(x: np.ndarray, *starts: np.ndarray, slice_sizes: tuple) -> np.ndarray:
    begin = _clamped(starts, x.shape, slice_sizes)
    where: Any = (*[builtins.slice(s, s + n) for s, n in zip(begin, slice_sizes)], ...)
    return x[where]


dynamic_slice_p = Primitive(
    "dynamic_slice", params=("slice_sizes",),
    type_rule=_dynamic_slice_type, jvp=_dynamic_slice_jvp, transpose=_dynamic_slice_transpose,
    batch=_dynamic_slice_batch, host=_dynamic_slice_host,
    emit=lambda b, x, *starts, slice_sizes: b.hlo("dynamic_slice", [x, *_emitted_starts(b, x, starts)], b.out[0],
                                                  f"slice_sizes = {i64_array(slice_sizes)}"),
    physical=lambda params, avals, outs: {"slice_sizes": params["slice_sizes"] + tuple(avals[0].dtype.physical_shape)},
    sanitize={"bounds": lambda args, params: _check_bounds("dynamic_slice", args[0], args[1:], params["slice_sizes"])},
    source="StableHLO specification, `dynamic_slice`")


def from_end(index: Any, size: int) -> Any:
    """An index that counts from the end when it is negative."""
    if isinstance(index, (int, np.integer)):
        return index + size if index < 0 else index
    aval: Any = get_aval(index)
    if not dtypes.issubdtype(aval.dtype, np.signedinteger):
        return index
    if isinstance(index, np.ndarray):
        return np.where(index < 0, index + index.dtype.type(size), index)
    return compare.select(compare.lt(index, np.zeros((), aval.dtype)),
                          elementwise.add(index, size_in(size, aval.dtype)), index)


def _start_list(starts: Any, shape: tuple[int, ...], allow_negative: bool | Sequence[bool], name: str) -> list[Any]:
    """The start indices as scalars of one dtype, from 0 up."""
    if isinstance(starts, (Array, np.ndarray)):
        if starts.ndim != 1 or starts.shape[0] != len(shape):
            raise SliceArgumentError(says=f"{name}: the start indices have shape {tuple(starts.shape)}.",
                                     why=f"there is one for each of the operand's {len(shape)} axes")
        starts = [shapes.squeeze(slice(starts, (i,), (i + 1,)), (0,)) if isinstance(starts, Array) else starts[i]
                  for i in range(len(shape))]
    found = [as_operand(s) for s in starts]
    if len(found) != len(shape):
        raise SliceArgumentError(says=f"{name} got {len(found)} start indices.",
                                 why=f"there is one for each of the operand's {len(shape)} axes")
    flags = [allow_negative] * len(found) if isinstance(allow_negative, bool) else list(allow_negative)
    typed = {get_aval(s).dtype for s in found if type(s) is not int}  # type: ignore[attr-defined]
    dtype = typed.pop() if len(typed) == 1 else dtypes.default_dtype("int")
    if not typed and dtypes.issubdtype(dtype, np.integer):  # Python's integers follow the others, where they fit
        high = np.iinfo(dtype).max
        if any((type(n) is int and n > high) or (type(s) is int and abs(s) > high) for s, n in zip(found, shape)):
            dtype = dtypes.default_dtype("int")
            found = [s if type(s) is int else convert.convert_element_type(s, dtype) for s in found]
    result = []
    for i, (s, n, negative) in enumerate(zip(found, shape, flags)):
        if not negative and isinstance(s, (int, np.integer)) and s < 0:
            raise StaticIndexError(operation=name, axis=i, index=int(s), size=n, from_end=False)
        s = from_end(s, n) if negative else s
        result.append(np.asarray(s, dtype) if type(s) is int else s)
    return result


def dynamic_slice(operand: Any, start_indices: Any, slice_sizes: Sequence[int], *,
                  allow_negative_indices: bool | Sequence[bool] = True) -> Any:
    """A part of static size of an array, from a start that is a value.

    Args:
        operand: array of `n` axes.
        start_indices: an integer scalar for each axis, or an integer vector.
        slice_sizes: static size of the part along each axis.
        allow_negative_indices: whether negative starts count from the end (for all axes, or for each).

    Returns:
        Array of shape `slice_sizes`. A start from which the part would run over an end is moved until it fits.

    Raises:
        SliceArgumentError: starts or sizes do not fit the operand.

    >>> dynamic_slice(jnp.arange(5), (3,), (3,))
    Array([2, 3, 4], dtype=int32)
    """
    x = as_operand(operand)
    starts = _start_list(start_indices, shape_of(x), allow_negative_indices, "dynamic_slice")
    return local.trace.process(dynamic_slice_p, (x, *starts), (_integers(slice_sizes, "sizes"),))


def _starts_along(x: Any, start: Any, axis: int, allow_negative: bool) -> list[Any]:
    shape = shape_of(x)
    starts: list[Any] = [0] * len(shape)
    starts[axis] = start
    return _start_list(starts, shape, allow_negative, "dynamic_slice")


def dynamic_slice_in_dim(operand: Any, start_index: Any, slice_size: int, axis: int = 0, *,
                         allow_negative_indices: bool = True) -> Any:
    """`slice_size` entries along one axis, from a start that is a value; all of the other axes."""
    x = as_operand(operand)
    axis, shape = _axis_of(x, axis)
    sizes = (*shape[:axis], as_size(slice_size), *shape[axis + 1:])
    return local.trace.process(dynamic_slice_p, (x, *_starts_along(x, start_index, axis, allow_negative_indices)), (sizes,))


def dynamic_index_in_dim(operand: Any, index: Any, axis: int = 0, keepdims: bool = True, *,
                         allow_negative_indices: bool = True) -> Any:
    """The entry along one axis at an index that is a value; the axis stays with size 1 if `keepdims`."""
    one = dynamic_slice_in_dim(operand, index, 1, axis, allow_negative_indices=allow_negative_indices)
    return one if keepdims else shapes.squeeze(one, (axis,))


# -- dynamic_update_slice

def _update_type(x: ShapedArray, update: ShapedArray, *starts: ShapedArray) -> ShapedArray:
    if x.dtype != update.dtype:
        raise OperandMismatchError(operation="dynamic_update_slice", avals=(x, update), index=1)
    if x.ndim != update.ndim or any(m > n for m, n in zip(update.shape, x.shape)):
        raise SliceArgumentError(says=f"`dynamic_update_slice` of {x.str_short()} was given an update of type "
                                      f"{update.str_short()}.",
                                 why="it has as many axes as the operand, and is in none larger")
    _check_starts("dynamic_update_slice", x, starts)
    return ShapedArray(x.shape, x.dtype, x.weak_type)


def _update_jvp(primals: tuple, tangents: tuple) -> tuple:
    x, update, *starts = primals
    out = dynamic_update_slice_p(x, update, *starts)
    if type(tangents[0]) is Zero and type(tangents[1]) is Zero:
        return out, Zero.like(out)
    return out, dynamic_update_slice_p(instantiate(tangents[0]), instantiate(tangents[1]), *starts)


def _update_transpose(ct: Any, x: Any, update: Any, *starts: Any) -> list:
    aval: Any = update.aval if type(update) is Linear else get_aval(update)
    cx = dynamic_update_slice_p(ct, lax().zeros(aval.strong), *starts) if type(x) is Linear else None
    cu = dynamic_slice_p(ct, *starts, slice_sizes=aval.shape) if type(update) is Linear else None
    return [cx, cu, *[None] * len(starts)]


def _update_batch(axis: BatchAxis, args: tuple, axes: tuple) -> tuple[Any, int]:
    x, update = [to_axis(v, a, 0, axis.size) for v, a in zip(args[:2], axes)]
    starts = args[2:]
    if all(a is None for a in axes[2:]):
        return dynamic_update_slice_p(x, update, _zero_start(starts), *starts), 0
    rows = _start_matrix(starts, axes[2:], axis.size)
    kept = tuple(range(1, len(starts) + 1))
    numbers = scatters.ScatterDimensionNumbers(kept, (), kept, (0,), (0,))
    return scatters.scatter(x, rows, update, numbers, indices_are_sorted=True, unique_indices=True,
                            mode=gathers.GatherScatterMode.CLIP), 0


def _update_host(x: np.ndarray, update: np.ndarray, *starts: np.ndarray) -> np.ndarray:
    begin = _clamped(starts, x.shape, update.shape)
    result = x.copy()
    where: Any = (*[builtins.slice(s, s + n) for s, n in zip(begin, update.shape)], ...)
    result[where] = update
    return result


dynamic_update_slice_p = Primitive(
    "dynamic_update_slice",
    type_rule=_update_type, jvp=_update_jvp, transpose=_update_transpose, batch=_update_batch, host=_update_host,
    emit=lambda b, x, update, *starts: b.hlo("dynamic_update_slice", [x, update, *_emitted_starts(b, x, starts)], b.out[0]),
    physical=lambda params, avals, outs: params,
    sanitize={"bounds": lambda args, params: _check_bounds("dynamic_update_slice", args[0], args[2:], shape_of(args[1]))},
    source="StableHLO specification, `dynamic_update_slice`")


def dynamic_update_slice(operand: Any, update: Any, start_indices: Any, *,
                         allow_negative_indices: bool | Sequence[bool] = True) -> Any:
    """An array with a part replaced, from a start that is a value.

    Args:
        operand: array of `n` axes.
        update: array of `n` axes and the same dtype, along no axis larger.
        start_indices: an integer scalar for each axis, or an integer vector.
        allow_negative_indices: whether negative starts count from the end (for all axes, or for each).

    Returns:
        Array like the operand. A start from which the update would run over an end is moved until it fits.

    Raises:
        OperandMismatchError: the dtypes differ.
        SliceArgumentError: starts or sizes do not fit the operand.
    """
    x = as_operand(operand)
    starts = _start_list(start_indices, shape_of(x), allow_negative_indices, "dynamic_update_slice")
    return local.trace.process(dynamic_update_slice_p, (x, as_operand(update), *starts), ())


def dynamic_update_slice_in_dim(operand: Any, update: Any, start_index: Any, axis: int, *,
                                allow_negative_indices: bool = True) -> Any:
    """An array with entries along one axis replaced, from a start that is a value."""
    x = as_operand(operand)
    axis, _ = _axis_of(x, axis)
    starts = _starts_along(x, start_index, axis, allow_negative_indices)
    return local.trace.process(dynamic_update_slice_p, (x, as_operand(update), *starts), ())


def dynamic_update_index_in_dim(operand: Any, update: Any, index: Any, axis: int, *,
                                allow_negative_indices: bool = True) -> Any:
    """An array with the entry along one axis replaced, at an index that is a value.

    `update` has that axis with size 1, or lacks it.
    """
    x, new = as_operand(operand), as_operand(update)
    axis, shape = _axis_of(x, axis)
    if len(shape_of(new)) != len(shape):
        new = shapes.expand_dims(new, (axis,))
    return dynamic_update_slice_in_dim(x, new, index, axis, allow_negative_indices=allow_negative_indices)


__all__ = ["dynamic_index_in_dim", "dynamic_slice", "dynamic_slice_in_dim", "dynamic_slice_p", "dynamic_update_index_in_dim",
           "dynamic_update_slice", "dynamic_update_slice_in_dim", "dynamic_update_slice_p", "index_in_dim", "slice",
           "slice_in_dim", "slice_p"]
