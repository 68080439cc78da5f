"""The Poisson distribution: `jax.scipy.stats.poisson`.

Probability `mu**k exp(-mu) / k!`.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.incomplete import igammac
from perspicax.lax.special import lgamma
from perspicax.scipy.special.entropies import x_log_y
from perspicax.scipy.special.operands import strong
from perspicax.scipy.stats.arguments import exponential, member

MOST_SUMMED = 100.  # beyond this rate the entropy's asymptotic series is exact to the dtype
OUTCOMES = 300


def _logpmf(k: Any, mu: Any, loc: Any) -> Any:
    y = k - loc
    found = x_log_y(y, mu) - lgamma(y + 1) - mu
    return jnp.where((y < 0) | (y != jnp.floor(y)), -np.inf, found)


def _cdf(k: Any, mu: Any, loc: Any) -> Any:
    y = k - loc
    found = igammac(*jnp.broadcast_arrays(jnp.floor(jnp.maximum(y, 0)) + 1, mu))
    return jnp.where(y < 0, 0, found)


def _entropy(mu: Any, loc: Any) -> Any:
    """mu (1 - log mu) + E[log k!], summed; for large rates by Evans and Boersma, IEEE Trans. Inf. Theory 34, 1988."""
    mu = jnp.broadcast_arrays(mu, loc)[0]
    large = mu > MOST_SUMMED
    some = jnp.where((mu > 0) & ~large, mu, 1)
    k = jnp.arange(OUTCOMES, dtype=mu.dtype)
    log_factorial = lgamma(k + 1)
    rate = jnp.expand_dims(some, -1)
    expected = jnp.sum(jnp.exp(k * jnp.log(rate) - rate - log_factorial) * log_factorial, axis=-1)
    inverse = 1 / jnp.where(large, mu, MOST_SUMMED)
    series = .5 * jnp.log(2 * math.pi * math.e / inverse) - inverse * (1 / 12 + inverse * (1 / 24 + inverse * (19 / 360)))
    found = jnp.where(large, series, some * (1 - jnp.log(some)) + expected)
    return strong(jnp.where(mu == 0, 0, jnp.where(mu > 0, found, np.nan)))


_pmf = exponential(_logpmf)

_ABOUT = {"mu": "the rate, not negative."}
cdf = member("poisson", "cdf", _cdf, _ABOUT)
entropy = member("poisson", "entropy", _entropy, {**_ABOUT, "mu": "the rate, real array of any shape."})
logpmf = member("poisson", "logpmf", _logpmf, _ABOUT)
pmf = member("poisson", "pmf", _pmf, _ABOUT)

__all__ = ["cdf", "entropy", "logpmf", "pmf"]

publish(__name__)
