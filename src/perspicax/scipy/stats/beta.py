"""The beta distribution: `jax.scipy.stats.beta`.

Density `z**(a-1) (1-z)**(b-1) / (scale B(a, b))` with `z = (x - loc)/scale` from 0 to 1.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.incomplete import betainc
from perspicax.scipy.special.entropies import x_log1p_y, x_log_y
from perspicax.scipy.special.gammas import log_beta
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    found = x_log_y(a - 1, z) + x_log1p_y(b - 1, -z) - log_beta(a, b) - jnp.log(scale)
    return jnp.where((a <= 0) | (b <= 0), np.nan, jnp.where((z < 0) | (z > 1), -np.inf, found))


def _cdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    z = jnp.clip((x - loc) / scale, 0, 1)
    return betainc(*jnp.broadcast_arrays(a, b, z))


def _sf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    z = jnp.clip((x - loc) / scale, 0, 1)
    return betainc(*jnp.broadcast_arrays(b, a, 1 - z))


def _logcdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, a, b, loc, scale))


def _logsf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_sf(x, a, b, loc, scale))


_pdf = exponential(_logpdf)

_ABOUT = {"a": "the first shape parameter, positive.", "b": "the second, positive."}
cdf = member("beta", "cdf", _cdf, _ABOUT)
logcdf = member("beta", "logcdf", _logcdf, _ABOUT)
logpdf = member("beta", "logpdf", _logpdf, _ABOUT)
logsf = member("beta", "logsf", _logsf, _ABOUT)
pdf = member("beta", "pdf", _pdf, _ABOUT)
sf = member("beta", "sf", _sf, _ABOUT)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(__name__)
