"""Shape and order: primitives that move elements and compute nothing."""
from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray, canonical_shape
from perspicax.core.config import local
from perspicax.core.primitive import Missing, NotLinear, OfPrimitive, Primitive
from perspicax.core.symbolic import SymbolicSize, largest, surely_less
from perspicax.core.trace import Linear
from perspicax.core.tracer import get_aval
from perspicax.diagnose.report import Fix
from perspicax.lax import slicing
from perspicax.lax.errors import OperandDtypeError, OperandMismatchError, OperationShapeError
from perspicax.lax.families import NUMBER, kind, kinds_text
from perspicax.lax.join_errors import JoinError, SplitError
from perspicax.lax.operand import integer, integers, shape_of
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.result_sharding import asked_sharding, placed_as, with_batch_axis
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import instantiate, lax
from perspicax.transform.jvp import FLAT, LINEAR
from perspicax.xla.emit import i64, i64_array
from perspicax.xla.explicit import dual, whole_on


def _dims_text(dims: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, dims)) + ("," if len(dims) == 1 else "") + ")"


def canonical_axis(axis: Any, rank: int, what: str = "axis") -> int:
    """An axis from 0 up.

    Raises:
        OperationShapeError: there is no such axis.
    """
    try:
        index = operator.index(axis)
    except TypeError as error:
        if type(error) is not TypeError:
            raise
        raise OperationShapeError(says=f"{axis!r} is not an axis.", why=f"an {what} is an integer") from None
    if not -rank <= index < rank:
        raise OperationShapeError(says=f"Axis {index} does not exist in an array of {rank} "
                                       f"{'axis' if rank == 1 else 'axes'}.",
                                  why=f"axes count from {-rank} to {rank - 1}" if rank else "a scalar has no axes")
    return index % rank


# -- broadcast_in_dim

def _broadcast_type(x: ShapedArray, *, shape: tuple, broadcast_dimensions: tuple, sharding: Any) -> ShapedArray:
    dims = broadcast_dimensions
    if len(dims) != x.ndim:
        raise OperationShapeError(says=f"`broadcast_in_dim` was given {len(dims)} dimensions for an operand of {x.ndim} axes.",
                                  why=f"operand {x.str_short()}, broadcast_dimensions {_dims_text(dims)}")
    for i, d in enumerate(dims):
        if not 0 <= d < len(shape) or x.shape[i] not in (1, shape[d]) or (i and dims[i - 1] >= d):
            raise OperationShapeError(
                says=f"{x.str_short()} cannot be broadcast to shape {tuple(shape)} with dimensions {_dims_text(dims)}.",
                why="the dimensions increase, and each axis of the operand has size 1 or that of its axis in the result")
    return ShapedArray(shape, x.dtype, x.weak_type)


def _broadcast_transpose(ct: Any, x: Any, *, shape: tuple, broadcast_dimensions: tuple, sharding: Any) -> list:
    kept = set(broadcast_dimensions)
    summed = [i for i in range(len(shape)) if i not in kept]
    ones = [i for i, d in enumerate(broadcast_dimensions) if x.aval.shape[i] == 1 and shape[d] != 1]
    if summed:
        ct = lax().reduce_sum(ct, tuple(summed))  # type: ignore[attr-defined]
    if ones:
        ct = reshape(lax().reduce_sum(ct, tuple(ones)), x.aval.shape)  # type: ignore[attr-defined]
    return [ct]


def _broadcast_batch(axis: BatchAxis, args: tuple, axes: tuple, *, shape: tuple, broadcast_dimensions: tuple,
                     sharding: Any) -> tuple[Any, int]:
    x = to_axis(args[0], axes[0], 0, axis.size)
    dims = (0, *[d + 1 for d in broadcast_dimensions])
    return broadcast_in_dim_p(x, shape=(axis.size, *shape), broadcast_dimensions=dims,
                              sharding=with_batch_axis(sharding, 0, axis)), 0


def _broadcast_host(x: np.ndarray, *, shape: tuple, broadcast_dimensions: tuple, sharding: Any) -> np.ndarray:
    sizes = [1] * len(shape)
    for i, d in enumerate(broadcast_dimensions):
        sizes[d] = x.shape[i]
    return np.broadcast_to(x.reshape(sizes), shape)


def _trailing(aval: Any) -> int:
    return len(aval.dtype.physical_shape) if aval.extended else 0


def _broadcast_physical(params: dict, avals: list, outs: list) -> dict:
    suffix = tuple(avals[0].dtype.physical_shape)
    n = len(params["shape"])
    return {**params, "shape": params["shape"] + suffix,
            "broadcast_dimensions": params["broadcast_dimensions"] + tuple(range(n, n + len(suffix)))}


broadcast_in_dim_p = Primitive(
    "broadcast_in_dim", params=("shape", "broadcast_dimensions", "sharding"),
    type_rule=_broadcast_type, jvp=LINEAR, transpose=_broadcast_transpose, batch=_broadcast_batch,
    emit=lambda b, x, *, shape, broadcast_dimensions, sharding: b.hlo(
        "broadcast_in_dim", [x], b.out[0], f"broadcast_dimensions = {i64_array(broadcast_dimensions)}"),
    host=_broadcast_host, physical=_broadcast_physical, source="StableHLO specification, `broadcast_in_dim`")


def broadcast_in_dim(operand: Any, shape: Any, broadcast_dimensions: Sequence[int], *, out_sharding: Any = None) -> Any:
    """Repeat an array along new axes.

    Args:
        operand: array of `n` axes.
        shape: of the result.
        broadcast_dimensions: for each axis of the operand the axis of the result that it becomes, increasing; its size
            is 1 or that of the result's axis.

    Returns:
        Array of `shape`, dtype of the operand.

    Raises:
        OperationShapeError: the shapes do not fit.
    """
    x = as_operand(operand)
    shape = canonical_shape(shape)
    dims = tuple(map(int, broadcast_dimensions))
    if out_sharding is not None:
        asked = asked_sharding("broadcast_in_dim", out_sharding, len(shape))
        return broadcast_in_dim_p(x, shape=shape, broadcast_dimensions=dims, sharding=asked)
    if shape_of(x) == shape and dims == tuple(range(len(shape))) and not isinstance(x, np.ndarray | int | float | complex):
        return x
    return local.trace.process(broadcast_in_dim_p, (x,), (shape, dims, None))


def broadcast(operand: Any, sizes: Sequence[int], *, out_sharding: Any = None) -> Any:
    """Repeat an array along new leading axes of the given sizes."""
    x = as_operand(operand)
    sizes = canonical_shape(sizes)
    if not sizes and hasattr(x, "aval") and out_sharding is None:
        return x
    rank = len(sizes)
    old = shape_of(x)
    return broadcast_in_dim(x, (*sizes, *old), range(rank, rank + len(old)), out_sharding=out_sharding)


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """An array with leading axes of size 1, so that it has `rank` axes."""
    old = shape_of(x)
    return x if len(old) == rank else broadcast(x, (1,) * (rank - len(old)))


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to, by NumPy's rule.

    Raises:
        OperationShapeError: they do not broadcast.
    """
    if not shapes:
        return ()
    normal = [canonical_shape(s) for s in shapes]
    rank = max(map(len, normal))
    result = []
    for i in range(-rank, 0):
        sizes = {s[i] for s in normal if -i <= len(s)} - {1}
        if len(sizes) > 1:
            raise OperationShapeError(says=f"The shapes {', '.join(map(str, normal))} do not broadcast.",
                                      why=f"axes are matched from the right: axis {i} has the sizes "
                                          f"{', '.join(sorted(map(str, sizes)))}; they must be equal, or 1")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


# -- reshape

def _reshape_type(x: ShapedArray, *, new_sizes: tuple, dimensions: Any, sharding: Any) -> ShapedArray:
    if math.prod(new_sizes) != x.size:
        raise OperationShapeError(says=f"{x.str_short()} cannot be reshaped to {tuple(new_sizes)}.",
                                  why=f"it has {x.size} elements, the new shape {math.prod(new_sizes)}")
    return ShapedArray(new_sizes, x.dtype, x.weak_type)


def _reshape_batch(axis: BatchAxis, args: tuple, axes: tuple, *, new_sizes: tuple, dimensions: Any,
                   sharding: Any) -> tuple[Any, int]:
    x = to_axis(args[0], axes[0], 0, axis.size)
    return reshape_p(x, new_sizes=(axis.size, *new_sizes), dimensions=None, sharding=with_batch_axis(sharding, 0, axis)), 0


def _reshape_transpose(ct: Any, x: Any, **_: Any) -> list:
    own, back = get_aval(ct).explicit, x.aval.explicit  # type: ignore[attr-defined]
    if own is None and back is None:
        return [reshape(ct, x.aval.shape)]
    asked = dual(back) if back is not None else whole_on(own.mesh, x.aval.ndim)
    return [reshape_p(ct, new_sizes=x.aval.shape, dimensions=None, sharding=asked)]


reshape_p = Primitive(
    "reshape", params=("new_sizes", "dimensions", "sharding"),
    type_rule=_reshape_type, jvp=LINEAR, batch=_reshape_batch,
    transpose=_reshape_transpose,
    emit=lambda b, x, **_: b.hlo("reshape", [x], b.out[0]),
    host=lambda x, *, new_sizes, **_: x.reshape(new_sizes),
    physical=lambda params, avals, outs: {**params, "new_sizes": params["new_sizes"] + tuple(avals[0].dtype.physical_shape)},
    source="StableHLO specification, `reshape`")


def reshape(operand: Any, new_sizes: Any, dimensions: Sequence[int] | None = None, *, out_sharding: Any = None) -> Any:
    """The elements of an array, in row-major order, in another shape.

    Args:
        operand: array of any shape.
        new_sizes: shape with as many elements.
        dimensions: order in which the operand's axes are read; as they are by default.

    Raises:
        OperationShapeError: the number of elements differs.
    """
    x = as_operand(operand)
    new_sizes = canonical_shape(new_sizes)
    if dimensions is not None:
        dims = tuple(map(int, dimensions))
        if dims != tuple(range(len(dims))):
            x = transpose(x, dims)
    if out_sharding is not None:
        asked = asked_sharding("reshape", out_sharding, len(new_sizes))
        return reshape_p(x, new_sizes=new_sizes, dimensions=None, sharding=asked)
    if hasattr(x, "aval") and x.aval.shape == new_sizes:
        return x
    return local.trace.process(reshape_p, (x,), (new_sizes, None, None))


# -- transpose

def _transpose_type(x: ShapedArray, *, permutation: tuple) -> ShapedArray:
    if sorted(permutation) != list(range(x.ndim)):
        raise OperationShapeError(says=f"{_dims_text(permutation)} is no permutation of the axes of {x.str_short()}.",
                                  why=f"it must hold each of 0 … {x.ndim - 1} once")
    return ShapedArray(tuple([x.shape[p] for p in permutation]), x.dtype, x.weak_type)


def _transpose_batch(axis: BatchAxis, args: tuple, axes: tuple, *, permutation: tuple) -> tuple[Any, int]:
    a = axes[0]
    moved = (a, *[p + (p >= a) for p in permutation])
    return transpose_p(args[0], permutation=moved), 0


def _inverse(permutation: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argsort(permutation))


transpose_p = Primitive(
    "transpose", params=("permutation",),
    type_rule=_transpose_type, jvp=LINEAR, batch=_transpose_batch,
    transpose=lambda ct, x, *, permutation: [transpose(ct, _inverse(permutation))],
    emit=lambda b, x, *, permutation: b.hlo("transpose", [x], b.out[0], f"permutation = {i64_array(permutation)}"),
    host=lambda x, *, permutation: x.transpose(permutation),
    physical=lambda params, avals, outs: {"permutation": params["permutation"] + tuple(
        range(avals[0].ndim, avals[0].ndim + _trailing(avals[0])))},
    source="StableHLO specification, `transpose`")


def transpose(operand: Any, permutation: Any) -> Any:
    """The axes of an array in another order: axis `i` of the result is axis `permutation[i]` of the operand."""
    x = as_operand(operand)
    permutation = integers(permutation, "transpose", "permutation")
    if permutation == tuple(range(len(shape_of(x)))) and hasattr(x, "aval"):
        return x
    return local.trace.process(transpose_p, (x,), (permutation,))


# -- squeeze and expand_dims

def _squeeze_type(x: ShapedArray, *, dimensions: tuple) -> ShapedArray:
    for d in dimensions:
        if x.shape[d] != 1:
            raise OperationShapeError(says=f"Axis {d} of {x.str_short()} cannot be squeezed away.",
                                      why=f"its size is {x.shape[d]}, not 1")
    return ShapedArray(tuple([n for i, n in enumerate(x.shape) if i not in dimensions]), x.dtype, x.weak_type)


def _squeeze_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimensions: tuple) -> tuple[Any, int]:
    a = axes[0]
    moved = tuple([d + (d >= a) for d in dimensions])
    return squeeze_p(args[0], dimensions=moved), a - sum(d < a for d in moved)


squeeze_p = Primitive(
    "squeeze", params=("dimensions",),
    type_rule=_squeeze_type, jvp=LINEAR, batch=_squeeze_batch,
    transpose=lambda ct, x, *, dimensions: [reshape(ct, x.aval.shape)],
    emit=lambda b, x, *, dimensions: b.hlo("reshape", [x], b.out[0]),
    host=lambda x, *, dimensions: x.squeeze(dimensions),
    physical=lambda params, avals, outs: params, source="StableHLO specification, `reshape`")


def squeeze(array: Any, dimensions: Any) -> Any:
    """An array without some of its axes of size 1."""
    x = as_operand(array)
    rank = len(shape_of(x))
    if isinstance(dimensions, int):
        dimensions = (dimensions,)
    dims = tuple(sorted([canonical_axis(d, rank) for d in dimensions]))
    if len(set(dims)) != len(dims):
        raise OperationShapeError(says=f"`squeeze` was given a repeated axis in {tuple(dimensions)}.",
                                  why="an axis can be squeezed away once")
    if not dims and hasattr(x, "aval"):
        return x
    return local.trace.process(squeeze_p, (x,), (dims,))


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """An array with new axes of size 1 at the places `dimensions` of the result."""
    x = as_operand(array)
    old = shape_of(x)
    rank = len(old) + len(dimensions)
    places = {canonical_axis(d, rank) for d in dimensions}
    if len(places) != len(dimensions):
        raise OperationShapeError(says=f"`expand_dims` was given a repeated axis in {tuple(dimensions)}.",
                                  why=f"each new axis has a place of its own among the {rank} of the result")
    kept = [i for i in range(rank) if i not in places]
    sizes = [1] * rank
    for i, n in zip(kept, old):
        sizes[i] = n
    return broadcast_in_dim(x, tuple(sizes), tuple(kept))


# -- concatenate

def _concatenate_type(*avals: ShapedArray, dimension: int) -> ShapedArray:
    first = avals[0]
    if not 0 <= dimension < first.ndim:
        raise OperationShapeError(says=f"`concatenate` along axis {dimension} was given arrays with {first.ndim} axes.",
                                  why="there is no such axis")
    for i, a in enumerate(avals):
        if a.dtype != first.dtype:
            raise OperandMismatchError(operation="concatenate", avals=avals, index=i)
        if a.ndim != first.ndim or any(m != n for k, (m, n) in enumerate(zip(a.shape, first.shape)) if k != dimension):
            raise JoinError(operation="concatenate", avals=avals, axis=dimension)
    shape = list(first.shape)
    shape[dimension] = sum([a.shape[dimension] for a in avals])
    return ShapedArray(tuple(shape), first.dtype, all(a.weak_type for a in avals))


def _concatenate_jvp(primals: tuple, tangents: tuple, *, dimension: int) -> tuple:
    out = concatenate_p(*primals, dimension=dimension)
    return out, concatenate_p(*[instantiate(t) for t in tangents], dimension=dimension)


def _concatenate_transpose(ct: Any, *operands: Any, dimension: int) -> list:
    found: list[Any] = []
    start, sizes = 0, shape_of(ct)
    for x in operands:
        size = x.shape[dimension] if type(x) is Linear else shape_of(x)[dimension]
        if type(x) is Linear:
            low, high = [0] * len(sizes), list(sizes)
            low[dimension], high[dimension] = start, start + size
            found.append(slicing.slice(ct, low, high))
        else:
            found.append(None)
        start += size
    return found


def _concatenate_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimension: int) -> tuple[Any, int]:
    return concatenate_p(*[to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)], dimension=dimension + 1), 0


concatenate_p = Primitive(
    "concatenate", params=("dimension",),
    type_rule=_concatenate_type, jvp=_concatenate_jvp, transpose=_concatenate_transpose, batch=_concatenate_batch,
    emit=lambda b, *xs, dimension: b.hlo("concatenate", xs, b.out[0], f"dimension = {i64(dimension)}"),
    host=lambda *xs, dimension: np.concatenate(xs, dimension),
    physical=lambda params, avals, outs: params, source="StableHLO specification, `concatenate`")


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Arrays put one behind the other along an axis; their other axes agree.

    Raises:
        OperationShapeError: there are none, or there is no such axis.
        JoinError: their shapes do not fit.
        OperandMismatchError: their dtypes differ.
    """
    xs = [as_operand(x) for x in operands]
    if not xs:
        raise OperationShapeError(says="`concatenate` was given no arrays.", why="the shape of the result is not known then")
    if len(xs) == 1 and hasattr(xs[0], "aval"):
        return xs[0]
    return local.trace.process(concatenate_p, tuple(xs), (int(dimension),))


# -- pad

def _pad_type(x: ShapedArray, fill: ShapedArray, *, padding_config: tuple) -> ShapedArray:
    if x.dtype != fill.dtype:
        raise OperandMismatchError(operation="pad", avals=(x, fill), index=1)
    if fill.shape != () or len(padding_config) != x.ndim:
        raise OperationShapeError(says=f"`pad` of {x.str_short()} was given {len(padding_config)} triples and a fill value of "
                                       f"type {fill.str_short()}.",
                                  why="there is one (low, high, interior) for each axis, and the fill value is a scalar")
    shape = pad_shape(x.shape, padding_config)
    if any(surely_less(n, 0) for n in shape) or any(inner < 0 for _, _, inner in padding_config):
        raise OperationShapeError(says=f"`pad` of {x.str_short()} by {padding_config} would give the shape {shape}.",
                                  why="negative padding may not remove more than there is; interior padding is at least 0")
    return ShapedArray(shape, x.dtype, x.weak_type and fill.weak_type)


def _pad_transpose(ct: Any, x: Any, fill: Any, *, padding_config: tuple) -> list:
    back = [(-low, -high, 0) for low, high, _ in padding_config]
    aval: Any = get_aval(ct)
    cx = slicing.slice(pad(ct, np.zeros((), aval.dtype), back), [0] * len(back), pad_shape(aval.shape, back),
                       [inner + 1 for _, _, inner in padding_config])
    if type(fill) is not Linear:
        return [cx, None]
    rest = lax().subtract(lax().sum_all(ct), lax().sum_all(cx))  # type: ignore[attr-defined]
    return [cx if type(x) is Linear else None, rest]


def pad_shape(shape: Sequence[int], config: Sequence[tuple]) -> tuple[int, ...]:
    """The shape after padding."""
    return tuple([n + low + high + (largest(0, n - 1) * inner if inner else 0)
                  for n, (low, high, inner) in zip(shape, config)])


def _pad_jvp(primals: tuple, tangents: tuple, *, padding_config: tuple) -> tuple:
    out = pad_p(*primals, padding_config=padding_config)
    return out, pad_p(*[instantiate(t) for t in tangents], padding_config=padding_config)


def _pad_batch(axis: BatchAxis, args: tuple, axes: tuple, *, padding_config: tuple) -> tuple[Any, int]:
    x, fill = args
    if axes[1] is None:
        a = axes[0]
        config = (*padding_config[:a], (0, 0, 0), *padding_config[a:])
        return pad_p(x, fill, padding_config=config), a
    x = to_axis(x, axes[0], 0, axis.size)
    wide = ((0, 0, 0), *padding_config)
    padded = pad_p(x, np.zeros((), get_aval(x).dtype), padding_config=wide)  # type: ignore[attr-defined]
    own = pad_p(broadcast(np.asarray(True), shape_of(x)), np.asarray(False), padding_config=wide)
    fills = broadcast_in_dim(fill, shape_of(padded), (0,))
    return lax().select(own, padded, fills), 0  # type: ignore[attr-defined]


def _pad_host(x: np.ndarray, fill: np.ndarray, *, padding_config: tuple) -> np.ndarray:
    """A border of the larger of each width and 0, then cut off what is negative."""
    grown = [(max(low, 0), max(high, 0), inner) for low, high, inner in padding_config]
    made = np.empty(pad_shape(x.shape, grown), x.dtype)
    made[...] = fill
    made[tuple([slice(low, low + max(0, n - 1) * (inner + 1) + (n > 0), inner + 1)
                for n, (low, _, inner) in zip(x.shape, grown)])] = x
    inside: list[Any] = [slice(max(-low, 0), size - max(-high, 0)) for size, (low, high, _) in zip(made.shape, padding_config)]
    return made[(*inside, ...)]


pad_p = Primitive(
    "pad", params=("padding_config",),
    type_rule=_pad_type, jvp=_pad_jvp, transpose=_pad_transpose, batch=_pad_batch,
    emit=lambda b, x, fill, *, padding_config: b.hlo(
        "pad", [x, fill], b.out[0], ", ".join([
            f"{name} = {i64_array([c[k] for c in padding_config])}"
            for k, name in ((0, "edge_padding_low"), (1, "edge_padding_high"), (2, "interior_padding"))])),
    host=_pad_host, source="StableHLO specification, `pad`")


def pad(operand: Any, padding_value: Any, padding_config: Sequence[Sequence[int]]) -> Any:
    """An array with a border (and gaps) of a fill value.

    Args:
        operand: array of `n` axes.
        padding_value: scalar of its dtype.
        padding_config: `(low, high, interior)` for each axis: how many to put before, behind and between its entries;
            negative `low` and `high` remove entries.
    """
    config = tuple([integers(c, "pad", "padding_config") for c in padding_config])
    return local.trace.process(pad_p, (as_operand(operand), as_operand(padding_value)), (config,))


# -- rev

def _rev_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimensions: tuple) -> tuple[Any, int]:
    a = axes[0]
    return rev_p(args[0], dimensions=tuple([d + (d >= a) for d in dimensions])), a


def _rev_type(x: ShapedArray, *, dimensions: tuple) -> ShapedArray:
    if len(set(dimensions)) != len(dimensions) or any(not 0 <= d < x.ndim for d in dimensions):
        raise OperationShapeError(says=f"`rev` of {x.str_short()} cannot reverse the axes {_dims_text(dimensions)}.",
                                  why=f"axes count from 0 to {x.ndim - 1}, each at most once")
    return x


rev_p = Primitive(
    "rev", params=("dimensions",),
    type_rule=_rev_type, jvp=LINEAR, batch=_rev_batch,
    transpose=lambda ct, x, *, dimensions: [rev(ct, dimensions)],
    emit=lambda b, x, *, dimensions: b.hlo("reverse", [x], b.out[0], f"dimensions = {i64_array(dimensions)}"),
    host=lambda x, *, dimensions: np.flip(x, dimensions) if dimensions else x,
    physical=lambda params, avals, outs: params, source="StableHLO specification, `reverse`")


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """An array with the order of its entries along some axes reversed."""
    return local.trace.process(rev_p, (as_operand(operand),), (tuple(map(int, dimensions)),))


# -- iota

def _iota_type(*, dtype: Any, shape: tuple, dimension: int, sharding: Any) -> ShapedArray:
    if kind(dtype) not in NUMBER:
        raise OperandDtypeError(operation="iota", type_text=dtypes.name_of(dtype), accepts=kinds_text(NUMBER), index=0)
    return ShapedArray(shape, dtype)


iota_p = Primitive(
    "iota", params=("dtype", "shape", "dimension", "sharding"), type_rule=_iota_type,
    jvp=FLAT, transpose=NotLinear("it has no operands"), batch=Missing("it has no operands"),
    emit=lambda b, *, dtype, shape, dimension, sharding: b.hlo("iota", [], b.out[0], f"iota_dimension = {i64(dimension)}"),
    host=lambda *, dtype, shape, dimension, sharding: np.broadcast_to(
        np.arange(shape[dimension]).astype(dtype).reshape([-1 if i == dimension else 1 for i in range(len(shape))]), shape),
    source="StableHLO specification, `iota`")


def broadcasted_iota(dtype: Any, shape: Any, dimension: int, out_sharding: Any = None) -> Any:
    """An array whose entries are their index along one axis."""
    shape = canonical_shape(shape)
    dtype = dtypes.canonicalize_dtype(dtype)
    axis = canonical_axis(dimension, len(shape), "iota dimension")
    if dimension < 0:
        raise OperationShapeError(says=f"broadcasted_iota was given the dimension {dimension}.",
                                  why="it counts from 0; unlike an axis of other functions it is not counted from the end",
                                  fixes=(Fix(code=f"jax.lax.broadcasted_iota(dtype, {shape}, {axis})"),))
    if out_sharding is not None and local.trace.base:
        return placed_as("broadcasted_iota", out_sharding, broadcasted_iota(dtype, shape, axis))
    asked = None if out_sharding is None else asked_sharding("broadcasted_iota", out_sharding, len(shape))
    return local.trace.process(iota_p, (), (dtype, shape, axis, asked))


def iota(dtype: Any, size: int) -> Any:
    """`0, 1, …, size - 1`."""
    return broadcasted_iota(dtype, (size if type(size) is SymbolicSize else integer(size, "iota", "size"),), 0)


# -- split

def _split_type(x: ShapedArray, *, sizes: tuple, axis: int) -> list[ShapedArray]:
    if sum(sizes) != x.shape[axis] or any(n < 0 for n in sizes):
        raise SplitError(operation="split", aval=x, axis=axis, pieces=tuple(sizes))
    return [ShapedArray((*x.shape[:axis], n, *x.shape[axis + 1:]), x.dtype, x.weak_type) for n in sizes]


def _split_emit(b: Any, x: Any, *, sizes: tuple, axis: int) -> list:
    found, start = [], 0
    for n in sizes:
        low, high = [0] * x.ndim, list(x.shape)
        low[axis], high[axis] = start, start + n
        found.append(b.slice(x, low, high))
        start += n
    return found


def _split_batch(axis_: BatchAxis, args: tuple, axes: tuple, *, sizes: tuple, axis: int) -> tuple[list, list]:
    a = axes[0]
    outs = split_p(args[0], sizes=sizes, axis=axis + (a <= axis))
    return outs, [a] * len(outs)


def _split_jvp(primitive: Primitive) -> Any:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
        return primitive(*primals, **params), primitive(instantiate(tangents[0]), **params)

    return jvp


split_p = Primitive(
    "split", params=("sizes", "axis"), multiple_results=True,
    type_rule=_split_type, jvp=OfPrimitive(_split_jvp), batch=_split_batch, emit=_split_emit,
    transpose=lambda cts, x, *, sizes, axis: [concatenate([instantiate(ct) for ct in cts], axis)],
    host=lambda x, *, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], axis),
    physical=lambda params, avals, outs: params, source="StableHLO specification, `slice`")

for _moving in (broadcast_in_dim_p, reshape_p, transpose_p, squeeze_p, concatenate_p, split_p):
    _moving.extra["words_on_host"] = True  # NumPy moves the words of random keys as it moves numbers


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list:
    """An array cut along an axis into pieces of the given sizes."""
    x = as_operand(operand)
    axis = canonical_axis(axis, len(shape_of(x)))
    return local.trace.process(split_p, (x,), (integers(sizes, "split", "sizes"), axis))

for _primitive in (broadcast_in_dim_p, iota_p, reshape_p):
    _primitive.extra["lays"] = "sharding"


__all__ = ["broadcast", "broadcast_in_dim", "broadcast_shapes", "broadcast_to_rank", "broadcasted_iota",
           "canonical_axis", "concatenate", "expand_dims", "iota", "pad", "reshape", "rev", "split", "squeeze",
           "transpose"]
