"""Convolution and correlation of arrays of any rank."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax.convolution import conv_general_dilated
from perspicax.numpy import fft
from perspicax.numpy.axes import many_axes
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like, promote_dtypes

MODES = ("full", "same", "valid")


def _operands(function: str, in1: Any, in2: Any, mode: str) -> tuple[Any, Any]:
    if mode not in MODES:
        raise ArgumentValueError(says=f"`{function}` was given mode={mode!r}.", why="it is 'full', 'same' or 'valid'")
    given = [array_like(x, function, i) for i, x in enumerate((in1, in2))]
    x, y = [asarray(v) for v in promote_dtypes(*given, inexact=True)]
    if x.ndim != y.ndim:
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()} and {y.aval.str_short()}.",
                                 why="both have the same number of axes")
    if x.size == 0 or y.size == 0:
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()} and {y.aval.str_short()}.",
                                 why="there is no sum of products without entries")
    return x, y


def _larger_first(function: str, x: Any, y: Any, axes: Sequence[int]) -> tuple[Any, Any]:
    """For `"valid"`: one of them fits into the other along every axis."""
    if all(x.shape[i] >= y.shape[i] for i in axes):
        return x, y
    if all(x.shape[i] <= y.shape[i] for i in axes):
        return y, x
    raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()} and {y.aval.str_short()} for mode='valid'.",
                             why="one of them is at least as large as the other along every axis")


def _convolved(x: Any, y: Any, *, mode: str, precision: Any, turned: bool) -> Any:
    """Sums of products as `y`, turned round, slides along `x`; `turned` says that the middle is that of `y` turned."""
    padding = []
    for m in y.shape:
        start = {"full": 0, "same": m // 2 if turned else (m - 1) // 2, "valid": m - 1}[mode]
        padding.append((m - 1 - start, start if mode == "same" else m - 1 - start))
    found = conv_general_dilated(x[None, None], jnp.flip(y)[None, None], (1,) * x.ndim, padding, precision=precision)
    return found[0, 0]


def _direct(function: str, x: Any, y: Any, mode: str, precision: Any, turned: bool = False) -> Any:
    if mode == "valid":
        x, y = _larger_first(function, x, y, range(x.ndim))
    return fused_call(_convolved, (x, y), mode=mode, precision=precision, turned=turned)


def _by_method(function: str, x: Any, y: Any, mode: str, method: str, precision: Any) -> Any:
    if method == "fft":
        return _by_fft(function, x, y, mode, tuple(range(x.ndim)))
    if method not in ("auto", "direct"):
        raise ArgumentValueError(says=f"`{function}` was given method={method!r}.", why="it is 'auto', 'direct' or 'fft'")
    return _direct(function, x, y, mode, precision)


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """The convolution of two arrays.

    Args:
        in1: array of any shape; integers become floating.
        in2: array of the same rank.
        mode: `"full"` for all sums, `"same"` for the middle ones, as many as `in1` has, `"valid"` for those of full overlap.
        method: `"direct"` (and `"auto"`), or `"fft"`.
        precision: of the products; see `lax.Precision`.

    Raises:
        ArgumentValueError: the ranks differ, an array is empty, there is no such mode or method, or for `"valid"`
            neither fits into the other.

    >>> convolve(jnp.array([1., 2.]), jnp.array([1., 1.]))
    Array([1., 3., 2.], dtype=float32)
    """
    function = "jsp.signal.convolve"
    return _by_method(function, *_operands(function, in1, in2, mode), mode, method, precision)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """The cross-correlation of two arrays: the convolution with the conjugate of `in2` turned round along every axis.

    Arguments and errors are those of `convolve`.
    """
    function = "jsp.signal.correlate"
    x, y = _operands(function, in1, in2, mode)
    return _by_method(function, x, jnp.conj(jnp.flip(y)), mode, method, precision)


def _planes(function: str, in1: Any, in2: Any, mode: str, boundary: str, fillvalue: Any) -> tuple[Any, Any]:
    if boundary != "fill" or fillvalue != 0:
        raise UnsupportedArgumentError(function=function, argument="boundary" if boundary != "fill" else "fillvalue",
                                       why="only zeros beyond the edges are there, as in JAX; `jnp.pad` makes other edges")
    x, y = _operands(function, in1, in2, mode)
    if x.ndim != 2:
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()} and {y.aval.str_short()}.",
                                 why="it takes arrays of two axes")
    return x, y


def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0,
               precision: Any = None) -> Array:
    """The convolution of two arrays of two axes.

    Args:
        in1: array `[m, n]`.
        in2: array `[k, l]`.
        mode: as for `convolve`.
        boundary: must be `"fill"`.
        fillvalue: must be 0.
        precision: of the products.

    Raises:
        ArgumentValueError: as for `convolve`, and for other ranks.
        UnsupportedArgumentError: another boundary or fill value.
    """
    function = "jsp.signal.convolve2d"
    return _direct(function, *_planes(function, in1, in2, mode, boundary, fillvalue), mode, precision)


def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0,
                precision: Any = None) -> Array:
    """The cross-correlation of two arrays of two axes; arguments and errors as for `convolve2d`."""
    function = "jsp.signal.correlate2d"
    x, y = _planes(function, in1, in2, mode, boundary, fillvalue)
    return _direct(function, x, jnp.conj(jnp.flip(y)), mode, precision, turned=True)


# -- by the convolution theorem

def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Array:
    """The convolution of two arrays by Fourier transforms: for large arrays.

    Args:
        in1: array of any shape; integers become floating.
        in2: array of the same rank.
        mode: as for `convolve`.
        axes: along which to convolve, all by default; along the others both have the same size.

    Raises:
        ArgumentValueError: as for `convolve`, and where the sizes of other axes differ.
        AxisError: there is no such axis.
    """
    function = "jsp.signal.fftconvolve"
    x, y = _operands(function, in1, in2, mode)
    return _by_fft(function, x, y, mode, many_axes(axes, x.ndim, function))


def _by_fft(function: str, x: Any, y: Any, mode: str, axes: tuple[int, ...]) -> Any:
    others = [i for i in range(x.ndim) if i not in axes]
    if any(x.shape[i] != y.shape[i] for i in others):
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()} and {y.aval.str_short()} for axes={axes}.",
                                 why="along the other axes both have the same size")
    if mode == "valid":
        x, y = _larger_first(function, x, y, axes)
    return fused_call(_transformed, (x, y), mode=mode, axes=axes)


def _transformed(x: Any, y: Any, *, mode: str, axes: tuple[int, ...]) -> Any:
    sizes = [x.shape[i] + y.shape[i] - 1 for i in axes]
    if x.dtype.kind == "c":
        found = fft.ifftn(fft.fftn(x, sizes, axes) * fft.fftn(y, sizes, axes), sizes, axes)
    else:
        found = fft.irfftn(fft.rfftn(x, sizes, axes) * fft.rfftn(y, sizes, axes), sizes, axes)
    window = [slice(None)] * x.ndim
    for i in axes:
        n, m = x.shape[i], y.shape[i]
        if mode == "same":
            window[i] = slice((m - 1) // 2, (m - 1) // 2 + n)
        elif mode == "valid":
            window[i] = slice(m - 1, n)
    return found[tuple(window)].astype(x.dtype)


__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve"]
