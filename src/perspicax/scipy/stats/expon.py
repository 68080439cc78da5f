"""The exponential distribution: `jax.scipy.stats.expon`.

Density `exp(-z) / scale` with `z = (x - loc)/scale`, not negative.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.where(x < loc, -np.inf, -jnp.log(scale) - (x - loc) / scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return -jnp.expm1(jnp.minimum((loc - x) / scale, 0))


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(_logsf(x, loc, scale))


def _logcdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, loc, scale))


def _logsf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.where(x < loc, 0, (loc - x) / scale)


def _ppf(q: Any, loc: Any, scale: Any) -> Any:
    return jnp.where((q < 0) | (q > 1), np.nan, loc - scale * jnp.log1p(-q))


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
    return evaluated("jsp.stats.expon.cdf", _cdf, x, loc, scale)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the cumulative distribution function.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.expon.logcdf", _logcdf, x, loc, scale)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.expon.logpdf", _logpdf, x, loc, scale)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the survival function.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.expon.logsf", _logsf, x, loc, scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.expon.pdf", _pdf, x, loc, scale)


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The quantile function, the inverse of `cdf`.

    Args:
        q: real array of probabilities.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.expon.ppf", _ppf, q, loc, scale)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.expon.sf", _sf, x, loc, scale)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
