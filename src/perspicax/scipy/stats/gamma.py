"""The gamma distribution: `jax.scipy.stats.gamma`.

Density `z**(a-1) exp(-z) / (scale gamma(a))` with `z = (x - loc)/scale`, not negative.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.incomplete import igamma, igammac
from perspicax.lax.special import lgamma
from perspicax.scipy.special.entropies import x_log_y
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    inside = x >= loc
    z = jnp.where(inside, (x - loc) / scale, 1)
    return jnp.where(inside, x_log_y(a - 1, z) - z - lgamma(a) - jnp.log(scale), -np.inf)


def _operands(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return jnp.broadcast_arrays(a, jnp.maximum((x - loc) / scale, 0))


def _cdf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return igamma(*_operands(x, a, loc, scale))


def _sf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return igammac(*_operands(x, a, loc, scale))


def _logcdf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, a, loc, scale))


def _logsf(x: Any, a: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_sf(x, a, loc, scale))


_pdf = exponential(_logpdf)


def cdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The cumulative distribution function.

    Args:
        x: real array of any shape.
        a: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gamma.cdf", _cdf, x, a, loc, scale)


def logcdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the cumulative distribution function.

    Args:
        x: real array of any shape.
        a: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gamma.logcdf", _logcdf, x, a, loc, scale)


def logpdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        a: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gamma.logpdf", _logpdf, x, a, loc, scale)


def logsf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the survival function.

    Args:
        x: real array of any shape.
        a: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gamma.logsf", _logsf, x, a, loc, scale)


def pdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        a: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gamma.pdf", _pdf, x, a, loc, scale)


def sf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        a: the shape parameter, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.gamma.sf", _sf, x, a, loc, scale)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(__name__)
