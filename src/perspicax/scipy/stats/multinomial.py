"""The multinomial distribution: `jax.scipy.stats.multinomial`.

Probability of how often each of several outcomes comes in `n` trials.
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
from perspicax.numpy.promote import array_like
from perspicax.scipy.special.entropies import x_log_y
from perspicax.scipy.special.operands import floating
from perspicax.scipy.stats.arguments import exponential


def _operands(function: str, x: Any, n: Any, p: Any) -> tuple[Any, Any, Any]:
    x, n = [asarray(array_like(v, function, i)) for i, v in enumerate((x, n))]
    for name, v in (("x", x), ("n", n)):
        if v.dtype.kind not in "iu":
            raise ArgumentValueError(says=f"`{function}` was given {name} of type {v.aval.str_short()}.",
                                     why="counts are integers")
    [p] = floating(function, p)
    return x, n, p


def _logpmf(x: Any, n: Any, p: Any) -> Any:
    counts, trials = x.astype(p.dtype), n.astype(p.dtype)
    parts = x_log_y(*jnp.broadcast_arrays(counts, p)) - lgamma(counts + 1)
    return jnp.where(jnp.sum(x) == n, lgamma(trials + 1) + jnp.sum(parts, axis=-1), -np.inf)


_pmf = exponential(_logpmf)


def logpmf(x: Any, n: Any, p: Any) -> Array:
    """The logarithm of the probability.

    Args:
        x: integers `[k]`, how often each outcome comes.
        n: integer, how many trials there are.
        p: real array `[k]`, the probability of each outcome.

    Returns:
        Floating scalar; `-inf` unless `x` adds up to `n`.

    Raises:
        ArgumentValueError: `x` or `n` is not of an integer dtype.
    """
    return fused_call(_logpmf, _operands("jsp.stats.multinomial.logpmf", x, n, p))


def pmf(x: Any, n: Any, p: Any) -> Array:
    """The probability; arguments as for `logpmf`."""
    return fused_call(_pmf, _operands("jsp.stats.multinomial.pmf", x, n, p))

__all__ = ["logpmf", "pmf"]

publish(__name__)
