"""The beta-binomial distribution: `jax.scipy.stats.betabinom`.

The binomial distribution whose probability follows the beta distribution.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.special.gammas import log_beta
from perspicax.scipy.stats.arguments import exponential, member


def _logpmf(k: Any, n: Any, a: Any, b: Any, loc: Any) -> Any:
    y = k - loc
    choices = -jnp.log1p(n) - log_beta(n - y + 1, y + 1)
    found = choices + log_beta(y + a, n - y + b) - log_beta(a, b)
    found = jnp.where((y < 0) | (y > n), -np.inf, found)
    return jnp.where((n < 0) | (a < 0) | (b < 0), np.nan, found)


_pmf = exponential(_logpmf)

_ABOUT = {"n": "how many trials.", "a": "the first shape parameter, positive.", "b": "the second, positive."}
logpmf = member("betabinom", "logpmf", _logpmf, _ABOUT)
pmf = member("betabinom", "pmf", _pmf, _ABOUT)

__all__ = ["logpmf", "pmf"]

publish(__name__)
