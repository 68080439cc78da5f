"""The logistic distribution: `jax.scipy.stats.logistic`.

Cumulative distribution function `1 / (1 + exp(-z))` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.transcendental import logistic
from perspicax.scipy.special.entropies import log_odds
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    size = jnp.abs((x - loc) / scale)  # the density is even
    return -size - 2 * jnp.log1p(jnp.exp(-size)) - jnp.log(scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return logistic((x - loc) / scale)


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return logistic((loc - x) / scale)


def _ppf(x: Any, loc: Any, scale: Any) -> Any:
    return log_odds(x) * scale + loc


def _isf(x: Any, loc: Any, scale: Any) -> Any:
    return loc - log_odds(x) * scale


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
    return evaluated("jsp.stats.logistic.cdf", _cdf, x, loc, scale)


def isf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The inverse of the survival function.

    Args:
        x: real array of probabilities.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.logistic.isf", _isf, x, loc, scale)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.logistic.logpdf", _logpdf, x, loc, scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.logistic.pdf", _pdf, x, loc, scale)


def ppf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The quantile function, the inverse of `cdf`.

    Args:
        x: real array of probabilities.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.logistic.ppf", _ppf, x, loc, scale)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.logistic.sf", _sf, x, loc, scale)


__all__ = ["cdf", "isf", "logpdf", "pdf", "ppf", "sf"]

publish(__name__)
