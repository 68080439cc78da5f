"""The normal distribution's functions: `ndtr`, its inverse, its logarithm, and Owen's T."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax.special import erf, erfc
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.faddeeva import scaled_erfc
from perspicax.scipy.special.operands import floating, horner, in_single, single_or_double, strong
from perspicax.transform.custom import custom_jvp

MAX_SERIES_ORDER = 30

# Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37, 1988: numerators and denominators for the middle, the near
# tail and the far tail.
_MIDDLE = ((3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
            4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
           (1., 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
            3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3))
_NEAR = ((1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
          1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
         (1., 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
          1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9))
_FAR = ((6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
         2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
        (1., 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
         1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15))


def ndtr(x: Any) -> Array:
    """The standard normal cumulative distribution function.

    Args:
        x: float32 or float64 array of any shape.

    Returns:
        Array like `x`, from 0 to 1; accurate in the lower tail.

    Raises:
        ArgumentKindError: `x` is of another dtype.

    >>> ndtr(jnp.array(0.))
    Array(0.5, dtype=float32)
    """
    return strong(fused_call(normal_cdf, (single_or_double("jsp.special.ndtr", x),)))


def normal_cdf(x: Any) -> Any:
    scaled = x * math.sqrt(.5)
    size = jnp.abs(scaled)
    tail = erfc(size)
    return .5 * jnp.where(size < math.sqrt(.5), 1 + erf(scaled), jnp.where(scaled > 0, 2 - tail, tail))


def ndtri(p: Any) -> Array:
    """The inverse of `ndtr`.

    Args:
        p: float32 or float64 array of any shape, from 0 to 1.

    Returns:
        Array like `p`; infinite at 0 and 1, NaN beyond.

    Raises:
        ArgumentKindError: `p` is of another dtype.

    Wichura, Algorithm AS 241, Applied Statistics 37, 1988.

    >>> ndtri(jnp.array(0.5))
    Array(0., dtype=float32)
    """
    return strong(fused_call(normal_quantile, (single_or_double("jsp.special.ndtri", p),)))


@custom_jvp
def normal_quantile(p: Any) -> Any:
    q = p - .5
    middle = jnp.abs(q) <= .425
    inner = .180625 - jnp.where(middle, q * q, 0)
    by_middle = q * horner(inner, _MIDDLE[0]) / horner(inner, _MIDDLE[1])
    smaller = jnp.where(q < 0, p, 1 - p)
    inside = (smaller > 0) & ~middle
    r = jnp.sqrt(-jnp.log(jnp.where(inside, smaller, .05)))
    near, far = r - 1.6, r - 5
    tail = jnp.where(r <= 5, horner(near, _NEAR[0]) / horner(near, _NEAR[1]), horner(far, _FAR[0]) / horner(far, _FAR[1]))
    tail = jnp.where(smaller == 0, np.inf, jnp.where(smaller > 0, tail, np.nan))
    return jnp.where(middle, by_middle, jnp.where(q < 0, -tail, tail))


@normal_quantile.defjvp
def _normal_quantile_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    found = normal_quantile(*primals)
    return found, tangents[0] * (math.sqrt(2 * math.pi) * jnp.exp(found * found / 2))


def log_ndtr(x: Any, series_order: int = 3) -> Array:
    """The logarithm of `ndtr`, accurate in both tails.

    Args:
        x: float32 or float64 array of any shape.
        series_order: from 0 to 30. Differs: it has no effect, since no asymptotic series is cut off here; the result is
            accurate to the dtype everywhere.

    Returns:
        Array like `x`, not positive.

    Raises:
        ArgumentKindError: `x` is of another dtype, or `series_order` is no integer.
        ArgumentValueError: `series_order` is not from 0 to 30.

    >>> log_ndtr(jnp.array([0., -100.]))
    Array([-6.931472e-01, -5.005524e+03], dtype=float32)
    """
    if not isinstance(series_order, int):
        raise ArgumentKindError(says=f"`log_ndtr` was given series_order={series_order!r}.", why="it is a Python integer")
    if not 0 <= series_order <= MAX_SERIES_ORDER:
        raise ArgumentValueError(says=f"`log_ndtr` was given series_order={series_order}.",
                                 why=f"it is from 0 to {MAX_SERIES_ORDER}")
    return strong(fused_call(log_normal_cdf, (single_or_double("jsp.special.log_ndtr", x),)))


@custom_jvp
def log_normal_cdf(x: Any) -> Any:
    upper = x > 0
    low = jnp.where(upper, 0, x)
    tail = jnp.log(.5 * scaled_erfc(-math.sqrt(.5) * low)) - .5 * low * low
    tail = jnp.where(low == -np.inf, -np.inf, tail)
    return jnp.where(upper, jnp.log1p(-normal_cdf(-jnp.abs(x))), jnp.where(jnp.isnan(x), x, tail))


@log_normal_cdf.defjvp
def _log_normal_cdf_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """The slope is density / ndtr; below 0 both share a factor exp(-x²/2) that underflows, and is left out."""
    [x] = primals
    low, high = jnp.where(x > 0, 0, x), jnp.where(x > 0, x, 0)
    below = math.sqrt(2 / math.pi) / scaled_erfc(-math.sqrt(.5) * low)
    above = jnp.exp(-.5 * high * high) * (1 / math.sqrt(2 * math.pi)) / normal_cdf(high)
    return log_normal_cdf(x), tangents[0] * jnp.where(x > 0, above, below)


def owens_t(h: Any, a: Any) -> Array:
    """Owen's T function: `1/(2 pi)` times the integral of `exp(-h² (1 + t²)/2) / (1 + t²)` for t from 0 to `a`.

    Args:
        h: real array of any shape.
        a: real array; shapes broadcast.

    Returns:
        Array of the floating dtype of both.

    Raises:
        ArgumentValueError: an operand is complex.
        BroadcastError: the shapes do not broadcast.

    Owen, Annals of Mathematical Statistics 27, 1956; his equation 2.3 brings `a` below 1, and the integral over what
    is left, whose integrand is smooth there, is Gauss's with 40 nodes.

    >>> owens_t(jnp.array(0.), jnp.array(1.))
    Array(0.125, dtype=float32)
    """
    h, a = floating("jsp.special.owens_t", h, a)
    return strong(fused_call(_owens_t, (h, a)))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)


@custom_jvp
def _owens_t(h: Any, a: Any) -> Any:
    return in_single(_owens_t_inside, *jnp.broadcast_arrays(h, a))


def _owens_t_inside(h: Any, a: Any) -> Any:
    size, width = jnp.abs(h), jnp.abs(a)
    large = width > 1
    steep = size * width
    steep = jnp.where((size == 0) | (width == 0), 0, steep)
    inner = _owens_integral(jnp.where(large, steep, size), jnp.where(large, 1 / jnp.where(large, width, 1), width))
    # T(h, a) = 1/4 - ndtr-like products - T(ah, 1/a), written with the tails so that nothing cancels for large h
    p, q = .5 * erfc(size * math.sqrt(.5)), .5 * erfc(steep * math.sqrt(.5))
    found = jnp.where(large, .5 * (p + q) - p * q - inner, inner)
    return jnp.where(jnp.isnan(h) | jnp.isnan(a), np.nan, jnp.sign(a) * found)


def _owens_integral(h: Any, a: Any) -> Any:
    """For 0 <= a <= 1; where h is large, beyond 9/h the integrand is below what a double holds beside its start."""
    finite = jnp.where(jnp.isinf(h), 0, h)
    end = jnp.minimum(a, 9 / jnp.maximum(finite, 1e-3))
    half = .5 * end
    total = jnp.zeros_like(h + a)
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist()):
        t = half * (1 + node)
        total = total + weight * jnp.exp(-.5 * (finite * t) ** 2) / (1 + t * t)
    found = total * half * jnp.exp(-.5 * finite * finite) * (1 / (2 * math.pi))
    return jnp.where(jnp.isinf(h), 0, found)


@_owens_t.defjvp
def _owens_t_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (h, a), (dh, da) = primals, tangents
    by_h = -jnp.exp(-.5 * h * h) * erf(a * h * math.sqrt(.5)) * (.5 / math.sqrt(2 * math.pi))
    by_a = jnp.exp(-.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a))
    return _owens_t(h, a), dh * by_h + da * by_a


__all__ = ["log_ndtr", "log_normal_cdf", "ndtr", "ndtri", "normal_cdf", "normal_quantile", "owens_t"]
