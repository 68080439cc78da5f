"""The gamma distribution: `jax.scipy.stats.gamma`.

Density `z**(a-1) exp(-z) / (scale gamma(a))` with `z = (x - loc)/scale`, not negative.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.incomplete import igamma, igammac
from perspicax.lax.special import lgamma
from perspicax.scipy.special.entropies import x_log_y
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    inside = x >= loc
    z = jnp.where(inside, (x - loc) / scale, 1)
    return jnp.where(inside, x_log_y(a - 1, z) - z - lgamma(a) - jnp.log(scale), -np.inf)


def _operands(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return jnp.broadcast_arrays(a, jnp.maximum((x - loc) / scale, 0))


def _cdf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return igamma(*_operands(x, a, loc, scale))


def _sf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return igammac(*_operands(x, a, loc, scale))


def _logcdf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, a, loc, scale))


def _logsf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_sf(x, a, loc, scale))


_pdf = exponential(_logpdf)

_ABOUT = {"a": "the shape parameter, positive."}
cdf = member("gamma", "cdf", _cdf, _ABOUT)
logcdf = member("gamma", "logcdf", _logcdf, _ABOUT)
logpdf = member("gamma", "logpdf", _logpdf, _ABOUT)
logsf = member("gamma", "logsf", _logsf, _ABOUT)
pdf = member("gamma", "pdf", _pdf, _ABOUT)
sf = member("gamma", "sf", _sf, _ABOUT)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(__name__)
