"""Discrete cosine transforms with SciPy's signatures: `jax.scipy.fft`."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.numpy import fft as transforms
from perspicax.numpy.axes import many_axes, one_axis
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import inexact


def _check(function: str, type: int, norm: str | None) -> None:
    if type != 2:
        raise UnsupportedArgumentError(function=function, argument=f"type={type!r}", why="only type 2 is there, as in JAX")
    if norm not in (None, "backward", "ortho"):
        raise ArgumentValueError(says=f"`{function}` was given norm={norm!r}.", why="it is None, 'backward' or 'ortho'")


def _resized(x: Any, sizes: dict[int, int]) -> Any:
    """`x` cut, or padded with zeros at the end, along axes."""
    for axis, n in sizes.items():
        if n < 1:
            raise ArgumentValueError(says=f"a cosine transform of {n} values was asked for.", why="there is at least one")
        held = x[tuple([slice(None)] * axis + [slice(0, n)])]
        missing = n - held.shape[axis]
        x = jnp.pad(held, [(0, missing if i == axis else 0) for i in range(x.ndim)]) if missing else held
    return x


def _turns(n: int, like: Any, axis: int, scale: float) -> Any:
    """exp(-i pi k / 2n) for k = 0 … n - 1 as factors along an axis."""
    angle = np.pi * np.arange(n) / (2 * n)
    factors = (scale * np.exp(-1j * angle)).astype(np.result_type(like.dtype, np.complex64))
    return jnp.asarray(factors).reshape((-1,) + (1,) * (like.ndim - axis - 1))


def _dct(x: Any, *, axis: int, ortho: bool) -> Any:
    """Makhoul, IEEE Trans. ASSP 28, 1980: even entries forward, odd ones back, one transform, a turn of each result."""
    if x.dtype.kind == "c":
        return _dct(jnp.real(x), axis=axis, ortho=ortho) + 1j * _dct(jnp.imag(x), axis=axis, ortho=ortho)
    n = x.shape[axis]
    order = np.concatenate([np.arange(0, n, 2), np.arange(n - 1 - n % 2, 0, -2)])
    spectrum = transforms.fft(jnp.take(x, order, axis=axis), axis=axis)
    found = jnp.real(spectrum * _turns(n, spectrum, axis, 2.)).astype(x.dtype)
    return found * _ortho(n, found, axis) if ortho else found


def _ortho(n: int, like: Any, axis: int) -> Any:
    factors = np.full(n, math.sqrt(1 / (2 * n)))
    factors[0] = math.sqrt(1 / (4 * n))
    return jnp.asarray(factors.astype(like.dtype)).reshape((-1,) + (1,) * (like.ndim - axis - 1))


def _idct(x: Any, *, axis: int, ortho: bool) -> Any:
    """The steps of `_dct`, backwards: the spectrum of a real sequence follows from its turned real parts."""
    if x.dtype.kind == "c":
        return _idct(jnp.real(x), axis=axis, ortho=ortho) + 1j * _idct(jnp.imag(x), axis=axis, ortho=ortho)
    n = x.shape[axis]
    x = x / _ortho(n, x, axis) if ortho else x
    # the real part of each turned entry is x[k], its imaginary part -x[n - k]
    behind_first = jnp.asarray((np.arange(n) > 0).astype(x.dtype)).reshape((-1,) + (1,) * (x.ndim - axis - 1))
    other = jnp.roll(jnp.flip(x, axis), 1, axis) * behind_first
    turned = (x - 1j * other) * .5
    spectrum = turned / _turns(n, turned, axis, 1.)
    ordered = jnp.real(transforms.ifft(spectrum, axis=axis)).astype(x.dtype)
    order = np.concatenate([np.arange(0, n, 2), np.arange(n - 1 - n % 2, 0, -2)])
    return jnp.take(ordered, np.argsort(order), axis=axis)


def _one(function: str, transform: Any, x: Any, type: int, n: int | None, axis: int, norm: str | None) -> Any:
    _check(function, type, norm)
    [x] = inexact(function, x)
    at = one_axis(axis, x.ndim, function)
    x = _resized(x, {} if n is None else {at: n})
    return fused_call(transform, (x,), axis=at, ortho=norm == "ortho")


def _many(function: str, transform: Any, x: Any, type: int, s: Sequence[int] | None, axes: Sequence[int] | None,
          norm: str | None) -> Any:
    _check(function, type, norm)
    [x] = inexact(function, x)
    if axes is None:
        places = tuple(range(x.ndim)) if s is None else tuple(range(x.ndim - len(s), x.ndim))
    else:
        places = many_axes(tuple(axes), x.ndim, function)
    if s is not None:
        if len(s) != len(places):
            raise ArgumentValueError(says=f"`{function}` was given {len(s)} sizes for {len(places)} axes.",
                                     why="there is one for each")
        x = _resized(x, dict(zip(places, s)))
    for at in places:
        x = fused_call(transform, (x,), axis=at, ortho=norm == "ortho")
    return x


def dct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The discrete cosine transform: `2 sum(x[j] cos(pi k (2j + 1) / 2n))`.

    Args:
        x: array of any shape with one axis at least; integers become floating.
        type: must be 2.
        n: length, to which `x` is cut or padded with zeros.
        axis: the axis.
        norm: `None` or `"backward"`; `"ortho"` makes the transform orthonormal.

    Returns:
        Array of the shape of `x`, with `n` along the axis.

    Raises:
        UnsupportedArgumentError: `type` is not 2.
        ArgumentValueError: `norm` is none of these.
        AxisError: there is no such axis.
    """
    return _one("jsp.fft.dct", _dct, x, type, n, axis, norm)


def idct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `dct`, with its arguments."""
    return _one("jsp.fft.idct", _idct, x, type, n, axis, norm)


def dctn(x: Any, type: int = 2, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
         norm: str | None = None) -> Array:
    """The discrete cosine transform along several axes.

    Args:
        x: array of any shape; integers become floating.
        type: must be 2.
        s: lengths, to which `x` is cut or padded along the axes.
        axes: the axes; all by default, or the last `len(s)`.
        norm: as for `dct`.
    """
    return _many("jsp.fft.dctn", _dct, x, type, s, axes, norm)


def idctn(x: Any, type: int = 2, s: Sequence[int] | None = None, axes: Sequence[int] | None = None,
          norm: str | None = None) -> Array:
    """The inverse of `dctn`, with its arguments."""
    return _many("jsp.fft.idctn", _idct, x, type, s, axes, norm)


__all__ = ["dct", "dctn", "idct", "idctn"]

publish(__name__)
