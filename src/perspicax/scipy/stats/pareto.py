"""The Pareto distribution: `jax.scipy.stats.pareto`.

Density `b / (scale z**(b+1))` with `z = (x - loc)/scale`, at least 1.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import evaluated, exponential


def _log_ratio(x: Any, loc: Any, scale: Any) -> Any:
    """log z, and 0 below the least value."""
    z = (x - loc) / scale
    return jnp.log(jnp.where(z < 1, 1, z))


def _logpdf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    found = jnp.log(b) - jnp.log(scale) - (b + 1) * _log_ratio(x, loc, scale)
    return jnp.where(x - loc < scale, -np.inf, found)


def _cdf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return -jnp.expm1(-b * _log_ratio(x, loc, scale))


def _sf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(-b * _log_ratio(x, loc, scale))


def _logcdf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, b, loc, scale))


def _logsf(x: Any, b: Any, loc: Any, scale: Any) -> Any:
    return -b * _log_ratio(x, loc, scale)


def _ppf(q: Any, b: Any, loc: Any, scale: Any) -> Any:
    found = loc + scale * jnp.exp(-jnp.log1p(-q) / b)
    return jnp.where((q < 0) | (q > 1), np.nan, found)


_pdf = exponential(_logpdf)


def cdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The cumulative distribution function.

    Args:
        x: real array of any shape.
        b: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.pareto.cdf", _cdf, x, b, loc, scale)


def logcdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the cumulative distribution function.

    Args:
        x: real array of any shape.
        b: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.pareto.logcdf", _logcdf, x, b, loc, scale)


def logpdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        b: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.pareto.logpdf", _logpdf, x, b, loc, scale)


def logsf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the survival function.

    Args:
        x: real array of any shape.
        b: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.pareto.logsf", _logsf, x, b, loc, scale)


def pdf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        b: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.pareto.pdf", _pdf, x, b, loc, scale)


def ppf(q: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The quantile function, the inverse of `cdf`.

    Args:
        q: real array of probabilities.
        b: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.pareto.ppf", _ppf, q, b, loc, scale)


def sf(x: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        b: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.pareto.sf", _sf, x, b, loc, scale)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
