"""`detrend`: a signal without its mean or its straight line."""
from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.numpy.axes import one_axis
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import inexact


def detrend(data: Any, axis: int = -1, type: str = "linear", bp: int | Sequence[int] | np.ndarray = 0,
            overwrite_data: None = None) -> Array:
    """A signal less its trend.

    Args:
        data: array of any shape; integers become floating.
        axis: along which the signal runs.
        type: `"linear"` takes off the straight line of least squares, `"constant"` the mean.
        bp: where the line may break: between two breakpoints there is one line.
        overwrite_data: is not served.

    Returns:
        Array of the shape of `data`.

    Raises:
        ArgumentValueError: there is no such type, or a breakpoint is not in the signal.
        UnsupportedArgumentError: `overwrite_data` is given.
        AxisError: there is no such axis.
    """
    function = "jsp.signal.detrend"
    if overwrite_data is not None:
        raise UnsupportedArgumentError(function=function, argument="overwrite_data")
    if type not in ("linear", "constant"):
        raise ArgumentValueError(says=f"`detrend` was given type={type!r}.", why="it is 'linear' or 'constant'")
    [x] = inexact(function, data)
    at = one_axis(axis, x.ndim, function)
    breaks = sorted({0, x.shape[at], *[int(b) for b in np.atleast_1d(np.asarray(bp))]})
    if type == "linear" and (breaks[0] < 0 or breaks[-1] > x.shape[at]):
        raise ArgumentValueError(says=f"`detrend` was given the breakpoints {bp} for {x.shape[at]} values.",
                                 why="they are from 0 to the length of the signal")
    return fused_call(_detrended, (x,), axis=at, breaks=tuple(breaks) if type == "linear" else None)


def _detrended(x: Any, *, axis: int, breaks: tuple[int, ...] | None) -> Any:
    if breaks is None:
        return x - jnp.mean(x, axis=axis, keepdims=True)
    x = jnp.moveaxis(x, axis, -1)
    parts = [without_line(x[..., a:b]) for a, b in itertools.pairwise(breaks)]
    return jnp.moveaxis(jnp.concatenate(parts, axis=-1), -1, axis)


def without_line(x: Any) -> Any:
    """`x` less the line of least squares along its last axis, by the orthogonal basis of a constant and a centred ramp."""
    n = x.shape[-1]
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    if n < 2:
        return centred
    ramp = np.arange(n) - (n - 1) / 2
    unit = jnp.asarray((ramp / np.sqrt((ramp * ramp).sum())).astype(x.dtype).reshape((1,) * (x.ndim - 1) + (n,)))
    return centred - jnp.sum(centred * unit, axis=-1, keepdims=True) * unit


__all__ = ["detrend", "without_line"]
