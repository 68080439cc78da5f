"""Functions known at sample points: interpolation, derivative, integral, and angles without jumps."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.promotion import result_type
from perspicax.diagnose.boundary import public
from perspicax.lax import compare
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.slicing import slice_in_dim
from perspicax.numpy.arithmetic import floor_divide, remainder
from perspicax.numpy.axes import many_axes, one_axis
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.cumulative import cumsum, diff
from perspicax.numpy.errors import (
    ArgumentKindError,
    ArgumentValueError,
    NoValuesError,
    ReductionError,
    UnsupportedArgumentError,
)
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.joining import concatenate
from perspicax.numpy.logic import kind
from perspicax.numpy.operators import absolute, add, divide, equal, greater, less, multiply, subtract
from perspicax.numpy.promote import array_like, promote_args, promote_dtypes
from perspicax.numpy.reductions import sum as sum_
from perspicax.numpy.search import argsort, searchsorted
from perspicax.numpy.selection import clip, take
from perspicax.numpy.shapes import moveaxis

# -- interpolation

@public
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Array:
    """Straight lines between known points of a function.

    Args:
        x: array of places, real.
        xp: vector of the places known, real and increasing; with `period` in any order.
        fp: vector of the values there, real or complex.
        left: the value before the first place, `fp[0]` by default; "extrapolate" continues the first line.
        right: the value behind the last place, `fp[-1]` by default; "extrapolate" continues the last line.
        period: after how much the function repeats; `left` and `right` then do not count.

    Returns:
        Array of the shape of `x`.

    Raises:
        ArgumentValueError: `xp` and `fp` are no vectors of one size; `period` is no scalar.
        NoValuesError: they have no entries.

    >>> interp(1.5, jnp.array([1., 2.]), jnp.array([10., 20.]))
    Array(15., dtype=float32)
    """
    x, places, values = [array_like(v, "interp", i) for i, v in enumerate((x, xp, fp))]
    x, places = promote_dtypes(x, places, inexact=True)
    (values,) = promote_dtypes(values, inexact=True)
    x, places, values = asarray(x), asarray(places), asarray(values)
    if places.ndim != 1 or places.shape != values.shape:
        raise ArgumentValueError(says=f"`interp` was given xp of type {places.aval.str_short()} and fp of type "
                                      f"{values.aval.str_short()}.",
                                 why="they are vectors with a place and a value for each known point")
    if kind(places) == "complex":
        raise ArgumentValueError(says="`interp` was given complex places.",
                                 why="complex numbers are not ordered; only the values may be complex")
    if places.size == 0:
        raise NoValuesError(says="`interp` was given no points.", why="there is nothing to interpolate between")
    for name, given in (("left", left), ("right", right)):
        if isinstance(given, str) and given != "extrapolate":
            raise ArgumentValueError(says=f"`interp` was given {name}={given!r}.",
                                     why='it is a value, or "extrapolate" for the line of the last two points')
    ends = [given if given is None or isinstance(given, str) else None for given in (left, right)]
    arrays: list[Any] = [x, places, values]
    arrays += [array_like(given, "interp", 3 + i) for i, given in enumerate((left, right)) if ends[i] is None
               and given is not None]
    if period is not None:
        repeats = asarray(array_like(period, "interp", 5))
        if repeats.ndim:
            raise ArgumentValueError(says=f"`interp` was given period of type {repeats.aval.str_short()}.",  # type: ignore
                                     why="a function has one period: it is a scalar")
        return fused_call(_periodic, (x, places, values, convert(repeats, x.dtype, False)))
    modes = tuple([end if isinstance(end, str) else "edge" if given is None else "value"
                   for end, given in zip(ends, (left, right))])
    return fused_call(_interpolated, tuple(arrays), modes=modes)


def _interpolated(x: Any, xp: Any, fp: Any, *ends: Any, modes: tuple[str, str]) -> Any:
    i = clip(searchsorted(xp, x, side="right"), 1, max(xp.shape[0] - 1, 1))
    if xp.shape[0] == 1:
        found = multiply(fp[0], convert(equal(x, x), fp.dtype, False))
    else:
        low, high = take(xp, i - 1), take(xp, i)
        value, rise = take(fp, i - 1), subtract(take(fp, i), take(fp, i - 1))
        width = subtract(high, low)
        # two points at one place: the value of the first, and no division by 0 in derivatives either
        flat = compare.le(absolute(width), np.asarray(np.spacing(dtypes.finfo(xp.dtype).eps), xp.dtype))
        slope = divide(subtract(x, low), where3(flat, np.ones((), xp.dtype), width))
        found = where3(flat, value, add(value, multiply(slope, rise)))
    given = iter(ends)
    if modes[0] != "extrapolate":
        found = where3(less(x, xp[0]), fp[0] if modes[0] == "edge" else next(given), found)
    if modes[1] != "extrapolate":
        found = where3(greater(x, xp[-1]), fp[-1] if modes[1] == "edge" else next(given), found)
    return found


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> Any:
    """The points within one period, and one more at each side."""
    period = absolute(period)
    x, xp = remainder(x, period), remainder(xp, period)
    order = argsort(xp)
    xp, fp = take(xp, order), take(fp, order)
    xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
    fp = concatenate([fp[-1:], fp, fp[:1]])
    return _interpolated(x, xp, fp, modes=("edge", "edge"))


# -- derivatives

@public
def gradient(f: Any, *varargs: Any, axis: int | Sequence[int] | None = None, edge_order: int | None = None) -> Any:
    """Derivatives of sampled functions by differences of neighbours, central but at the ends.

    Args:
        f: array; integers become floating.
        varargs: distances of the samples: nothing for 1; one scalar for all axes; or for each axis a scalar, or the vector
            of places.
        axis: an axis, or several; all by default.
        edge_order: is not supported.

    Returns:
        An array of the shape of `f` for one axis, else a list with one for each.

    Raises:
        ReductionError: an axis has less than two entries.
        ArgumentKindError: there are neither no distances, nor one, nor one for each axis.

    >>> gradient(jnp.array([1., 2., 4.]))
    Array([1. , 1.5, 2. ], dtype=float32)
    """
    if edge_order is not None:
        raise UnsupportedArgumentError(function="gradient", argument="edge_order",
                                       why="differences at the ends are of the first order")
    x = asarray(array_like(f, "gradient"))
    axes = many_axes(axis, x.ndim, "gradient")
    for place in axes:
        if x.shape[place] < 2:
            raise ReductionError(says=f"`gradient` was given {x.aval.str_short()}, and a derivative along axis {place}.",
                                 why=f"a difference takes two entries; the axis has {x.shape[place]}")
    if len(varargs) not in (0, 1, len(axes)):
        raise ArgumentKindError(says=f"`gradient` was given {len(varargs)} distances for {len(axes)} "
                                     f"{'axis' if len(axes) == 1 else 'axes'}.",
                                why="there is none, one for all axes, or one for each")
    steps: list[Any] = [asarray(s) if isinstance(s, (list, tuple)) else asarray(array_like(s, "gradient", 1 + i))
             for i, s in enumerate(varargs)] or [None]
    x, *promoted = promote_dtypes(x, *[s for s in steps if s is not None], inexact=True)
    steps = (promoted or [None]) * (len(axes) if len(steps) == 1 else 1)
    for step, place in zip(steps, axes):
        if step is not None and step.ndim and step.shape != (x.shape[place],):
            raise ArgumentValueError(says=f"`gradient` was given {step.aval.str_short()} as the places along axis {place} of "
                                          f"{x.aval.str_short()}.",
                                     why=f"the distance is a scalar, or a vector of {x.shape[place]} places")
    found = [fused_call(_slope, (x,) if step is None else (x, step), axis=place) for step, place in zip(steps, axes)]
    return found[0] if len(axes) == 1 else found


def _slope(x: Any, step: Any = None, *, axis: int) -> Any:
    n = x.shape[axis]

    def part(start: int, stop: int) -> Any:
        return slice_in_dim(x, start, stop, 1, axis)

    rises = [part(1, 2) - part(0, 1), part(2, n) - part(0, n - 2), part(n - 1, n) - part(n - 2, n - 1)]
    if step is None or step.ndim == 0:
        rises[1] = rises[1] * 0.5
        found = concatenate(rises, axis)
        return found if step is None else divide(found, step)
    widths = diff(step)
    before, behind = [lax_shape.reshape(w, tuple([n - 2 if i == axis else 1 for i in range(x.ndim)]))
                      for w in (widths[:-1], widths[1:])]
    weights = (-behind / (before * (before + behind)), (behind - before) / (before * behind),
               before / (behind * (before + behind)))
    middle = weights[0] * part(0, n - 2) + weights[1] * part(1, n - 1) + weights[2] * part(2, n)
    return concatenate([rises[0] / widths[0], middle, rises[2] / widths[-1]], axis)


# -- integrals

@public
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral of a sampled function by the trapezoidal rule.

    Args:
        y: array of values; integers become floating.
        x: the places of the values: a vector, or an array of the shape of `y`; at equal distances by default.
        dx: the distance, where `x` is not given.
        axis: the axis along which the function runs.

    Returns:
        Array without the axis.

    >>> trapezoid(jnp.array([1., 2., 4.]))
    Array(4.5, dtype=float32)
    """
    if x is None:
        (y,) = promote_args("trapezoid", y, inexact=True)
        places: tuple[Any, ...] = ()
        spacing = array_like(dx, "trapezoid", 2)
    else:
        y, at = promote_dtypes(array_like(y, "trapezoid", 0), array_like(x, "trapezoid", 1), inexact=True)
        places, spacing = (asarray(at),), 1.0
    y = asarray(y)
    place = one_axis(axis, y.ndim, "trapezoid")
    return fused_call(_integral, (y, spacing, *places), axis=place)


def _integral(y: Any, spacing: Any, x: Any = None, *, axis: int) -> Any:
    y = moveaxis(y, axis, -1)
    widths = spacing if x is None else diff(x) if x.ndim == 1 else diff(moveaxis(x, axis, -1))
    return 0.5 * sum_(widths * (y[..., 1:] + y[..., :-1]), -1)


# -- angles

@public
def unwrap(p: Any, discont: Any = None, axis: int = -1, period: Any = 2 * math.pi) -> Array:
    """Angles along an axis without jumps: multiples of the period are added, so that neighbours differ by half of it at most.

    Args:
        p: real array of angles in radians, or in the unit of `period`; it has at least one axis.
        discont: smaller jumps stay; half of the period by default, which is also the least value.
        axis: the axis.
        period: after how much the values repeat.

    Returns:
        Array of the dtype in which `p` and `period` meet.

    Raises:
        ArgumentValueError: `p` is complex.
    """
    x = asarray(array_like(p, "unwrap"))
    if kind(x) == "complex":
        raise ArgumentValueError(says=f"`unwrap` was given {x.aval.str_short()}.",  # type: ignore[attr-defined]
                                 why="angles are real numbers; `jnp.angle` gives those of complex ones")
    place = one_axis(axis, x.ndim, "unwrap")
    if x.shape[place] == 0:
        return x
    dtype = result_type(x, array_like(period, "unwrap", 3))
    around = convert(period, dtype, False)
    arrays = (convert(x, dtype, False), around) if discont is None else (
        convert(x, dtype, False), around, array_like(discont, "unwrap", 1))
    return fused_call(_unwrapped, arrays, axis=place)


def _unwrapped(x: Any, period: Any, discont: Any = None, *, axis: int) -> Any:
    steps = diff(x, axis=axis)
    half = floor_divide(period, 2) if kind(x) in ("int", "uint") else divide(period, 2)
    low = subtract(0, half)
    near = add(remainder(subtract(steps, low), period), low)
    near = where3((near == low) & (steps > 0), half, near)  # a step of just half the period keeps its direction
    correction = subtract(near, steps)
    correction = where3(absolute(steps) < (half if discont is None else discont), 0, correction)
    moved = slice_in_dim(x, 1, x.shape[axis], 1, axis) + cumsum(correction, axis, dtype=x.dtype)
    return concatenate([slice_in_dim(x, 0, 1, 1, axis), convert(moved, x.dtype, False)], axis)


__all__ = ["gradient", "interp", "trapezoid", "unwrap"]
