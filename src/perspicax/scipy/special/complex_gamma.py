"""The logarithm of the gamma function as an analytic function, of complex numbers too."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax import special as lax_special
from perspicax.lax.convert import complex as complex_of
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import inexact, is_double

STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
"""B_2k / (2k (2k - 1)), with the Bernoulli numbers of DLMF 24.2."""


def loggamma(x: Any) -> Array:
    """The logarithm of the gamma function: real for positive numbers, and continued analytically off the negative axis.

    Args:
        x: real or complex array of any shape; integers become floating.

    Returns:
        Array of the same shape; NaN for real numbers that are not positive, where `gammaln` gives that of the absolute value.

    By Stirling's series (DLMF 5.11.1) after steps of the recurrence 5.5.1, and left of 1/2 by the reflection 5.5.3, whose
    logarithm is taken on the branch that is continuous in the upper half-plane.

    >>> loggamma(jnp.array(1.))
    Array(0., dtype=float32)
    """
    [x] = inexact("jsp.special.loggamma", x)
    if x.dtype.kind == "c":
        return fused_call(_complex, (x,))
    return fused_call(_real, (x,))


def _real(x: Any) -> Any:
    return jnp.where(x > 0, lax_special.lgamma(x), np.nan)


def _complex(z: Any) -> Any:
    below = z.imag < 0
    z = jnp.where(below, jnp.conj(z), z)
    left = z.real < .5
    found = _right_of_half(jnp.where(left, 1 - z, z))
    w = jnp.where(left, z, .25)
    # log sin(pi w), from sin(pi w) = i/2 exp(-i pi w) (1 - exp(2 i pi w)) with Im w >= 0
    turn = 1j * math.pi * (.5 - w)
    sine = math.log(.5) + turn + jnp.log1p(-_exp_turn(w))
    found = jnp.where(left, math.log(math.pi) - sine - found, found)
    return jnp.where(below, jnp.conj(found), found)


def _exp_turn(w: Any) -> Any:
    """exp(2 i pi w); the real part is brought next to 0 first, where its sine is exact."""
    size = jnp.exp(-2 * math.pi * w.imag)
    angle = 2 * math.pi * (w.real - jnp.round(w.real))
    return complex_of(size * jnp.cos(angle), size * jnp.sin(angle))


def _right_of_half(z: Any) -> Any:
    steps, terms = (12, 8) if is_double(z) else (7, 5)
    logs: Any = 0
    for k in range(steps):
        logs = logs + jnp.log(z + k)                        # each is on the principal branch, and so is their sum
    z = z + steps
    inverse = 1 / z
    square = inverse * inverse
    series: Any = STIRLING[terms - 1]
    for c in reversed(STIRLING[:terms - 1]):
        series = series * square + c
    return (z - .5) * jnp.log(z) - z + .5 * math.log(2 * math.pi) + series * inverse - logs


__all__ = ["loggamma"]
