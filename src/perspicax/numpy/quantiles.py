"""Medians, quantiles and percentiles."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import compare, elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.bitwise import bitwise_and, bitwise_not
from perspicax.lax.convert import convert
from perspicax.lax.reductions import reduce_or, reduce_sum
from perspicax.lax.result_sharding import out_placed
from perspicax.lax.sorting import sort as lax_sort
from perspicax.lax.sorting import take_along
from perspicax.lax.symbolic_sizes import size_in
from perspicax.numpy.argument_errors import ArgumentRankError
from perspicax.numpy.axes import many_axes
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import filled
from perspicax.numpy.errors import (
    ArgumentValueError,
    NoValuesError,
    UfuncDtypeError,
    UnsupportedArgumentError,
)
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.operators import multiply, subtract
from perspicax.numpy.promote import array_like, default_floating, promote_dtypes, shortened, to_inexact
from perspicax.numpy.shapes import expand_dims, moveaxis, reshaped

_FOUR_BITS = (dtypes.to_dtype("int4"), dtypes.to_dtype("uint4"))

METHODS = ("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf")


def _documented(function: Any, what: str, q: str) -> Any:
    function.__doc__ = f"""{what}

    Args:
        a: real array.
        q: {q}, a number or an array of them.
        axis: an axis, or several; all by default.
        out: is not supported.
        overwrite_input: is not supported.
        method: between which two sorted entries, and how: "linear", "lower", "higher", "midpoint", "nearest" or
            "inverted_cdf".
        keepdims: whether the axes stay, with size 1.
        weights: is not supported yet.

    Returns:
        Array whose first axes are those of `q`.
    """
    return public(function)


def quantile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
             keepdims: bool = False, *, weights: Any = None) -> Array:
    return _quantile("quantile", a, q, axis, out, overwrite_input, method, keepdims, weights, False)


def nanquantile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
                keepdims: bool = False, *, weights: Any = None) -> Array:
    return _quantile("nanquantile", a, q, axis, out, overwrite_input, method, keepdims, weights, True)


@public
def percentile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
               keepdims: bool = False, *, weights: Any = None, out_sharding: Any = None) -> Array:
    if out_sharding is not None:
        return out_placed("percentile", out_sharding, lambda x: percentile(
            x, q, axis, out, overwrite_input, method, keepdims, weights=weights), a)
    return _quantile("percentile", a, _hundredth(q), axis, out, overwrite_input, method, keepdims, weights, False)


def nanpercentile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
                  method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Array:
    return _quantile("nanpercentile", a, _hundredth(q), axis, out, overwrite_input, method, keepdims, weights, True)


def _hundredth(q: Any) -> Any:
    x, hundred = promote_dtypes(array_like(q, "percentile", 1), 100., inexact=True)
    return elementwise.div(asarray(x), asarray(hundred))


quantile = _documented(quantile, "The value below which a share of the entries along axes lies.", "shares, from 0 to 1")
nanquantile = _documented(nanquantile, "As `quantile`, NaN left aside.", "shares, from 0 to 1")
percentile = _documented(percentile, "The value below which a percentage of the entries along axes lies.",
                         "percentages, from 0 to 100")
nanpercentile = _documented(nanpercentile, "As `percentile`, NaN left aside.", "percentages, from 0 to 100")


@public
def median(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Array:
    """The median along axes.

    Args:
        a: real array.
        axis: an axis, or several; all by default.
        out: is not supported.
        overwrite_input: is not supported.
        keepdims: whether the axes stay, with size 1.
    """
    return _quantile("median", a, .5, axis, out, overwrite_input, "midpoint", keepdims, None, False)


@public
def nanmedian(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Array:
    """The median along axes of what is not NaN; see `median`."""
    return _quantile("nanmedian", a, .5, axis, out, overwrite_input, "midpoint", keepdims, None, True)


def _quantile(function: str, a: Any, q: Any, axis: Any, out: Any, overwrite_input: bool, method: str, keepdims: bool,
              weights: Any, skip_nan: bool) -> Any:
    refuse(function, out=out, weights=weights)
    if overwrite_input:
        raise OverwriteInputError(function=function, argument="overwrite_input")
    if method not in METHODS:
        raise ArgumentValueError(says=f"`{function}` was given method={method!r}.",
                                 why=f"it is one of {', '.join(map(repr, METHODS))}")
    a, q = array_like(a, function, 0), array_like(q, function, 1)
    if isinstance(a, Array) and a.dtype in _FOUR_BITS:  # they do not combine with the shares
        a = default_floating(a)
    x, share = [shortened(asarray(promote_dtypes(v, inexact=True)[0])) for v in (a, q)]
    wanted = dtypes.canonicalize_dtype(to_inexact(get_aval(a).dtype))  # type: ignore[attr-defined]  # that of the shares makes no difference
    for v in (x, share):
        if kind(v) == "complex":
            raise UfuncDtypeError(function=function, type_text=v.aval.str_short(), kind="complex numbers are not ordered")
    if share.ndim > 1:
        raise ArgumentRankError(function=function, argument="q", index=1, type_text=share.aval.str_short(),
                                wanted="it is a number or a vector", change="{}.ravel()",
                                says_change="make a vector of its elements")
    counting = _of_both(x.dtype, share.dtype)  # 16 bits may not count the entries
    if share.dtype != counting:
        share = convert(share, counting, False)
    axes = tuple(sorted(many_axes(axis, x.ndim, function)))
    if 0 in [x.shape[i] for i in axes]:
        raise NoValuesError(says=f"`{function}` has no result for {x.aval.str_short()} along axes without entries.",
                                 why="there are no values between which it could lie")
    if x.size == 0:
        kept = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes]
        return filled(x.aval.at_shape((*share.shape, *kept)).update(weak_type=False, dtype=wanted), 0)
    found = fused_call(_quantiles, (x, share), axes=axes, method=method, keepdims=bool(keepdims), skip_nan=skip_nan)
    return convert(found, wanted, False)


class OverwriteInputError(UnsupportedArgumentError, ValueError):
    """A quantile was to be computed in the memory of its argument."""


def _quantiles(x: Any, q: Any, *, axes: tuple, method: str, keepdims: bool, skip_nan: bool) -> Any:
    kept = [i for i in range(x.ndim) if i not in axes]
    flat = moveaxis(x, tuple(axes), tuple(range(len(kept), x.ndim)))
    sizes = [x.shape[i] for i in kept]
    n = math.prod([x.shape[i] for i in axes])
    flat = reshaped(flat, (*sizes, n))
    last = len(sizes)
    missing = compare.ne(flat, flat)
    sorted_ = lax_sort(flat, last)  # NaN goes last
    top: Any
    if skip_nan:
        counts = reduce_sum(convert(bitwise_not(missing), q.dtype, False), (last,))
        empty = compare.eq(counts, np.zeros((), q.dtype))
        top = elementwise.max(subtract(counts, 1), np.zeros((), q.dtype))
    else:
        top = size_in(n - 1, q.dtype)
        empty = reduce_or(missing, (last,))
    found = _interpolated(sorted_, q, top, method)  # [*sizes, *shape of q]
    spoilt = lax_shape.broadcast_in_dim(empty, found.shape, range(last))
    found = where3(spoilt, np.asarray(math.nan, found.dtype), found)
    found = moveaxis(found, tuple(range(last, found.ndim)), tuple(range(q.ndim))) if q.ndim else found
    if keepdims:
        found = expand_dims(found, tuple([i + q.ndim for i in axes]))
    return found


def _interpolated(x: Any, q: Any, top: Any, method: str) -> Any:
    """Entries of the sorted last axis at the places `q * top`, or between two of them."""
    last = x.ndim - 1
    batch = x.shape[:-1]
    shape = (*batch, *q.shape)
    share = lax_shape.broadcast_in_dim(q, shape, range(last, last + q.ndim))
    tops = lax_shape.broadcast_in_dim(top, shape, range(last) if np.ndim(top) or getattr(top, "ndim", 0) else ())
    if method == "inverted_cdf":
        counts = elementwise.add(tops, np.ones((), q.dtype))
        place = elementwise.sub(elementwise.ceil(elementwise.mul(share, counts)), np.ones((), q.dtype))
        return _entries(x, elementwise.max(place, np.zeros((), q.dtype)), tops)
    place = elementwise.mul(share, tops)
    low, high = elementwise.floor(place), elementwise.ceil(place)
    weight = elementwise.sub(place, low)
    if method == "nearest":
        return _entries(x, elementwise.ceil(elementwise.sub(place, np.asarray(.5, q.dtype))), tops)  # halves go down
    below, above = _entries(x, low, tops), _entries(x, high, tops)
    match method:
        case "lower":
            return below
        case "higher":
            return above
        case "midpoint":
            middle = multiply(elementwise.add(below, above), np.asarray(.5, x.dtype))
            return where3(compare.eq(low, high), below, middle)
        case _:
            below, above = [convert(v, q.dtype, False) for v in (below, above)]
            mixed = elementwise.add(elementwise.mul(below, elementwise.sub(np.ones((), weight.dtype), weight)),
                                    elementwise.mul(above, weight))
            exact = bitwise_and(compare.eq(low, high), compare.eq(below, below))
            return where3(exact, below, mixed)


def _of_both(one: Any, other: Any) -> Any:
    """The wider of two floating dtypes; of `float16` and `bfloat16` neither has the other's numbers."""
    if one == other or one.itemsize != other.itemsize:
        return one if one.itemsize >= other.itemsize else other
    return dtypes.float32


def _entries(x: Any, place: Any, tops: Any) -> Any:
    """The entries at places that are whole numbers, brought into the range."""
    last = x.ndim - 1
    inside = compare.clamp(np.zeros((), place.dtype), place, tops)
    index = convert(inside, np.dtype(np.int32), False)
    rows = reshaped(index, (*x.shape[:-1], math.prod(index.shape[last:])))
    return reshaped(take_along(x, rows, last), index.shape)


__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]
