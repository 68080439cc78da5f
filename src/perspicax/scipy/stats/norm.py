"""The normal distribution: `jax.scipy.stats.norm`.

Density `exp(-z²/2) / (scale sqrt(2 pi))` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

import math
from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.special.normal import log_normal_cdf, normal_cdf, normal_quantile
from perspicax.scipy.special.operands import strong
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    return -.5 * (z * z + jnp.log(2 * math.pi * scale * scale))


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return strong(normal_cdf((x - loc) / scale))


def _logcdf(x: Any, loc: Any, scale: Any) -> Any:
    return strong(log_normal_cdf((x - loc) / scale))


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return strong(normal_cdf((loc - x) / scale))


def _logsf(x: Any, loc: Any, scale: Any) -> Any:
    return strong(log_normal_cdf((loc - x) / scale))


def _ppf(q: Any, loc: Any, scale: Any) -> Any:
    return strong(normal_quantile(q) * scale + loc)


def _isf(q: Any, loc: Any, scale: Any) -> Any:
    return strong(loc - normal_quantile(q) * scale)


_pdf = exponential(_logpdf)

cdf = member("norm", "cdf", _cdf)
isf = member("norm", "isf", _isf)
logcdf = member("norm", "logcdf", _logcdf)
logpdf = member("norm", "logpdf", _logpdf)
logsf = member("norm", "logsf", _logsf)
pdf = member("norm", "pdf", _pdf)
ppf = member("norm", "ppf", _ppf)
sf = member("norm", "sf", _sf)

__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
