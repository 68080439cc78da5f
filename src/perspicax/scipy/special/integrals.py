"""Integrals of exponentials, sines and logarithms: `expi`, `exp1`, `expn`, `sici`, `spence`."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax.convert import complex as make_complex
from perspicax.lax.convert import imag, real
from perspicax.lax.loops import fori_loop
from perspicax.lax.special import digamma, lgamma
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import (
    backward,
    floating,
    horner,
    in_single,
    inexact,
    is_double,
    single_or_double,
    strong,
)
from perspicax.transform.custom import custom_jvp

EULER = 0.57721566490153286061


def _at(n: Any, like: Any) -> Any:
    return n.astype(like.dtype)


# -- the exponential integrals E_n

@custom_jvp
def integral_of_order(n: Any, x: Any) -> Any:
    """`expn` of arrays of one floating dtype and shape."""
    return in_single(_expn, n, x)


def _expn(n: Any, x: Any) -> Any:
    defined = (n >= 0) & (x >= 0) & (n == jnp.floor(n))
    small = (x <= 1) & (n > 0)
    by_series = _expn_series(jnp.where(small & defined, n, 1), jnp.where(small & (x > 0), x, 1))
    by_fraction = _expn_fraction(jnp.where(defined & ~small, n, 1), jnp.where(defined & ~small & (x < np.inf), x, 2))
    at_zero = jnp.where(n > 1, 1 / jnp.where(n > 1, n - 1, 1), np.inf)
    found = jnp.where(small, by_series, by_fraction)
    found = jnp.where(n == 0, jnp.exp(-x) / jnp.where(x == 0, 1, x), found)
    found = jnp.where(x == np.inf, 0, jnp.where(x == 0, at_zero, found))
    return jnp.where(defined, found, np.nan)


def _expn_series(n: Any, x: Any) -> Any:
    """DLMF 8.19.8, for 0 < x <= 1."""
    log = jnp.log(x)
    sign = jnp.where(n % 2 == 1, 1., -1.).astype(x.dtype)
    first = sign * jnp.exp((n - 1) * log - lgamma(n)) * (digamma(n) - log)

    def body(k: Any, state: Any) -> Any:
        term, total = state
        k = _at(k, x)
        skipped = k == n - 1
        total = total - jnp.where(skipped, 0, term / jnp.where(skipped, 1, 1 - n + k))
        return term * -x / (k + 1), total

    return fori_loop(0, 22 if is_double(x) else 13, body, (jnp.ones_like(x), first))[1]


def _expn_fraction(n: Any, x: Any) -> Any:
    """DLMF 8.19.17 in its even part: exp(-x)/(x + n - 1·n/(x + n + 2 - 2(n + 1)/(x + n + 4 - …)))."""
    def step(k: Any, tail: Any) -> Any:
        return k * (n + k - 1) / (x + n + 2 * k - tail)

    tail = backward(90 if is_double(x) else 30, step, jnp.zeros_like(x))
    return jnp.exp(-x) / (x + n - tail)


@integral_of_order.defjvp
def _expn_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    n, x = primals
    before = jnp.where(n == 0, jnp.exp(-x) * (1 + x) / (x * x), integral_of_order(jnp.where(n == 0, 1, n) - 1, x))
    return integral_of_order(n, x), -tangents[1] * before


def expn(n: Any, x: Any) -> Array:
    """The exponential integral of order `n`: the integral of `exp(-x t) / t**n` from 1 to infinity.

    Args:
        n: array of whole numbers, not negative.
        x: real array, not negative; shapes broadcast.

    Returns:
        Floating array; NaN outside of the domain. It can be differentiated in `x`; the derivative in `n` is 0.

    Raises:
        ArgumentValueError: an operand is complex.

    By its series up to 1 (DLMF 8.19.8), by its continued fraction beyond (DLMF 8.19.17).
    """
    n, x = jnp.broadcast_arrays(*floating("jsp.special.expn", n, x))
    return strong(fused_call(integral_of_order, (n, x)))


def exp1(x: Any) -> Array:
    """The exponential integral E1: the integral of `exp(-t)/t` from `x` to infinity.

    Args:
        x: real array of any shape, not negative.

    Returns:
        Floating array; NaN below 0.
    """
    [x] = floating("jsp.special.exp1", x)
    return strong(fused_call(_exp1, (x,)))


def _exp1(x: Any) -> Any:
    return integral_of_order(jnp.ones_like(x), x)


# -- Ei

@custom_jvp
def _expi(x: Any) -> Any:
    return in_single(_principal_value, x)


def _principal_value(x: Any) -> Any:
    positive = x > 0
    limit = 40. if is_double(x) else 16.
    middle = positive & (x <= limit)
    by_series = _expi_series(jnp.where(middle, x, 1))
    by_powers = _expi_asymptotic(jnp.where(x > limit, x, limit))
    below = -integral_of_order(jnp.ones_like(x), jnp.where(positive, 1, -x))
    found = jnp.where(positive, jnp.where(middle, by_series, by_powers), below)
    found = jnp.where(x == 0, -np.inf, jnp.where(x == np.inf, np.inf, found))
    return jnp.where(jnp.isnan(x), x, found)


_ROOT = 0.37250741078136663446  # of Ei


def _expi_series(x: Any) -> Any:
    """DLMF 6.6.2; next to the root, where its terms cancel, in powers of the distance from it."""
    def body(k: Any, state: Any) -> Any:
        term, total = state
        k = _at(k, x)
        term = term * x / k
        return term, total + term / k

    _, total = fori_loop(1, 140 if is_double(x) else 60, body, (jnp.ones_like(x), jnp.zeros_like(x)))
    near = jnp.abs(x - _ROOT) < .1
    distance = jnp.where(near, (x - _ROOT_HIGH) - _ROOT_LOW, 0)
    return jnp.where(near, distance * horner(distance, _AROUND_ROOT), EULER + jnp.log(x) + total)


def _around_root(count: int) -> list[float]:
    """Taylor coefficients at the root: those of exp(x)/x, each divided by its power plus 1."""
    exponential = [math.exp(_ROOT) / math.factorial(k) for k in range(count)]
    quotient: list[float] = []
    for k in range(count):
        quotient.append((exponential[k] - (quotient[k - 1] if k else 0)) / _ROOT)
    return [c / (k + 1) for k, c in enumerate(quotient)]


_AROUND_ROOT = _around_root(30)
_ROOT_HIGH = 0.3725  # the root in two parts, so that the distance from it is exact
_ROOT_LOW = 7.41078136663446e-06


def _expi_asymptotic(x: Any) -> Any:
    """DLMF 6.12.2: exp(x)/x times the sum of k!/x^k, to its smallest term."""
    def step(k: Any, tail: Any) -> Any:
        return 1 + tail * k / x

    total = backward(38 if is_double(x) else 15, step, jnp.ones_like(x))
    half = jnp.exp(.5 * x)
    return half / x * total * half


@_expi.defjvp
def _expi_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    [x] = primals
    return _expi(x), tangents[0] * (jnp.exp(x) / x)


def expi(x: Any) -> Array:
    """The exponential integral Ei: the principal value of the integral of `exp(t)/t` from `-inf` to `x`.

    Args:
        x: real array of any shape; integers become floating.

    Returns:
        Floating array. Differs: `-inf` at 0, its limits at the infinities, where JAX has NaN.

    By its series (DLMF 6.6.2), around its root in powers of the distance, by its asymptotic series beyond (DLMF 6.12.2).
    """
    [x] = floating("jsp.special.expi", x)
    return strong(fused_call(_expi, (x,)))


# -- Si and Ci

LIMIT = 5.


@custom_jvp
def _sici(x: Any) -> tuple[Any, Any]:
    narrow = x.dtype
    wide = x if is_double(x) else x.astype(np.float32)
    s, c = _sine_cosine_integrals(wide)
    return s.astype(narrow), c.astype(narrow)


def _sine_cosine_integrals(x: Any) -> tuple[Any, Any]:
    size = jnp.abs(x)
    small = size <= LIMIT
    at = jnp.where(small, size, 1)
    square = at * at
    s1 = at * horner(-square, _SINE)
    positive = jnp.where(at > 0, at, 1)
    c1 = jnp.where(at > 0, EULER + jnp.log(positive), -np.inf) + -square * horner(-square, _COSINE)
    # beyond, E1(ix) = -Ci(x) + i (Si(x) - pi/2) by its continued fraction  (DLMF 6.5.6, 6.9.1)
    beyond = jnp.where(small | jnp.isinf(x), LIMIT, size)
    z = make_complex(jnp.zeros_like(beyond), beyond)
    tail = backward(45 if is_double(x) else 16, lambda k, t: k * k / (z + 2 * k + 1 - t), jnp.zeros_like(z))
    integral = make_complex(jnp.cos(beyond), -jnp.sin(beyond)) / (z + 1 - tail)
    infinite = jnp.isinf(x)
    s2 = math.pi / 2 + jnp.where(infinite, 0, imag(integral))
    c2 = jnp.where(infinite, 0, -real(integral))
    sine, cosine = jnp.where(small, s1, s2), jnp.where(small, c1, c2)
    cosine = jnp.where(x == -np.inf, np.nan, cosine)
    bad = jnp.isnan(x)
    return jnp.where(bad, x, jnp.sign(x) * sine), jnp.where(bad, x, cosine)


_SINE = [1 / (math.factorial(2 * k + 1) * (2 * k + 1)) for k in range(16)]  # DLMF 6.6.5
_COSINE = [1 / (math.factorial(2 * k) * 2 * k) for k in range(1, 17)]  # DLMF 6.6.6


@_sici.defjvp
def _sici_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    [x], [t] = primals, tangents
    zero = x == 0
    safe = jnp.where(zero, 1, x)
    return _sici(x), (t * jnp.where(zero, 1, jnp.sin(safe) / safe), t * (jnp.cos(x) / x))


def sici(x: Any) -> tuple[Array, Array]:
    """The sine and cosine integrals Si and Ci.

    Args:
        x: real array of any shape; integers become floating.

    Returns:
        Two floating arrays of the shape of `x`; for negative `x`, the cosine integral of `|x|`.

    Raises:
        ArgumentValueError: `x` is complex.
    """
    [x] = inexact("jsp.special.sici", x)
    if x.dtype.kind == "c":
        raise ArgumentValueError(says=f"`sici` was given {x.aval.str_short()}.", why="it takes real numbers")
    s, c = fused_call(_sici, (x,))
    return strong(s), strong(c)


# -- the dilogarithm

# B_2k / (2k + 1)!, from 't Hooft and Veltman, Nuclear Physics B 153, 1979, appendix A
_DILOGARITHM = [1., *[b / math.factorial(2 * k + 1) for k, b in enumerate(
    (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330), 1)]]


@custom_jvp
def _spence(x: Any) -> Any:
    """Li2(1 - x). For 1/2 <= x <= 2 a series in log x; the rest is brought there (DLMF 25.12.4 and 25.12.6)."""
    high = x > 2
    v = jnp.where(high, 1 / jnp.where(high, x, 1), jnp.where(x > 0, x, 0))
    low = v < .5
    held = jnp.where(low, v, .25)
    u = -jnp.where(low, jnp.log1p(-held), jnp.log(jnp.where(low, 1, v)))
    inner = u * horner(u * u, _DILOGARITHM) - u * u / 4
    product = jnp.where(v > 0, jnp.log(jnp.where(v > 0, v, 1)) * jnp.log1p(-held), 0)
    inner = jnp.where(low, math.pi ** 2 / 6 - product - inner, inner)
    found = jnp.where(high, -.5 * jnp.log(jnp.where(high, x, 1)) ** 2 - inner, inner)
    return jnp.where((x < 0) | jnp.isnan(x), np.nan, jnp.where(x == np.inf, -np.inf, found))


@_spence.defjvp
def _spence_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    [x] = primals
    one = x == 1
    safe = jnp.where(one, 2, x)
    return _spence(x), tangents[0] * jnp.where(one, -1, jnp.log(safe) / (1 - safe))


def spence(x: Any) -> Array:
    """Spence's function: the integral of `log(t) / (1 - t)` from 1 to `x`, which is the dilogarithm of `1 - x`.

    Args:
        x: float32 or float64 array of any shape, not negative.

    Returns:
        Array like `x`; NaN below 0. Differs: `-inf` at infinity, where JAX has NaN, and the slope -1 at 1, where it has 0.

    Raises:
        ArgumentKindError: `x` is of another dtype.
    """
    return strong(fused_call(_spence, (single_or_double("jsp.special.spence", x),)))


__all__ = ["exp1", "expi", "expn", "sici", "spence"]
