"""The Pareto distribution: `jax.scipy.stats.pareto`.

Density `b / (scale z**(b+1))` with `z = (x - loc)/scale`, at least 1.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import exponential, member


def _log_ratio(x: Any, loc: Any, scale: Any) -> Any:
    """log z, and 0 below the least value."""
    z = (x - loc) / scale
    return jnp.log(jnp.where(z < 1, 1, z))


def _logpdf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    found = jnp.log(b) - jnp.log(scale) - (b + 1) * _log_ratio(x, loc, scale)
    return jnp.where(x - loc < scale, -np.inf, found)


def _cdf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return -jnp.expm1(-b * _log_ratio(x, loc, scale))


def _sf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(-b * _log_ratio(x, loc, scale))


def _logcdf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, b, loc, scale))


def _logsf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return -b * _log_ratio(x, loc, scale)


def _ppf(q: Any, b: Any, loc: Any, scale: Any) -> Any:
    found = loc + scale * jnp.exp(-jnp.log1p(-q) / b)
    return jnp.where((q < 0) | (q > 1), np.nan, found)


_pdf = exponential(_logpdf)

_ABOUT = {"b": "the shape parameter, positive."}
cdf = member("pareto", "cdf", _cdf, _ABOUT)
logcdf = member("pareto", "logcdf", _logcdf, _ABOUT)
logpdf = member("pareto", "logpdf", _logpdf, _ABOUT)
logsf = member("pareto", "logsf", _logsf, _ABOUT)
pdf = member("pareto", "pdf", _pdf, _ABOUT)
ppf = member("pareto", "ppf", _ppf, _ABOUT)
sf = member("pareto", "sf", _sf, _ABOUT)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
