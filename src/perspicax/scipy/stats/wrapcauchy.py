"""The wrapped Cauchy distribution: `jax.scipy.stats.wrapcauchy`.

Density `(1 - c²) / (2 pi (1 + c² - 2 c cos(x)))` from 0 to 2 pi.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, c: Any) -> Any:
    found = jnp.log1p(-c * c) - jnp.log(2 * math.pi) - jnp.log1p(c * c - 2 * c * jnp.cos(x))
    inside = jnp.where((x >= 0) & (x <= 2 * math.pi), found, -np.inf)
    return jnp.where((c > 0) & (c < 1), inside, np.nan)


_pdf = exponential(_logpdf)


def logpdf(x: Any, c: Any) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        c: the concentration, between 0 and 1.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.wrapcauchy.logpdf", _logpdf, x, c)


def pdf(x: Any, c: Any) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        c: the concentration, between 0 and 1.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.wrapcauchy.pdf", _pdf, x, c)


__all__ = ["logpdf", "pdf"]

publish(__name__)
