"""Fourier transforms over axes of any place and length: they are brought to the end, cut or padded, and scaled."""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public
from perspicax.diagnose.report import Fix
from perspicax.lax import fourier
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import conj, convert
from perspicax.lax.fourier import FftType, FourierError
from perspicax.lax.slicing import slice_in_dim
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.logic import kind
from perspicax.numpy.padding import pad
from perspicax.numpy.promote import array_like, to_inexact

_NORMS = (None, "backward", "ortho", "forward")


def _floating(x: Any, function: str) -> Any:
    """The operand in a dtype that is transformed: 16-bit numbers and integers become float32."""
    if kind(x) in ("float", "complex") and x.dtype.itemsize >= 4:
        return x
    return convert(x, to_inexact(x.dtype) if kind(x) in ("bool", "int", "uint") else np.dtype(np.float32), False)


def _check_norm(function: str, norm: Any) -> None:
    if norm not in _NORMS:
        raise ArgumentValueError(says=f"`fft.{function}` was given norm={norm!r}.",
                                 why='it is "backward", "ortho" or "forward": which direction is divided by the length')


def _lengths(s: Any, function: str, argument: str = "s") -> tuple[int, ...]:
    try:
        found = tuple([operator.index(static_value(n, f"jnp.fft.{function}", argument)) for n in s])
    except TypeError as error:
        if type(error) is not TypeError:  # a traced length has its own report
            raise
        raise ArgumentKindError(says=f"`fft.{function}` was given the lengths {s!r}.", why="lengths are integers") from None
    if any(n < 1 for n in found):
        raise ArgumentValueError(says=f"`fft.{function}` was given the lengths {found}.", why="a length is at least 1")
    return found


def _transform(function: str, x: Any, kind_of: FftType, s: tuple[int, ...] | None, axes: Sequence[int],
               norm: str | None) -> Any:
    """The transform over axes that are there and all different."""
    if kind_of is FftType.RFFT and kind(x) == "complex":
        raise FourierError(says=f"`fft.{function}` was given {x.aval.str_short()}.", why="it transforms real numbers",
                           fixes=(Fix("transform complex numbers", code=f"jnp.fft.{function.replace('rfft', 'fft')}(x)"),
                                  Fix("transform their real part", code=f"jnp.fft.{function}(x.real)")))
    x = _floating(x, function)
    half = kind_of is FftType.IRFFT
    sizes = [x.shape[a] for a in axes]
    if s is None:
        s = tuple([*sizes[:-1], 2 * (sizes[-1] - 1)] if half and sizes else sizes)
        if kind_of in (FftType.FFT, FftType.IFFT) and 0 in s:
            return convert(x, np.result_type(x.dtype, np.complex64), False)
        if any(n < 1 for n in s):
            raise FourierError(says=f"`fft.{function}` was given {x.aval.str_short()}, and the axes {tuple(axes)}.",
                               why="an axis that is transformed has at least one entry" if not half else
                               "half of a spectrum has at least two entries, unless the length is given")
    if not axes:
        return convert(x, np.result_type(x.dtype, np.complex64), False)
    last = [x.ndim - len(axes) + i for i in range(len(axes))]
    others = [i for i in range(x.ndim) if i not in axes]
    order = [*others, *axes]
    moved = order != list(range(x.ndim))
    if moved:
        x = lax_shape.transpose(x, order)
    wanted = [*s[:-1], s[-1] // 2 + 1] if half else list(s)
    x = _fitted(x, last, wanted)
    found = _in_groups(x, kind_of, s)
    found = _scaled(found, kind_of, math.prod(s), norm)
    if moved:
        back = [0] * len(order)
        for i, place in enumerate(order):
            back[place] = i
        found = lax_shape.transpose(found, back)
    return found


def _fitted(x: Any, axes: Sequence[int], sizes: Sequence[int]) -> Any:
    """Axes cut, or padded with zeros, to sizes."""
    for axis, n in zip(axes, sizes):
        if n < x.shape[axis]:
            x = slice_in_dim(x, 0, n, 1, axis)
    widths = [(0, 0)] * x.ndim
    for axis, n in zip(axes, sizes):
        widths[axis] = (0, n - x.shape[axis])
    return pad(x, widths) if any(w != (0, 0) for w in widths) else x


def _in_groups(x: Any, kind_of: FftType, s: tuple[int, ...]) -> Any:
    """XLA transforms three axes at most at a time; more are taken in groups, the half axis always the last one."""
    most = fourier.MOST_AXES
    if len(s) <= most:
        return fourier.fft(x, kind_of, s)
    plain = FftType.IFFT if kind_of in (FftType.IFFT, FftType.IRFFT) else FftType.FFT
    if kind_of is FftType.RFFT:
        x = fourier.fft(x, kind_of, s[-most:])
    first = len(s) - most
    order = list(range(x.ndim - len(s))) + list(range(x.ndim - most, x.ndim)) + list(range(x.ndim - len(s), x.ndim - most))
    back = [order.index(i) for i in range(x.ndim)]
    x = lax_shape.transpose(_in_groups(lax_shape.transpose(x, order), plain, s[:first]), back)
    return x if kind_of is FftType.RFFT else fourier.fft(x, kind_of, s[-most:])


def _scaled(x: Any, kind_of: FftType, total: int, norm: str | None) -> Any:
    """XLA divides the inverse transforms by the length, which is "backward"."""
    inverse = kind_of in (FftType.IFFT, FftType.IRFFT)
    if norm in (None, "backward"):
        return x
    if norm == "ortho":
        factor = math.sqrt(total) if inverse else 1 / math.sqrt(total)
    else:
        factor = float(total) if inverse else 1 / total
    return x * np.asarray(factor, x.dtype)


# -- along one axis

_ONE = """

    Args:
        a: array{operand}.
        n: the length: the axis is cut, or padded with zeros. {default}
        axis: the axis.
        norm: "backward" (the default) divides the inverse transform by the length, "forward" the other one, and "ortho" both
            by its root.

    Returns:
        {result}

    Raises:
        AxisError: there is no such axis.
        FourierError: the axis has no entries{real}.
    """

_SEVERAL = """

    Args:
        a: array{operand}.
        s: the lengths: the axes are cut, or padded with zeros. {default}
        axes: the axes; {axes}.
        norm: "backward" (the default) divides the inverse transform by the lengths, "forward" the other one, and "ortho" both
            by their root.

    Returns:
        {result}

    Raises:
        AxisError: there is no such axis.
        FourierError: lengths and axes do not fit each other, or an axis is named twice{real}.
    """

_OWN = "By default what it is."
_DOUBLE = "By default twice what the spectrum has less one, since it is half of an even one."
_COMPLEX = "Complex array of the same shape, but for the lengths."
_HALF = "Complex array; the last axis has `n // 2 + 1` entries, since the others are their conjugates."
_REAL = "Real array; the last axis has `n` entries."


def _documented(function: Callable[..., Any], what: str, template: str, **words: str) -> Callable[..., Any]:
    function.__doc__ = what + template.format(**{"operand": "", "real": "", **words})
    return public(function)


def _along(function: str, kind_of: FftType, a: Any, n: Any, axis: Any, norm: Any) -> Any:
    x = asarray(array_like(a, f"fft.{function}"))
    _check_norm(function, norm)
    if isinstance(axis, (list, tuple)):
        raise ArgumentValueError(says=f"`fft.{function}` was given axis={axis!r}.",
                                 why=f"it transforms one axis; `jnp.fft.{function}n` takes several")
    place = one_axis(axis, x.ndim, f"fft.{function}")
    return _transform(function, x, kind_of, None if n is None else _lengths((n,), function, "n"), (place,), norm)


def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return _along("fft", FftType.FFT, a, n, axis, norm)


def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return _along("ifft", FftType.IFFT, a, n, axis, norm)


def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return _along("rfft", FftType.RFFT, a, n, axis, norm)


def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return _along("irfft", FftType.IRFFT, a, n, axis, norm)


_OPPOSITE = {"ortho": "ortho", "forward": "backward", "backward": "forward", None: "forward"}


def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    _check_norm("hfft", norm)
    x = asarray(array_like(a, "fft.hfft"))
    place = one_axis(axis, x.ndim, "fft.hfft")
    lengths = _lengths((2 * (x.shape[place] - 1) if n is None else n,), "hfft", "n")
    return _transform("hfft", conj(_floating(x, "hfft")), FftType.IRFFT, lengths, (place,), _OPPOSITE[norm])


def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    _check_norm("ihfft", norm)
    return conj(_along("ihfft", FftType.RFFT, a, n, axis, _OPPOSITE[norm]))


fft = _documented(fft, "The discrete Fourier transform along an axis.", _ONE, default=_OWN, result=_COMPLEX)
ifft = _documented(ifft, "The inverse Fourier transform along an axis.", _ONE, default=_OWN, result=_COMPLEX)
rfft = _documented(rfft, "The Fourier transform of real numbers along an axis.", _ONE, operand=", real", default=_OWN,
                   result=_HALF, real=", or `a` is complex")
irfft = _documented(irfft, "The inverse of `rfft`.", _ONE, operand=": half of a spectrum", default=_DOUBLE, result=_REAL)
hfft = _documented(hfft, "The Fourier transform of a signal of which half is given, since its spectrum is real.", _ONE,
                   operand=": half of a signal", default=_DOUBLE, result=_REAL)
ihfft = _documented(ihfft, "The inverse of `hfft`.", _ONE, operand=", real", default=_OWN, result=_HALF,
                    real=", or `a` is complex")


# -- along several axes

def _over(function: str, kind_of: FftType, a: Any, s: Any, axes: Any, norm: Any, two: bool = False) -> Any:
    x = asarray(array_like(a, f"fft.{function}"))
    _check_norm(function, norm)
    lengths = None if s is None else _lengths(s, function)
    if axes is None:
        places = tuple(range(x.ndim) if lengths is None else range(x.ndim - len(lengths), x.ndim))
        if lengths is not None and len(lengths) > x.ndim:
            raise FourierError(says=f"`fft.{function}` was given {x.aval.str_short()} and the lengths {lengths}.",
                               why="there is one length for each axis")
    else:
        given = tuple(axes) if hasattr(axes, "__iter__") else (axes,)
        places = tuple([one_axis(axis, x.ndim, f"fft.{function}") for axis in given])
    if two and len(places) != 2:
        raise FourierError(says=f"`fft.{function}` was given axes={axes!r}.",
                           why=f"it transforms two axes; `jnp.fft.{function[:-1]}n` takes any number")
    if len(set(places)) != len(places):
        raise FourierError(says=f"`fft.{function}` was given an axis twice: {axes}.", why="each axis may be named once")
    if lengths is not None and len(lengths) != len(places):
        raise FourierError(says=f"`fft.{function}` was given {len(lengths)} lengths and {len(places)} axes.",
                           why="there is one length for each axis")
    if kind_of in (FftType.RFFT, FftType.IRFFT) and not places:
        raise FourierError(says=f"`fft.{function}` was given no axes.",
                           why="a transform of real numbers has at least one, which is cut in half")
    return _transform(function, x, kind_of, lengths, places, norm)


def fftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    return _over("fftn", FftType.FFT, a, s, axes, norm)


def ifftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    return _over("ifftn", FftType.IFFT, a, s, axes, norm)


def rfftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    return _over("rfftn", FftType.RFFT, a, s, axes, norm)


def irfftn(a: Any, s: Any = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Array:
    return _over("irfftn", FftType.IRFFT, a, s, axes, norm)


def fft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    return _over("fft2", FftType.FFT, a, s, axes, norm, two=True)


def ifft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    return _over("ifft2", FftType.IFFT, a, s, axes, norm, two=True)


def rfft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    return _over("rfft2", FftType.RFFT, a, s, axes, norm, two=True)


def irfft2(a: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Array:
    return _over("irfft2", FftType.IRFFT, a, s, axes, norm, two=True)


_ALL, _LAST_TWO = "all by default, or with `s` the last", "the last two by default"
fftn = _documented(fftn, "The discrete Fourier transform along several axes.", _SEVERAL, default=_OWN, axes=_ALL,
                   result=_COMPLEX)
ifftn = _documented(ifftn, "The inverse Fourier transform along several axes.", _SEVERAL, default=_OWN, axes=_ALL,
                    result=_COMPLEX)
rfftn = _documented(rfftn, "The Fourier transform of real numbers along several axes.", _SEVERAL, operand=", real",
                    default=_OWN, axes=_ALL, result=_HALF, real=", or `a` is complex")
irfftn = _documented(irfftn, "The inverse of `rfftn`.", _SEVERAL, operand=": half of a spectrum", default=_DOUBLE, axes=_ALL,
                     result=_REAL)
fft2 = _documented(fft2, "The discrete Fourier transform along two axes.", _SEVERAL, default=_OWN, axes=_LAST_TWO,
                   result=_COMPLEX)
ifft2 = _documented(ifft2, "The inverse Fourier transform along two axes.", _SEVERAL, default=_OWN, axes=_LAST_TWO,
                    result=_COMPLEX)
rfft2 = _documented(rfft2, "The Fourier transform of real numbers along two axes.", _SEVERAL, operand=", real", default=_OWN,
                    axes=_LAST_TWO, result=_HALF, real=", or `a` is complex")
irfft2 = _documented(irfft2, "The inverse of `rfft2`.", _SEVERAL, operand=": half of a spectrum", default=_DOUBLE,
                     axes=_LAST_TWO, result=_REAL)

__all__ = ["fft", "fft2", "fftn", "hfft", "ifft", "ifft2", "ifftn", "ihfft", "irfft", "irfft2", "irfftn",
           "rfft", "rfft2", "rfftn"]
