"""The Bernoulli distribution: `jax.scipy.stats.bernoulli`.

Probability `p` of 1, `1 - p` of 0.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.special.entropies import x_log1p_y, x_log_y
from perspicax.scipy.stats.arguments import exponential, member


def _logpmf(k: Any, p: Any, loc: Any) -> Any:
    y = k - loc
    found = x_log_y(y, p) + x_log1p_y(1 - y, -p)
    return jnp.where((y < 0) | (y > 1), -np.inf, found)


def _cdf(k: Any, p: Any) -> Any:
    found = jnp.where(k < 0, 0, jnp.where(k < 1, 1 - p, 1))
    return jnp.where(_is_probability(p), found, np.nan)


def _ppf(q: Any, p: Any) -> Any:
    found = jnp.where(q <= 1 - p, 0, jnp.ones_like(q))
    return jnp.where(_is_probability(p) & _is_probability(q), found, np.nan)


def _is_probability(p: Any) -> Any:
    return (p >= 0) & (p <= 1)


_pmf = exponential(_logpmf)

_ABOUT = {"p": "probability of 1."}
cdf = member("bernoulli", "cdf", _cdf, _ABOUT)
logpmf = member("bernoulli", "logpmf", _logpmf, _ABOUT)
pmf = member("bernoulli", "pmf", _pmf, _ABOUT)
ppf = member("bernoulli", "ppf", _ppf, _ABOUT)

__all__ = ["cdf", "logpmf", "pmf", "ppf"]

publish(__name__)
