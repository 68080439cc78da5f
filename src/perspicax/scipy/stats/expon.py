"""The exponential distribution: `jax.scipy.stats.expon`.

Density `exp(-z) / scale` with `z = (x - loc)/scale`, not negative.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.where(x < loc, -np.inf, -jnp.log(scale) - (x - loc) / scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return -jnp.expm1(jnp.minimum((loc - x) / scale, 0))


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(_logsf(x, loc, scale))


def _logcdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, loc, scale))


def _logsf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.where(x < loc, 0, (loc - x) / scale)


def _ppf(q: Any, loc: Any, scale: Any) -> Any:
    return jnp.where((q < 0) | (q > 1), np.nan, loc - scale * jnp.log1p(-q))


_pdf = exponential(_logpdf)

cdf = member("expon", "cdf", _cdf)
logcdf = member("expon", "logcdf", _logcdf)
logpdf = member("expon", "logpdf", _logpdf)
logsf = member("expon", "logsf", _logsf)
pdf = member("expon", "pdf", _pdf)
ppf = member("expon", "ppf", _ppf)
sf = member("expon", "sf", _sf)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
