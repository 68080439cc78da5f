"""The right-skewed Gumbel distribution: `jax.scipy.stats.gumbel_r`.

Cumulative distribution function `exp(-exp(-z))` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import evaluated, exponential


def _held(found: Any, scale: Any) -> Any:
    return jnp.where(scale > 0, found, np.nan)


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    return _held(-z - jnp.exp(-z) - jnp.log(scale), scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(_logcdf(x, loc, scale))


def _sf(x: Any, loc: Any, scale: Any) -> Any:
    return -jnp.expm1(_logcdf(x, loc, scale))


def _logcdf(x: Any, loc: Any, scale: Any) -> Any:
    return _held(-jnp.exp((loc - x) / scale), scale)


def _logsf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_sf(x, loc, scale))


def _ppf(p: Any, loc: Any, scale: Any) -> Any:
    found = loc - scale * jnp.log(-jnp.log(p))
    return _held(jnp.where((p > 0) & (p < 1), found, np.nan), scale)


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
    return evaluated("jsp.stats.gumbel_r.cdf", _cdf, x, loc, scale)


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the cumulative distribution function.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gumbel_r.logcdf", _logcdf, x, loc, scale)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gumbel_r.logpdf", _logpdf, x, loc, scale)


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the survival function.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gumbel_r.logsf", _logsf, x, loc, scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gumbel_r.pdf", _pdf, x, loc, scale)


def ppf(p: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The quantile function, the inverse of `cdf`.

    Args:
        p: real array of probabilities.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gumbel_r.ppf", _ppf, p, loc, scale)


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gumbel_r.sf", _sf, x, loc, scale)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "ppf", "sf"]

publish(__name__)
