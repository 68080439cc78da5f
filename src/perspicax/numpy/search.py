"""Where things are: places of true elements, of extremes, order, and positions in sorted arrays.

Functions whose result has a size that depends on values need those values; under a transformation `size` says how large
the result is.
"""
from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import sized_by_values, static_value
from perspicax.diagnose.boundary import public, trim
from perspicax.diagnose.report import Fix
from perspicax.lax import compare, elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.bitwise import bitwise_and, bitwise_not, bitwise_or, bitwise_xor
from perspicax.lax.convert import bitcast_convert_type, convert, imag, real
from perspicax.lax.cumulative import cumsum as lax_cumsum
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather
from perspicax.lax.host_order import extreme_index, ordered, sorting_order
from perspicax.lax.reductions import argmax as lax_argmax
from perspicax.lax.reductions import argmin as lax_argmin
from perspicax.lax.reductions import reduce_and, reduce_sum
from perspicax.lax.result_sharding import out_placed
from perspicax.lax.sorting import sort as lax_sort
from perspicax.lax.symbolic_sizes import size_in
from perspicax.numpy.axes import all_axes, one_axis
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray, wrap
from perspicax.numpy.creation import filled
from perspicax.numpy.errors import (
    ArgumentKindError,
    ArgumentValueError,
    AxisError,
    ReductionError,
    ShapeMismatchError,
    UnsupportedArgumentError,
)
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.indexing import at
from perspicax.numpy.joining import concatenate, sequence_of
from perspicax.numpy.logic import kind, refuse, truth
from perspicax.numpy.operators import greater_equal, less
from perspicax.numpy.plans import axis_of, planned
from perspicax.numpy.promote import array_like, of_numbers, promote_dtypes
from perspicax.numpy.reductions import kept_axes, put_back
from perspicax.numpy.shapes import ravel, reshaped

_INT32 = np.dtype(np.int32)


def index_dtype() -> Any:
    """The dtype of indices: int32, int64 with `jax_enable_x64`."""
    return dtypes.default_dtype("int")


def known_value(x: Any) -> np.ndarray | None:
    """The value of an array where it is known; `None` for a traced one."""
    if isinstance(x, Tracer):
        inner = x.concrete()
        return None if inner is None else known_value(inner)
    return np.asarray(x)


# -- places of true elements

def static_size(size: Any, callee: str) -> int:
    found = operator.index(static_value(size, callee, "size"))
    if found < 0:
        raise ArgumentValueError(says=f"`{callee}` was given size={found}.", why="a size is at least 0")
    return found


def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Array, ...]:
    """The indices of the elements that are not 0, an array for each axis.

    Args:
        a: array of at least one axis.
        size: of the arrays; what is over is cut off. Needed where `a` is traced.
        fill_value: what fills them up to `size`; 0 by default. A tuple gives one for each axis.

    Raises:
        ConcretizationTypeError: `a` is traced, and no size is given.
    """
    try:
        return _nonzero(asarray(array_like(a, "nonzero")), size, fill_value, "jnp.nonzero")
    except Exception as error:
        trim(error)
        raise


def _nonzero(x: Any, size: int | None, fill_value: Any, callee: str) -> tuple[Array, ...]:
    if x.ndim == 0:
        raise ArgumentValueError(says=f"`{callee}` was given a scalar.",
                                 why="it has no axis along which it could have an index; `jnp.atleast_1d` gives it one")
    value = known_value(x)
    if value is not None and (fill_value is None or not isinstance(fill_value, Tracer)):
        found = [v.astype(index_dtype()) for v in np.nonzero(value)]
        if size is None:
            return tuple(map(wrap, found))
        n = static_size(size, callee)
        fills = _fills(fill_value, x.ndim)
        return tuple([wrap(_resized(v, n, np.asarray(f).astype(v.dtype))) for v, f in zip(found, fills)])
    if size is None:
        raise sized_by_values(x, callee)
    n = static_size(size, callee)
    return fused_call(_nonzero_sized, (truth(x, callee), *_fills(fill_value, x.ndim)), size=n)


def _fills(fill_value: Any, ndim: int) -> list[Any]:
    if fill_value is None:
        return [0] * ndim
    if isinstance(fill_value, (tuple, list)):
        if len(fill_value) != ndim:
            raise ArgumentValueError(says=f"`nonzero` was given {len(fill_value)} fill values for {ndim} axes.",
                                     why="there is one for all axes, or one for each")
        return list(fill_value)
    return [fill_value] * ndim


def _resized(v: np.ndarray, n: int, fill: Any) -> np.ndarray:
    out = np.full(n, fill, v.dtype)
    out[:len(v)] = v[:n]
    return out


def _nonzero_sized(mask: Any, *fills: Any, size: int) -> tuple[Any, ...]:
    """Each true element is put at the place that the number of true ones before it says."""
    shape = mask.shape
    flat = reshaped(mask, (mask.size,))
    dtype = index_dtype()
    places = elementwise.sub(lax_cumsum(convert(flat, dtype, False), 0), np.ones((), dtype)) if mask.size else \
        filled(flat.aval.update(dtype=dtype), 0)
    places = where3(flat, places, np.asarray(size, dtype))
    start = lax_shape.broadcast_in_dim(np.zeros((), dtype), (size,), ())
    found = at(start)[places].set(lax_shape.iota(dtype, mask.size), mode="drop", wrap_negative_indices=False)
    count = reduce_sum(convert(flat, dtype, False), (0,))
    beyond = compare.ge(lax_shape.iota(dtype, size), count)
    outs = []
    for i, fill in enumerate(fills):
        step = math.prod(shape[i + 1:])
        index = elementwise.div(found, np.asarray(max(step, 1), dtype))
        if i:
            index = elementwise.rem(index, np.asarray(max(shape[i], 1), dtype))
        outs.append(where3(beyond, convert(fill, dtype, False), index))
    return tuple(outs)


@public
def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices of the elements that are not 0 in the flattened array; see `nonzero`."""
    return _nonzero(ravel(a), size, fill_value, "jnp.flatnonzero")[0]


@public
def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The indices of the elements that are not 0, as rows; see `nonzero`.

    Returns:
        Array `[number of elements, number of axes]`.
    """
    x = asarray(array_like(a, "argwhere"))
    rank = x.ndim
    found = _nonzero(x if rank else reshaped(x, (1,)), size, fill_value, "jnp.argwhere")
    columns = [lax_shape.broadcast_in_dim(v, (v.shape[0], 1), (0,)) for v in found]
    rows = concatenate(columns, 1)
    return rows if rank else rows[:, :0]


def where(condition: Any, x: Any = None, y: Any = None, /, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Elements of `x` where the condition holds, else of `y`; with one argument the indices of true elements.

    Args:
        condition: array; elements that are not 0 are true.
        x: array.
        y: array; all three broadcast.
        size: with one argument: see `nonzero`.
        fill_value: with one argument: see `nonzero`.

    Both sides are computed; in derivatives each element follows the side that was chosen.
    """
    try:
        if x is not None and y is not None and size is None and fill_value is None:
            return where3(condition, x, y)
        if x is None and y is None:
            return _nonzero(asarray(array_like(condition, "where")), size, fill_value, "jnp.where")
        if x is None or y is None:
            array_like(x, "where", 1)
            array_like(y, "where", 2)
        raise ArgumentValueError(says="`where` was given three arguments, and `size` or `fill_value`.",
                                 why="these are for `where(condition)`, whose result has no size of its own")
    except Exception as error:
        trim(error)
        raise


# -- places of extremes

def _arg_extreme(function: str, f: Any, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    refuse(function, out=out)
    x = asarray(array_like(a, function))
    if isinstance(axis, (tuple, list)):
        raise AxisError(function=function, axis=axis, ndim=x.ndim, kind="type")
    if axis is None:
        rank = x.ndim
        x = reshaped(x, (x.size,))
        place = 0
        keep: Any = ((1,) * rank, (), None) if keepdims else None
    else:
        place = one_axis(static_value(axis, f"jnp.{function}", "axis"), x.ndim, function)
        keep = kept_axes(x.shape, (place,)) if keepdims else None
    if x.shape[place] == 0:
        raise ReductionError(says=f"`{function}` has no result for {x.aval.str_short()} along an axis without entries.",
                             why="there is no entry whose index could be returned")
    return put_back(f(x, place, index_dtype()), keep)


def _place_of_extreme(a: Any, axis: Any = None, keepdims: Any = None, *, largest: bool) -> Any:
    place = 0 if axis is None else axis_of(axis, a)
    if place is None or not a.size or not (keepdims is None or type(keepdims) is bool):
        return None
    flat = axis is None and a.ndim != 1
    kept = None
    if keepdims:
        kept = (1,) * a.ndim if axis is None else tuple([1 if i == place else n for i, n in enumerate(a.shape)])

    def act(x: np.ndarray) -> Any:
        found = extreme_index(x.reshape(-1) if flat else x, place, largest)
        if found is NotImplemented:
            return found
        found = np.asarray(found, index_dtype())
        return found if kept is None else found.reshape(kept)

    return act


@planned(functools.partial(_place_of_extreme, largest=True), moves=False)
def argmax(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """The index of the maximum along an axis: the first of several, of the first NaN where there is one.

    Args:
        a: array.
        axis: the axis; of the flattened array by default.
        out: is not supported.
        keepdims: whether the axis stays, with size 1.
    """
    return _arg_extreme("argmax", lax_argmax, a, axis, out, keepdims)


@planned(functools.partial(_place_of_extreme, largest=False), moves=False)
def argmin(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """The index of the minimum along an axis; see `argmax`."""
    return _arg_extreme("argmin", lax_argmin, a, axis, out, keepdims)


@public
def nanargmax(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """The index of the maximum along an axis, NaN left aside; -1 where all are NaN. See `argmax`."""
    refuse("nanargmax", out=out)
    return fused_call(_nan_arg, (asarray(array_like(a, "nanargmax")),), axis=axis, keepdims=bool(keepdims), largest=True)


@public
def nanargmin(a: Any, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
    """The index of the minimum along an axis, NaN left aside; -1 where all are NaN. See `argmax`."""
    refuse("nanargmin", out=out)
    return fused_call(_nan_arg, (asarray(array_like(a, "nanargmin")),), axis=axis, keepdims=bool(keepdims), largest=False)


def _nan_arg(x: Any, *, axis: Any, keepdims: bool, largest: bool) -> Any:
    name, f = ("nanargmax", lax_argmax) if largest else ("nanargmin", lax_argmin)
    if kind(x) not in ("float", "complex"):
        return _arg_extreme(name, f, x, axis, None, keepdims)
    missing = compare.ne(x, x)
    filled_in = where3(missing, np.asarray(-math.inf if largest else math.inf, x.dtype), x)
    found = _arg_extreme(name, f, filled_in, axis, None, keepdims)
    axes = all_axes(x.ndim) if axis is None else (one_axis(axis, x.ndim, name),)
    none = put_back(reduce_and(missing, axes), kept_axes(x.shape, axes) if keepdims else None)
    return where3(none, np.asarray(-1, found.dtype), found)


# -- order

def _sort_arguments(function: str, a: Any, axis: Any, kind_: Any, order: Any) -> tuple[Any, int]:
    for name, value in (("kind", kind_), ("order", order)):
        if value is not None:
            raise SortOptionError(function=function, argument=name,
                                  why="`stable=True` or `stable=False` says what may become of equal entries"
                                      if name == "kind" else "arrays have no fields")
    x = asarray(array_like(a, function))
    if axis is None:
        return reshaped(x, (x.size,)), 0
    return x, one_axis(static_value(axis, f"jnp.{function}", "axis"), x.ndim, function)


class SortOptionError(UnsupportedArgumentError, TypeError):
    """An option of NumPy's sort was given that has no meaning here."""


def _order(a: Any, axis: Any, descending: Any, act: Any) -> Any:
    """What `act(x, axis)` does on the host, where there is an axis along which entries can be ordered."""
    place = 0 if axis is None and a.ndim == 1 else axis_of(axis, a)
    return None if place is None or type(descending) is not bool else functools.partial(act, axis=place)


def _in_order(a: Any, axis: Any = -1, *, descending: Any = False) -> Any:
    def falling(x: np.ndarray, axis: int) -> Any:
        found = ordered(x, axis)
        return found if found is NotImplemented else np.flip(found, axis)

    return _order(a, axis, descending, falling if descending else ordered)


@planned(_in_order)
def sort(a: Any, axis: int | None = -1, *, kind: None = None, order: None = None, stable: bool = True,
         descending: bool = False) -> Array:
    """The entries along an axis in increasing order; NaN last.

    Args:
        a: array.
        axis: the axis; `None` for the elements along one axis.
        kind: is not supported.
        order: is not supported.
        stable: whether equal entries keep their order.
        descending: whether in decreasing order.
    """
    x, place = _sort_arguments("sort", a, axis, kind, order)
    found = lax_sort(x, place, bool(stable))
    return lax_shape.rev(found, (place,)) if descending else found


def _in_order_by_index(a: Any, axis: Any = -1, *, descending: Any = False, dtype: Any = None) -> Any:
    def indices(x: np.ndarray, axis: int) -> Any:
        found = sorting_order(x, axis, descending)
        wanted = index_dtype() if dtype is None else dtypes.requested_dtype(dtype, "argsort")
        return found if found is NotImplemented else found.astype(wanted)

    return _order(a, axis, descending, indices)


@planned(_in_order_by_index, moves=False)
def argsort(a: Any, axis: int | None = -1, *, kind: None = None, order: None = None, stable: bool = True,
            descending: bool = False, dtype: Any = None) -> Array:
    """The indices that put the entries along an axis in increasing order.

    Args:
        a: array.
        axis: the axis; `None` for the elements along one axis.
        kind: is not supported.
        order: is not supported.
        stable: whether equal entries keep their order.
        descending: whether in decreasing order.
        dtype: of the indices; int32 by default.
    """
    x, place = _sort_arguments("argsort", a, axis, kind, order)
    dtype = index_dtype() if dtype is None else dtypes.requested_dtype(dtype, "argsort")
    return fused_call(_argsort, (x,), axis=place, stable=bool(stable), descending=bool(descending), dtype=dtype)


def _argsort(x: Any, *, axis: int, stable: bool, descending: bool, dtype: Any) -> Any:
    indices = lax_shape.broadcasted_iota(dtype, x.shape, axis)
    if descending:  # reversed before and after, so that equal entries keep their order
        x, indices = lax_shape.rev(x, (axis,)), lax_shape.rev(indices, (axis,))
    found = lax_sort((x, indices), axis, stable, 1)[1]
    return lax_shape.rev(found, (axis,)) if descending else found


@public
def lexsort(keys: Any, axis: int = -1) -> Array:
    """The indices that order by several keys, the last the most significant.

    Args:
        keys: sequence of arrays of one shape, or one array, whose entries are taken.
        axis: the axis along which they are ordered.
    """
    xs = [asarray(x) for x in sequence_of(keys, "lexsort")]
    if any(x.shape != xs[0].shape for x in xs):
        raise ShapeMismatchError(says=f"`lexsort` was given keys of different shapes: "
                                    f"{', '.join([x.aval.str_short() for x in xs])}.",
                                 why="an entry has one place in each of them")
    if xs[0].ndim == 0:
        return wrap(np.zeros((), index_dtype()))
    place = one_axis(axis, xs[0].ndim, "lexsort")
    return fused_call(_lexsort, tuple(xs), axis=place)


def _lexsort(*xs: Any, axis: int) -> Any:
    indices = lax_shape.broadcasted_iota(index_dtype(), xs[0].shape, axis)
    return lax_sort((*xs[::-1], indices), axis, True, len(xs))[-1]


@public
def sort_complex(a: Any) -> Array:
    """The entries along the last axis in increasing order, as complex numbers."""
    x = sort(a, 0 if asarray(a).ndim == 1 else -1)
    if kind(x) == "complex":
        return x
    return convert(x, np.dtype(np.complex128 if x.dtype.itemsize == 8 else np.complex64), False)


@public
def partition(a: Any, kth: int, axis: int = -1) -> Array:
    """The entries along an axis so that the one at `kth` is where it would be if they were sorted.

    Args:
        a: real array.
        kth: the index; entries before it are not larger, those behind it not smaller.
        axis: the axis.

    The whole axis is sorted, which satisfies this.
    """
    x = asarray(array_like(a, "partition"))
    place = one_axis(axis, x.ndim, "partition")
    _check_kth("partition", x, kth, place)
    return lax_sort(x, place)


@public
def argpartition(a: Any, kth: int, axis: int = -1) -> Array:
    """The indices that put the entries in an order as `partition` does."""
    x = asarray(array_like(a, "argpartition"))
    place = one_axis(axis, x.ndim, "argpartition")
    _check_kth("argpartition", x, kth, place)
    return argsort(x, place)


def _check_kth(function: str, x: Any, kth: Any, axis: int) -> None:
    k = operator.index(static_value(kth, f"jnp.{function}", "kth"))
    if kind(x) == "complex":
        raise UnsupportedArgumentError(function=function, argument="a of complex numbers", why="they are not ordered")
    if not -x.shape[axis] <= k < x.shape[axis]:
        raise ArgumentValueError(says=f"`{function}` was given kth={k}.",
                                 why=f"axis {axis} of {x.aval.str_short()} has {x.shape[axis]} entries")


# -- positions in sorted arrays

@public
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None, *, method: str = "scan") -> Array:
    """The indices at which values would have to be put into a sorted vector for it to stay sorted.

    Args:
        a: sorted vector.
        v: array of values.
        side: "left" for the first possible index, "right" for the last.
        sorter: indices that sort `a`, where it is not sorted.
        method: is taken as a hint and makes no difference.

    Returns:
        Array of int32 of the shape of `v`.
    """
    if side not in ("left", "right"):
        raise ArgumentValueError(says=f"`searchsorted` was given side={side!r}.", why="it is \"left\" or \"right\"")
    if method not in ("scan", "scan_unrolled", "sort", "compare_all"):
        raise ArgumentValueError(says=f"`searchsorted` was given method={method!r}.",
                                 why="it is \"scan\", \"scan_unrolled\", \"sort\" or \"compare_all\"")
    x, values = promote_dtypes(array_like(a, "searchsorted", 0), array_like(v, "searchsorted", 1))
    x, values = asarray(x), asarray(values)
    if x.ndim != 1:
        raise ArgumentValueError(says=f"`searchsorted` was given {x.aval.str_short()} to search in.", why="it is a vector")
    if sorter is not None:
        x = x[asarray(sorter)]
    if x.size == 0:
        return filled(values.aval.update(dtype=_INT32, weak_type=False), 0)
    return fused_call(_searchsorted, (x, values), side=side)


def _place_dtype(n: Any) -> Any:
    """The dtype of places in a vector of this length, with 64-bit types as without."""
    return index_dtype() if type(n) is int and n >= 2**31 else _INT32


def _searchsorted(x: Any, values: Any, *, side: str) -> Any:
    """Halving, in as many steps as there are bits in the length, all values at once.

    NaN counts as larger than all other numbers, and as equal to itself.
    """
    n, shape = x.shape[0], values.shape
    dtype = _place_dtype(n)
    left = side == "left"
    before: Callable[[Any], Any] = lambda entry: less(entry, values) if left else bitwise_not(less(values, entry))
    if kind(x) == "float":
        x, values = [convert(v, np.dtype(np.float32), False) if v.dtype.itemsize == 1 else v for v in (x, values)]
        missing = compare.ne(values, values)
        before = (lambda entry: bitwise_and(compare.eq(entry, entry), bitwise_not(compare.ge(entry, values)))) if left else (
            lambda entry: bitwise_or(compare.le(entry, values), missing))
    elif kind(x) == "complex":
        x, values = [lax_shape.concatenate([_ordered_bits(part(v))[..., None] for part in (real, imag)], v.ndim)
                     for v in (x, values)]
        before = lambda entry: _first_then_second(entry, values) if left else bitwise_not(_first_then_second(values, entry))
    found = lax_shape.broadcast_in_dim(np.zeros((), dtype), shape, ())
    known = type(n) is not SymbolicSize
    step = 1 << (max(n.bit_length() - 1, 0) if known else 29)  # as many entries as fit into memory
    while step:  # `found` entries are known to come before; are `step` more?
        further = elementwise.add(found, np.asarray(step, dtype))
        more = before(_entries(x, elementwise.sub(further, np.ones((), dtype))))
        if not known or n & (n + 1):  # unless it is one less than a power of two, a step can lead behind the end
            more = bitwise_and(more, compare.le(further, size_in(n, dtype)))
        found = where3(more, further, found)
        step >>= 1
    return found


def _entries(x: Any, places: Any) -> Any:
    """The entries of `x` along its first axis at places that are not negative; the last one for places behind the end."""
    offset = tuple(range(places.ndim, places.ndim + x.ndim - 1))
    return gather(x, places[..., None], GatherDimensionNumbers(offset, (0,), (0,)), (1, *x.shape[1:]),
                  mode=GatherScatterMode.CLIP)


def _first_then_second(p: Any, q: Any) -> Any:
    """Whether pairs come before others, by their first numbers, then by their second ones."""
    a, b, c, d = p[..., 0], p[..., 1], q[..., 0], q[..., 1]
    return bitwise_or(compare.lt(a, c), bitwise_and(compare.eq(a, c), compare.lt(b, d)))


def _ordered_bits(x: Any) -> Any:
    """Signed integers in the order of floating-point numbers: -0.0 equals 0.0, and NaN, of either sign, comes last."""
    if x.dtype.itemsize == 1:
        x = convert(x, np.dtype(np.float32), False)
    bits = np.dtype(f"int{x.dtype.itemsize * 8}")
    info = np.iinfo(bits)
    x = where3(compare.eq(x, np.zeros((), x.dtype)), np.zeros((), x.dtype), x)  # one zero; the hardware's, subnormals included
    raw = bitcast_convert_type(x, bits)
    ordered = where3(compare.lt(raw, np.zeros((), bits)), bitwise_xor(raw, np.asarray(info.max, bits)), raw)
    return where3(compare.ne(x, x), np.asarray(info.max, bits), ordered)


@public
def digitize(x: Any, bins: Any, right: bool = False, *, method: str | None = None) -> Array:
    """The numbers of the bins into which values fall.

    Args:
        x: array of values.
        bins: vector of limits, increasing or decreasing.
        right: whether a bin includes its right limit, not its left one.
        method: is taken as a hint and makes no difference.
    """
    x, bins = asarray(array_like(x, "digitize", 0)), asarray(array_like(bins, "digitize", 1))
    if bins.ndim != 1:
        raise ArgumentValueError(says=f"`digitize` was given {bins.aval.str_short()} as bins.", why="they are a vector")
    if bins.size == 0:
        return filled(x.aval.update(dtype=_INT32, weak_type=False), 0)
    side = "left" if right else "right"
    up = searchsorted(bins, x, side)
    down = elementwise.sub(np.asarray(bins.size, up.dtype),
                           searchsorted(lax_shape.rev(bins, (0,)), x, side))
    return where3(greater_equal(bins[-1], bins[0]), up, down)


@public
def bincount(x: Any, weights: Any = None, minlength: int = 0, *, length: int | None = None,
             out_sharding: Any = None) -> Array:
    """How often each number occurs.

    Args:
        x: vector of integers; negative ones count as 0.
        weights: what each of them counts; 1 by default.
        minlength: the least length of the result.
        length: of the result; larger numbers are left out. Needed where `x` is traced.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Raises:
        ConcretizationTypeError: `x` is traced, and no length is given.
    """
    x = asarray(array_like(x, "bincount"))
    if out_sharding is not None:
        return out_placed("bincount", out_sharding, lambda y, w: bincount(y, w, minlength, length=length), x, weights)
    if kind(x) not in ("int", "uint", "bool"):
        raise ArgumentKindError(says=f"`bincount` was given {x.aval.str_short()}.", why="it counts integers",
                                fixes=(Fix("convert them first", code="x.astype(int)"),))
    if x.ndim != 1:
        raise ArgumentValueError(says=f"`bincount` was given {x.aval.str_short()}.", why="it takes a vector")
    least = operator.index(static_value(minlength, "jnp.bincount", "minlength"))
    if length is None:
        value = known_value(x)
        if value is None:
            raise sized_by_values(x, "jnp.bincount", "length")
        length = max(least, int(value.max()) + 1 if value.size else 0, 0)
    else:
        length = max(operator.index(static_value(length, "jnp.bincount", "length")), least)
    weights = np.ones((), index_dtype()) if weights is None else \
        asarray(of_numbers(array_like(weights, "bincount", 1), "bincount"))
    if weights.ndim and weights.shape != x.shape:
        raise ArgumentValueError(says=f"`bincount` was given weights of shape {weights.shape} for {x.aval.str_short()}.",
                                 why="there is one for each number")
    return fused_call(_bincount, (x, weights), length=length)


def _bincount(x: Any, weights: Any, *, length: int) -> Any:
    if kind(x) == "bool":
        x = convert(x, _INT32, False)
    if kind(x) == "int":
        x = elementwise.max(x, np.zeros((), x.dtype))
    start = lax_shape.broadcast_in_dim(np.zeros((), weights.dtype), (length,), ())
    return at(start)[x].add(weights, mode="drop", wrap_negative_indices=False)


__all__ = ["argmax", "argmin", "argpartition", "argsort", "argwhere", "bincount", "digitize", "flatnonzero",
           "lexsort", "nanargmax", "nanargmin", "nonzero", "partition", "searchsorted", "sort", "sort_complex", "where"]
