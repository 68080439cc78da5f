"""Student's t distribution: `jax.scipy.stats.t`.

Density proportional to `(1 + z²/df)**(-(df + 1)/2)` with `z = (x - loc)/scale`.
"""
from __future__ import annotations

import math
from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.special import lgamma
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    constant = lgamma(.5 * (df + 1)) - lgamma(.5 * df) - .5 * jnp.log(math.pi * df) - jnp.log(scale)
    return constant - .5 * (df + 1) * jnp.log1p(z * z / df)


_pdf = exponential(_logpdf)

_ABOUT = {"df": "degrees of freedom, positive."}
logpdf = member("t", "logpdf", _logpdf, _ABOUT)
pdf = member("t", "pdf", _pdf, _ABOUT)

__all__ = ["logpdf", "pdf"]

publish(__name__)
