"""Signals with SciPy's signatures: `jax.scipy.signal`."""
from perspicax.diagnose.facade import publish as _publish
from perspicax.scipy.signal.convolving import convolve, convolve2d, correlate, correlate2d, fftconvolve
from perspicax.scipy.signal.spectra import csd, istft, stft, welch
from perspicax.scipy.signal.trends import detrend

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "csd", "detrend", "fftconvolve", "istft", "stft", "welch"]

_publish(__name__)
