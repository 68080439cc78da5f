"""The binomial distribution: `jax.scipy.stats.binom`.

Probability `comb(n, k) p**k (1 - p)**(n - k)`.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.special import lgamma
from perspicax.scipy.special.entropies import x_log1p_y, x_log_y
from perspicax.scipy.stats.arguments import exponential, member


def _logpmf(k: Any, n: Any, p: Any, loc: Any) -> Any:
    y = k - loc
    choices = lgamma(n + 1) - lgamma(y + 1) - lgamma(n - y + 1)
    found = choices + x_log_y(y, p) + x_log1p_y(n - y, -p)
    found = jnp.where((y >= 0) & (y <= n), found, -np.inf)
    return jnp.where((p >= 0) & (p <= 1) & (n >= 0), found, np.nan)


_pmf = exponential(_logpmf)

_ABOUT = {"n": "how many trials.", "p": "probability of success."}
logpmf = member("binom", "logpmf", _logpmf, _ABOUT)
pmf = member("binom", "pmf", _pmf, _ABOUT)

__all__ = ["logpmf", "pmf"]

publish(__name__)
