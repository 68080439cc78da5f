"""Sums, products, extremes, means and spreads along axes.

What a reduction does is decided once for each (type, axis, keepdims) and kept: parameters of the primitive, and those
of the broadcast that puts the reduced axes back.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.core.deferral import DeferringTrace
from perspicax.core.primitive import Primitive
from perspicax.core.promotion import lattice_result
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public, trim
from perspicax.lax import compare, elementwise
from perspicax.lax.convert import conj, convert, real
from perspicax.lax.elementwise import div, div_p
from perspicax.lax.reductions import (
    highest,
    lowest,
    reduce_and_p,
    reduce_max_p,
    reduce_min_p,
    reduce_or_p,
    reduce_prod_p,
    reduce_sum,
    reduce_sum_p,
)
from perspicax.lax.shape import broadcast_in_dim_p, reshape, transpose
from perspicax.lax.symbolic_sizes import size_in
from perspicax.numpy.argument_errors import ArgumentRankError
from perspicax.numpy.axes import many_axes, reduced_axes, several
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray, wrap
from perspicax.numpy.creation import broadcast_to
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, ReductionError, UfuncDtypeError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.operators import add, maximum, minimum, multiply, subtract, true_divide
from perspicax.numpy.promote import array_like, of_numbers, to_inexact
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions

MAX_PLANS = 8192
_BOOL, _INT32 = np.dtype(bool), np.dtype(np.int32)
_WIDE = frozenset(map(np.dtype, ("float32", "float64", "complex64", "complex128")))

Keep = tuple[tuple[int, ...], tuple[int, ...], None] | None


def kept_axes(shape: tuple[int, ...], axes: tuple[int, ...]) -> Keep:
    """Parameters of the broadcast that puts reduced axes back with size 1."""
    if not axes:
        return None
    sizes = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return sizes, tuple([i for i in range(len(shape)) if i not in axes]), None


def put_back(x: Any, keep: Keep) -> Any:
    """Carry out that broadcast."""
    return x if keep is None else local.trace.process(broadcast_in_dim_p, (x,), keep)


def _fast_key(axis: Any) -> Any:
    return axis if axis is None or type(axis) is int or type(axis) is tuple else _SLOW


_SLOW = object()


def masked(x: Any, where: Any, identity: Any, function: str) -> Any:
    """The array with the identity of a reduction where the mask does not hold.

    Raises:
        ArgumentValueError: the mask is not boolean.
    """
    if where is None:
        return x
    mask = asarray(array_like(where, function, 1))
    if mask.dtype != _BOOL:  # type: ignore[attr-defined]
        raise ArgumentValueError(says=f"`{function}` was given where={mask.aval.str_short()}.",  # type: ignore
                                 why="`where` is a boolean array")
    return where3(mask, x, np.asarray(identity).astype(x.dtype))


def promoted_integer(dtype: Any) -> Any:
    """The dtype in which integers are summed: at least that of the default integers."""
    found = dtypes.kind_of(dtype)
    if found == "bool":
        return dtypes.default_dtype("int")
    if found in ("int", "uint"):
        default = dtypes.default_dtype(found)
        return default if dtypes.itemsize_bits(dtype) < dtypes.itemsize_bits(default) else dtype
    return dtype


def computed_in(dtype: Any) -> Any:
    """The dtype in which sums are kept: float32 for narrower floating types."""
    if dtypes.kind_of(dtype) == "float" and dtypes.itemsize_bits(dtype) < 32:
        return np.dtype(np.float32)
    return dtype


def _finish(name: str, primitive: Primitive, x: Any, axes: tuple, keepdims: bool, initial: Any,
            combine: Callable[[Any, Any], Any] | None, out_dtype: Any, extra: tuple) -> Any:
    keep = kept_axes(x.aval.shape, axes) if keepdims else None
    found = local.trace.process(primitive, (x,), (axes, *extra))
    if initial is not None and combine is not None:
        start = array_like(initial, name, 1)
        if np.shape(start) != ():
            raise ArgumentValueError(says=f"`{name}` was given an initial value of shape {np.shape(start)}.",
                                     why="it is a scalar")
        found = combine(convert(start, found.aval.dtype, False), found)
    if found.aval.dtype != out_dtype or found.aval.weak_type:
        found = convert(found, out_dtype, False)
    return put_back(found, keep)


# -- sums and products

def _sum_like(name: str, primitive: Primitive, identity: int, combine: Any, doc: str) -> Callable[..., Any]:
    plans: dict[tuple, tuple[tuple, Keep]] = {}

    def function(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
                 where: Any = None, promote_integers: bool = True) -> Array:
        try:
            if isinstance(a, Array) and dtype is None and initial is None and where is None and out is None:
                key = (a.aval, _fast_key(axis), keepdims)
                plan = plans.get(key)
                if plan is not None:
                    found = local.trace.process(primitive, (a,), plan[0])
                    keep = plan[1]
                    return found if keep is None else local.trace.process(broadcast_in_dim_p, (found,), keep)
                aval = a.aval
                if key[1] is not _SLOW and not aval.weak_type and aval.dtype in _WIDE:
                    axes = reduced_axes(axis, len(aval.shape), name)
                    if len(plans) >= MAX_PLANS:
                        plans.clear()
                    plans[key] = ((axes, None), kept_axes(aval.shape, axes) if keepdims else None)
            return general(a, axis, dtype, out, keepdims, initial, where, promote_integers)
        except Exception as error:
            trim(error)
            raise

    def general(a: Any, axis: Any, dtype: Any, out: Any, keepdims: bool, initial: Any, where: Any,
                promote_integers: bool) -> Any:
        refuse(name, out=out)
        x = asarray(array_like(a, name))
        axes = reduced_axes(axis, x.ndim, name)
        out_dtype = x.dtype if dtype is None else dtypes.requested_dtype(dtype, name)
        if dtype is None and (promote_integers or kind(x) == "bool"):
            out_dtype = promoted_integer(out_dtype)
        if out_dtype == _BOOL:  # asked for: the sum of truth values is an or, the product an and
            return _of_truths(x, axes, identity, bool(keepdims), initial, combine, where)
        x = convert(x, computed_in(out_dtype), False)
        return _finish(name, primitive, masked(x, where, identity, name), axes, bool(keepdims), initial, combine, out_dtype,
                       (None,))

    def _of_truths(x: Any, axes: tuple, identity: int, keepdims: bool, initial: Any, combine: Any, where: Any) -> Any:
        x = masked(convert(x, _BOOL, False), where, identity, name)
        return _finish(name, reduce_and_p if identity else reduce_or_p, x, axes, keepdims, initial, combine, _BOOL, ())

    function.__doc__ = f"""{doc}

    Args:
        a: array.
        axis: an axis, or several; all by default.
        dtype: of the result; by default that of `a`, integers at least of the default width. Floating numbers of 16 bits
            are summed in 32.
        out: is not supported.
        keepdims: whether the axes stay, with size 1.
        initial: a value to start from.
        where: boolean array that broadcasts to `a`: which elements count.
        promote_integers: whether narrow integers become the default ones.
    """
    return _named(function, name)


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__module__ = "perspicax.numpy"
    return function


sum = _sum_like("sum", reduce_sum_p, 0, add, "The sum along axes.")
prod = _sum_like("prod", reduce_prod_p, 1, multiply, "The product along axes.")


# -- extremes

def _extreme(name: str, primitive: Primitive, identity: Callable[[Any], Any], combine: Any, doc: str) -> Callable[..., Any]:
    plans: dict[tuple, tuple[tuple, Keep]] = {}

    def function(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
                 where: Any = None) -> Array:
        try:
            if isinstance(a, Array) and initial is None and where is None and out is None:
                key = (a.aval, _fast_key(axis), keepdims)
                plan = plans.get(key)
                if plan is not None:
                    found = local.trace.process(primitive, (a,), plan[0])
                    keep = plan[1]
                    return found if keep is None else local.trace.process(broadcast_in_dim_p, (found,), keep)
                aval = a.aval
                if key[1] is not _SLOW and not aval.weak_type and aval.size and not aval.extended:
                    axes = reduced_axes(axis, len(aval.shape), name)
                    if len(plans) >= MAX_PLANS:
                        plans.clear()
                    plans[key] = ((axes, None), kept_axes(aval.shape, axes) if keepdims else None)
            return general(a, axis, out, keepdims, initial, where)
        except Exception as error:
            trim(error)
            raise

    def general(a: Any, axis: Any, out: Any, keepdims: bool, initial: Any, where: Any) -> Any:
        refuse(name, out=out)
        x = asarray(of_numbers(array_like(a, name), name))
        axes = reduced_axes(axis, x.ndim, name)
        if initial is None:
            if where is not None:
                raise ReductionError(says=f"`{name}` was given `where` without `initial`.",
                                     why=f"where the mask leaves no elements, there is no {name}imum; `initial` says what "
                                         "is returned then")
            if 0 in [x.shape[i] for i in axes]:
                raise ReductionError(says=f"`{name}` has no result for {x.aval.str_short()} along axes without entries.",
                                     why=f"no elements have no {name}imum; `initial` says what is returned then")
        x = masked(x, where, identity(x.dtype), name)
        return _finish(name, primitive, x, axes, bool(keepdims), initial, combine, x.dtype, (None,))

    function.__doc__ = f"""{doc}

    Args:
        a: array.
        axis: an axis, or several; all by default.
        out: is not supported.
        keepdims: whether the axes stay, with size 1.
        initial: a value to compare with, too; what is returned where there are no elements.
        where: boolean array that broadcasts to `a`: which elements count; needs `initial`.

    Raises:
        ReductionError: there are no elements, and no `initial`.
    """
    return _named(function, name)


max = _extreme("max", reduce_max_p, lowest, maximum, "The maximum along axes; NaN where there is one.")
min = _extreme("min", reduce_min_p, highest, minimum, "The minimum along axes; NaN where there is one.")


@public
def ptp(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Array:
    """The distance from minimum to maximum along axes.

    Args:
        a: array.
        axis: an axis, or several; all by default.
        out: is not supported.
        keepdims: whether the axes stay, with size 1.
    """
    refuse("ptp", out=out)
    given = several(axis)  # an iterator can be gone through once
    axis = axis if given is None else given
    return subtract(max(a, axis, keepdims=keepdims), min(a, axis, keepdims=keepdims))


# -- truth

def _truth(name: str, primitive: Primitive, identity: bool, doc: str) -> Callable[..., Any]:
    @public
    def function(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = None) -> Array:
        refuse(name, out=out)
        x = asarray(array_like(a, name))
        axes = reduced_axes(axis, x.ndim, name)
        x = masked(convert(x, _BOOL, False), where, identity, name)
        return _finish(name, primitive, x, axes, bool(keepdims), None, None, _BOOL, ())

    function.__doc__ = f"""{doc}

    Args:
        a: array; elements that are not 0 are true.
        axis: an axis, or several; all by default.
        out: is not supported.
        keepdims: whether the axes stay, with size 1.
        where: boolean array that broadcasts to `a`: which elements count.
    """
    return _named(function, name)


all = _truth("all", reduce_and_p, True, "Whether all elements along axes are true.")
any = _truth("any", reduce_or_p, False, "Whether one of the elements along axes is true.")


@public
def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """How many elements along axes are not 0.

    Args:
        a: array.
        axis: an axis, or several; all by default.
        keepdims: whether the axes stay, with size 1.
    """
    x = asarray(of_numbers(array_like(a, "count_nonzero"), "count_nonzero"))
    return sum(compare.ne(x, np.zeros((), x.dtype)), axis, dtypes.default_dtype("int"), keepdims=keepdims)


# -- means

_means: dict[tuple, tuple[tuple, Keep, Any, JitFunction]] = {}
_EVALUATOR = evaluator()


def _mean_by(axes: tuple, keep: Keep, count: Any) -> JitFunction:
    """The mean as one program, for arrays outside of any transformation."""
    def mean(x: Any) -> Any:
        return div(put_back(reduce_sum(x, axes), keep), count)

    return JitFunction(mean, JitOptions())


def mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *,
         where: Any = None) -> Array:
    """The mean along axes.

    Args:
        a: array.
        axis: an axis, or several; all by default.
        dtype: of the result; by default that of `a`, floating for integers. Floating numbers of 16 bits are summed in 32,
            what becomes an integer in that dtype, and divided towards zero.
        out: is not supported.
        keepdims: whether the axes stay, with size 1.
        where: boolean array that broadcasts to `a`: which elements count.

    Returns:
        Array; NaN where there are no elements.
    """
    try:
        if isinstance(a, Array) and dtype is None and where is None and out is None:
            key = (a.aval, _fast_key(axis), keepdims)
            plan = _means.get(key)
            if plan is not None:
                trace = local.trace
                if trace is _EVALUATOR or type(trace) is DeferringTrace:
                    return plan[3](a)
                found = trace.process(reduce_sum_p, (a,), plan[0])
                if plan[1] is not None:
                    found = trace.process(broadcast_in_dim_p, (found,), plan[1])
                return trace.p2(div_p, found, plan[2])
            aval = a.aval
            if key[1] is not _SLOW and not aval.weak_type and aval.dtype in _WIDE and not aval.symbolic:
                axes = reduced_axes(axis, len(aval.shape), "mean")
                if len(_means) >= MAX_PLANS:
                    _means.clear()
                keep = kept_axes(aval.shape, axes) if keepdims else None
                count = wrap(np.asarray(math.prod([aval.shape[i] for i in axes]), aval.dtype))
                _means[key] = ((axes, None), keep, count, _mean_by(axes, keep, count.value()[()]))
        refuse("mean", out=out)
        return _mean(asarray(array_like(a, "mean")), axis, dtype, bool(keepdims), where)
    except Exception as error:
        trim(error)
        raise


def _mean(x: Any, axis: Any, dtype: Any, keepdims: bool, where: Any) -> Any:
    axes = reduced_axes(axis, x.ndim, "mean")
    out_dtype = to_inexact(x.dtype) if dtype is None else dtypes.requested_dtype(dtype, "mean")
    if out_dtype == _BOOL:
        raise ArgumentKindError(says="`mean` was asked for a result of dtype bool.", why="a mean is a number")
    if dtypes.issubdtype(out_dtype, np.integer):  # then all of it is computed in integers
        total = convert(sum(convert(x, out_dtype, False), axes, keepdims=keepdims, where=where), out_dtype, False)
        number = size_in(math.prod([x.shape[i] for i in axes]), _INT32) if where is None else \
            count_of(where, x.shape, axes, _INT32, keepdims)
        return div(total, convert(number, out_dtype, False))
    work = computed_in(to_inexact(out_dtype))
    total = sum(convert(x, work, False), axes, keepdims=keepdims, where=where)
    if where is None:
        count: Any = size_in(math.prod([x.shape[i] for i in axes]), work)
    else:
        count = count_of(where, x.shape, axes, work, keepdims)
    return convert(true_divide(total, count), out_dtype, False)


def count_of(where: Any, shape: tuple, axes: tuple, dtype: Any, keepdims: bool) -> Any:
    """How many elements along axes a mask leaves."""
    mask = broadcast_to(asarray(where), shape, "where")
    return sum(convert(convert(mask, _INT32, False), dtype, False), axes, keepdims=keepdims)


@public
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False) -> Any:
    """The mean along axes with weights.

    Args:
        a: array.
        axis: an axis, or several; all by default.
        weights: array of the shape of `a`, or of its sizes along `axis`.
        returned: whether to return the sums of the weights too.
        keepdims: whether the axes stay, with size 1.
    """
    x = asarray(array_like(a, "average"))
    axes = reduced_axes(axis, x.ndim, "average")
    if weights is None:
        found = mean(x, axes, keepdims=keepdims)
        if not returned:
            return found
        count = math.prod([x.shape[i] for i in axes])
        return found, broadcast_to(asarray(size_in(count, found.dtype)), found.shape, "average")
    w = asarray(array_like(weights, "average", 1))
    common = to_inexact(dtypes_of(x, w))
    x, w = convert(x, common, False), convert(w, common, False)
    if w.shape != x.shape:
        w = _along(w, x.shape, axis, axes)
    total = sum(w, axes, keepdims=keepdims)
    found = true_divide(sum(multiply(x, w), axes, keepdims=keepdims), total)
    return (found, broadcast_to(total, found.shape, "average")) if returned else found


def dtypes_of(*xs: Any) -> Any:
    """The dtype in which arrays meet."""
    avals: Any = [get_aval(x) for x in xs]
    return lattice_result([a.dtype for a in avals], [a.weak_type for a in avals])[0]


def _along(w: Any, shape: tuple, axis: Any, axes: tuple) -> Any:
    """Weights for some axes, brought into the places of these."""
    if axis is None:
        raise ArgumentValueError(says=f"`average` was given weights of shape {w.shape} for an array of shape {shape}.",
                                 why="for weights of another shape the axis must be said")
    named = many_axes(axis, len(shape), "average")
    if w.shape != tuple([shape[i] for i in named]):
        raise ArgumentValueError(says=f"`average` was given weights of shape {w.shape} for an array of shape {shape}.",
                                 why=f"they must have its sizes along the axes {named}")
    order = sorted(range(len(named)), key=named.__getitem__)
    w = transpose(w, order)
    return reshape(w, tuple([n if i in axes else 1 for i, n in enumerate(shape)]))


# -- spreads

def _ddof(function: str, ddof: Any, correction: Any) -> Any:
    if correction is None:
        return ddof
    if ddof != 0:
        raise ArgumentValueError(says=f"`{function}` was given ddof={ddof!r} and correction={correction!r}.",
                                 why="they are two names of one argument")
    return correction


@public
def var(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
        where: Any = None, mean: Any = None, correction: Any = None) -> Array:
    """The variance along axes.

    Args:
        a: array.
        axis: an axis, or several; all by default.
        dtype: of the result; by default that of `a`, floating for integers, real for complex numbers.
        out: is not supported.
        ddof: what is subtracted from the number of elements before the sum of squares is divided by it.
        keepdims: whether the axes stay, with size 1.
        where: boolean array that broadcasts to `a`: which elements count.
        mean: the mean along these axes, where it is known already: a number, or as `keepdims=True` makes it.
        correction: another name of `ddof`.

    Returns:
        Array; NaN where there are not more elements than `ddof`.
    """
    refuse("var", out=out)
    arrays, static = _spread_arguments("var", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return fused_call(_var, arrays, **static)


@public
def std(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0, keepdims: bool = False, *,
        where: Any = None, mean: Any = None, correction: Any = None) -> Array:
    """The standard deviation along axes: the square root of `var`, whose arguments it takes."""
    refuse("std", out=out)
    arrays, static = _spread_arguments("std", a, axis, dtype, ddof, keepdims, where, mean, correction)
    return fused_call(_std, arrays, **static)


def check_spread_dtype(function: str, x: Any, dtype: Any) -> None:
    """Raise for a dtype in which the spread of an array cannot be computed.

    Raises:
        UfuncDtypeError: it is of integers or booleans, or real where the array is complex.
    """
    if dtypes.kind_of(dtype) not in ("float", "complex"):
        raise UfuncDtypeError(function=function, type_text=f"dtype={dtypes.name_of(dtype)}",
                              kind="a spread is a floating number")
    if kind(x) == "complex" and dtypes.kind_of(dtype) != "complex":
        raise UfuncDtypeError(function=function, type_text=f"complex numbers with dtype={dtypes.name_of(dtype)}",
                              kind="the dtype is that in which the elements are taken")


def _spread_arguments(function: str, a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: bool, where: Any, mean: Any,
                      correction: Any) -> tuple[tuple, dict[str, Any]]:
    x = asarray(array_like(a, function))
    if dtype is not None:
        dtype = dtypes.requested_dtype(dtype, function)
        check_spread_dtype(function, x, dtype)
    if where is not None:
        masked(x, where, 0, function)
    axes = reduced_axes(axis, x.ndim, function)
    center = known_mean(function, x, axes, mean)
    return ((x, None if where is None else asarray(where), center, _ddof(function, ddof, correction)),
            dict(axes=axes, dtype=dtype, keepdims=bool(keepdims)))


def known_mean(function: str, x: Any, axes: tuple, mean: Any) -> Any:
    """The mean that a function of spreads was given, if it was.

    Raises:
        ArgumentRankError: it has other axes than the array, and is no scalar.
    """
    if mean is None:
        return None
    center = asarray(array_like(mean, function, 1))
    if center.ndim in (0, x.ndim):
        return center
    reduced = center.shape == tuple([n for i, n in enumerate(x.shape) if i not in axes])
    places = axes[0] if len(axes) == 1 else axes
    raise ArgumentRankError(
        function=function, argument="mean", index=-1, type_text=center.aval.str_short(),  # type: ignore[attr-defined]
        wanted=f"it is a number, or has the axes of {x.aval.str_short()}, of size 1 where they are reduced, as "
               "`keepdims=True` makes it", change=f"jnp.expand_dims({{}}, {places})" if reduced else "",
        says_change="put the reduced axes back" if len(axes) > 1 else "put the reduced axis back")


def _std(x: Any, where: Any, center: Any, ddof: Any, **static: Any) -> Any:
    return elementwise.sqrt(_var(x, where, center, ddof, **static))


def _var(x: Any, where: Any, center: Any, ddof: Any, *, axes: tuple, dtype: Any, keepdims: bool) -> Any:
    out_dtype = to_inexact(x.dtype) if dtype is None else dtype
    work = computed_in(out_dtype)
    x = convert(x, work, False)
    center = _mean(x, axes, None, True, where) if center is None else convert(center, work, False)
    centered = subtract(x, center)
    squares = real(multiply(centered, conj(centered))) if kind(x) == "complex" else elementwise.square(centered)
    floating = squares.dtype
    if where is None:
        count: Any = size_in(math.prod([x.shape[i] for i in axes]), floating)
    else:
        count = count_of(where, x.shape, axes, floating, keepdims)
    freedom = subtract(count, convert(ddof, floating, False))
    found = true_divide(sum(squares, axes, keepdims=keepdims, where=where), freedom)
    found = where3(compare.gt(freedom, np.zeros((), floating)), found, np.asarray(math.nan, floating))
    if dtype is None and kind(x) == "complex":
        return found
    return convert(found, out_dtype, False)


__all__ = ["all", "any", "average", "count_nonzero", "max", "mean", "min", "prod", "ptp", "std", "sum", "var"]
