"""Running sums and products, and differences."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.lax import compare
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.cumulative import cumprod as lax_cumprod
from perspicax.lax.cumulative import cumsum as lax_cumsum
from perspicax.lax.slicing import slice_in_dim
from perspicax.numpy.axes import one_axis
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import broadcast_to
from perspicax.numpy.errors import ArgumentValueError, UfuncDtypeError
from perspicax.numpy.joining import concatenate
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.operators import not_equal, subtract
from perspicax.numpy.promote import array_like
from perspicax.numpy.reductions import promoted_integer
from perspicax.numpy.shapes import ravel


def _running(function: str, f: Any, a: Any, axis: Any, dtype: Any, out: Any, skip: Any = None) -> Any:
    refuse(function, out=out)
    x = asarray(array_like(a, function))
    if axis is None:
        x, place = ravel(x), 0
    else:
        if x.ndim == 0 and x.aval.weak_type:  # JAX takes Python's numbers for vectors of one entry
            x = ravel(x)
        place = one_axis(axis, x.ndim, function)
    if skip is not None and kind(x) in ("float", "complex"):
        x = where3(compare.ne(x, x), np.asarray(skip, x.dtype), x)
    if dtype is not None:
        dtype = dtypes.requested_dtype(dtype, function)
    if dtype == np.dtype(bool):
        truths = convert(x, dtype, False)
        return not_equal(f(convert(truths, np.dtype(np.int32), False), place), 0)
    if dtype is None:
        dtype = dtypes.default_dtype("int") if kind(x) == "bool" else x.dtype
    return f(convert(x, dtype, False), place)


def _documented(function: Any, what: str) -> Any:
    function.__doc__ = f"""{what}

    Args:
        a: array.
        axis: the axis; `None` for the elements along one axis.
        dtype: of the result; that of `a` by default, int32 for booleans.
        out: is not supported.
    """
    return public(function)


def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    return _running("cumsum", lax_cumsum, a, axis, dtype, out)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    return _running("cumprod", lax_cumprod, a, axis, dtype, out)


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    return _running("nancumsum", lax_cumsum, a, axis, dtype, out, 0)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
    return _running("nancumprod", lax_cumprod, a, axis, dtype, out, 1)


cumsum = _documented(cumsum, "The sum of each entry and all before it along an axis.")
cumprod = _documented(cumprod, "The product of each entry and all before it along an axis.")
nancumsum = _documented(nancumsum, "The sum of each entry and all before it along an axis; NaN counts as 0.")
nancumprod = _documented(nancumprod, "The product of each entry and all before it along an axis; NaN counts as 1.")


def _cumulative(function: str, f: Any, x: Any, axis: Any, dtype: Any, include_initial: bool, start: int) -> Any:
    x = asarray(array_like(x, function))
    if x.ndim == 0:
        raise ArgumentValueError(says=f"`{function}` was given a scalar.", why="it has no axis to run along")
    if axis is None and x.ndim != 1:
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()} and no axis.",
                                 why="only a vector has just one axis to run along")
    place = 0 if axis is None else one_axis(axis, x.ndim, function)
    widened = promoted_integer(x.dtype) if start == 0 or kind(x) == "bool" else x.dtype  # JAX widens sums alone
    wanted = widened if dtype is None else dtypes.requested_dtype(dtype, function)
    found = _running(function, f, x, place, wanted, None)
    if not include_initial:
        return found
    first = broadcast_to(asarray(np.asarray(start, found.dtype)), (*x.shape[:place], 1, *x.shape[place + 1:]), function)
    return lax_shape.concatenate([first, found], place)


@public
def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The sum of each entry and all before it along an axis.

    Args:
        x: array.
        axis: the axis; may be left out for a vector.
        dtype: of the result; integers become at least the default ones.
        include_initial: whether 0 comes first.
    """
    return _cumulative("cumulative_sum", lax_cumsum, x, axis, dtype, include_initial, 0)


@public
def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The product of each entry and all before it along an axis; see `cumulative_sum`. Integers keep their width."""
    return _cumulative("cumulative_prod", lax_cumprod, x, axis, dtype, include_initial, 1)


@public
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """The difference of each entry and the one before it along an axis.

    Args:
        a: array.
        n: how often.
        axis: the axis.
        prepend: what is put before the array first.
        append: what is put behind it.
    """
    x = asarray(array_like(a, "diff"))
    if n < 0:
        raise ArgumentValueError(says=f"`diff` was given n={n}.", why="it is at least 0")
    if n == 0:
        return x
    if x.ndim == 0:
        raise ArgumentValueError(says="`diff` was given a scalar.", why="it has no axis along which entries differ")
    place = one_axis(axis, x.ndim, "diff")
    parts = [x]
    for at_end, extra in ((False, prepend), (True, append)):
        if extra is not None:
            v = asarray(array_like(extra, "diff", 3))
            if v.ndim == 0:
                v = broadcast_to(v, (*x.shape[:place], 1, *x.shape[place + 1:]), "diff")
            parts = [*parts, v] if at_end else [v, *parts]
    x = concatenate(parts, place) if len(parts) > 1 else x
    difference = not_equal if kind(x) == "bool" else subtract
    for _ in range(min(n, max(x.shape[place], 0))):
        size = x.shape[place]
        x = difference(slice_in_dim(x, min(1, size), size, 1, place), slice_in_dim(x, 0, max(size - 1, 0), 1, place))
    return x


@public
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """The differences of successive elements of the flattened array.

    Args:
        ary: array.
        to_end: what is put behind them.
        to_begin: what is put before them.
    """
    x = ravel(asarray(array_like(ary, "ediff1d")))
    if kind(x) == "bool":
        raise UfuncDtypeError(function="ediff1d", type_text=x.aval.str_short(),
                              kind="the difference of booleans has no meaning; make them integers first")
    found = diff(x)
    parts = [found]
    if to_begin is not None:
        parts.insert(0, convert(ravel(to_begin), x.dtype, False))
    if to_end is not None:
        parts.append(convert(ravel(to_end), x.dtype, False))
    return concatenate(parts) if len(parts) > 1 else found


__all__ = ["cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "diff", "ediff1d", "nancumprod", "nancumsum"]
