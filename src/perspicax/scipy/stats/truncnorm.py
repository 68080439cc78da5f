"""The normal distribution between two limits: `jax.scipy.stats.truncnorm`.

The density of the normal distribution between `loc + a scale` and `loc + b scale`, brought to the integral 1.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.diagnose.facade import publish
from perspicax.scipy.special.normal import log_normal_cdf, normal_cdf
from perspicax.scipy.special.operands import strong
from perspicax.scipy.stats.arguments import exponential, member


def _log_difference(x: Any, y: Any) -> Any:
    """log(exp(x) - exp(y))."""
    return x + jnp.log(-jnp.expm1(jnp.where(x == y, -np.inf, y - x)))


def _log_mass(a: Any, b: Any) -> Any:
    """The logarithm of the normal probability between `a` and `b`, by the tail that they are in."""
    left, right = b <= 0, a > 0
    low = jnp.where(right, -b, jnp.where(left, a, -1.))
    high = jnp.where(right, -a, jnp.where(left, b, -.5))
    in_tail = _log_difference(log_normal_cdf(high), log_normal_cdf(low))
    outer = left | right
    middle = jnp.log1p(-normal_cdf(jnp.where(outer, -1., a)) - normal_cdf(jnp.where(outer, -1., -b)))
    return jnp.where(outer, in_tail, middle)


def _logpdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    z = (x - loc) / scale
    found = -.5 * z * z - .5 * math.log(2 * math.pi) - _log_mass(a, b) - jnp.log(scale)
    return _held(jnp.where((z < a) | (z > b), -np.inf, found), a, b)


def _held(found: Any, a: Any, b: Any) -> Any:
    return strong(jnp.where(a < b, found, np.nan))


def _log_share(z: Any, a: Any, b: Any) -> Any:
    """log of the share between `a` and `z`: next to 1 by what is left."""
    inner = jnp.where((z > a) & (z < b), z, .5 * (jnp.where(a == -np.inf, b, a) + jnp.where(b == np.inf, a, b)))
    inner = jnp.where(jnp.isfinite(inner), inner, 0)
    whole = _log_mass(a, b)
    share = _log_mass(a, inner) - whole
    rest = _log_mass(inner, b) - whole
    found = jnp.where(share > -.1, jnp.log1p(-jnp.exp(rest)), share)
    return jnp.where(z <= a, -np.inf, jnp.where(z >= b, 0, found))


def _logcdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return _held(_log_share((x - loc) / scale, a, b), a, b)


def _logsf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return _held(_log_share((loc - x) / scale, -b, -a), a, b)


def _cdf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(_logcdf(x, a, b, loc, scale))


def _sf(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    return jnp.exp(_logsf(x, a, b, loc, scale))


_pdf = exponential(_logpdf)

_ABOUT = {"a": "the lower limit, in units of `scale` from `loc`.", "b": "the upper limit, in the same units."}
cdf = member("truncnorm", "cdf", _cdf, _ABOUT)
logcdf = member("truncnorm", "logcdf", _logcdf, _ABOUT)
logpdf = member("truncnorm", "logpdf", _logpdf, _ABOUT)
logsf = member("truncnorm", "logsf", _logsf, _ABOUT)
pdf = member("truncnorm", "pdf", _pdf, _ABOUT)
sf = member("truncnorm", "sf", _sf, _ABOUT)

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(__name__)
