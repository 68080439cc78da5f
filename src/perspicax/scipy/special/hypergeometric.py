"""The hypergeometric functions 1F1 and 2F1 of real arguments, with their derivatives in all of them."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax.loops import while_loop
from perspicax.lax.special import digamma, lgamma
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.gammas import _sign
from perspicax.scipy.special.operands import floating, in_single, strong
from perspicax.transform.custom import custom_jvp

MOST_TERMS = 20000


class Sum(NamedTuple):
    """A series at work: the index, the term, the total, and where it still changes."""

    k: Any
    term: Any
    total: Any
    going: Any


def _epsilon(x: Any) -> float:
    return float(np.finfo(x.dtype).eps)


def _series(ratio: Callable[[Any], Any], like: Any, active: Any) -> Any:
    """1 + r(0) + r(0) r(1) + …, until three terms in a row do not change it."""
    epsilon = _epsilon(like)
    one = jnp.ones_like(like)
    waiting = jnp.where(active, 3, 0)

    def going(s: Sum) -> Any:
        return (s.going > 0).any() & (s.k < MOST_TERMS)

    def step(s: Sum) -> Sum:
        term = s.term * ratio(s.k.astype(like.dtype))
        total = s.total + term
        still = ~(jnp.abs(term) <= epsilon * jnp.abs(total)) & (jnp.abs(total) < np.inf)
        live = s.going > 0
        left = jnp.where(live, jnp.where(still, 3, s.going - 1), 0)
        left = jnp.where(jnp.abs(total) < np.inf, left, 0)
        return Sum(s.k + 1, jnp.where(live, term, s.term), jnp.where(live, total, s.total), left)

    return while_loop(going, step, Sum(jnp.zeros((), np.int32), one, one, waiting)).total


def _is_pole(x: Any) -> Any:
    """Whether the gamma function has a pole there."""
    return (x <= 0) & (x == jnp.floor(x))


def _quotient(top: tuple[Any, ...], bottom: tuple[Any, ...]) -> Any:
    """The gamma functions of `top` over those of `bottom`, 0 at the poles of these."""
    zero: Any = False
    log: Any = 0
    sign: Any = 1
    for b in bottom:
        pole = _is_pole(b)
        zero = zero | pole
        safe = jnp.where(pole, 1, b)
        log, sign = log - lgamma(safe), sign * _sign(safe)
    for t in top:
        safe = jnp.where(_is_pole(t), 1, t)
        log, sign = log + lgamma(safe), sign * _sign(safe)
    return jnp.where(zero, 0, sign * jnp.exp(log))


# -- 1F1

FAR = 60.


@custom_jvp
def _hyp1f1(a: Any, b: Any, x: Any) -> Any:
    return in_single(_confluent, a, b, x)


def _confluent(a: Any, b: Any, x: Any) -> Any:
    """By the series; for negative x that of Kummer's transformation (DLMF 13.2.39), whose terms do not cancel."""
    polynomial = _is_pole(a)
    turned = (x < 0) & ~polynomial
    far = (jnp.abs(x) > FAR + 2 * (jnp.abs(a) + jnp.abs(b))) & ~polynomial & ~_is_pole(b - a)
    p, y = jnp.where(turned, b - a, a), jnp.where(turned, -x, x)
    y = jnp.where(far, 1, y)
    pole = _is_pole(b) & ~(polynomial & (a >= b))
    c = jnp.where(pole, 1, b)

    def ratio(k: Any) -> Any:
        above = p + k
        return jnp.where(above == 0, 0, above / jnp.where(above == 0, 1, c + k) * (y / (k + 1)))

    total = _series(ratio, y, ~far & ~pole)
    near = jnp.where(turned, jnp.exp(jnp.where(turned & ~far, x, 0)) * total, total)
    found = jnp.where(far, _confluent_far(a, c, jnp.where(far, x, FAR)), near)
    found = jnp.where(pole, np.inf, jnp.where((x == 0) | (a == 0), 1, found))
    return jnp.where(jnp.isnan(a) | jnp.isnan(b) | jnp.isnan(x), np.nan, found)


def _confluent_far(a: Any, b: Any, x: Any) -> Any:
    """DLMF 13.7.1, and with Kummer's transformation for negative x."""
    positive = x > 0
    size = jnp.abs(x)
    u, v = jnp.where(positive, 1 - a, a), jnp.where(positive, b - a, a - b + 1)
    total: Any = jnp.ones_like(size)
    for k in range(24, -1, -1):
        total = 1 + total * (u + k) * (v + k) / ((k + 1) * size)
    power = jnp.where(positive, a - b, -a)
    exponent = power * jnp.log(size) + jnp.where(positive, size, 0)
    half = jnp.exp(.5 * exponent)
    return _quotient((b,), (jnp.where(positive, a, b - a),)) * half * total * half


def _confluent_slopes(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    """The derivatives in `a` and `b`, of the series term by term; for negative `x` of Kummer's transformation."""
    turned = x < 0
    p, y = jnp.where(turned, b - a, a), jnp.abs(x)
    by_p, by_c, total = _differentiated(y, [(p, 1)], [(b, 1)])
    scale = jnp.where(turned, jnp.exp(jnp.where(turned, x, 0)), 1)
    del total
    return jnp.where(turned, -scale * by_p[0], by_p[0]), jnp.where(turned, scale * (by_p[0] + by_c[0]), by_c[0])


def _differentiated(y: Any, tops: list[tuple[Any, int]], bottoms: list[tuple[Any, int]]) -> tuple[list[Any], list[Any], Any]:
    """The derivatives in each parameter of the sum of (p)_k … / ((c)_k … k!) y^k, and the sum."""
    parameters = [p for p, _ in tops] + [c for c, _ in bottoms]
    epsilon = _epsilon(y)
    one, zero = jnp.ones_like(y), jnp.zeros_like(y)
    count = len(parameters)

    def going(s: Any) -> Any:
        return (s[-1] > 0).any() & (s[0] < MOST_TERMS)

    def step(s: Any) -> Any:
        index, term, total, term_slopes, slopes, left = s
        k = index.astype(y.dtype)
        rate: Any = y / (k + 1)
        rates: list[Any] = [rate] * count
        for i, p in enumerate(parameters):
            top = i < len(tops)
            factor = p + k if top else 1 / (p + k)
            own = one if top else -1 / (p + k) ** 2
            rates = [r * (own if j == i else factor) for j, r in enumerate(rates)]
            rate = rate * factor
        new_slopes = [t * rate + term * r for t, r in zip(term_slopes, rates)]
        term = term * rate
        found = [a + b for a, b in zip(slopes, new_slopes)]
        total = total + term
        still = jnp.abs(term) > epsilon * jnp.abs(total)
        for t, f in zip(new_slopes, found):
            still = still | (jnp.abs(t) > epsilon * jnp.abs(f))
        live = left > 0
        left = jnp.where(live & (jnp.abs(total) < np.inf), jnp.where(still, 3, left - 1), 0)
        return index + 1, term, total, new_slopes, found, left

    start = (jnp.zeros((), np.int32), one, one, [zero] * count, [zero] * count, jnp.where(jnp.isnan(y), 0, 3))
    _, _, total, _, slopes, _ = while_loop(going, step, start)
    return slopes[:len(tops)], slopes[len(tops):], total


@_hyp1f1.defjvp
def _hyp1f1_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (a, b, x), (da, db, dx) = primals, tangents
    by_a, by_b = _confluent_slopes(a, b, x)
    return _hyp1f1(a, b, x), da * by_a + db * by_b + dx * (a / b * _hyp1f1(a + 1, b + 1, x))


def hyp1f1(a: Any, b: Any, x: Any) -> Array:
    """The confluent hypergeometric function 1F1, Kummer's M(a, b, x).

    Args:
        a: real array of any shape.
        b: real array; shapes broadcast.
        x: real array.

    Returns:
        Floating array; infinite where `b` is 0 or a negative integer and the series does not end before. Differs: it is
        accurate for large negative `x` too, where JAX returns 0.

    By its series (DLMF 13.2.2), Kummer's transformation, and for large `x` its asymptotic series (DLMF 13.7.1).

    >>> hyp1f1(1., 1., 0.)
    Array(1., dtype=float32)
    """
    arrays = jnp.broadcast_arrays(*floating("jsp.special.hyp1f1", a, b, x))
    return strong(fused_call(_hyp1f1, tuple(arrays)))


# -- 2F1

@custom_jvp
def _hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Any:
    return in_single(_gauss, a, b, c, x)


NEAR = .9


def _gauss(a: Any, b: Any, c: Any, x: Any) -> Any:
    """Pfaff's transformation (DLMF 15.8.1) brings negative x into [0, 1); next to 1, there are series in 1 - x."""
    negative = x < 0
    turned = negative & ~(_is_pole(a) | _is_pole(b))
    y = jnp.where(turned, x / jnp.where(turned, x - 1, 1), x)
    q = jnp.where(turned, c - b, b)
    pole = _is_pole(c) & ~(_is_pole(a) & (a >= c)) & ~(_is_pole(b) & (b >= c))
    safe_c = jnp.where(pole, 1, c)
    found = _gauss_up_to_one(a, q, safe_c, y, ~pole)
    scale = jnp.where(turned, jnp.where(turned, 1 - x, 1) ** -a, 1)
    found = jnp.where(pole, np.inf, scale * found)
    bad = jnp.isnan(a) | jnp.isnan(b) | jnp.isnan(c) | jnp.isnan(x)
    return jnp.where(bad, np.nan, jnp.where((x == 0) | (a == 0) | (b == 0), 1, found))


def _gauss_up_to_one(a: Any, b: Any, c: Any, y: Any, active: Any) -> Any:
    """For y ≤ 1, and for all y where the series ends. Where both a and b have no such end but c - a or c - b has, or where
    c - a - b is a negative whole number, Euler's transformation (DLMF 15.8.1) comes first."""
    rest = c - a - b
    whole = jnp.abs(rest - jnp.round(rest)) < np.sqrt(_epsilon(y))
    near, late = (y > NEAR) & (y < 1), (y > .5) & (y < 1)
    ends = _is_pole(a) | _is_pole(b)
    # of the two ends the one that comes first leaves the shorter sum
    ended = (_is_pole(c - a) | _is_pole(c - b)) & (~ends | (jnp.maximum(c - a, c - b) > jnp.minimum(a, b)) & (rest > 0))
    swapped = (near & ~ends & whole & (rest < -.5)) | (late & ended)
    a, b = jnp.where(swapped, c - a, a), jnp.where(swapped, c - b, b)
    rest = jnp.where(swapped, -rest, rest)
    ends = _is_pole(a) | _is_pole(b)
    apart = jnp.abs(rest - jnp.round(rest)) > jnp.where(y > .99, 0, 1e-2)
    by_end = late & ends & ~_is_pole(c)
    by_log = near & ~ends & whole
    by_two = near & ~ends & ~whole & apart
    here = active & (by_end | near | (jnp.abs(y) < 1) | ends)
    direct = here & ~(by_end | by_log | by_two)
    found = _gauss_series(a, b, c, jnp.where(direct, y, 0), direct)
    beside = jnp.where(late, y, .95)
    found = jnp.where(by_two, _gauss_near_one(a, b, c, beside, by_two), found)
    found = jnp.where(by_log, _gauss_whole(a, b, c, beside, by_log), found)
    found = jnp.where(by_end, _gauss_ending(a, b, c, beside, by_end), found)
    at_one = jnp.where(rest > 0, _quotient((c, jnp.where(rest > 0, rest, 1)), (c - a, c - b)), np.inf)
    found = jnp.where((y == 1) & ~ends, at_one, jnp.where(here, found, np.inf))
    return found * jnp.where(swapped, (1 - beside) ** -rest, 1)


def _gauss_ending(a: Any, b: Any, c: Any, x: Any, active: Any) -> Any:
    """A polynomial in 1 - x, whose terms do not cancel next to 1 as those in x do (DLMF 15.8.7)."""
    first = _is_pole(a) & ~(_is_pole(b) & (b > a))
    end, other = jnp.where(first, a, b), jnp.where(first, b, a)
    gap = c - other
    known = active & ~_is_pole(gap) & ~_is_pole(gap - end)
    safe = jnp.where(known, gap, 1.5)
    series = _gauss_series(end, other, 1 + end - safe, jnp.where(known, 1 - x, 0), known)
    turned = _quotient((safe - end, c), (safe, c - end)) * series
    return jnp.where(known, turned, _gauss_series(end, other, c, jnp.where(known, 0, x), active & ~known))


def _gauss_whole(a: Any, b: Any, c: Any, x: Any, active: Any) -> Any:
    """Where c - a - b is m = 0, 1, 2, …: a sum of m terms, and a series with a logarithm (DLMF 15.8.10)."""
    y = 1 - x
    m = jnp.where(active, jnp.round(c - a - b), 0)
    off = c - a - b - m                                     # next to a whole number only in the last digits
    a, b = jnp.where(active, a, .5), jnp.where(active, b, .5)

    def falling(k: Any) -> Any:
        inside = k + 1 < m
        return jnp.where(inside, (a + k) * (b + k) * y / ((k + 1) * jnp.where(inside, k + 1 - m, 1)), 0)

    some = m > 0
    before = _quotient((c, jnp.where(some, m, 1)), (a + m, b + m)) * _series(falling, y, active & some)
    before = jnp.where(some, before, 0)
    log = jnp.log(y)
    log = jnp.where(off == 0, log, jnp.expm1(off * log) / jnp.where(off == 0, 1, off))
    start = log - digamma(jnp.ones_like(m)) - digamma(m + 1) + digamma(a + m) + digamma(b + m)
    after = _with_logarithms(a + m, b + m, m, y, start, active)
    sign = jnp.where(m % 2 == 0, 1, -1)
    return before - sign * y ** m * _quotient((c,), (a, b, m + 1)) * after


def _with_logarithms(p: Any, q: Any, m: Any, y: Any, start: Any, active: Any) -> Any:
    """The sum of (p)_k (q)_k / (k! (m + 1)_k) y^k h_k, where h is a sum of digamma functions, by its recurrence."""
    epsilon = _epsilon(y)

    def going(s: Any) -> Any:
        return (s[-1] > 0).any() & (s[0] < MOST_TERMS)

    def step(s: Any) -> Any:
        index, term, h, total, left = s
        k = index.astype(y.dtype)
        h = h - 1 / (k + 1) - 1 / (k + m + 1) + 1 / (p + k) + 1 / (q + k)
        term = term * (p + k) * (q + k) / ((k + 1) * (m + 1 + k)) * y
        new = total + term * h
        still = jnp.abs(term * h) + jnp.abs(term) > epsilon * jnp.abs(new)
        return index + 1, term, h, jnp.where(left > 0, new, total), jnp.where(left > 0, jnp.where(still, 3, left - 1), 0)

    one = jnp.ones_like(y)
    return while_loop(going, step, (jnp.zeros((), np.int32), one, start, start, jnp.where(active, 3, 0)))[3]


def _gauss_series(a: Any, b: Any, c: Any, x: Any, active: Any) -> Any:
    def ratio(k: Any) -> Any:
        above = (a + k) * (b + k)
        ended = (above == 0) | (c + k == 0)  # a denominator is 0 behind the end alone
        return jnp.where(ended, 0, above / jnp.where(ended, 1, c + k) * (x / (k + 1)))

    return _series(ratio, x, active)


def _gauss_near_one(a: Any, b: Any, c: Any, x: Any, active: Any) -> Any:
    rest = jnp.where(active, c - a - b, .5)
    y = 1 - x
    first = _quotient((c, rest), (c - a, c - b)) * _gauss_series(a, b, 1 - rest, y, active)
    second = _quotient((c, -rest), (a, b)) * _gauss_series(c - a, c - b, 1 + rest, y, active)
    return first + y ** rest * second


@_hyp2f1.defjvp
def _hyp2f1_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """In the parameters by the series, term by term, after Pfaff's transformation."""
    (a, b, c, x), (da, db, dc, dx) = primals, tangents
    turned = x < 0
    y = jnp.where(turned, x / jnp.where(turned, x - 1, 1), x)
    q = jnp.where(turned, c - b, b)
    outside = jnp.abs(y) >= 1
    (by_a, by_q), (by_c,), total = _differentiated(jnp.where(outside, np.nan, y), [(a, 1), (q, 1)], [(c, 1)])
    scale = jnp.where(turned, (1 - jnp.where(turned, x, 0)) ** -a, 1)
    by_a = scale * (by_a - jnp.where(turned, jnp.log1p(-jnp.where(turned, x, 0)) * total, 0))
    by_b = scale * jnp.where(turned, -by_q, by_q)
    by_c = scale * (by_c + jnp.where(turned, by_q, 0))
    by_x = a * b / c * _hyp2f1(a + 1, b + 1, c + 1, x)
    return _hyp2f1(a, b, c, x), da * by_a + db * by_b + dc * by_c + dx * by_x


def hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Array:
    """The hypergeometric function 2F1.

    Args:
        a: real array of any shape.
        b: real array; shapes broadcast.
        c: real array.
        x: real array, at most 1.

    Returns:
        Floating array; infinite at the poles, and for `x` above 1, unless the series ends. Differs: it is accurate for
        `x` below -1 too, where JAX returns infinity.

    By its series (DLMF 15.2.1), the transformations of Pfaff for negative `x` and of Euler (DLMF 15.8.1), and next to 1
    the series in `1 - x`: DLMF 15.8.4, 15.8.7 where the series ends, 15.8.10 where `c - a - b` is an integer. Where it is
    nearly one, half of the digits are lost next to 1.

    >>> hyp2f1(1., 2., 3., 0.)
    Array(1., dtype=float32)
    """
    arrays = jnp.broadcast_arrays(*floating("jsp.special.hyp2f1", a, b, c, x))
    return strong(fused_call(_hyp2f1, tuple(arrays)))


__all__ = ["hyp1f1", "hyp2f1"]
