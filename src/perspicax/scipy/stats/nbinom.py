"""The negative binomial distribution: `jax.scipy.stats.nbinom`.

Probability of `k` failures before success number `n`.
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
    choices = lgamma(y + n) - lgamma(n) - lgamma(y + 1)
    return jnp.where(y < 0, -np.inf, choices + x_log_y(n, p) + x_log1p_y(y, -p))


_pmf = exponential(_logpmf)

_ABOUT = {"n": "how many successes are waited for.", "p": "probability of success."}
logpmf = member("nbinom", "logpmf", _logpmf, _ABOUT)
pmf = member("nbinom", "pmf", _pmf, _ABOUT)

__all__ = ["logpmf", "pmf"]

publish(__name__)
