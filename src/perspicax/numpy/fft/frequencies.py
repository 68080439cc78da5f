"""The frequencies that entries of a spectrum stand for, and spectra with the frequency 0 in the middle."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.numpy.axes import many_axes, one_axis, several
from perspicax.numpy.construct import asarray, put
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.promote import array_like
from perspicax.numpy.repeating import roll
from perspicax.numpy.windows import length_of


def _cycles(function: str, n: Any, d: Any, dtype: Any, device: Any, half: bool) -> Any:
    if isinstance(n, (list, tuple)):
        raise ArgumentValueError(says=f"`fft.{function}` was given n={n!r}.", why="it is the length of one axis")
    size = length_of(n, f"fft.{function}", "n")
    if size < 0:
        raise ArgumentValueError(says=f"`fft.{function}` was given n={size}.", why="a length is at least 0")
    if isinstance(d, (list, tuple)):
        raise ArgumentValueError(says=f"`fft.{function}` was given d={d!r}.", why="it is one distance: a scalar")
    wanted: Any = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, f"fft.{function}")
    if not dtypes.issubdtype(wanted, np.inexact):
        raise ArgumentKindError(says=f"`fft.{function}` was given dtype={dtypes.name_of(wanted)}.",
                                why="frequencies have fractions: it is a floating dtype")
    counts = np.arange(size // 2 + 1) if half else (np.arange(size) + size // 2) % size - size // 2
    found = asarray(counts.astype(wanted)) / np.asarray(size, wanted)
    return put(found / asarray(array_like(d, f"fft.{function}", 1)).astype(wanted), device)


@public
def fftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies that the entries of `fft` stand for, in cycles per unit.

    Args:
        n: the length of the transformed axis.
        d: the distance of two samples.
        dtype: of the result; the default floating one by default.
        device: a device, or a sharding, where it is put.

    Returns:
        Vector `[n]`: 0 and the positive frequencies, increasing, then the negative ones, increasing.

    >>> fftfreq(4)
    Array([ 0.  ,  0.25, -0.5 , -0.25], dtype=float32)
    """
    return _cycles("fftfreq", n, d, dtype, device, half=False)


@public
def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies that the entries of `rfft` stand for, in cycles per unit.

    Args:
        n: the length of the transformed axis.
        d: the distance of two samples.
        dtype: of the result; the default floating one by default.
        device: a device, or a sharding, where it is put.

    Returns:
        Vector `[n // 2 + 1]`, increasing from 0.
    """
    return _cycles("rfftfreq", n, d, dtype, device, half=True)


@public
def fftshift(x: Any, axes: int | Sequence[int] | None = None) -> Array:
    """A spectrum with the frequency 0 in the middle.

    Args:
        x: array.
        axes: the axes that are moved; all by default.
    """
    return _shifted("fftshift", x, axes, 1)


@public
def ifftshift(x: Any, axes: int | Sequence[int] | None = None) -> Array:
    """A spectrum whose frequency 0 is in the middle with it at the beginning, as it was before `fftshift`.

    Args:
        x: array.
        axes: the axes that are moved; all by default.
    """
    return _shifted("ifftshift", x, axes, -1)


def _shifted(function: str, x: Any, axes: Any, sign: int) -> Any:
    v = asarray(array_like(x, f"fft.{function}"))
    given = several(axes)  # one that is named twice is moved twice, as in NumPy
    places = many_axes(axes, v.ndim, f"fft.{function}") if given is None else \
        tuple([one_axis(axis, v.ndim, f"fft.{function}") for axis in given])
    return roll(v, tuple([sign * (v.shape[i] // 2) if sign > 0 else -(v.shape[i] // 2) for i in places]), places) \
        if places else v


__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]
