"""The uniform distribution: `jax.scipy.stats.uniform`.

Density `1/scale` from `loc` to `loc + scale`.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.special.operands import strong
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, loc: Any, scale: Any) -> Any:
    return jnp.where((x < loc) | (x > loc + scale), -np.inf, -jnp.log(scale))


def _cdf(x: Any, loc: Any, scale: Any) -> Any:
    return strong(jnp.where(x < loc, 0, jnp.where(x > loc + scale, 1, (x - loc) / scale)))


def _ppf(q: Any, loc: Any, scale: Any) -> Any:
    return jnp.where((q < 0) | (q > 1), np.nan, q * scale + loc)


_pdf = exponential(_logpdf)

cdf = member("uniform", "cdf", _cdf)
logpdf = member("uniform", "logpdf", _logpdf)
pdf = member("uniform", "pdf", _pdf)
ppf = member("uniform", "ppf", _ppf)

__all__ = ["cdf", "logpdf", "pdf", "ppf"]

publish(__name__)
