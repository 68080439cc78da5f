"""The von Mises distribution: `jax.scipy.stats.vonmises`.

Density `exp(kappa cos(x)) / (2 pi i0(kappa))` on the circle.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.special import bessel_i0e
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, kappa: Any) -> Any:
    found = kappa * (jnp.cos(x) - 1) - jnp.log(2 * math.pi * bessel_i0e(kappa))
    return jnp.where(kappa > 0, found, np.nan)


_pdf = exponential(_logpdf)


def logpdf(x: Any, kappa: Any) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        kappa: the concentration, positive.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.vonmises.logpdf", _logpdf, x, kappa)


def pdf(x: Any, kappa: Any) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        kappa: the concentration, positive.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.vonmises.pdf", _pdf, x, kappa)


__all__ = ["logpdf", "pdf"]

publish(__name__)
