"""The Cauchy distribution: `jax.scipy.stats.cauchy`.

Density `1 / (pi scale (1 + z²))` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

import math
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    return -jnp.log(math.pi * scale) - jnp.log1p(z * z)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return .5 + jnp.arctan((x - loc) / scale) / math.pi


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return _cdf(-x, -loc, scale)


def _logcdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, loc, scale))


def _logsf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(-x, -loc, scale))


def _ppf(q: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * jnp.tan(math.pi * q - math.pi / 2)


def _isf(q: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * jnp.tan(math.pi / 2 - math.pi * q)


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
    return evaluated("jsp.stats.cauchy.cdf", _cdf, x, loc, scale)


def isf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The inverse of the survival function.

    Args:
        q: real array of probabilities.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.cauchy.isf", _isf, q, loc, scale)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the cumulative distribution function.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.cauchy.logcdf", _logcdf, x, loc, scale)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.cauchy.logpdf", _logpdf, x, loc, scale)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the survival function.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.cauchy.logsf", _logsf, x, loc, scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.cauchy.pdf", _pdf, x, loc, scale)


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The quantile function, the inverse of `cdf`.

    Args:
        q: real array of probabilities.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.cauchy.ppf", _ppf, q, loc, scale)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.cauchy.sf", _sf, x, loc, scale)


__all__ = ["cdf", "isf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
