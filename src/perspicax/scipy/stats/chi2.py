"""The chi-squared distribution: `jax.scipy.stats.chi2`.

The gamma distribution of shape `df/2`, stretched by 2.
"""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats import gamma
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    found = gamma._logpdf(x, .5 * df, loc, 2 * scale)
    return jnp.where(jnp.isnan(x), x, found)


def _cdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._cdf(x, .5 * df, loc, 2 * scale)


def _sf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._sf(x, .5 * df, loc, 2 * scale)


def _logcdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._logcdf(x, .5 * df, loc, 2 * scale)


def _logsf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._logsf(x, .5 * df, loc, 2 * scale)


_pdf = exponential(_logpdf)

_ABOUT = {"df": "degrees of freedom, positive."}
cdf = member("chi2", "cdf", _cdf, _ABOUT)
logcdf = member("chi2", "logcdf", _logcdf, _ABOUT)
logpdf = member("chi2", "logpdf", _logpdf, _ABOUT)
logsf = member("chi2", "logsf", _logsf, _ABOUT)
pdf = member("chi2", "pdf", _pdf, _ABOUT)
sf = member("chi2", "sf", _sf, _ABOUT)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(__name__)
