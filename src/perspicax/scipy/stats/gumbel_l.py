"""The left-skewed Gumbel distribution: `jax.scipy.stats.gumbel_l`.

Cumulative distribution function `1 - exp(-exp(z))` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import exponential, member


def _held(found: Any, scale: Any) -> Any:
    return jnp.where(scale > 0, found, np.nan)


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    return _held(z - jnp.exp(z) - jnp.log(scale), scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return _held(-jnp.expm1(-jnp.exp((x - loc) / scale)), scale)


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(_logsf(x, loc, scale))


def _logcdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, loc, scale))


def _logsf(x: Any, loc: Any, scale: Any) -> Any:
    return _held(-jnp.exp((x - loc) / scale), scale)


def _ppf(p: Any, loc: Any, scale: Any) -> Any:
    found = loc + scale * jnp.log(-jnp.log1p(-p))
    return _held(jnp.where((p > 0) & (p < 1), found, np.nan), scale)


_pdf = exponential(_logpdf)

_ABOUT = {"p": "real array of probabilities."}
cdf = member("gumbel_l", "cdf", _cdf)
logcdf = member("gumbel_l", "logcdf", _logcdf)
logpdf = member("gumbel_l", "logpdf", _logpdf)
logsf = member("gumbel_l", "logsf", _logsf)
pdf = member("gumbel_l", "pdf", _pdf)
ppf = member("gumbel_l", "ppf", _ppf, _ABOUT)
sf = member("gumbel_l", "sf", _sf)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
