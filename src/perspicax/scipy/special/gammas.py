"""The gamma function, what is counted with it, and the functions of its family."""
from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import static_value
from perspicax.lax import incomplete
from perspicax.lax import special as lax_special
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like
from perspicax.scipy.special.operands import floating
from perspicax.transform.custom import custom_jvp


def gammaln(x: Any) -> Array:
    """The logarithm of the absolute value of the gamma function.

    Args:
        x: real array of any shape; integers become floating.

    Raises:
        ArgumentValueError: `x` is complex.

    >>> gammaln(jnp.array(1.))
    Array(0., dtype=float32)
    """
    [x] = floating("jsp.special.gammaln", x)
    return lax_special.lgamma(x)


def gammasgn(x: Any) -> Array:
    """The sign of the gamma function: 1 or -1, NaN at its poles below 0; at 0 the sign of the zero.

    Args:
        x: real array of any shape; integers become floating.
    """
    return fused_call(_sign, tuple(floating("jsp.special.gammasgn", x)))


def _sign(x: Any) -> Any:
    whole = jnp.floor(x)
    below = jnp.where(x == whole, np.nan, jnp.where(jnp.fmod(whole, 2) == 0, 1., -1.).astype(x.dtype))
    at_zero = jnp.where(jnp.signbit(x), -1., 1.).astype(x.dtype)
    found = jnp.where(x < 0, below, jnp.where(x == 0, at_zero, jnp.ones_like(x)))
    return jnp.where(jnp.isnan(x) | (x == -np.inf), np.nan, found)


def gamma(x: Any) -> Array:
    """The gamma function.

    Args:
        x: real array of any shape; integers become floating.

    Returns:
        Array of the shape and floating dtype of `x`; NaN at the poles below 0, infinite at 0.

    >>> gamma(jnp.array(1.))
    Array(1., dtype=float32)
    """
    return fused_call(_gamma, tuple(floating("jsp.special.gamma", x)))


def _gamma(x: Any) -> Any:
    return _sign(x) * jnp.exp(lax_special.lgamma(x))


def factorial(n: Any, exact: bool = False) -> Array:
    """`n!`, as `gamma(n + 1)`; 0 below 0.

    Args:
        n: real array of any shape.
        exact: must be false: integers of arrays are too narrow.

    Raises:
        UnsupportedArgumentError: `exact` is true.
    """
    if exact:
        raise UnsupportedArgumentError(function="jsp.special.factorial", argument="exact",
                                       why="integers of arrays are too narrow; `math.factorial` is exact")
    return fused_call(_factorial, tuple(floating("jsp.special.factorial", n)))


def _factorial(n: Any) -> Any:
    return jnp.where(n < 0, 0, jnp.exp(lax_special.lgamma(n + 1)))


def comb(N: Any, k: Any, *, repetition: bool = False) -> Array:
    """How many sets of `k` elements can be chosen from `N`.

    Args:
        N: real array of any shape.
        k: real array; shapes broadcast.
        repetition: whether an element may be chosen again: `comb(N + k - 1, k)`.

    Returns:
        Floating array; 0 where `k` is above `N`, or one of them below 0.

    >>> comb(5, 2).round()
    Array(10., dtype=float32, weak_type=True)
    """
    N, k = floating("jsp.special.comb", N, k)
    return fused_call(_comb, (N, k), repetition=bool(repetition))


def _comb(N: Any, k: Any, *, repetition: bool) -> Any:
    if repetition:
        N = N + k - 1
    lgamma = lax_special.lgamma
    inside = (N >= 0) & (k >= 0) & (k <= N)
    n, j = jnp.where(inside, N, 1), jnp.where(inside, k, 1)
    return jnp.where(inside, jnp.exp(lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1)), 0)


def betaln(a: Any, b: Any) -> Array:
    """The logarithm of the absolute value of the beta function.

    Args:
        a: real array of any shape.
        b: real array; shapes broadcast.
    """
    return fused_call(log_beta, tuple(floating("jsp.special.betaln", a, b)))


def log_beta(a: Any, b: Any) -> Any:
    lgamma = lax_special.lgamma
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def beta(a: Any, b: Any) -> Array:
    """The beta function, `gamma(a) gamma(b) / gamma(a + b)`.

    Args:
        a: real array of any shape.
        b: real array; shapes broadcast.
    """
    return fused_call(_beta, tuple(floating("jsp.special.beta", a, b)))


def _beta(a: Any, b: Any) -> Any:
    return _sign(a) * _sign(b) * _sign(a + b) * jnp.exp(log_beta(a, b))


def _spread(*xs: Any) -> list[Any]:
    """Operands of one shape, as primitives take them."""
    return jnp.broadcast_arrays(*xs) if len({x.shape for x in xs}) > 1 else list(xs)


def betainc(a: Any, b: Any, x: Any) -> Array:
    """The regularized incomplete beta function I_x(a, b).

    Args:
        a: real array of any shape, positive.
        b: real array, positive; shapes broadcast.
        x: real array, from 0 to 1.
    """
    return incomplete.betainc(*_spread(*floating("jsp.special.betainc", a, b, x)))


def gammainc(a: Any, x: Any) -> Array:
    """The regularized lower incomplete gamma function P(a, x).

    Args:
        a: real array of any shape, positive.
        x: real array, not negative; shapes broadcast.
    """
    return incomplete.igamma(*_spread(*floating("jsp.special.gammainc", a, x)))


def gammaincc(a: Any, x: Any) -> Array:
    """The regularized upper incomplete gamma function `1 - gammainc(a, x)`.

    Args:
        a: real array of any shape, positive.
        x: real array, not negative; shapes broadcast.
    """
    return incomplete.igammac(*_spread(*floating("jsp.special.gammaincc", a, x)))


def digamma(x: Any) -> Array:
    """The derivative of `gammaln`.

    Args:
        x: real array of any shape; integers become floating.
    """
    [x] = floating("jsp.special.digamma", x)
    return lax_special.digamma(x)


def polygamma(n: Any, x: Any) -> Array:
    """The derivative of order `n` of `digamma`.

    Args:
        n: array of integers, not negative.
        x: real array; shapes broadcast.

    Raises:
        ArgumentValueError: `n` is not of an integer dtype.
    """
    n = asarray(array_like(n, "jsp.special.polygamma"))
    if n.dtype.kind not in "iu":
        raise ArgumentValueError(says=f"`polygamma` was given the order {n.aval.str_short()}.", why="it takes integers")
    return lax_special.polygamma(*_spread(*floating("jsp.special.polygamma", n, x)))


# -- zeta

@custom_jvp
def _zeta(x: Any, q: Any) -> Any:
    return lax_special.zeta(x, q)


_STEPS = {4: 1 / 32, 8: 2e-3}


@_zeta.defjvp
def _zeta_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x, q), (dx, dq) = primals, tangents
    return _zeta(x, q), dx * _zeta_slope(x, q) + dq * (-x * _zeta(x + 1, q))


def _zeta_slope(x: Any, q: Any) -> Any:
    """The derivative in `x`, by the formula of Euler and Maclaurin (DLMF 25.11.6, differentiated): sums of
    `-log(q + k) (q + k)^-x`, the integral of the rest, and corrections by Bernoulli numbers."""
    count = 12
    total: Any = jnp.zeros_like(x + q)
    for k in range(count):
        total = total - jnp.log(q + k) * (q + k) ** -x
    n = q + count
    log, power = jnp.log(n), n ** -x
    total = total - n * power * (log / (x - 1) + 1 / (x - 1) ** 2) - .5 * log * power
    rising, slope = x, jnp.ones_like(x)  # x (x+1) … (x+2j-2) and its derivative
    for j, b in enumerate(_BERNOULLI[:8], 1):
        scale = b / math.factorial(2 * j) * power / n ** (2 * j - 1)
        total = total + scale * (slope - rising * log)
        for s in (2 * j - 1, 2 * j):
            rising, slope = rising * (x + s), slope * (x + s) + rising
    return total


def zeta(x: Any, q: Any = None) -> Array:
    """The Hurwitz zeta function, the sum of `(q + k)**-x` over `k = 0, 1, 2, …`.

    Args:
        x: real array of any shape, above 1.
        q: real array; shapes broadcast.

    Raises:
        UnsupportedArgumentError: `q` is not given.

    >>> zeta(2., 1)
    Array(1.644934, dtype=float32, weak_type=True)
    """
    if q is None:
        raise UnsupportedArgumentError(function="jsp.special.zeta", argument="q=None",
                                       why="only Hurwitz's function is there, as in JAX; with q=1 it is Riemann's for x > 1")
    return fused_call(_zeta, tuple(_spread(*floating("jsp.special.zeta", x, q))))


# -- products of gamma functions

def multigammaln(a: Any, d: Any) -> Array:
    """The logarithm of the multivariate gamma function of dimension `d`.

    Args:
        a: real array of any shape.
        d: the dimension: a Python integer.

    Raises:
        ConcretizationTypeError: `d` is traced.
    """
    if isinstance(d, Tracer):
        d = static_value(d, "jsp.special.multigammaln", "d")
    [a] = floating("jsp.special.multigammaln", a)
    return fused_call(_multigammaln, (a,), d=float(d))


def _multigammaln(a: Any, *, d: float) -> Any:
    constant = np.asarray(d * (d - 1) / 4 * math.log(math.pi), a.dtype)
    halves = (np.arange(0, d) / 2).reshape((1,) * a.ndim + (-1,))
    shifted = jnp.expand_dims(a, -1) - asarray(halves.astype(a.dtype))
    return jnp.sum(lax_special.lgamma(shifted), axis=-1) + constant


@custom_jvp
def _poch(z: Any, m: Any) -> Any:
    nothing = m == 0
    top, bottom = z + m, jnp.where(nothing, 1, z)
    signs = _sign(top) * _sign(bottom)
    return jnp.where(nothing, 1, signs * jnp.exp(lax_special.lgamma(top) - lax_special.lgamma(bottom)))


@_poch.defjvp
def _poch_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (z, m), (dz, dm) = primals, tangents
    found = _poch(z, m)
    at_top = lax_special.digamma(z + m)
    by_z = jnp.where(m == 0, 0, (at_top - lax_special.digamma(z)) * found)
    return found, dz * by_z + dm * (at_top * found)


def poch(z: Any, m: Any) -> Array:
    """Pochhammer's symbol, `gamma(z + m) / gamma(z)`.

    Args:
        z: real array of any shape.
        m: real array; shapes broadcast.
    """
    return fused_call(_poch, tuple(floating("jsp.special.poch", z, m)))


# -- Bernoulli numbers

_BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]  # B2, B4, …


def bernoulli(n: int) -> Array:
    """The Bernoulli numbers B0, …, Bn, with B1 = -1/2.

    Args:
        n: Python integer, not negative.

    Returns:
        Array `[n + 1]` of the default floating dtype; infinite where a number overflows.

    Raises:
        ArgumentValueError: `n` is negative.
        ArgumentKindError: `n` is no integer.

    Each even number is `(-1)^(n/2 - 1) 2 n! zeta(n) / (2 pi)^n` (DLMF 25.6.2), computed in double precision.

    >>> bernoulli(2)
    Array([ 1.        , -0.5       ,  0.16666667], dtype=float32)
    """
    if isinstance(n, Tracer):
        n = static_value(n, "jsp.special.bernoulli", "n")
    try:
        count = operator.index(n)
    except TypeError:
        raise ArgumentKindError(says=f"`bernoulli` was given {n!r}.", why="it takes one integer") from None
    if count < 0:
        raise ArgumentValueError(says=f"`bernoulli` was given {count}.",
                                 why="it is how many numbers follow the first: 0 or more")
    values = np.zeros(count + 1)
    values[:2] = (1., -.5)[:count + 1]
    for k in range(2, count + 1, 2):
        values[k] = _BERNOULLI[k // 2 - 1] if k <= 2 * len(_BERNOULLI) else _bernoulli_by_zeta(k)
    with np.errstate(over="ignore"):
        return asarray(values.astype(dtypes.default_dtype("float")))


def _bernoulli_by_zeta(k: int) -> float:
    exponent = math.lgamma(k + 1) - k * math.log(2 * math.pi)
    size = 2 * math.exp(exponent) * sum(j ** -float(k) for j in range(1, 10)) if exponent < 700 else math.inf
    return size if k % 4 == 2 else -size


__all__ = ["bernoulli", "beta", "betainc", "betaln", "comb", "digamma", "factorial", "gamma", "gammainc", "gammaincc",
           "gammaln", "gammasgn", "log_beta", "multigammaln", "poch", "polygamma", "zeta"]
