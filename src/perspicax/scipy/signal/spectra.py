"""Short-time Fourier transforms and the spectral densities that are averages of them.

Segments of the signal are windowed and transformed. Welch, IEEE Trans. Audio Electroacoustics 15, 1967; the inverse is
the least squares one of Griffin and Lim, IEEE Trans. ASSP 32, 1984.
"""
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.frames import warning_level
from perspicax.diagnose.optional import optional
from perspicax.numpy import fft
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.promote import array_like, promote_dtypes
from perspicax.scipy.signal.trends import without_line
from perspicax.scipy.special.operands import inexact, strong

# Coefficients of sums of cosines: Harris, Proceedings of the IEEE 66, 1978; Nuttall, IEEE Trans. ASSP 29, 1981.
_COSINES = {
    "boxcar": (1.,), "ones": (1.,), "rectangular": (1.,),
    "hann": (.5, .5), "hanning": (.5, .5), "hamming": (.54, .46), "blackman": (.42, .5, .08),
    "nuttall": (.3635819, .4891775, .1365995, .0106411), "blackmanharris": (.35875, .48829, .14128, .01168),
    "flattop": (.21557895, .41663158, .277263158, .083578947, .006947368),
}
EDGES = ("even", "odd", "constant", "zeros")


def _window(function: str, window: Any, length: int | None, available: int | None = None) -> tuple[Any, int]:
    """The window's weights and its length."""
    if not isinstance(window, (str, tuple)):
        weights = asarray(array_like(window, function))
        if weights.ndim != 1 or (length is not None and weights.shape[0] != length):
            raise ArgumentValueError(says=f"`{function}` was given a window {weights.aval.str_short()}.",
                                     why="it is a vector of nperseg entries")
        return weights, weights.shape[0]
    n = length or 0 if available is None else available if length is None else min(length, available)
    if length is not None and n < length:
        warnings.warn(f"`{function}` was given nperseg={length} for a signal of {n} entries: its segments have {n}.",
                      UserWarning, stacklevel=warning_level())
    if n < 1:
        raise ArgumentValueError(says=f"`{function}` was given nperseg={n}.", why="a segment has at least one value")
    name = window if isinstance(window, str) else window[0]
    found: Any
    turns = 2 * np.pi * np.arange(n) / n  # one period, of which the end is left out
    if name in _COSINES:
        found = sum([(-1) ** k * c * np.cos(k * turns) for k, c in enumerate(_COSINES[name])], np.zeros(n))
    elif name == "bartlett":
        found = 1 - np.abs(2 * np.arange(n) / n - 1)
    else:
        found = _window_of_scipy(function, window, n)
    return jnp.asarray(found), n


def _window_of_scipy(function: str, window: Any, n: int) -> np.ndarray:
    """The weights of a window that is not made here."""
    windows: Any = optional("scipy.signal", extra="signal", needed_for=f"the window {window!r}; others than "
                            + ", ".join(sorted([*_COSINES, "bartlett"])) + " are SciPy's")
    try:
        return windows.get_window(window, n)
    except (TypeError, ValueError) as error:
        raise ArgumentValueError(says=f"`{function}` was given window={window!r}.",
                                 why=f"SciPy makes no such window ({error}); weights can be given as an array") from None


class _Segments(NamedTuple):
    """How a signal is cut up."""

    length: int
    step: int
    transform: int


def _segments(function: str, length: int, noverlap: int | None, nfft: int | None) -> _Segments:
    transform = length if nfft is None else int(nfft)
    if transform < length:
        raise ArgumentValueError(says=f"`{function}` was given nfft={nfft} for segments of {length} values.",
                                 why="the transform is at least as long as a segment")
    overlap = length // 2 if noverlap is None else int(noverlap)
    if overlap >= length:
        raise ArgumentValueError(says=f"`{function}` was given noverlap={overlap} for segments of {length} values.",
                                 why="segments overlap by less than their length")
    return _Segments(length, length - overlap, transform)


def _extended(x: Any, n: int, edge: str) -> Any:
    """`x` with `n` more values at both ends of the last axis."""
    if n < 1:
        return x
    mode = {"even": "reflect", "odd": "reflect", "constant": "edge", "zeros": "constant"}[edge]
    options = {"reflect_type": "odd"} if edge == "odd" else {}
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], mode=mode, **options)


def _trend(function: str, detrend: Any) -> Callable[[Any], Any]:
    if detrend is False or detrend is None:
        return lambda x: x
    if callable(detrend):
        return detrend  # type: ignore[no-any-return]
    if detrend == "constant":
        return lambda x: x - jnp.mean(x, axis=-1, keepdims=True)
    if detrend == "linear":
        return without_line
    raise ArgumentValueError(says=f"`{function}` was given detrend={detrend!r}.",
                             why="it is False, 'constant', 'linear', or a function")


def _onesided(function: str, wanted: bool, x: Any) -> bool:
    """Whether the negative frequencies are left out; those of complex signals say something of their own."""
    if wanted and x.dtype.kind == "c":
        warnings.warn(f"`{function}` was given complex numbers: the negative frequencies are there too; return_onesided=False "
                      "says so.", UserWarning, stacklevel=warning_level())
    return bool(wanted) and x.dtype.kind != "c"


def _frequencies(n: int, fs: Any, onesided: bool) -> Any:
    return (fft.rfftfreq if onesided else fft.fftfreq)(n, 1 / fs)


def _transformed(x: Any, weights: Any, cut: _Segments, trend: Callable[[Any], Any], onesided: bool) -> Any:
    """Transforms of the windowed segments, `[..., segment, frequency]`."""
    count = (x.shape[-1] - cut.length) // cut.step + 1
    places = np.arange(count)[:, None] * cut.step + np.arange(cut.length)
    pieces = trend(x[..., places])
    pieces = pieces * weights.astype(x.dtype).reshape((1,) * (pieces.ndim - 1) + (-1,))
    return (fft.rfft if onesided else fft.fft)(pieces, n=cut.transform, axis=-1)


def stft(x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int = 256, noverlap: int | None = None,
         nfft: int | None = None, detrend: Any = False, return_onesided: bool = True, boundary: str | None = "zeros",
         padded: bool = True, axis: int = -1) -> tuple[Array, Array, Array]:
    """The short-time Fourier transform.

    Args:
        x: array of any shape; integers become floating.
        fs: the sampling frequency.
        window: name of a window (`"hann"`, `"hamming"`, `"blackman"`, `"boxcar"`, …), or its weights.
        nperseg: length of a segment.
        noverlap: by how much segments overlap; half their length by default.
        nfft: length of the transforms; that of the segments by default.
        detrend: what to take off each segment: False, `"constant"`, `"linear"`, or a function of the last axis.
        return_onesided: whether to leave out the negative frequencies of a real signal.
        boundary: how the signal goes on beyond its ends: `"even"`, `"odd"`, `"constant"`, `"zeros"`, or `None`.
        padded: whether to pad the end with zeros to a whole number of segments.
        axis: along which the signal runs.

    Returns:
        `(frequencies, times, transforms)`; the transforms have the frequencies at the axis, and the segments last.

    Raises:
        ArgumentValueError: the lengths do not fit each other, or there is no such boundary or trend.
        ArgumentValueError: there is no window of that name.
        MissingPackageError: only SciPy makes this window, and it is not installed.
    """
    function = "jsp.signal.stft"
    if boundary is not None and boundary not in EDGES:
        raise ArgumentValueError(says=f"`stft` was given boundary={boundary!r}.",
                                 why="it is None or one of " + ", ".join(repr(e) for e in EDGES))
    [x] = inexact(function, x)
    at = one_axis(axis, x.ndim, function)
    weights, length = _window(function, window, nperseg, x.shape[at])
    cut = _segments(function, length, noverlap, nfft)
    x = jnp.moveaxis(x, at, -1)
    if boundary is not None:
        x = _extended(x, length // 2, boundary)
    if padded:
        missing = -(x.shape[-1] - length) % cut.step % length
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]) if missing else x
    onesided = _onesided(function, return_onesided, x)
    found = _transformed(x, weights, cut, _trend(function, detrend), onesided)
    found = found / jnp.sum(weights).astype(found.dtype)
    centres = np.arange(length / 2, x.shape[-1] - length / 2 + 1, cut.step) - (length / 2 if boundary is not None else 0)
    moved = jnp.moveaxis(found, -1, axis - 1 if axis < 0 else axis)
    return _frequencies(cut.transform, fs, onesided), jnp.asarray(centres) / fs, moved


def csd(x: Any, y: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
        nfft: int | None = None, detrend: Any = "constant", return_onesided: bool = True, scaling: str = "density",
        axis: int = -1, average: str = "mean") -> tuple[Array, Array]:
    """The cross power spectral density of two signals, by Welch's method.

    Args:
        x: array of any shape; integers become floating.
        y: array; the axes other than that of the signal broadcast, and the shorter signal is padded with zeros.
        fs: as for `stft`.
        window: as for `stft`.
        nperseg: length of a segment; by default that of the window where weights are given, else that of the signal.
        noverlap: as for `stft`.
        nfft: as for `stft`.
        detrend: as for `stft`.
        return_onesided: as for `stft`.
        scaling: `"density"` (per unit of frequency) or `"spectrum"`.
        axis: along which the signals run.
        average: of the segments: `"mean"` or `"median"`.

    Returns:
        `(frequencies, densities)`; the densities are complex and have the frequencies at the axis.

    Raises:
        ArgumentValueError: the lengths do not fit each other, or there is no such scaling, average or trend.
        ArgumentValueError: there is no window of that name.
        MissingPackageError: only SciPy makes this window, and it is not installed.
    """
    frequencies, found = _density("jsp.signal.csd", x, y, fs, window, nperseg, noverlap, nfft, detrend, return_onesided,
                                  scaling, axis, average)
    return frequencies, jnp.real(found) if y is None else found


def welch(x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
          nfft: int | None = None, detrend: Any = "constant", return_onesided: bool = True, scaling: str = "density",
          axis: int = -1, average: str = "mean") -> tuple[Array, Array]:
    """The power spectral density of a signal, by Welch's method.

    Arguments and errors are those of `csd`, of one signal; the densities are real.
    """
    if np.size(x) == 0:
        return jnp.zeros(np.shape(x)), jnp.zeros(np.shape(x))
    frequencies, found = _density("jsp.signal.welch", x, None, fs, window, nperseg, noverlap, nfft, detrend,
                                  return_onesided, scaling, axis, average)
    return frequencies, jnp.real(found)


def _density(function: str, x: Any, y: Any, fs: Any, window: Any, nperseg: int | None, noverlap: int | None,
             nfft: int | None, detrend: Any, return_onesided: bool, scaling: str, axis: int, average: str) -> tuple[Any, Any]:
    if scaling not in ("density", "spectrum"):
        raise ArgumentValueError(says=f"`{function}` was given scaling={scaling!r}.", why="it is 'density' or 'spectrum'")
    if average not in ("mean", "median"):
        raise ArgumentValueError(says=f"`{function}` was given average={average!r}.", why="it is 'mean' or 'median'")
    if y is None:
        [x] = inexact(function, x)
        both = [jnp.moveaxis(x, one_axis(axis, x.ndim, function), -1)]
    else:
        given = [array_like(v, function, i) for i, v in enumerate((x, y))]
        both = [jnp.moveaxis(v, one_axis(axis, v.ndim, function), -1)
                for v in [asarray(w) for w in promote_dtypes(*given, inexact=True)]]
        longest = max([v.shape[-1] for v in both])
        both = [jnp.pad(v, [(0, 0)] * (v.ndim - 1) + [(0, longest - v.shape[-1])]) for v in both]
    weights, length = _window(function, window, nperseg, both[0].shape[-1])
    cut = _segments(function, length, noverlap, nfft)
    onesided = _onesided(function, return_onesided, both[0])
    trend = _trend(function, detrend)
    spectra = [_transformed(v, weights, cut, trend, onesided) for v in both]
    scale = 1 / (fs * jnp.sum(weights * weights)) if scaling == "density" else 1 / jnp.sum(weights) ** 2
    found = jnp.conj(spectra[0]) * spectra[-1] * jnp.asarray(scale).astype(spectra[0].dtype)
    if onesided:  # the negative frequencies count too: all but 0, and the highest of an even transform
        count = found.shape[-1]
        factors = np.full((1,) * (found.ndim - 1) + (count,), 2.)
        factors[..., 0] = 1
        if cut.transform % 2 == 0:
            factors[..., -1] = 1
        found = found * jnp.asarray(factors).astype(found.dtype)
    found = _averaged(found, average)
    return _frequencies(cut.transform, fs, onesided), jnp.moveaxis(found, -1, axis)


def _averaged(found: Any, average: str) -> Any:
    """The mean or median of the segments; the median of exponentially distributed numbers is biased by a known factor."""
    if average == "mean" or found.shape[-2] == 1:
        return jnp.mean(found, axis=-2)
    pairs = 2 * np.arange(1, (found.shape[-2] - 1) // 2 + 1)
    bias = 1 + np.sum(1 / (pairs + 1) - 1 / pairs)
    middle = jnp.median(jnp.real(found), axis=-2) + 1j * jnp.median(jnp.imag(found), axis=-2)
    return (middle / bias).astype(found.dtype)


def istft(Zxx: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None, noverlap: int | None = None,
          nfft: int | None = None, input_onesided: bool = True, boundary: bool = True, time_axis: int = -1,
          freq_axis: int = -2) -> tuple[Array, Array]:
    """The inverse of `stft`.

    Args:
        Zxx: complex array with an axis of frequencies and one of segments.
        fs: the sampling frequency.
        window: as for `stft`.
        nperseg: length of a segment; by default what the number of frequencies tells.
        noverlap: by how much segments overlap; half their length by default.
        nfft: length of the transforms; that of the segments by default.
        input_onesided: whether negative frequencies are left out.
        boundary: whether `stft` extended the signal, which is then cut.
        time_axis: the axis of segments.
        freq_axis: the axis of frequencies.

    Returns:
        `(times, x)`, where `x` has its signals last.

    Raises:
        ArgumentValueError: the lengths do not fit each other, or both axes are the same.
        ArgumentValueError: there is no window of that name.
        MissingPackageError: only SciPy makes this window, and it is not installed.
    """
    function = "jsp.signal.istft"
    [z] = inexact(function, Zxx)
    if z.ndim < 2:
        raise ArgumentValueError(says=f"`istft` was given {z.aval.str_short()}.", why="it has frequencies and segments")
    time, frequency = one_axis(time_axis, z.ndim, function), one_axis(freq_axis, z.ndim, function)
    if time == frequency:
        raise ArgumentValueError(says=f"`istft` was given time_axis={time_axis} and freq_axis={freq_axis}.",
                                 why="frequencies and segments are two axes")
    z = jnp.moveaxis(z, (time, frequency), (-2, -1))
    implied = 2 * (z.shape[-1] - 1) if input_onesided else z.shape[-1]
    length = implied if nperseg is None else int(nperseg)
    if nfft is None and input_onesided and length == implied + 1:
        implied = length  # an odd transform has as many frequencies
    cut = _segments(function, length, noverlap, implied if nfft is None else nfft)
    weights, _ = _window(function, window, length)
    pieces = (fft.irfft if input_onesided else fft.ifft)(z, n=cut.transform, axis=-1)[..., :length]
    weights = weights.astype(jnp.real(pieces).dtype)
    count = pieces.shape[-2]
    size = length + (count - 1) * cut.step
    places = np.arange(count)[:, None] * cut.step + np.arange(length)
    total = jnp.zeros((*pieces.shape[:-2], size), pieces.dtype).at[..., places].add(
        pieces * (weights * jnp.sum(weights)).reshape((1,) * (pieces.ndim - 1) + (-1,)))
    norm = jnp.zeros(size, weights.dtype).at[places].add(jnp.broadcast_to(weights * weights, (count, length)))
    if boundary:
        inner = slice(length // 2, size - length // 2)
        total, norm = total[..., inner], norm[inner]
    found = total / jnp.where(norm > 1e-10, norm, 1).reshape((1,) * (total.ndim - 1) + (-1,))
    return strong(jnp.arange(0., found.shape[-1]) / fs), found


__all__ = ["csd", "istft", "stft", "welch"]
