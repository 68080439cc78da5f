"""The multivariate normal distribution: `jax.scipy.stats.multivariate_normal`."""
from __future__ import annotations

import math
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax import linalg
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like, broadcast_shape_of, promote_dtypes
from perspicax.scipy.stats.arguments import exponential


def _operands(function: str, x: Any, mean: Any, cov: Any) -> tuple[Any, Any, Any]:
    given = [array_like(v, function, i) for i, v in enumerate((x, mean, cov))]
    x, mean, cov = [asarray(v) for v in promote_dtypes(*given, inexact=True)]
    if mean.ndim > 0:
        n = mean.shape[-1]
        if cov.ndim < 2 or cov.shape[-2:] != (n, n):
            raise ArgumentValueError(
                says=f"`{function}` was given a mean {mean.aval.str_short()} and a covariance {cov.aval.str_short()}.",
                why=f"for means of {n} entries covariances are matrices {n} by {n}")
    elif cov.ndim > 0:
        raise ArgumentValueError(says=f"`{function}` was given one mean and a covariance {cov.aval.str_short()}.",
                                 why="with a covariance matrix the mean is a vector")
    broadcast_shape_of("sub", (x.aval, mean.aval))
    return x, mean, cov


def _logpdf(x: Any, mean: Any, cov: Any) -> Any:
    if mean.ndim == 0:
        return -.5 * (x - mean) ** 2 / cov - .5 * jnp.log(2 * math.pi * cov)
    n = mean.shape[-1]
    factor = linalg.cholesky(cov)
    away = jnp.broadcast_to(x - mean, jnp.broadcast_shapes((x - mean).shape, cov.shape[:-1]))
    factor = jnp.broadcast_to(factor, (*away.shape, n))
    solved = linalg.triangular_solve(factor, away[..., None], left_side=True, lower=True)[..., 0]
    log_volume = jnp.sum(jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)), axis=-1)
    return -.5 * jnp.sum(solved * solved, axis=-1) - .5 * n * math.log(2 * math.pi) - log_volume


_pdf = exponential(_logpdf)


def logpdf(x: Any, mean: Any, cov: Any, allow_singular: None = None) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array `[..., n]`, or of any shape for one dimension.
        mean: `[..., n]`, or a scalar.
        cov: symmetric positive definite matrices `[..., n, n]`, or a scalar, the variance.
        allow_singular: is not served.

    Returns:
        Floating array of the leading axes, which broadcast; of the shape of `x` for one dimension.

    Raises:
        UnsupportedArgumentError: `allow_singular` is given.
        ArgumentValueError: the sizes of `mean` and `cov` do not fit.
        BroadcastError: `x` and `mean` do not broadcast.
    """
    if allow_singular is not None:
        raise UnsupportedArgumentError(function="jsp.stats.multivariate_normal.logpdf", argument="allow_singular",
                                       why="the density is taken from a Cholesky factor, which a singular matrix has not")
    return fused_call(_logpdf, _operands("jsp.stats.multivariate_normal.logpdf", x, mean, cov))


def pdf(x: Any, mean: Any, cov: Any) -> Array:
    """The probability density; arguments as for `logpdf`."""
    return fused_call(_pdf, _operands("jsp.stats.multivariate_normal.pdf", x, mean, cov))

__all__ = ["logpdf", "pdf"]

publish(__name__)
