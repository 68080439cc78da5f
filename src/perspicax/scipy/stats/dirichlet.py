"""The Dirichlet distribution: `jax.scipy.stats.dirichlet`.

Density proportional to the product of `x_i**(alpha_i - 1)` on the simplex of numbers that add up to 1.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.special import lgamma
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like, promote_dtypes
from perspicax.scipy.special.entropies import x_log_y
from perspicax.scipy.stats.arguments import exponential

TOLERANCE = 1e-6  # of the sum


def _operands(function: str, x: Any, alpha: Any) -> tuple[Any, Any]:
    given = [array_like(v, function, i) for i, v in enumerate((x, alpha))]
    x, alpha = [asarray(v) for v in promote_dtypes(*given, inexact=True)]
    if alpha.ndim != 1:
        raise ArgumentValueError(says=f"`{function}` was given alpha of type {alpha.aval.str_short()}.",
                                 why="it is a vector, one parameter for each part")
    n = alpha.shape[0]
    if x.ndim == 0 or x.shape[0] not in (n, n - 1):
        raise ArgumentValueError(says=f"`{function}` was given x of type {x.aval.str_short()} for {n} parameters.",
                                 why=f"its first axis has {n} entries, or {n - 1} when the last part is left out")
    return x, alpha


def _logpdf(x: Any, alpha: Any) -> Any:
    if x.shape[0] != alpha.shape[0]:
        x = jnp.concatenate([x, 1 - jnp.sum(x, axis=0, keepdims=True)], axis=0)
    inside = jnp.all(x >= 0, axis=0) & (jnp.abs(jnp.sum(x, axis=0) - 1) < TOLERANCE)
    powers = alpha.reshape((-1,) + (1,) * (x.ndim - 1)) - 1
    constant = lgamma(jnp.sum(alpha)) - jnp.sum(lgamma(alpha))
    return jnp.where(inside, constant + jnp.sum(x_log_y(jnp.broadcast_to(powers, x.shape), x), axis=0), -np.inf)


_pdf = exponential(_logpdf)


def logpdf(x: Any, alpha: Any) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array `[n, ...]`, or `[n - 1, ...]` without the last part, which is what the others leave of 1.
        alpha: vector `[n]` of positive parameters.

    Returns:
        Floating array of the shape of `x` without its first axis; `-inf` outside of the simplex.

    Raises:
        ArgumentValueError: the sizes do not fit.
    """
    return fused_call(_logpdf, _operands("jsp.stats.dirichlet.logpdf", x, alpha))


def pdf(x: Any, alpha: Any) -> Array:
    """The probability density; arguments as for `logpdf`."""
    return fused_call(_pdf, _operands("jsp.stats.dirichlet.pdf", x, alpha))

__all__ = ["logpdf", "pdf"]

publish(__name__)
