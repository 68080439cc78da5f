"""Summaries of samples: `mode`, `rankdata`, `sem`."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like
from perspicax.scipy.special.operands import floating

_POLICIES = ("propagate", "omit", "raise")
_METHODS = ("average", "min", "max", "dense", "ordinal")


class ModeResult(NamedTuple):
    """The most frequent values, and how often they come."""

    mode: Any
    count: Any


def _check_policy(function: str, policy: str, served: tuple[str, ...]) -> None:
    if policy not in _POLICIES:
        raise ArgumentValueError(says=f"`{function}` was given nan_policy={policy!r}.",
                                 why="it is one of " + ", ".join(repr(p) for p in served))
    if policy not in served:
        raise UnsupportedArgumentError(function=function, argument=f"nan_policy={policy!r}",
                                       why="a compiled program cannot raise for a NaN" if policy == "raise"
                                           else "only 'propagate' is there, as in JAX")


def _along(x: Any, axis: Any, function: str) -> tuple[Any, int]:
    """The array and an axis of it; flat for `None`, and where there is no axis."""
    if axis is None or x.ndim == 0:
        if axis is not None:
            one_axis(axis, 1, function)
        return x.reshape(-1), 0
    return x, one_axis(axis, x.ndim, function)


def mode(a: Any, axis: Any = 0, nan_policy: str = "propagate", keepdims: bool = False) -> ModeResult:
    """The most frequent value along an axis; the smallest of several.

    Args:
        a: array of any shape.
        axis: the axis; `None` takes all elements together.
        nan_policy: only `"propagate"`: NaNs are values like others.
        keepdims: whether the axis stays, with size 1.

    Returns:
        `(mode, count)`, two arrays without the axis; NaN and 0 of an empty one.

    Raises:
        AxisError: there is no such axis.
        UnsupportedArgumentError: `nan_policy` is not `"propagate"`.
    """
    _check_policy("jsp.stats.mode", nan_policy, ("propagate",))
    x = asarray(array_like(a, "jsp.stats.mode"))
    rank = x.ndim
    x, at = _along(x, axis, "jsp.stats.mode")
    if x.size == 0:
        found: Any = jnp.full(x.shape[:at] + x.shape[at + 1:], np.nan, float)
        return ModeResult(found, jnp.zeros_like(found))
    values, counts = fused_call(_mode, (x,), axis=at)
    if keepdims:
        shape = (1,) * rank if axis is None else (*x.shape[:at], 1, *x.shape[at + 1:]) if rank else ()
        values, counts = values.reshape(shape), counts.reshape(shape)
    return ModeResult(values, counts)


def _mode(x: Any, *, axis: int) -> tuple[Any, Any]:
    ordered = jnp.moveaxis(jnp.sort(x, axis=axis), axis, -1)
    n = ordered.shape[-1]
    same = ordered[..., 1:] == ordered[..., :-1]
    if x.dtype.kind in "fc":
        same = same | (jnp.isnan(ordered[..., 1:]) & jnp.isnan(ordered[..., :-1]))
    edge = jnp.ones((*ordered.shape[:-1], 1), bool)
    starts = jnp.concatenate([edge, ~same], axis=-1)
    places = jnp.arange(n, dtype=np.int32).reshape((1,) * (ordered.ndim - 1) + (n,))
    # where the run of equal values began, and so how long it is at each place
    began = jnp.maximum.accumulate(jnp.where(starts, places, 0), axis=-1)
    length = places - began + 1
    best = jnp.argmax(length, axis=-1, keepdims=True)
    value = jnp.take_along_axis(ordered, best, axis=-1)[..., 0]
    return value, jnp.take_along_axis(length, best, axis=-1)[..., 0]


def rankdata(a: Any, method: str = "average", *, axis: Any = None, nan_policy: str = "propagate") -> Array:
    """The ranks of the values, from 1 on.

    Args:
        a: real array of any shape.
        method: the rank of equal values: the `"average"`, `"min"` or `"max"` of their places; `"dense"` counts different
            values alone; `"ordinal"` lets the first come first.
        axis: along which to rank; by default all elements together.
        nan_policy: only `"propagate"`: where there is a NaN, all ranks are.

    Returns:
        Floating array of the shape of `a`, flat without an axis.

    Raises:
        ArgumentValueError: there is no such method.
        AxisError: there is no such axis.
        UnsupportedArgumentError: `nan_policy` is not `"propagate"`.
    """
    _check_policy("jsp.stats.rankdata", nan_policy, ("propagate",))
    if method not in _METHODS:
        raise ArgumentValueError(says=f"`rankdata` was given method={method!r}.",
                                 why="it is one of " + ", ".join(repr(m) for m in _METHODS))
    x, at = _along(asarray(array_like(a, "jsp.stats.rankdata")), axis, "jsp.stats.rankdata")
    return fused_call(_rankdata, (x,), axis=at, method=method)


def _rankdata(x: Any, *, axis: int, method: str) -> Any:
    if not x.size:
        return jnp.zeros(x.shape, np.float64 if x.dtype == np.dtype(np.float64) else np.float32)
    x = jnp.moveaxis(x, axis, -1)
    n = x.shape[-1]
    order = jnp.argsort(x, axis=-1, stable=True)
    inverse = jnp.argsort(order, axis=-1, stable=True)
    kind = np.float32 if x.dtype != np.dtype(np.float64) else np.float64
    if method == "ordinal":
        ranks = (inverse + 1).astype(kind)
    else:
        ordered = jnp.take_along_axis(x, order, axis=-1)
        edge = jnp.ones((*x.shape[:-1], 1), bool)
        differs = ordered[..., 1:] != ordered[..., :-1]
        starts, ends = jnp.concatenate([edge, differs], axis=-1), jnp.concatenate([differs, edge], axis=-1)
        places = jnp.arange(1, n + 1, dtype=np.int32)
        first = jnp.maximum.accumulate(jnp.where(starts, places, 0), axis=-1)
        last = jnp.flip(jnp.minimum.accumulate(jnp.flip(jnp.where(ends, places, n), -1), axis=-1), -1)
        found = {"min": first, "max": last, "average": .5 * (first + last).astype(kind),
                 "dense": jnp.cumsum(starts, axis=-1)}[method]
        ranks = jnp.take_along_axis(found, inverse, axis=-1).astype(kind)
    if x.dtype.kind == "f":
        ranks = jnp.where(jnp.any(jnp.isnan(x), axis=-1, keepdims=True), np.nan, ranks)
    return jnp.moveaxis(ranks, -1, axis)


def sem(a: Any, axis: Any = 0, ddof: int = 1, nan_policy: str = "propagate", *, keepdims: bool = False) -> Array:
    """The standard error of the mean.

    Args:
        a: real array of any shape.
        axis: the axis; `None` takes all elements together.
        ddof: what is subtracted from the number of elements: 1 for an unbiased variance.
        nan_policy: `"propagate"`, or `"omit"` to leave NaNs out.
        keepdims: whether the axis stays, with size 1.

    Returns:
        Floating array without the axis.

    Raises:
        ArgumentValueError: `nan_policy` is none of these.
        AxisError: there is no such axis.
    """
    if nan_policy not in ("propagate", "omit"):
        raise ArgumentValueError(says=f"`sem` was given nan_policy={nan_policy!r}.", why="it is 'propagate' or 'omit'")
    [x] = floating("jsp.stats.sem", a)
    rank = x.ndim
    x, at = _along(x, axis, "jsp.stats.sem")
    found = fused_call(_sem, (x,), axis=at, ddof=ddof, omit=nan_policy == "omit", keepdims=bool(keepdims))
    return found.reshape((1,) * rank) if keepdims and axis is None else found


def _sem(x: Any, *, axis: int, ddof: int, omit: bool, keepdims: bool) -> Any:
    if not omit:
        return jnp.std(x, axis=axis, ddof=ddof, keepdims=keepdims) / np.sqrt(x.shape[axis]).astype(x.dtype)
    count = jnp.sum(~jnp.isnan(x), axis=axis, keepdims=keepdims)
    return jnp.nanstd(x, axis=axis, ddof=ddof, keepdims=keepdims) / jnp.sqrt(count.astype(x.dtype))

__all__ = ["ModeResult", "mode", "rankdata", "sem"]
