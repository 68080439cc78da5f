"""The geometric distribution: `jax.scipy.stats.geom`.

Probability `(1 - p)**(k - 1) p` that the first success is at trial `k`, from 1 on.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.special.entropies import x_log1p_y
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpmf(k: Any, p: Any, loc: Any) -> Any:
    y = k - loc
    return jnp.where(y <= 0, -np.inf, x_log1p_y(y - 1, -p) + jnp.log(p))


_pmf = exponential(_logpmf)


def logpmf(k: Any, p: Any, loc: Any = 0) -> Array:
    """The logarithm of the probability.

    Args:
        k: array of whole numbers, of any shape.
        p: probability of success.
        loc: where the distribution is moved to.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.geom.logpmf", _logpmf, k, p, loc)


def pmf(k: Any, p: Any, loc: Any = 0) -> Array:
    """The probability.

    Args:
        k: array of whole numbers, of any shape.
        p: probability of success.
        loc: where the distribution is moved to.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.geom.pmf", _pmf, k, p, loc)


__all__ = ["logpmf", "pmf"]

publish(__name__)
