"""The negative binomial distribution: `jax.scipy.stats.nbinom`.

Probability of `k` failures before success number `n`.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.special import lgamma
from perspicax.scipy.special.entropies import x_log1p_y, x_log_y
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpmf(k: Any, n: Any, p: Any, loc: Any) -> Any:
    y = k - loc
    choices = lgamma(y + n) - lgamma(n) - lgamma(y + 1)
    return jnp.where(y < 0, -np.inf, choices + x_log_y(n, p) + x_log1p_y(y, -p))


_pmf = exponential(_logpmf)


def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
    """The logarithm of the probability.

    Args:
        k: array of whole numbers, of any shape.
        n: how many successes are waited for.
        p: probability of success.
        loc: where the distribution is moved to.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.nbinom.logpmf", _logpmf, k, n, p, loc)


def pmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Array:
    """The probability.

    Args:
        k: array of whole numbers, of any shape.
        n: how many successes are waited for.
        p: probability of success.
        loc: where the distribution is moved to.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.nbinom.pmf", _pmf, k, n, p, loc)


__all__ = ["logpmf", "pmf"]

publish(__name__)
