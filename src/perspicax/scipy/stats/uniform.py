"""The uniform distribution: `jax.scipy.stats.uniform`.

Density `1/scale` from `loc` to `loc + scale`.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.where((x < loc) | (x > loc + scale), -np.inf, -jnp.log(scale))


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.where(x < loc, 0, jnp.where(x > loc + scale, 1, (x - loc) / scale))


def _ppf(q: Any, loc: Any, scale: Any) -> Any:
    return jnp.where((q < 0) | (q > 1), np.nan, q * scale + loc)


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
    return evaluated("jsp.stats.uniform.cdf", _cdf, x, loc, scale)


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.uniform.logpdf", _logpdf, x, loc, scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.uniform.pdf", _pdf, x, loc, scale)


def ppf(q: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The quantile function, the inverse of `cdf`.

    Args:
        q: real array of probabilities.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.uniform.ppf", _ppf, q, loc, scale)


__all__ = ["cdf", "logpdf", "pdf", "ppf"]

publish(__name__)
