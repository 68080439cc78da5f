"""The von Mises distribution: `jax.scipy.stats.vonmises`.

Density `exp(kappa cos(x)) / (2 pi i0(kappa))` on the circle.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.lax.special import bessel_i0e
from perspicax.scipy.stats.arguments import exponential, member


def _logpdf(x: Any, kappa: Any) -> Any:
    found = kappa * (jnp.cos(x) - 1) - jnp.log(2 * math.pi * bessel_i0e(kappa))
    return jnp.where(kappa > 0, found, np.nan)


_pdf = exponential(_logpdf)

_ABOUT = {"kappa": "the concentration, positive."}
logpdf = member("vonmises", "logpdf", _logpdf, _ABOUT)
pdf = member("vonmises", "pdf", _pdf, _ABOUT)

__all__ = ["logpdf", "pdf"]

publish(__name__)
