"""The Cauchy distribution: `jax.scipy.stats.cauchy`.

Density `1 / (pi scale (1 + z²))` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

import math
from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    return -jnp.log(math.pi * scale) - jnp.log1p(z * z)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return .5 + jnp.arctan((x - loc) / scale) / math.pi


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return _cdf(-x, -loc, scale)


def _logcdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, loc, scale))


def _logsf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(-x, -loc, scale))


def _ppf(q: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * jnp.tan(math.pi * q - math.pi / 2)


def _isf(q: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * jnp.tan(math.pi / 2 - math.pi * q)


_pdf = exponential(_logpdf)

cdf = member("cauchy", "cdf", _cdf)
isf = member("cauchy", "isf", _isf)
logcdf = member("cauchy", "logcdf", _logcdf)
logpdf = member("cauchy", "logpdf", _logpdf)
logsf = member("cauchy", "logsf", _logsf)
pdf = member("cauchy", "pdf", _pdf)
ppf = member("cauchy", "ppf", _ppf)
sf = member("cauchy", "sf", _sf)

__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
