"""The generalised normal distribution: `jax.scipy.stats.gennorm`.

Density `beta exp(-|x|**beta) / (2 gamma(1/beta))`.
"""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.incomplete import igamma
from perspicax.lax.special import lgamma
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, beta: Any) -> Any:
    return jnp.log(.5 * beta) - lgamma(1 / beta) - jnp.abs(x) ** beta


def _cdf(x: Any, beta: Any) -> Any:
    return .5 * (1 + jnp.sign(x) * igamma(*jnp.broadcast_arrays(1 / beta, jnp.abs(x) ** beta)))


_pdf = exponential(_logpdf)

_ABOUT = {"beta": "the shape parameter, positive: 1 is the Laplace distribution, 2 a normal one."}
cdf = member("gennorm", "cdf", _cdf, _ABOUT)
logpdf = member("gennorm", "logpdf", _logpdf, _ABOUT)
pdf = member("gennorm", "pdf", _pdf, _ABOUT)

__all__ = ["cdf", "logpdf", "pdf"]

publish(__name__)
