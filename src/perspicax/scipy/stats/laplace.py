"""The Laplace distribution: `jax.scipy.stats.laplace`.

Density `exp(-|z|) / (2 scale)` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    return -jnp.abs(x - loc) / scale - jnp.log(2 * scale)


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    tail = .5 * jnp.exp(-jnp.abs(z))
    return jnp.where(z < 0, tail, 1 - tail)


_pdf = exponential(_logpdf)

cdf = member("laplace", "cdf", _cdf)
logpdf = member("laplace", "logpdf", _logpdf)
pdf = member("laplace", "pdf", _pdf)

__all__ = ["cdf", "logpdf", "pdf"]

publish(__name__)
