"""Student's t distribution: `jax.scipy.stats.t`.

Density proportional to `(1 + z²/df)**(-(df + 1)/2)` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

import math
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.special import lgamma
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    constant = lgamma(.5 * (df + 1)) - lgamma(.5 * df) - .5 * jnp.log(math.pi * df) - jnp.log(scale)
    return constant - .5 * (df + 1) * jnp.log1p(z * z / df)


_pdf = exponential(_logpdf)


def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.t.logpdf", _logpdf, x, df, loc, scale)


def pdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.t.pdf", _pdf, x, df, loc, scale)


__all__ = ["logpdf", "pdf"]

publish(__name__)
