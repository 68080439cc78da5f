"""The Faddeeva function w(z) = exp(-z²) erfc(-iz) and those that are made of it: `erfcx`, `dawsn`, `fresnel`.

Al Azah and Chandler-Wilde (SIAM J. Numer. Anal. 59, 2021): the trapezoidal rule for the integral of w, on nodes kh or on
the midpoints between them, with the residue of the pole that z makes of the integrand added. With 12 nodes and
h = sqrt(pi/12) the relative error is below 2e-15 in all of the first quadrant, as long as the nodes are taken that z is
farther from; symmetries give the other quadrants.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.lax.convert import complex as make_complex
from perspicax.lax.convert import imag, real
from perspicax.numpy.errors import UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import floating, horner, in_single, inexact, strong
from perspicax.transform.custom import custom_jvp

COUNT = 11
STEP = math.sqrt(math.pi / (COUNT + 1))
_MIDPOINTS = [(k + .5) * STEP for k in range(COUNT + 1)]
_WHOLES = [k * STEP for k in range(1, COUNT + 1)]
ROOT_PI = math.sqrt(math.pi)


def _rule(square: Any, nodes: list[float]) -> Any:
    """The sum of exp(-t²)/(z² - t²) over the nodes t."""
    total: Any = 0
    for t in nodes:
        total = total + math.exp(-t * t) / (square - t * t)
    return total


# -- w(z)

def wofz(z: Any) -> Array:
    """The Faddeeva function `exp(-z²) erfc(-iz)`.

    Args:
        z: real or complex array of any shape.

    Returns:
        Complex array of the shape of `z`.

    Al Azah and Chandler-Wilde, SIAM J. Numer. Anal. 59, 2021.

    >>> wofz(jnp.array(0.))
    Array(1.+0.j, dtype=complex64)
    """
    [z] = inexact("jsp.special.wofz", z)
    wide = np.complex128 if z.dtype in (np.dtype(np.float64), np.dtype(np.complex128)) else np.complex64
    return strong(fused_call(_wofz, (z.astype(wide),)))


@custom_jvp
def _wofz(z: Any) -> Any:
    x, y = real(z), imag(z)
    first = _first_quadrant(jnp.abs(x), jnp.abs(y))
    upper = jnp.where(x < 0, jnp.conj(first), first)  # w(-conj z) = conj w(z), in the upper half plane
    # below, w(z) = 2 exp(-z²) - w(-z), and -z has the other sign of x
    growth = 2 * _exp_of_minus_square(x, y)
    lower = growth - jnp.where(x > 0, jnp.conj(first), first)
    return jnp.where(y < 0, lower, upper)


def _exp_of_minus_square(x: Any, y: Any) -> Any:
    """exp(-(x + iy)²), with x² - y² as a product, so that it does not cancel, and a zero where it underflows."""
    size = jnp.exp((y - x) * (y + x))
    angle = -2 * x * y
    vanishes = size == 0
    angle = jnp.where(vanishes, 0, angle)
    return make_complex(size * jnp.cos(angle), jnp.where(angle == 0, 0, size * jnp.sin(angle)))


def _first_quadrant(x: Any, y: Any) -> Any:
    # beyond this the first term of the asymptotic series is exact, and z² might overflow
    far = jnp.maximum(x, y) > 1e8
    shrunk = jnp.where(far, 1, x), jnp.where(far, 1, y)
    near = _by_rules(*shrunk)
    largest = jnp.where(far, jnp.maximum(x, y), 1)
    u, v = x / largest, y / largest
    length = (u * u + v * v) * largest * ROOT_PI
    limit = make_complex(v / length, u / length)
    found = jnp.where(far, limit, near)
    infinite = jnp.isinf(x) | jnp.isinf(y)
    return jnp.where(infinite, 0, jnp.where(jnp.isnan(x) | jnp.isnan(y), np.nan, found))


def _by_rules(x: Any, y: Any) -> Any:
    z = make_complex(x, y)
    fraction = x / STEP - jnp.floor(x / STEP)
    plain = y >= jnp.maximum(x, math.pi / STEP)
    wholes = ~plain & (y < x) & (fraction >= .25) & (fraction <= .75)
    factor = z * 2j * STEP / math.pi
    square = make_complex((x - y) * (x + y), 2 * x * y)
    safe = jnp.where(wholes, 1, square)
    middle = factor * _rule(safe, _MIDPOINTS)
    safe_z = jnp.where(wholes, z, 1)
    trapezoid = 1j * STEP / (math.pi * safe_z) + factor * _rule(jnp.where(wholes, square, -1), _WHOLES)
    # exp(2 i pi z / h), at most 1 in size
    turn = jnp.exp(-2 * math.pi / STEP * y)
    angle = 2 * math.pi / STEP * x
    decay = make_complex(turn * jnp.cos(angle), turn * jnp.sin(angle))
    bounded = jnp.where(plain, 0, y)
    residue = 2 * _exp_of_minus_square(x, bounded) * decay
    pole = jnp.where(wholes, -residue / jnp.where(wholes, 1 - decay, 1), residue / jnp.where(wholes, 1, 1 + decay))
    return jnp.where(wholes, trapezoid, middle) + jnp.where(plain, 0, pole)


@_wofz.defjvp
def _wofz_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    found = _wofz(*primals)
    return found, tangents[0] * (2j / ROOT_PI - 2 * primals[0] * found)


# -- the scaled complementary error function

def erfcx(x: Any) -> Array:
    """`exp(x²) erfc(x)`, which does not underflow for large `x`.

    Args:
        x: real or complex array of any shape; integers become floating.

    Returns:
        Array of the shape and inexact dtype of `x`; infinite where it overflows, for `x` far below 0.

    >>> erfcx(jnp.array([0., 1e10]))
    Array([1.00000e+00, 5.64190e-11], dtype=float32)
    """
    [x] = inexact("jsp.special.erfcx", x)
    return strong(fused_call(_complex_erfcx if x.dtype.kind == "c" else scaled_erfc, (x,)))


def _complex_erfcx(x: Any) -> Any:
    return _wofz(x * 1j)


@custom_jvp
def scaled_erfc(x: Any) -> Any:
    """`erfcx` of a real array."""
    return in_single(_scaled_erfc, x)


def _scaled_erfc(x: Any) -> Any:
    size = jnp.abs(x)
    far = size > 1e8
    y = jnp.where(far, 1, size)
    square = y * y
    total = -_rule(-square, _MIDPOINTS) * y * (2 * STEP / math.pi)
    near = y < math.pi / STEP
    bounded = jnp.where(near, y, 0)
    decay = jnp.exp(-2 * math.pi / STEP * bounded)
    pole = 2 * jnp.exp(bounded * (bounded - 2 * math.pi / STEP)) / (1 + decay)
    right = jnp.where(far, 1 / (size * ROOT_PI), total + jnp.where(near, pole, 0))
    return jnp.where(x < 0, 2 * jnp.exp(x * x) - right, jnp.where(jnp.isnan(x), x, right))


@scaled_erfc.defjvp
def _scaled_erfc_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """2 x erfcx(x) - 2/sqrt(pi), whose terms nearly cancel for large x: there the series of DLMF 7.12.1 is used."""
    [x] = primals
    found = scaled_erfc(x)
    far = x > 50
    inverse = 1 / jnp.where(far, x, 50) ** 2
    by_series = -inverse * horner(inverse, (1., -1.5, 3.75, -13.125)) / ROOT_PI
    return found, tangents[0] * jnp.where(far, by_series, 2 * x * found - 2 / ROOT_PI)


# -- Dawson's integral

def dawsn(x: Any) -> Array:
    """Dawson's integral: `exp(-x²)` times the integral of `exp(t²)` from 0 to `x`.

    Args:
        x: real array of any shape; integers become floating.

    Returns:
        Array of the shape and floating dtype of `x`.

    Raises:
        ArgumentValueError: `x` is complex.

    >>> dawsn(jnp.array(1.))
    Array(0.5380795, dtype=float32)
    """
    return strong(fused_call(_dawsn, tuple(floating("jsp.special.dawsn", x))))


@custom_jvp
def _dawsn(x: Any) -> Any:
    return in_single(_dawson, x)


def _dawson(x: Any) -> Any:
    """sqrt(pi)/2 times the imaginary part of w(x)."""
    size = jnp.abs(x)
    far = size > 1e8
    at = jnp.where(far, 1, size)
    fraction = at / STEP - jnp.floor(at / STEP)
    wholes = (fraction >= .25) & (fraction <= .75)
    square = at * at
    angle = math.pi * fraction
    factor = at * (2 * STEP / math.pi)
    decay = jnp.exp(-square)
    middle = factor * _rule(jnp.where(wholes, -1, square), _MIDPOINTS) + decay * jnp.tan(jnp.where(wholes, 0, angle))
    held = jnp.where(wholes, at, 1)
    whole = (STEP / math.pi) / held + factor * _rule(jnp.where(wholes, square, -1), _WHOLES) \
        - decay / jnp.tan(jnp.where(wholes, angle, 1))
    found = jnp.where(far, .5 / jnp.where(far, size, 1), .5 * ROOT_PI * jnp.where(wholes, whole, middle))
    # the terms of the midpoint rule cancel next to 0: there the series of DLMF 7.6 is shorter than the rule
    small = size < .25
    little = jnp.where(small, square, 0)
    by_series = at * horner(-2 * little, _DAWSON_SERIES)
    return jnp.sign(x) * jnp.where(small, by_series, found)


_DAWSON_SERIES = [1 / math.prod(range(1, 2 * k + 2, 2)) for k in range(12)]


@_dawsn.defjvp
def _dawsn_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """1 - 2 x F(x); for large x by the asymptotic series, since the terms cancel."""
    [x] = primals
    found = _dawsn(x)
    far = jnp.abs(x) > 50
    inverse = 1 / jnp.where(far, x, 50) ** 2
    by_series = -.5 * inverse * horner(inverse, (1., 1.5, 3.75, 13.125))
    return found, tangents[0] * jnp.where(far, by_series, 1 - 2 * x * found)


# -- Fresnel's integrals

def fresnel(x: Any) -> tuple[Array, Array]:
    """Fresnel's integrals S and C: of `sin(pi t²/2)` and `cos(pi t²/2)` from 0 to `x`.

    Args:
        x: real array of any shape; integers become floating.

    Returns:
        Two arrays of the shape and floating dtype of `x`.

    Raises:
        UnsupportedArgumentError: `x` is complex.

    >>> fresnel(jnp.array(1.))
    (Array(0.43825915, dtype=float32), Array(0.7798934, dtype=float32))
    """
    [x] = inexact("jsp.special.fresnel", x)
    if x.dtype.kind == "c":
        raise UnsupportedArgumentError(function="jsp.special.fresnel", argument="x",
                                       why="only real numbers are served, as in JAX")
    s, c = fused_call(_fresnel, (x,))
    return strong(s), strong(c)


SMALL = 1.5
TERMS = 16


@custom_jvp
def _fresnel(x: Any) -> tuple[Any, Any]:
    if dtypes.finfo(x.dtype).bits < 32:
        s, c = _fresnel_pair(x.astype(np.float32))
        return s.astype(x.dtype), c.astype(x.dtype)
    return _fresnel_pair(x)


def _fresnel_pair(x: Any) -> tuple[Any, Any]:
    size = jnp.abs(x)
    small = size < SMALL
    s, c = _fresnel_series(jnp.where(small, size, 0))
    far = size > 1e8
    s2, c2 = _fresnel_by_w(jnp.where(small | far, SMALL, size))
    tail = jnp.where(far, .5, 0)
    signs = jnp.sign(x)
    pick: Callable[[Any, Any], Any] = lambda a, b: signs * jnp.where(small, a, jnp.where(far, tail, b))
    return pick(s, s2), pick(c, c2)


def _fresnel_series(x: Any) -> tuple[Any, Any]:
    """DLMF 7.6.4 and 7.6.6, in powers of x⁴."""
    half = math.pi / 2
    s = [(-1) ** n * half ** (2 * n + 1) / (math.factorial(2 * n + 1) * (4 * n + 3)) for n in range(TERMS)]
    c = [(-1) ** n * half ** (2 * n) / (math.factorial(2 * n) * (4 * n + 1)) for n in range(TERMS)]
    fourth = x ** 4
    return x ** 3 * horner(fourth, s), x * horner(fourth, c)


def _fresnel_by_w(x: Any) -> tuple[Any, Any]:
    """C + iS = (1 + i)/2 (1 - exp(i pi x²/2) w((1 + i) x sqrt(pi)/2))  (DLMF 7.5.8)."""
    w = _by_rules(x * (ROOT_PI / 2), x * (ROOT_PI / 2))
    quarters = x * x / 4  # exp(i pi x²/2) has period 4 in x²
    angle = 2 * math.pi * (quarters - jnp.floor(quarters))
    turned = w * make_complex(jnp.cos(angle), jnp.sin(angle))
    u, v = 1 - real(turned), -imag(turned)
    return .5 * (u + v), .5 * (u - v)


@_fresnel.defjvp
def _fresnel_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    [x] = primals
    angle = math.pi / 2 * x * x
    return _fresnel(x), (tangents[0] * jnp.sin(angle), tangents[0] * jnp.cos(angle))


__all__ = ["dawsn", "erfcx", "fresnel", "scaled_erfc", "wofz"]
