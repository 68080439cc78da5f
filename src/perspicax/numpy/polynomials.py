"""Polynomials as vectors of coefficients, the highest power first."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.tracer_errors import sized_by_values
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import ReportedError
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.loops import scan
from perspicax.lax.slicing import slice_in_dim
from perspicax.numpy.arithmetic import power
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import diagonal_mask, filled
from perspicax.numpy.errors import ArgumentValueError, UfuncDtypeError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.joining import concatenate
from perspicax.numpy.linalg.equations import inv, lstsq
from perspicax.numpy.linalg.factors import eigvals
from perspicax.numpy.logic import kind
from perspicax.numpy.operators import absolute, add, multiply, sqrt, subtract
from perspicax.numpy.padding import pad
from perspicax.numpy.products import matmul, outer
from perspicax.numpy.promote import array_like, of_numbers, promote_args, promote_dtypes, shortened
from perspicax.numpy.reductions import sum as sum_
from perspicax.numpy.repeating import roll, trim_zeros
from perspicax.numpy.search import argmax, argsort, known_value
from perspicax.numpy.selection import take
from perspicax.numpy.signals import convolve_full
from perspicax.numpy.windows import length_of


class PolynomialError(ReportedError, ValueError, TypeError, IndexError):  # JAX raises one or the other, by function
    """Arrays were given that are no coefficients of polynomials, or do not fit each other."""


def _coefficients(function: str, x: Any, index: int = 0, *, inexact: bool = False) -> Any:
    x = array_like(x, function, index)
    (x,) = promote_dtypes(x, inexact=inexact)
    return _vector(function, asarray(x))


def _vector(function: str, x: Any) -> Any:
    if x.ndim != 1:
        raise PolynomialError(says=f"`{function}` was given {x.aval.str_short()} as coefficients.",
                              why="a polynomial is a vector of coefficients, the highest power first")
    return x


def _two(function: str, a: Any, b: Any, *, inexact: bool) -> tuple[Any, Any]:
    x, y = promote_dtypes(array_like(a, function, 0), array_like(b, function, 1), inexact=inexact)
    return _vector(function, asarray(x)), _vector(function, asarray(y))


# -- sums, products, quotients

def _padded(x: Any, size: int) -> Any:
    """Zeros in front, for the powers that a polynomial does not have."""
    return x if x.shape[0] == size else pad(x, [(size - x.shape[0], 0)])


def _summed(function: str, a: Any, b: Any, f: Any) -> Any:
    x, y = _two(function, a, b, inexact=False)
    if kind(x) == "bool":
        raise UfuncDtypeError(function=function, type_text=x.aval.str_short(),
                              kind="booleans are no coefficients; make them integers first")
    size = max(x.shape[0], y.shape[0])
    return f(_padded(x, size), _padded(y, size))


@public
def polyadd(a1: Any, a2: Any) -> Array:
    """The sum of two polynomials.

    Args:
        a1: vector of coefficients, the highest power first.
        a2: likewise.

    Raises:
        PolynomialError: one of them is no vector.

    >>> polyadd(jnp.array([1, 2, 3]), jnp.array([5]))
    Array([1, 2, 8], dtype=int32)
    """
    return _summed("polyadd", a1, a2, add)


@public
def polysub(a1: Any, a2: Any) -> Array:
    """The difference of two polynomials; see `polyadd`."""
    return _summed("polysub", a1, a2, subtract)


@public
def polymul(a1: Any, a2: Any, *, trim_leading_zeros: bool = False) -> Array:
    """The product of two polynomials.

    Args:
        a1: vector of coefficients, the highest power first; integers become floating.
        a2: likewise.
        trim_leading_zeros: whether zeros in front are left out before; it needs to know the values.

    Returns:
        Vector of coefficients, one less than `a1` and `a2` have together.

    Raises:
        PolynomialError: one of them is no vector.

    >>> polymul(jnp.array([1., 1.]), jnp.array([1., -1.]))
    Array([ 1.,  0., -1.], dtype=float32)
    """
    x, y = _two("polymul", a1, a2, inexact=True)
    if trim_leading_zeros:
        x, y = _trimmed(x, "polymul"), _trimmed(y, "polymul")
    x, y = [filled(v.aval.at_shape((1,)), 0) if v.shape[0] == 0 else v for v in (x, y)]
    return convolve_full(x, y)


def _trimmed(x: Any, function: str) -> Any:
    if known_value(x) is None:
        raise sized_by_values(x, f"jnp.{function}", "")
    return trim_zeros(x, "f")


@public
def polydiv(u: Any, v: Any, *, trim_leading_zeros: bool = False) -> tuple[Array, Array]:
    """The quotient and the remainder of two polynomials.

    Args:
        u: vector of coefficients of the dividend, the highest power first; integers become floating.
        v: vector of coefficients of the divisor; its first is not 0.
        trim_leading_zeros: whether zeros in front of the remainder are left out; it needs to know the values.

    Returns:
        `(quotient, remainder)`; the remainder has as many coefficients as `u`, the first of them 0.

    Raises:
        PolynomialError: one of them is no vector, or has no entries.
    """
    x, y = _two("polydiv", u, v, inexact=True)
    if not x.shape[0] or not y.shape[0]:
        raise PolynomialError(says="`polydiv` was given a polynomial without coefficients.",
                              why="there is no highest power to divide by")
    if x.shape[0] < y.shape[0]:
        quotient, remainder = filled(x.aval.at_shape((1,)), 0), x
    else:
        quotient, remainder = fused_call(_divided, (x, y))
    return quotient, _shortened(remainder) if trim_leading_zeros else remainder


def _shortened(x: Any) -> Any:
    """Without zeros, or what rounding left of them, in front."""
    value = known_value(x)
    if value is None:
        raise sized_by_values(x, "jnp.polydiv", "")
    start = 0
    while start < len(value) - 1 and np.isclose(value[start], 0, rtol=1e-14, atol=1e-14):
        start += 1
    return x[start:]


def _divided(u: Any, v: Any) -> tuple[Any, Any]:
    """Long division: a window as long as the divisor moves along the dividend."""
    n = v.shape[0]
    scale = 1 / v[0]

    def step(window: Any, entering: Any) -> tuple[Any, tuple[Any, Any]]:
        digit = scale * window[0]
        left = window - digit * v
        return concatenate([left[1:], entering[None]]), (digit, left[0])

    last, (quotient, first) = scan(step, u[:n], concatenate([u[n:], filled(u.aval.at_shape((1,)), 0)]))
    return quotient, concatenate([first, last[:n - 1]])


# -- values, derivatives, integrals

@public
def polyval(p: Any, x: Any, *, unroll: int = 16) -> Array:
    """The values of a polynomial.

    Args:
        p: coefficients, the highest power first, along the first axis; further axes broadcast with `x`.
        x: array of places.
        unroll: how many steps of the loop are written out.

    Returns:
        Array of the dtype in which both meet.

    Raises:
        PolynomialError: `p` is a scalar.

    Horner's scheme (Knuth, The art of computer programming 2, 4.6.4).

    >>> polyval(jnp.array([1., 0., 2.]), 3.)
    Array(11., dtype=float32)
    """
    p, x = promote_dtypes(array_like(p, "polyval", 0), array_like(x, "polyval", 1))
    p, x = shortened(asarray(p)), shortened(asarray(x))
    if p.ndim == 0:
        raise PolynomialError(says="`polyval` was given a scalar as coefficients.",
                              why="a polynomial is a vector of coefficients, the highest power first")
    if kind(p) == "bool":
        raise UfuncDtypeError(function="polyval", type_text=p.aval.str_short(),
                              kind="booleans are no coefficients; make them integers first")
    return fused_call(_horner, (p, x), unroll=unroll)


def _horner(p: Any, x: Any, *, unroll: int) -> Any:
    shape = lax_shape.broadcast_shapes(x.shape, p.shape[1:])
    x = lax_shape.broadcast_in_dim(x, shape, range(len(shape) - x.ndim, len(shape)))
    start = filled(x.aval.update(weak_type=False), 0)

    def step(value: Any, coefficient: Any) -> tuple[Any, None]:
        return convert(add(multiply(value, x), coefficient), x.dtype, False), None

    return scan(step, start, p, unroll=unroll)[0]


@public
def polyder(p: Any, m: int = 1) -> Array:
    """The derivative of a polynomial.

    Args:
        p: vector of coefficients, the highest power first; integers become floating.
        m: how often it is taken.

    Raises:
        ArgumentValueError: `m` is negative.

    >>> polyder(jnp.array([1., 2., 3.]))
    Array([2., 2.], dtype=float32)
    """
    order = _order("polyder", m)
    x = _coefficients("polyder", p, inexact=True)
    if order == 0:
        return x
    powers = range(x.shape[0] - 1, order - 1, -1)
    factors = np.asarray([math.perm(k, order) for k in powers], np.float64).astype(x.dtype)
    return multiply(slice_in_dim(x, 0, len(factors), 1, 0), factors)


@public
def polyint(p: Any, m: int = 1, k: Any = None) -> Array:
    """The integral of a polynomial.

    Args:
        p: vector of coefficients, the highest power first; integers become floating.
        m: how often it is taken.
        k: the constants of integration, that of the first integral first: a vector of `m`, or one for all; 0 by default.

    Raises:
        ArgumentValueError: `m` is negative, or there are neither one nor `m` constants.

    >>> polyint(jnp.array([2., 2.]), k=5.)
    Array([1., 2., 5.], dtype=float32)
    """
    order = _order("polyint", m)
    x, constants = promote_dtypes(array_like(p, "polyint", 0), array_like(0 if k is None else k, "polyint", 2), inexact=True)
    x, constants = _vector("polyint", asarray(x)), asarray(constants)
    if constants.ndim == 0 or constants.shape == (1,):
        constants = lax_shape.broadcast_in_dim(lax_shape.reshape(constants, ()), (order,), ())
    if constants.shape != (order,):
        raise ArgumentValueError(says=f"`polyint` was given constants of type {constants.aval.str_short()} for {order} "
                                      f"{'integral' if order == 1 else 'integrals'}.",
                                 why="there is one for all, or one for each")
    if order == 0:
        return x
    n = x.shape[0]
    divisors = [math.perm(n - 1 - i + order, order) for i in range(n)] + [math.factorial(order - 1 - j) for j in range(order)]
    return concatenate([x, constants]) / np.asarray(divisors, np.float64).astype(x.dtype)


def _order(function: str, m: Any) -> int:
    order = length_of(m, function, "m")
    if order < 0:
        raise ArgumentValueError(says=f"`{function}` was given m={order}.", why="it says how often: at least 0 times")
    return order


# -- roots

@public
def poly(seq_of_zeros: Any) -> Array:
    """The polynomial with given roots, or the characteristic polynomial of a matrix.

    Args:
        seq_of_zeros: vector of roots, or square matrix.

    Returns:
        Vector of coefficients, the highest power first, which has the coefficient 1. Of a matrix they are complex.

    Raises:
        ArgumentValueError: it is neither.

    >>> poly(jnp.array([1., 2.]))
    Array([ 1., -3.,  2.], dtype=float32)
    """
    x = shortened(asarray(promote_args("poly", seq_of_zeros, inexact=True)[0]))
    if x.ndim == 2 and x.shape[0] == x.shape[1] and x.shape[0]:
        x = eigvals(x)
    elif x.ndim == 0:
        x = lax_shape.reshape(x, (1,))
    elif x.ndim != 1:
        raise ArgumentValueError(says=f"`poly` was given {x.aval.str_short()}.",
                                 why="it takes a vector of roots, or a square matrix with entries")
    if x.shape[0] == 0:
        return asarray(np.ones((), x.dtype))
    return fused_call(_poly, (x,))


def _poly(zeros: Any) -> Any:
    """A factor (x - zero) at a time."""
    start = concatenate([np.ones(1, zeros.dtype), np.zeros(zeros.shape, zeros.dtype)])

    def step(made: Any, zero: Any) -> tuple[Any, None]:
        return concatenate([made[:1], made[1:] - zero * made[:-1]]), None

    return scan(step, start, zeros)[0]


@public
def roots(p: Any, *, strip_zeros: bool = True) -> Array:
    """The roots of a polynomial: the eigenvalues of its companion matrix.

    Args:
        p: vector of coefficients, the highest power first.
        strip_zeros: whether zeros in front and behind are looked for, which needs to know the values. Without it roots that
            are missing, for zeros in front, are NaN, behind the others.

    Returns:
        Complex vector: as many roots as the degree.

    Raises:
        ConcretizationTypeError: `p` is traced, and `strip_zeros` is true.

    Horn and Johnson, Matrix analysis, 3.3.
    """
    x = _coefficients("roots", array_like(p, "roots") if np.ndim(p) else asarray(p).reshape(1), inexact=True)
    zeros = 0
    if strip_zeros and x.shape[0] > 1:
        value = known_value(x)
        if value is None:
            raise sized_by_values(x, "jnp.roots", "strip_zeros=False")
        (places,) = np.nonzero(value)
        zeros = len(value) - 1 - int(places[-1]) if len(places) else 0
        x = x[int(places[0]):int(places[-1]) + 1] if len(places) else x[:0]
    complex_dtype = np.result_type(np.complex64, x.dtype) if x.dtype.itemsize >= 4 else np.dtype(np.complex64)
    if x.shape[0] < 2:
        return asarray(np.zeros(zeros, complex_dtype))
    if strip_zeros:
        found = eigvals(fused_call(_companion, (x,)))
    else:
        turned, leading = fused_call(_without_leading, (x,))
        found = fused_call(_without_surplus, (eigvals(fused_call(_companion, (turned,))), leading))
    return concatenate([asarray(np.zeros(zeros, found.dtype)), found]) if zeros else found


def _without_leading(p: Any) -> tuple[Any, Any]:
    """Coefficients with the zeros in front put behind, where they make roots of 0; and how many they are."""
    leading = argmax(p != 0)
    return roll(p, -leading), leading


def _without_surplus(found: Any, leading: Any) -> Any:
    """The roots, NaN for those that are not there: the smallest, as many as there were zeros in front."""
    order = argsort(-absolute(found))
    kept = np.arange(found.shape[0]) < found.shape[0] - leading
    return where3(leading > 0, where3(kept, take(found, order), np.asarray(complex(np.nan, np.nan), found.dtype)), found)


def _companion(p: Any) -> Any:
    n = p.shape[0] - 1
    first = -p[1:] / p[0]
    below = convert(diagonal_mask(n, n, -1, False), first.dtype, False)
    return concatenate([first[None], below[1:]], 0)


# -- fits

@public
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """The matrix of Vandermonde: the powers of each entry as a row.

    Args:
        x: vector `[n]`.
        N: how many powers; as many as entries by default.
        increasing: whether the power 0 comes first, not last.

    Returns:
        Matrix `[n, N]` of the dtype of `x`.

    Raises:
        ArgumentValueError: `x` is no vector, or `N` is negative.
    """
    v = asarray(array_like(x, "vander"))
    if v.ndim != 1:
        raise ArgumentValueError(says=f"`vander` was given {v.aval.str_short()}.",  # type: ignore[attr-defined]
                                 why="it takes the powers of the entries of a vector")
    if kind(v) == "bool":
        raise UfuncDtypeError(function="vander", type_text=v.aval.str_short(),  # type: ignore[attr-defined]
                              kind="booleans have no powers; make them integers first")
    count = v.shape[0] if N is None else length_of(N, "vander", "N")
    if count < 0:
        raise ArgumentValueError(says=f"`vander` was given N={count}.", why="a number of powers is at least 0")
    of_numbers(v, "vander")
    powers = np.arange(count) if increasing else np.arange(count - 1, -1, -1)
    return fused_call(_vander, (v, powers.astype(v.dtype)))


def _vander(x: Any, powers: Any) -> Any:
    return power(x[:, None], powers[None, :])


@public
def polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None,
            cov: bool | str = False) -> Any:
    """The polynomial of a degree that fits points best, by least squares.

    Args:
        x: vector `[n]` of places; integers become floating.
        y: values `[n]`, or `[n, k]` for `k` polynomials.
        deg: the degree.
        rcond: singular values below `rcond` times the largest count as 0; the resolution of the dtype times `n` by default.
        full: whether to return how well they fit.
        w: vector `[n]` of weights, of the values, not of their squares.
        cov: whether to return the covariances of the coefficients; "unscaled" for those of weights that are reciprocal
            standard deviations.

    Returns:
        Coefficients `[deg + 1]` or `[deg + 1, k]`, the highest power first. With `full` a tuple of these, the residuals, the
        rank, the singular values and `rcond`; with `cov` a pair of these and the covariances `[deg + 1, deg + 1]` (`[…, k]`).

    Raises:
        PolynomialError: the shapes do not fit, or the degree is negative.

    Differs: JAX refuses integer places.
    """
    degree = length_of(deg, "polyfit", "deg")
    if degree < 0:
        raise PolynomialError(says=f"`polyfit` was given deg={degree}.", why="a degree is at least 0")
    places, values = [asarray(v) for v in promote_dtypes(
        array_like(x, "polyfit", 0), array_like(y, "polyfit", 1), inexact=True)]
    weights = None if w is None else asarray(promote_args("polyfit", w, inexact=True)[0])
    _check_points(places, values, weights)
    limit = places.shape[0] * float(np.finfo(_real_name(places)).eps) if rcond is None else rcond
    order = degree + 1
    left, right = vander(places, order), values
    if weights is not None:
        left = left * weights[:, None]
        right = right * (weights[:, None] if right.ndim == 2 else weights)
    scale = sqrt(sum_(left * left, 0))
    left = left / scale[None, :]
    found, residuals, rank, singular = lstsq(left, right, limit)
    found = found / (scale[:, None] if found.ndim == 2 else scale)
    if full:
        return found, residuals, rank, singular, asarray(limit)
    if cov is False:
        return found
    base = inv(matmul(left.T, left)) / outer(scale, scale)
    if isinstance(cov, str) and cov == "unscaled":
        return found, base if values.ndim == 1 else base[:, :, None] * 1
    if places.shape[0] <= order:
        raise PolynomialError(says=f"`polyfit` was given {places.shape[0]} points for degree {degree}, and cov={cov!r}.",
                              why="with no more points than coefficients nothing is left to estimate the covariances from",
                              )
    factor = residuals / (places.shape[0] - order)
    return found, base * factor if values.ndim == 1 else base[:, :, None] * factor


def _real_name(x: Any) -> Any:
    return np.dtype(f"f{x.dtype.itemsize // 2}") if kind(x) == "complex" else x.dtype


def _check_points(x: Any, y: Any, w: Any) -> None:
    """Raise for arrays that are not the places, values and weights of points."""
    if x.ndim != 1 or x.size == 0:
        raise PolynomialError(says=f"`polyfit` was given x of type {x.aval.str_short()}.",
                              why="it is a vector of at least one place")
    if y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise PolynomialError(says=f"`polyfit` was given x of type {x.aval.str_short()} and y of type {y.aval.str_short()}.",
                              why="there is a value, or a row of values, for each place")
    if w is not None and w.shape != x.shape:
        raise PolynomialError(says=f"`polyfit` was given x of type {x.aval.str_short()} and w of type {w.aval.str_short()}.",
                              why="there is a weight for each place")


__all__ = ["PolynomialError", "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval",
           "roots", "vander"]
