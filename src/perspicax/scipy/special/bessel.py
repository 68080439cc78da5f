"""Bessel functions, error functions, and spherical harmonics."""
from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import static_value
from perspicax.lax import special as lax_special
from perspicax.lax.convert import complex as make_complex
from perspicax.lax.loops import fori_loop
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like
from perspicax.scipy.special.operands import floating


def erf(x: Any) -> Array:
    """The error function, `2/sqrt(pi)` times the integral of `exp(-t²)` from 0 to `x`.

    Args:
        x: real array of any shape; integers become floating.
    """
    return lax_special.erf(*floating("jsp.special.erf", x))


def erfc(x: Any) -> Array:
    """`1 - erf(x)`, accurate for large `x`.

    Args:
        x: real array of any shape; integers become floating.
    """
    return lax_special.erfc(*floating("jsp.special.erfc", x))


def erfinv(x: Any) -> Array:
    """The inverse of `erf`.

    Args:
        x: real array of any shape, from -1 to 1; integers become floating.
    """
    return lax_special.erf_inv(*floating("jsp.special.erfinv", x))


def i0e(x: Any) -> Array:
    """`exp(-|x|) i0(x)`.

    Args:
        x: real array of any shape; integers become floating.
    """
    return lax_special.bessel_i0e(*floating("jsp.special.i0e", x))


def i1e(x: Any) -> Array:
    """`exp(-|x|) i1(x)`.

    Args:
        x: real array of any shape; integers become floating.
    """
    return lax_special.bessel_i1e(*floating("jsp.special.i1e", x))


def i0(x: Any) -> Array:
    """The modified Bessel function of the first kind of order 0.

    Args:
        x: real array of any shape; integers become floating.
    """
    return fused_call(_i0, tuple(floating("jsp.special.i0", x)))


def _i0(x: Any) -> Any:
    return jnp.exp(jnp.abs(x)) * lax_special.bessel_i0e(x)


def i1(x: Any) -> Array:
    """The modified Bessel function of the first kind of order 1.

    Args:
        x: real array of any shape; integers become floating.
    """
    return fused_call(_i1, tuple(floating("jsp.special.i1", x)))


def _i1(x: Any) -> Any:
    return jnp.exp(jnp.abs(x)) * lax_special.bessel_i1e(x)


def _integer(value: Any, function: str, name: str) -> int:
    """A Python integer, of which programs depend."""
    if isinstance(value, Tracer):
        value = static_value(value, function, name)
    try:
        return operator.index(value)
    except TypeError:
        raise ArgumentKindError(says=f"`{function}` was given {name}={value!r}.", why="it is an integer") from None


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Array:
    """The Bessel functions of the first kind of orders 0 to `v`.

    Args:
        z: real array of any shape `s`.
        v: the largest order: Python integer, not negative.
        n_iter: the order at which the recurrence starts, above `v` and well above `|z|`.

    Returns:
        Floating array `[v + 1, *s]`. Differs: it is accurate for small `z` too, where JAX returns NaN.

    Raises:
        ArgumentValueError: `z` is complex, `v` is negative, or `n_iter` not above `v`.
        ConcretizationTypeError: `v` or `n_iter` is traced.

    Miller's backward recurrence (DLMF 3.6(iv)), normalised by `1 = J0 + 2 J2 + 2 J4 + …` (DLMF 10.12.4).
    """
    name = "jsp.special.bessel_jn"
    order, start = _integer(v, name, "v"), _integer(n_iter, name, "n_iter")
    [z] = floating(name, z)
    if order < 0 or start <= order:
        raise ArgumentValueError(says=f"`bessel_jn` was given v={order} and n_iter={start}.",
                                 why="the recurrence goes down from n_iter through v to 0, so 0 <= v < n_iter")
    return fused_call(_bessel_jn, (z,), order=order, start=start)


def _bessel_jn(z: Any, *, order: int, start: int) -> Any:
    """Values are scaled down whenever they grow large, since only their ratios count."""
    zero = z == 0
    safe = jnp.where(zero, 1, z)
    limit = 1e15
    orders = jnp.arange(order + 1).reshape((-1,) + (1,) * z.ndim)

    def step(i: Any, state: Any) -> Any:
        above, at, total, kept = state
        n = start - i
        below = 2 * n.astype(z.dtype) * at / safe - above
        even = jnp.where((n - 1) % 2 == 0, 2., 0.).astype(z.dtype)
        total = total + even * below
        kept = jnp.where(orders == n - 1, below, kept)
        scale = jnp.where(jnp.abs(below) > limit, 1 / limit, 1).astype(z.dtype)
        return at * scale, below * scale, total * scale, kept * scale

    tiny = jnp.full_like(z, 1e-10)
    state = (jnp.zeros_like(z), tiny, jnp.zeros_like(z), jnp.zeros((order + 1, *z.shape), z.dtype))
    _, first, total, kept = fori_loop(0, start, step, state)
    found = kept / (total - first)  # J0 counts once
    return jnp.where(zero, jnp.where(orders == 0, 1, 0), found).astype(z.dtype)


# -- spherical harmonics

def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None, n_max: int | None = None) -> Array:
    """Spherical harmonics: the function of degree `n` and order `m` at the polar angle `theta` and the azimuth `phi`.

    Args:
        n: array of integers, not negative.
        m: array of integers, from `-n` to `n`; shapes broadcast.
        theta: real array, from 0 to pi.
        phi: real array.
        diff_n: must be `None`: derivatives are made by differentiation.
        n_max: the largest degree, a Python integer; by default the maximum of `n`, which may not be traced then.

    Returns:
        Complex array, at least of one axis; degrees above `n_max` give 0.

    Raises:
        ArgumentValueError: `diff_n` is given.
        ConcretizationTypeError: `n` is traced and `n_max` not given.

    Orthonormal, with the phase of Condon and Shortley (DLMF 14.30.1), by the recurrence of the normalised associated
    Legendre functions in the degree (DLMF 14.10.3).
    """
    name = "jsp.special.sph_harm_y"
    if diff_n is not None:
        raise ArgumentValueError(says=f"`sph_harm_y` was given diff_n={diff_n!r}.",
                                 why="derivatives are made by differentiation: `grad`, `jacfwd`")
    degree, order = [asarray(array_like(x, name, i)) for i, x in enumerate((n, m))]
    if n_max is None:
        n_max = int(np.max(static_value(degree, name, "n") if isinstance(degree, Tracer) else np.asarray(degree)))
    theta, phi = floating(name, theta, phi)
    shape = jnp.broadcast_shapes(degree.shape, order.shape, theta.shape, phi.shape)
    arrays = [jnp.broadcast_to(x, shape or (1,)) for x in (degree, order, theta, phi)]
    return fused_call(_harmonic, tuple(arrays), largest=_integer(n_max, name, "n_max"))


def _harmonic(n: Any, m: Any, theta: Any, phi: Any, *, largest: int) -> Any:
    real = theta.dtype
    size = jnp.abs(m)
    k = size.astype(real)
    x, y = jnp.cos(theta), jnp.sin(theta)
    # sqrt((2k+1)!! / (4 pi (2k)!!)) sin^k theta, the first function of each order
    log = .5 * (lax_special.lgamma(k + 1.5) - lax_special.lgamma(k + 1) + math.log(2 / math.sqrt(math.pi)))
    nothing = size == 0
    power = jnp.where(nothing, 1, jnp.where(nothing, 1, y) ** size)
    first = jnp.exp(log) * (1 / math.sqrt(4 * math.pi)) * power
    first = jnp.where(size % 2 == 1, -first, first)

    def step(degree: Any, state: Any) -> Any:
        before, at, kept = state
        d = degree.astype(real)
        later = d > k
        a, b = jnp.where(later, d * d - k * k, 1), jnp.where(later, (d - 1) ** 2 - k * k, 0)
        odd = 2 * d - 3
        product = jnp.where(odd == 0, 1, jnp.abs(odd * (2 * d - 1)))
        next_one = jnp.sqrt((4 * d * d - 1) / a) * (x * at - jnp.sqrt(b / product) * before)
        value = jnp.where(d == k, first, jnp.where(later, next_one, 0))
        return at, value, jnp.where(n == degree, value, kept)

    zero = jnp.zeros_like(first)
    legendre = fori_loop(0, largest + 1, step, (zero, zero, zero))[2]
    legendre = jnp.where((m < 0) & (size % 2 == 1), -legendre, legendre)  # Y(n, -m) is the conjugate, with a sign
    angle = m.astype(real) * phi
    return make_complex(legendre * jnp.cos(angle), legendre * jnp.sin(angle))


__all__ = ["bessel_jn", "erf", "erfc", "erfinv", "i0", "i0e", "i1", "i1e", "sph_harm_y"]
