"""Reductions that leave NaN aside."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.lax import compare, elementwise
from perspicax.lax.bitwise import bitwise_and, bitwise_not
from perspicax.lax.convert import conj, convert, real
from perspicax.numpy.axes import reduced_axes
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import broadcast_to
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.operators import multiply, subtract, true_divide
from perspicax.numpy.promote import array_like, to_inexact
from perspicax.numpy.reductions import all as all_
from perspicax.numpy.reductions import check_spread_dtype, computed_in, count_of, known_mean, masked, mean, prod, var
from perspicax.numpy.reductions import max as max_
from perspicax.numpy.reductions import min as min_
from perspicax.numpy.reductions import std as std_
from perspicax.numpy.reductions import sum as sum_

_ARGUMENTS = """

    Args:
        a: array.
        axis: an axis, or several; all by default.
        {extra}out: is not supported.
        keepdims: whether the axes stay, with size 1.
        initial: a value to start from.
        where: boolean array that broadcasts to `a`: which elements count.
    """


def _has_nan(x: Any) -> bool:
    return kind(x) in ("float", "complex")


def _extreme(start: float, dtype: Any) -> np.ndarray:
    """What is beyond all numbers of a dtype, or its last where it has no infinity."""
    found = np.asarray(start, dtype)
    if found != found:
        found = np.asarray(dtypes.finfo(dtype).max if start > 0 else dtypes.finfo(dtype).min, dtype)
    return found


def _reduction(name: str, reduce: Callable[..., Any], start: float, missing: float | None, doc: str) -> Callable[..., Any]:
    """A reduction for which NaN is replaced by `start`; with `missing`, the result where there is nothing but NaN."""
    if missing is None:
        @public
        def function(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
                     initial: Any = None, where: Any = None) -> Array:
            refuse(name, out=out)
            x = asarray(array_like(a, name))
            if _has_nan(x):
                x = where3(compare.ne(x, x), np.asarray(start, x.dtype), x)
            return reduce(x, axis, dtype, keepdims=keepdims, initial=initial, where=where)
    else:
        @public
        def function(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,  # type: ignore
                     where: Any = None) -> Array:
            refuse(name, out=out)
            x = asarray(array_like(a, name))
            if not _has_nan(x):
                return reduce(x, axis, keepdims=keepdims, initial=initial, where=where)
            gone = compare.ne(x, x)
            found = reduce(where3(gone, _extreme(start, x.dtype), x), axis, keepdims=keepdims, initial=initial, where=where)
            if initial is not None:
                return found
            return where3(all_(gone, axis, keepdims=keepdims), np.asarray(missing, x.dtype), found)

    function.__doc__ = doc + _ARGUMENTS.format(extra="dtype: of the result.\n        " if missing is None else "")
    function.__name__ = function.__qualname__ = name
    function.__module__ = "perspicax.numpy"
    return function


nansum = _reduction("nansum", sum_, 0, None, "The sum along axes; NaN counts as 0.")
nanprod = _reduction("nanprod", prod, 1, None, "The product along axes; NaN counts as 1.")
nanmax = _reduction("nanmax", max_, -math.inf, math.nan, "The maximum along axes; NaN where there is nothing else.")
nanmin = _reduction("nanmin", min_, math.inf, math.nan, "The minimum along axes; NaN where there is nothing else.")


@public
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
            where: Any = None) -> Array:
    """The mean along axes of what is not NaN.

    Args:
        a: array.
        axis: an axis, or several; all by default.
        dtype: of the result.
        out: is not supported.
        keepdims: whether the axes stay, with size 1.
        where: boolean array that broadcasts to `a`: which elements count.
    """
    refuse("nanmean", out=out)
    x = asarray(array_like(a, "nanmean"))
    if not _has_nan(x):
        return mean(x, axis, dtype, keepdims=keepdims, where=where)
    there = _present(x, where, "nanmean")
    return mean(where3(there, x, np.zeros((), x.dtype)), axis, dtype, keepdims=keepdims, where=there)


def _present(x: Any, where: Any, function: str) -> Any:
    """Where there are elements that count."""
    there = bitwise_not(compare.ne(x, x))
    if where is None:
        return there
    masked(x, where, 0, function)
    return bitwise_and(there, broadcast_to(asarray(where), x.shape, function))


@public
def nanvar(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0, keepdims: bool = False,
           where: Any = None, mean: Any = None) -> Array:
    """The variance along axes of what is not NaN; see `var`.

    Args:
        a: array.
        axis: an axis, or several; all by default.
        dtype: of the result.
        out: is not supported.
        ddof: what is subtracted from the number of elements before the sum of squares is divided by it.
        keepdims: whether the axes stay, with size 1.
        where: boolean array that broadcasts to `a`: which elements count.
        mean: the mean, where it is known already.
    """
    refuse("nanvar", out=out)
    x = asarray(array_like(a, "nanvar"))
    if dtype is not None:
        dtype = dtypes.requested_dtype(dtype, "nanvar")
        check_spread_dtype("nanvar", x, dtype)
    if not _has_nan(x):
        return var(x, axis, dtype, None, ddof, keepdims, where=where, mean=mean)
    axes = reduced_axes(axis, x.ndim, "nanvar")
    return fused_call(_nanvar, (x, _present(x, where, "nanvar"), known_mean("nanvar", x, axes, mean), ddof), axes=axes,
                      dtype=dtype, keepdims=bool(keepdims))


def _nanvar(x: Any, there: Any, center: Any, ddof: Any, *, axes: tuple, dtype: Any, keepdims: bool) -> Any:
    out_dtype = to_inexact(x.dtype) if dtype is None else dtype
    work = computed_in(out_dtype)
    x = where3(there, convert(x, work, False), np.zeros((), work))
    center = mean(x, axes, keepdims=True, where=there) if center is None else convert(center, work, False)
    centered = where3(there, subtract(x, center), np.zeros((), work))
    squares = real(multiply(centered, conj(centered))) if kind(x) == "complex" else elementwise.square(centered)
    count = count_of(there, x.shape, axes, squares.dtype, keepdims)
    freedom = subtract(count, convert(ddof, squares.dtype, False))
    found = true_divide(sum_(squares, axes, keepdims=keepdims), freedom)
    found = where3(compare.gt(freedom, np.zeros((), found.dtype)), found, np.asarray(math.nan, found.dtype))
    return found if dtype is None and kind(x) == "complex" else convert(found, out_dtype, False)


@public
def nanstd(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: int = 0, keepdims: bool = False,
           where: Any = None, mean: Any = None) -> Array:
    """The standard deviation along axes of what is not NaN: the square root of `nanvar`, whose arguments it takes."""
    refuse("nanstd", out=out)
    x = asarray(array_like(a, "nanstd"))
    if dtype is not None:
        dtype = dtypes.requested_dtype(dtype, "nanstd")
        check_spread_dtype("nanstd", x, dtype)
    if not _has_nan(x):
        return std_(x, axis, dtype, None, ddof, keepdims, where=where, mean=mean)
    center = known_mean("nanstd", x, reduced_axes(axis, x.ndim, "nanstd"), mean)
    return elementwise.sqrt(nanvar(x, axis, dtype, None, ddof, keepdims, where, center))


__all__ = ["nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar"]
