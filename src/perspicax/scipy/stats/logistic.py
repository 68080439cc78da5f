"""The logistic distribution: `jax.scipy.stats.logistic`.

Cumulative distribution function `1 / (1 + exp(-z))` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.transcendental import logistic
from perspicax.scipy.special.entropies import log_odds
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    size = jnp.abs((x - loc) / scale)  # the density is even
    return -size - 2 * jnp.log1p(jnp.exp(-size)) - jnp.log(scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return logistic((x - loc) / scale)


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return logistic((loc - x) / scale)


def _ppf(x: Any, loc: Any, scale: Any) -> Any:
    return log_odds(x) * scale + loc


def _isf(x: Any, loc: Any, scale: Any) -> Any:
    return loc - log_odds(x) * scale


_pdf = exponential(_logpdf)

_ABOUT = {"x": "real array of probabilities."}
cdf = member("logistic", "cdf", _cdf)
isf = member("logistic", "isf", _isf, _ABOUT)
logpdf = member("logistic", "logpdf", _logpdf)
pdf = member("logistic", "pdf", _pdf)
ppf = member("logistic", "ppf", _ppf, _ABOUT)
sf = member("logistic", "sf", _sf)

__all__ = ["cdf", "isf", "logpdf", "pdf", "ppf", "sf"]

publish(__name__)
