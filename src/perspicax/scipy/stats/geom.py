"""The geometric distribution: `jax.scipy.stats.geom`.

Probability `(1 - p)**(k - 1) p` that the first success is at trial `k`, from 1 on.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.special.entropies import x_log1p_y
from perspicax.scipy.stats.arguments import exponential, member


def _logpmf(k: Any, p: Any, loc: Any) -> Any:
    y = k - loc
    return jnp.where(y <= 0, -np.inf, x_log1p_y(y - 1, -p) + jnp.log(p))


_pmf = exponential(_logpmf)

_ABOUT = {"p": "probability of success."}
logpmf = member("geom", "logpmf", _logpmf, _ABOUT)
pmf = member("geom", "pmf", _pmf, _ABOUT)

__all__ = ["logpmf", "pmf"]

publish(__name__)
