"""The Laplace distribution: `jax.scipy.stats.laplace`.

Density `exp(-|z|) / (2 scale)` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    return -jnp.abs(x - loc) / scale - jnp.log(2 * scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    tail = .5 * jnp.exp(-jnp.abs(z))
    return jnp.where(z < 0, tail, 1 - tail)


_pdf = exponential(_logpdf)


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The cumulative distribution function.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.laplace.cdf", _cdf, x, loc, scale)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.laplace.logpdf", _logpdf, x, loc, scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.laplace.pdf", _pdf, x, loc, scale)


__all__ = ["cdf", "logpdf", "pdf"]

publish(__name__)
