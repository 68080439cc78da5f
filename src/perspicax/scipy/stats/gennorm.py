"""The generalised normal distribution: `jax.scipy.stats.gennorm`.

Density `beta exp(-|x|**beta) / (2 gamma(1/beta))`.
"""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.incomplete import igamma
from perspicax.lax.special import lgamma
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, beta: Any) -> Any:
    return jnp.log(.5 * beta) - lgamma(1 / beta) - jnp.abs(x) ** beta


def _cdf(x: Any, beta: Any) -> Any:
    return .5 * (1 + jnp.sign(x) * igamma(*jnp.broadcast_arrays(1 / beta, jnp.abs(x) ** beta)))


_pdf = exponential(_logpdf)


def cdf(x: Any, beta: Any) -> Array:
    """The cumulative distribution function.

    Args:
        x: real array of any shape.
        beta: the shape parameter, positive: 1 is the Laplace distribution, 2 a normal one.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gennorm.cdf", _cdf, x, beta)


def logpdf(x: Any, beta: Any) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        beta: the shape parameter, positive: 1 is the Laplace distribution, 2 a normal one.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gennorm.logpdf", _logpdf, x, beta)


def pdf(x: Any, beta: Any) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        beta: the shape parameter, positive: 1 is the Laplace distribution, 2 a normal one.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gennorm.pdf", _pdf, x, beta)


__all__ = ["cdf", "logpdf", "pdf"]

publish(__name__)
