"""The wrapped Cauchy distribution: `jax.scipy.stats.wrapcauchy`.

Density `(1 - c²) / (2 pi (1 + c² - 2 c cos(x)))` from 0 to 2 pi.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, c: Any) -> Any:
    found = jnp.log1p(-c * c) - jnp.log(2 * math.pi) - jnp.log1p(c * c - 2 * c * jnp.cos(x))
    inside = jnp.where((x >= 0) & (x <= 2 * math.pi), found, -np.inf)
    return jnp.where((c > 0) & (c < 1), inside, np.nan)


_pdf = exponential(_logpdf)

_ABOUT = {"c": "the concentration, between 0 and 1."}
logpdf = member("wrapcauchy", "logpdf", _logpdf, _ABOUT)
pdf = member("wrapcauchy", "pdf", _pdf, _ABOUT)

__all__ = ["logpdf", "pdf"]

publish(__name__)
