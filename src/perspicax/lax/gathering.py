"""Gather: entries (or windows) of an array at places that an array of indices tells."""
from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import get_aval
from perspicax.lax import scattering as scatters
from perspicax.lax import slicing
from perspicax.lax.index_errors import GatherDimensionsError, GatherModeError, OutOfBoundsError
from perspicax.lax.operand import operand as as_operand
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import lax
from perspicax.xla.emit import i64_array


class GatherScatterMode(enum.Enum):
    """What happens at an index that lies outside the array.

    `CLIP` takes the nearest index at which the window fits; `FILL_OR_DROP` reads a fill value, and leaves out the
    update; `PROMISE_IN_BOUNDS` says that there is none (what happens then is not specified); `ONE_HOT` reads 0, and
    leaves out the update.
    """

    CLIP = 1
    FILL_OR_DROP = 2
    PROMISE_IN_BOUNDS = 3
    ONE_HOT = 4

    @staticmethod
    def from_any(mode: str | GatherScatterMode | None) -> GatherScatterMode:
        """The mode that a name stands for; `None` is `FILL_OR_DROP`.

        Raises:
            GatherModeError: there is no such mode.
        """
        if isinstance(mode, GatherScatterMode):
            return mode
        try:
            return _MODES[mode]
        except (KeyError, TypeError):
            raise GatherModeError(mode=repr(mode)) from None


_MODES = {None: GatherScatterMode.FILL_OR_DROP, "clip": GatherScatterMode.CLIP, "fill": GatherScatterMode.FILL_OR_DROP,
          "drop": GatherScatterMode.FILL_OR_DROP, "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS,
          "one_hot": GatherScatterMode.ONE_HOT}
FILLING = (GatherScatterMode.FILL_OR_DROP, GatherScatterMode.ONE_HOT)
"""The modes that read something else than the array outside of it."""


class GatherDimensionNumbers(NamedTuple):
    """How the axes of a gather's operand, indices and result belong together.

    The last axis of the indices holds the index vector; the others are batch axes.

    Attributes:
        offset_dims: axes of the result that run within a window, increasing; the others are the batch axes, in order.
        collapsed_slice_dims: axes of the operand along which the window has size 1, left out of the result; increasing.
        start_index_map: for each component of the index vector the axis of the operand that it is an index of.
        operand_batching_dims: axes of the operand that go along with an axis of the indices; increasing.
        start_indices_batching_dims: those axes of the indices.
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


def integers(values: Sequence[Any]) -> tuple[int, ...]:
    """A tuple of Python's integers."""
    return tuple([int(v) for v in values])


# -- checks that gather and scatter share

def check_indices(name: str, x: ShapedArray, indices: ShapedArray, index_map: Sequence[int]) -> None:
    """Raise where the index array does not fit the dimension numbers."""
    if not dtypes.issubdtype(indices.dtype, np.integer):
        raise GatherDimensionsError(says=f"The indices of `{name}` are {indices.str_short()}.", why="they must be integers")
    if indices.ndim == 0 or indices.shape[-1] != len(index_map):
        raise GatherDimensionsError(says=f"The indices of `{name}` are {indices.str_short()}, and each index vector has "
                                         f"{len(index_map)} components.",
                                    why="the last axis of the indices holds the index vectors")
    check_dims(name, "the operand axes of the index vectors", index_map, x.ndim, increasing=False)


def check_dims(name: str, what: str, dims: Sequence[int], rank: int, increasing: bool = True) -> None:
    """Raise where axes are repeated, do not exist, or do not increase."""
    if any(not 0 <= d < rank for d in dims):
        raise GatherDimensionsError(says=f"In `{name}`, {what} are {tuple(dims)}.", why=f"axes count from 0 to {rank - 1}")
    if len(set(dims)) != len(dims) or (increasing and list(dims) != sorted(dims)):
        raise GatherDimensionsError(says=f"In `{name}`, {what} are {tuple(dims)}.",
                                    why="each is named once" + (", in increasing order" if increasing else ""))


def check_batching(name: str, x: ShapedArray, indices: ShapedArray, operand_dims: Sequence[int],
                   index_dims: Sequence[int], others: Sequence[int]) -> None:
    """Raise where batching axes of operand and indices do not belong together."""
    check_dims(name, "the batching axes of the operand", operand_dims, x.ndim)
    check_dims(name, "the batching axes of the indices", index_dims, indices.ndim - 1, increasing=False)
    if set(operand_dims) & set(others):
        raise GatherDimensionsError(says=f"In `{name}`, the operand axes {tuple(set(operand_dims) & set(others))} have two "
                                         "roles.",
                                    why="a batching axis is neither collapsed nor indexed")
    sizes = [x.shape[d] for d in operand_dims], [indices.shape[d] for d in index_dims]
    if sizes[0] != sizes[1]:
        raise GatherDimensionsError(says=f"In `{name}`, the batching axes have sizes {tuple(sizes[0])} in the operand and "
                                         f"{tuple(sizes[1])} in the indices.", why="they must be equal")


# -- placing windows on the host

def host_places(shape: Sequence[int], indices: np.ndarray, windows: Sequence[int], numbers: Any, window_dims: Sequence[int],
                result_rank: int, clip: bool) -> tuple[list[np.ndarray], np.ndarray]:
    """For each axis of an operand the indices of all entries of all windows, and which windows lie inside.

    Args:
        windows: size of a window along each axis of the operand.
        numbers: as `GatherDimensionNumbers`.
        window_dims: axes of the result that run within a window.
        result_rank: number of axes of the result.
        clip: whether windows are moved inside.

    Returns:
        Index arrays that broadcast to the result's shape, and a mask that does.
    """
    batch_dims = [d for d in range(result_rank) if d not in window_dims]

    def over(values: np.ndarray, dims: Sequence[int]) -> np.ndarray:
        sizes = [1] * result_rank
        for d, n in zip(dims, values.shape):
            sizes[d] = n
        return values.reshape(sizes)

    places: list[Any] = [np.zeros((1,) * result_rank, np.int64) for _ in shape]
    inside = np.ones((1,) * result_rank, bool)
    for column, axis in enumerate(numbers.start_index_map):
        start = indices[..., column].astype(np.int64)
        last = shape[axis] - windows[axis]
        inside = inside & over((start >= 0) & (start <= last), batch_dims)
        if clip:
            start = start.clip(0, last)
        places[axis] = over(start, batch_dims)
    for axis, index_dim in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims):
        places[axis] = over(np.arange(shape[axis]), (batch_dims[index_dim],))
    kept = [d for d in range(len(shape)) if d not in numbers.collapsed_slice_dims and d not in numbers.operand_batching_dims]
    for axis, d in zip(kept, window_dims):
        places[axis] = places[axis] + over(np.arange(windows[axis]), (d,))
    return places, inside


def bounds_check(name: str, x: Any, indices: Any, windows: Sequence[int], index_map: Sequence[int], outcome: str) -> None:
    """Raise for the first index, of those that are known, whose window does not lie inside.

    Raises:
        OutOfBoundsError: there is one.
    """
    value = slicing.known(indices)
    if value is None:
        return
    aval: Any = get_aval(x)
    found = first_outside(aval.shape, value, windows, index_map)
    if found is not None:
        axis, index = found
        raise OutOfBoundsError(operation=name, type_text=aval.str_short(), axis=axis, index=index, size=aval.shape[axis],
                               window=windows[axis], outcome=outcome)


def first_outside(shape: Sequence[int], indices: np.ndarray, windows: Sequence[int],
                  index_map: Sequence[int]) -> tuple[int, int] | None:
    """`(axis, index)` of the first index whose window does not lie inside."""
    for column, axis in enumerate(index_map):
        start = indices[..., column].astype(np.int64)
        outside = (start < 0) | (start > shape[axis] - windows[axis])
        if outside.any():
            return axis, int(start[outside].reshape(-1)[0])
    return None


# -- the primitive

def _gather_type(x: ShapedArray, indices: ShapedArray, *, dimension_numbers: GatherDimensionNumbers, slice_sizes: tuple,
                 indices_are_sorted: bool, unique_indices: bool, mode: GatherScatterMode, fill_value: Any) -> ShapedArray:
    offset, collapsed, index_map, batching, index_batching = dimension_numbers
    check_indices("gather", x, indices, index_map)
    if len(slice_sizes) != x.ndim or any(not 0 <= size <= n for size, n in zip(slice_sizes, x.shape)):
        raise GatherDimensionsError(says=f"gather from {x.str_short()} with windows of size {slice_sizes}.",
                                    why="there is one size for each axis of the operand, at most the size of that axis")
    check_dims("gather", "the collapsed axes", collapsed, x.ndim)
    check_batching("gather", x, indices, batching, index_batching, (*collapsed, *index_map))
    kept = [d for d in range(x.ndim) if d not in collapsed and d not in batching]
    rank = indices.ndim - 1 + len(kept)
    check_dims("gather", "the offset axes", offset, rank)
    if len(offset) != len(kept):
        raise GatherDimensionsError(says=f"gather from {x.str_short()}: there are {len(offset)} offset axes.",
                                    why=f"the window has {len(kept)} axes that are neither collapsed nor batching")
    for d in (*collapsed, *batching):
        if slice_sizes[d] > 1:
            raise GatherDimensionsError(says=f"gather from {x.str_short()}: the window has size {slice_sizes[d]} along axis "
                                             f"{d}, which is collapsed or batching.", why="its size there is 1")
    windows, batches = iter([slice_sizes[d] for d in kept]), iter(indices.shape[:-1])
    shape = tuple([next(windows) if i in offset else next(batches) for i in range(rank)])
    return ShapedArray(shape, x.dtype, x.weak_type)


def _gather_jvp(primals: tuple, tangents: tuple, *, fill_value: Any, **params: Any) -> tuple:
    x, indices = primals
    out = gather_p(x, indices, fill_value=fill_value, **params)
    t = tangents[0]
    return out, Zero.like(out) if type(t) is Zero else gather_p(t, indices, fill_value=0, **params)


def _gather_transpose(ct: Any, x: Linear, indices: Any, *, dimension_numbers: GatherDimensionNumbers, slice_sizes: tuple,
                      indices_are_sorted: bool, unique_indices: bool, mode: GatherScatterMode, fill_value: Any) -> list:
    numbers = scatters.ScatterDimensionNumbers(*dimension_numbers)
    return [scatters.scatter_add_p(lax().zeros(x.aval), indices, ct, dimension_numbers=numbers,
                                   indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode,
                                   update_jaxpr=None, update_consts=()), None]


def shifted(dims: Sequence[int], by: int = 1) -> tuple[int, ...]:
    """Axes behind a new first one."""
    return tuple([d + by for d in dims])


def _gather_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimension_numbers: GatherDimensionNumbers,
                  slice_sizes: tuple, indices_are_sorted: bool, unique_indices: bool, mode: GatherScatterMode,
                  fill_value: Any) -> tuple[Any, int]:
    offset, collapsed, index_map, batching, index_batching = dimension_numbers
    x, indices = [v if a is None else to_axis(v, a, 0, axis.size) for v, a in zip(args, axes)]
    if axes[0] is None:
        numbers = GatherDimensionNumbers(shifted(offset), collapsed, index_map, batching, shifted(index_batching))
        indices_are_sorted = unique_indices = False  # what held in each example need not hold in all together
    elif axes[1] is None:
        numbers = GatherDimensionNumbers((0, *shifted(offset)), shifted(collapsed), shifted(index_map), shifted(batching),
                                         index_batching)
        slice_sizes = (axis.size, *slice_sizes)
    else:
        numbers = GatherDimensionNumbers(shifted(offset), shifted(collapsed), shifted(index_map), (0, *shifted(batching)),
                                         (0, *shifted(index_batching)))
        slice_sizes = (min(1, axis.size), *slice_sizes)
    return gather_p(x, indices, dimension_numbers=numbers, slice_sizes=slice_sizes, indices_are_sorted=indices_are_sorted,
                    unique_indices=unique_indices, mode=mode, fill_value=fill_value), 0


def numbers_text(kind: str, fields: Sequence[tuple[str, Sequence[int]]], index_vector_dim: int) -> str:
    """The attribute of dimension numbers; empty fields are left out."""
    parts = [f"{name} = [{', '.join(map(str, dims))}]" for name, dims in fields if dims]
    return f"#stablehlo.{kind}<{', '.join([*parts, f'index_vector_dim = {index_vector_dim}'])}>"


def _gather_emit(b: Any, x: Any, indices: Any, *, dimension_numbers: GatherDimensionNumbers, slice_sizes: tuple,
                 indices_are_sorted: bool, unique_indices: bool, mode: GatherScatterMode, fill_value: Any) -> Any:
    offset, collapsed, index_map, batching, index_batching = dimension_numbers
    aval = b.out[0]
    if aval.size == 0:
        return b.constant(np.zeros((), aval.dtype), aval)
    text = numbers_text("gather", (
        ("offset_dims", offset), ("collapsed_slice_dims", collapsed), ("operand_batching_dims", batching),
        ("start_indices_batching_dims", index_batching), ("start_index_map", index_map)), indices.ndim - 1)
    found = b.hlo("gather", [x, indices], aval, f"dimension_numbers = {text}, indices_are_sorted = "
                  f"{'true' if indices_are_sorted else 'false'}, slice_sizes = {i64_array(slice_sizes)}")
    if mode not in FILLING or not index_map:
        return found
    inside = emit_inside(b, indices, [x.shape[d] - slice_sizes[d] for d in index_map])
    batch_dims = [d for d in range(len(aval.shape)) if d not in offset]
    fill = 0 if mode is GatherScatterMode.ONE_HOT else default_fill(aval.dtype) if fill_value is None else fill_value
    return b.select(b.broadcast(inside, aval.shape, batch_dims), found,
                    b.constant(np.asarray(fill).astype(aval.dtype), aval))


def emit_inside(b: Any, indices: Any, last: Sequence[int]) -> Any:
    """Which index vectors have each component from 0 to `last`."""
    shape = indices.shape[:-1]
    inside = None
    for column, high in enumerate(last):
        start = b.slice(indices, (0,) * indices.ndim, indices.shape) if indices.shape[-1] == 1 else b.slice(
            indices, (*[0] * len(shape), column), (*shape, column + 1))
        start = b.reshape(start, shape)
        found = []
        signed = dtypes.issubdtype(indices.dtype, np.signedinteger)
        kind = "SIGNED" if signed else "UNSIGNED"
        if signed:
            found.append(b.compare(start, b.constant(np.zeros((), indices.dtype), start.aval), "GE", kind))
        if type(high) is SymbolicSize:
            bound = b.convert(b.constant(high, ShapedArray((), np.dtype(np.int32))), indices.dtype)
            found.append(b.compare(start, b.broadcast(bound, start.aval.shape, ()), "LE", kind))
        elif high < np.iinfo(indices.dtype).max:
            found.append(b.compare(start, b.constant(np.asarray(high, indices.dtype), start.aval), "LE", kind))
        for mask in found:
            inside = mask if inside is None else b.op("and", [inside, mask], mask.aval)
    if inside is None:  # unsigned indices of a dtype too small to be outside
        return b.constant(np.ones((), bool), ShapedArray(shape, np.dtype(bool)))
    return inside


def default_fill(dtype: Any) -> Any:
    """What is read outside the array: NaN, the least signed or the largest unsigned integer, true."""
    if dtypes.issubdtype(dtype, np.inexact):
        return np.nan
    if dtype == np.dtype(bool):
        return True
    info = dtypes.iinfo(dtype)
    return int(info.min) if dtypes.issubdtype(dtype, np.signedinteger) else int(info.max)


def _gather_host(x: np.ndarray, indices: np.ndarray, *, dimension_numbers: GatherDimensionNumbers, slice_sizes: tuple,
                 indices_are_sorted: bool, unique_indices: bool, mode: GatherScatterMode, fill_value: Any) -> np.ndarray:
    offset = dimension_numbers.offset_dims
    rank = indices.ndim - 1 + len(offset)
    places, inside = host_places(x.shape, indices, slice_sizes, dimension_numbers, offset, rank, clip=True)
    if 0 in indices.shape[:-1] or 0 in slice_sizes:
        windows, batches = iter([n for d, n in enumerate(slice_sizes) if d not in dimension_numbers.collapsed_slice_dims
                                 and d not in dimension_numbers.operand_batching_dims]), iter(indices.shape[:-1])
        return np.zeros([next(windows) if i in offset else next(batches) for i in range(rank)], x.dtype)
    found = np.asarray(x[tuple(places)]) if places else np.broadcast_to(x, indices.shape[:-1])
    shape = np.broadcast_shapes(found.shape, _batch_shape(indices.shape[:-1], offset, rank))
    if found.shape != shape:
        found = np.broadcast_to(found, shape)
    if mode not in FILLING or inside.all():
        return found
    fill = 0 if mode is GatherScatterMode.ONE_HOT else default_fill(x.dtype) if fill_value is None else fill_value
    return np.where(inside, found, np.asarray(fill).astype(x.dtype))


def _batch_shape(sizes: Sequence[int], offset: Sequence[int], rank: int) -> tuple[int, ...]:
    """The shape that batch axes alone give the result."""
    rest = iter(sizes)
    return tuple([1 if i in offset else next(rest) for i in range(rank)])


def _gather_physical(params: dict, avals: list, outs: list) -> dict:
    words = tuple(avals[0].dtype.physical_shape)
    numbers = params["dimension_numbers"]
    rank = outs[0].ndim
    offset = numbers.offset_dims + tuple(range(rank, rank + len(words)))
    return {**params, "slice_sizes": params["slice_sizes"] + words,
            "dimension_numbers": numbers._replace(offset_dims=offset)}


_OUTCOMES = {GatherScatterMode.CLIP: "the nearest entry would be read", GatherScatterMode.ONE_HOT: "0 would be read",
             GatherScatterMode.FILL_OR_DROP: "a fill value would be read",
             GatherScatterMode.PROMISE_IN_BOUNDS: "the nearest entry would be read"}


def _gather_bounds(args: tuple, params: dict) -> None:
    bounds_check("gather", args[0], args[1], params["slice_sizes"], params["dimension_numbers"].start_index_map,
                 _OUTCOMES[params["mode"]])


gather_p = Primitive(
    "gather", params=("dimension_numbers", "slice_sizes", "indices_are_sorted", "unique_indices", "mode", "fill_value"),
    type_rule=_gather_type, jvp=_gather_jvp, transpose=_gather_transpose, batch=_gather_batch, emit=_gather_emit,
    host=_gather_host, physical=_gather_physical, sanitize={"bounds": _gather_bounds},
    source="StableHLO specification, `gather`")


def gather(operand: Any, start_indices: Any, dimension_numbers: GatherDimensionNumbers, slice_sizes: Sequence[int], *,
           unique_indices: bool = False, indices_are_sorted: bool = False, mode: str | GatherScatterMode | None = None,
           fill_value: Any = None) -> Any:
    """Windows of an array at the places that an array of index vectors tells; XLA's gather.

    Indexing, `x[i]`, is written with it and easier to read.

    Args:
        operand: array of `n` axes.
        start_indices: integer array `[..., k]` of index vectors: where each window starts.
        dimension_numbers: how the axes of operand, indices and result belong together.
        slice_sizes: size of a window along each of the `n` axes.
        unique_indices: promises that no two index vectors are equal.
        indices_are_sorted: promises that they increase.
        mode: what is read where a window does not lie inside; without one the indices are promised to be inside.
        fill_value: what `"fill"` reads; NaN, the least signed, the largest unsigned integer, or true by default.

    Raises:
        GatherDimensionsError: the dimension numbers do not fit the operands.
        GatherModeError: there is no such mode.
    """
    chosen = GatherScatterMode.PROMISE_IN_BOUNDS if mode is None else GatherScatterMode.from_any(mode)
    x = as_operand(operand)
    aval: Any = get_aval(x)
    fill = static_fill(fill_value, aval.dtype) if chosen is GatherScatterMode.FILL_OR_DROP else None
    numbers = GatherDimensionNumbers(*map(integers, dimension_numbers))
    return local.trace.process(gather_p, (x, as_operand(start_indices)), (
        numbers, integers(slice_sizes), bool(indices_are_sorted), bool(unique_indices), chosen, fill))


def static_fill(value: Any, dtype: Any) -> Any:
    """A fill value as the parameter of an equation: a Python scalar, the same object for each NaN.

    Raises:
        GatherDimensionsError: it is traced.
    """
    if value is None:
        return None if isinstance(dtype, dtypes.ExtendedDType) else default_fill(dtype)
    found = slicing.known(value)
    if found is None:
        raise GatherDimensionsError(says="The fill value of a gather is traced.",
                                    why="it is part of the program, so it must be known while tracing")
    scalar = found.item()
    return np.nan if isinstance(scalar, float) and math.isnan(scalar) else scalar


__all__ = ["GatherDimensionNumbers", "GatherScatterMode", "gather", "gather_p"]
