"""The beta distribution: `jax.scipy.stats.beta`.

Density `z**(a-1) (1-z)**(b-1) / (scale B(a, b))` with `z = (x - loc)/scale` from 0 to 1.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.incomplete import betainc
from perspicax.scipy.special.entropies import x_log1p_y, x_log_y
from perspicax.scipy.special.gammas import log_beta
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    found = x_log_y(a - 1, z) + x_log1p_y(b - 1, -z) - log_beta(a, b) - jnp.log(scale)
    return jnp.where((z < 0) | (z > 1), -np.inf, found)


def _cdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    z = jnp.clip((x - loc) / scale, 0, 1)
    return betainc(*jnp.broadcast_arrays(a, b, z))


def _sf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    z = jnp.clip((x - loc) / scale, 0, 1)
    return betainc(*jnp.broadcast_arrays(b, a, 1 - z))


def _logcdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_cdf(x, a, b, loc, scale))


def _logsf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.log(_sf(x, a, b, loc, scale))


_pdf = exponential(_logpdf)


def cdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The cumulative distribution function.

    Args:
        x: real array of any shape.
        a: the first shape parameter, positive.
        b: the second, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.beta.cdf", _cdf, x, a, b, loc, scale)


def logcdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the cumulative distribution function.

    Args:
        x: real array of any shape.
        a: the first shape parameter, positive.
        b: the second, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.beta.logcdf", _logcdf, x, a, b, loc, scale)


def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        a: the first shape parameter, positive.
        b: the second, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.beta.logpdf", _logpdf, x, a, b, loc, scale)


def logsf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the survival function.

    Args:
        x: real array of any shape.
        a: the first shape parameter, positive.
        b: the second, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.beta.logsf", _logsf, x, a, b, loc, scale)


def pdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        a: the first shape parameter, positive.
        b: the second, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.beta.pdf", _pdf, x, a, b, loc, scale)


def sf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        a: the first shape parameter, positive.
        b: the second, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.beta.sf", _sf, x, a, b, loc, scale)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(__name__)
