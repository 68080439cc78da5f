"""The incomplete gamma and beta functions.

The incomplete gamma functions follow Moshier's Cephes library (`igam`, `igamc`): a power series where `x` is small
against `a`, a continued fraction where it is large. Their derivatives in `a` are those of the same recurrences, term by
term. The incomplete beta function is its continued fraction (DLMF 8.17.22), evaluated by the modified method of Lentz.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotDifferentiable
from perspicax.lax.elementwise import add, log, mul, neg, sub
from perspicax.lax.families import FLOATING, ArrayLike, constant_like, elementwise
from perspicax.lax.formula import Formula, State, in_single_precision, repeat
from perspicax.lax.operand import operand
from perspicax.lax.special import lgamma
from perspicax.lax.special_errors import ShapeParameterGradientError
from perspicax.lax.transcendental import exp, log1p

VALUE, DERIVATIVE, SAMPLE = "value", "derivative", "sample"
MAX_TERMS = 2000


def _epsilon(x: Formula) -> float:
    return float(dtypes.finfo(x.dtype).eps)


# -- the two expansions of the incomplete gamma functions

def _series(a: Formula, x: Formula, active: Formula, scale: Formula | None, mode: str) -> Formula:
    """1 + x/(a+1) + x²/((a+1)(a+2)) + …, with its derivative in `a`; `scale` is x^a e^-x / gamma(a)."""
    epsilon = _epsilon(x)
    start = dict(active=active, r=a, term=a.constant(1), sum=a.constant(1), x=x)
    if mode != VALUE:
        start |= dict(dterm=a.constant(0), dsum=a.constant(0))

    def step(s: State) -> State:
        r = s["r"] + 1
        ratio = s["x"] / r
        new = dict(s, r=r, term=s["term"] * ratio)
        new["sum"] = s["sum"] + new["term"]
        if mode == VALUE:
            going = new["term"] / new["sum"] > epsilon
        else:
            new["dterm"] = s["dterm"] * ratio - s["term"] * s["x"] / (r * r)
            new["dsum"] = s["dsum"] + new["dterm"]
            going = abs(new["dterm"] / new["dsum"]) > epsilon
        return _advance(s, new, going)

    end = repeat(start, lambda s: s["active"].any(), step)
    if mode == VALUE:
        return end["sum"] * scale / a
    moved = end["dsum"] + end["sum"] * (x.log() - (a + 1).special("digamma"))
    return moved * scale / a if scale is not None else -moved * x / a


def _advance(old: State, new: State, going: Formula) -> State:
    """The next state where the element is still active, else the old one; what is scalar always moves on."""
    active = old["active"]
    scalars = {n for n, v in old.items() if not v.value.shape and active.value.shape}
    found = {n: v if n in scalars or v is old[n] else active.where(v, old[n]) for n, v in new.items()}
    found["active"] = active & going
    return found


def _fraction(a: Formula, x: Formula, active: Formula, scale: Formula | None, mode: str) -> Formula:
    """The continued fraction of gamma(a, x) e^x x^-a, as p/q with three-term recurrences, and its derivative in `a`."""
    epsilon = _epsilon(x)
    y = 1 - a
    z = x + y + 1
    p, q = x + 1, z * x
    start = dict(active=active, value=p / q, y=y, z=z, n=_scalar(x, 0.), p1=p, q1=q, p2=a.constant(1), q2=x)
    if mode != VALUE:
        zero = a.constant(0)
        start |= dict(dp1=zero, dq1=-x, dp2=zero, dq2=zero)
        start["dvalue"] = (start["dp1"] - start["value"] * start["dq1"]) / q

    def step(s: State) -> State:
        n = s["n"] + 1
        y, z = s["y"] + 1, s["z"] + 2
        count = n.spread(y)
        factor = y * count
        p, q = s["p1"] * z - s["p2"] * factor, s["q1"] * z - s["q2"] * factor
        defined = q.differs(0)
        value = p / q
        error = defined.where(abs((s["value"] - value) / value), 1)
        new = dict(s, n=n, y=y, z=z, value=defined.where(value, s["value"]), p1=p, q1=q, p2=s["p1"], q2=s["q1"])
        if mode != VALUE:
            dp = s["dp1"] * z - s["p1"] - s["dp2"] * factor + s["p2"] * count
            dq = s["dq1"] * z - s["q1"] - s["dq2"] * factor + s["q2"] * count
            dvalue = defined.where((dp - new["value"] * dq) / q, s["dvalue"])
            error = defined.where(abs(dvalue - s["dvalue"]), 1)
            new |= dict(dp1=dp, dq1=dq, dp2=s["dp1"], dq2=s["dq1"], dvalue=dvalue)
        large = abs(p) > 1 / epsilon  # numerators and denominators grow together; their ratio stays
        for name in new:
            if name.rstrip("12") in ("p", "q", "dp", "dq"):
                new[name] = large.where(new[name] * epsilon, new[name])
        return _advance(s, new, error > epsilon)

    end = repeat(start, lambda s: (s["n"] < MAX_TERMS) & s["active"].any(), step)
    if mode == VALUE:
        return end["value"] * scale
    moved = end["dvalue"] + end["value"] * (x.log() - a.special("digamma"))
    return moved * scale if scale is not None else -moved * x


def _scalar(like: Formula, number: Any) -> Formula:
    return Formula(like.b, like.b.constant(number, ShapedArray((), like.dtype)))


def _scale(a: Formula, x: Formula) -> tuple[Formula, Formula]:
    """The exponent of x^a e^-x / gamma(a), and where it underflows."""
    exponent = a * x.log() - x - a.special("lgamma")
    return exponent, exponent < -float(np.log(float(dtypes.finfo(x.dtype).max)))


def _igamma_formula(a: Formula, x: Formula) -> Formula:
    nan = a.is_nan() | x.is_nan()
    infinite, zero = x.equals(np.inf), x.equals(0)
    outside = (x < 0) | (a < 0) | (a.equals(0) & zero) | nan
    by_fraction = (x >= 1) & (x > a)
    exponent, vanishes = _scale(a, x)
    active = ~(zero | outside | vanishes | infinite)
    scale = exponent.exp()
    upper = _fraction(a, x, active & by_fraction, scale, VALUE)
    found = by_fraction.where(1 - upper, _series(a, x, active & ~by_fraction, scale, VALUE))
    return outside.where(np.nan, infinite.where(1, zero.where(0, found)))


def _igammac_formula(a: Formula, x: Formula) -> Formula:
    nan = a.is_nan() | x.is_nan()
    infinite, zero = x.equals(np.inf), a.equals(0)
    outside = (x < 0) | (a < 0) | (zero & x.equals(0)) | nan
    by_series = (x < 1) | (x < a)
    exponent, vanishes = _scale(a, x)
    active = ~(zero | outside | vanishes | infinite)
    scale = exponent.exp()
    lower = _series(a, x, active & by_series, scale, VALUE)
    found = by_series.where(1 - lower, _fraction(a, x, active & ~by_series, scale, VALUE))
    return outside.where(np.nan, (zero | infinite).where(0, found))


def _derivative_formula(mode: str) -> Any:
    def formula(a: Formula, x: Formula) -> Formula:
        nan = a.is_nan() | x.is_nan()
        zero = x.equals(0)
        outside = (x < 0) | (a <= 0)
        by_fraction = (x > 1) & (x > a)
        exponent, vanishes = _scale(a, x)
        active = ~(zero | outside | vanishes | nan)
        scale = exponent.exp() if mode == DERIVATIVE else None
        upper = _fraction(a, x, active & by_fraction, scale, mode)
        found = by_fraction.where(-upper, _series(a, x, active & ~by_fraction, scale, mode))
        return (outside | nan).where(np.nan, zero.where(0, found))

    return formula


# -- the incomplete beta function

def _betainc_formula(a: Formula, b: Formula, x: Formula) -> Formula:
    a_zero, b_zero = a.equals(0) | b.equals(np.inf), b.equals(0) | a.equals(np.inf)
    at_zero, at_one = x.equals(0), x.equals(1)
    nothing = (b_zero & ~at_one) | (a_zero & at_zero)
    everything = (a_zero & ~at_zero) | (b_zero & at_one)
    outside = (a < 0) | (b < 0) | (x < 0) | (x > 1) | (a_zero & b_zero) | a.is_nan() | b.is_nan() | x.is_nan()
    fast = x < (a + 1) / (a + b + 2)  # where the fraction converges fast; else by I_x(a, b) = 1 - I_1-x(b, a)
    p, q, y = fast.where(a, b), fast.where(b, a), fast.where(x, 1 - x)
    fraction = _beta_fraction(p, q, y)
    rest = q.special("lgamma") - (p + q).special("lgamma")
    tiny = 2 * float(dtypes.finfo(x.dtype).tiny)
    factor = (p < tiny).where(((-y).log1p() * q - rest).exp(),
                              (y.log() * p + (-y).log1p() * q - (p.special("lgamma") + rest)).exp() / p)
    found = fraction * factor
    return outside.where(np.nan, everything.where(1, nothing.where(0, fast.where(found, 1 - found))))


def _beta_fraction(a: Formula, b: Formula, x: Formula) -> Formula:
    """1/(1 + d1/(1 + d2/(1 + …))) with the coefficients d of DLMF 8.17.23."""
    small = _epsilon(x) / 2
    max_terms = 600 if x.dtype == np.dtype("float64") else 200
    zero = a.constant(0)
    yes = Formula(x.b, x.b.constant(True, ShapedArray((), np.dtype(bool))))
    start = dict(a=a, b=b, x=x, n=_scalar(x, 1.), going=yes, c=a.constant(small), d=zero, value=a.constant(small))

    def guarded(v: Formula) -> Formula:
        return (abs(v) < small).where(small, v)

    def step(s: State) -> State:
        a, b, x, n = s["a"], s["b"], s["x"], s["n"]
        half = (n - 1) * .5
        whole = Formula(n.b, n.b.op("floor", [half.value], half.value.aval))
        odd = half.equals(whole)
        m = whole.spread(a)
        numerator_odd = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        first = -(a + b) * x / (a + 1)
        later = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        numerator_even = m.equals(0).where(first, later)
        numerator = n.equals(1).spread(a).where(1, odd.spread(a).where(numerator_odd, numerator_even))
        c, d = guarded(1 + numerator / s["c"]), 1 / guarded(1 + numerator * s["d"])
        delta = c * d
        return dict(s, n=n + 1, c=c, d=d, value=s["value"] * delta, going=(abs(delta - 1) >= small).any())

    return repeat(start, lambda s: (s["n"] < max_terms) & s["going"], step)["value"]


# -- primitives

def _density(a: Any, x: Any) -> Any:
    """The derivative of igamma in x: x^(a-1) e^-x / gamma(a)."""
    return exp(sub(add(neg(x), mul(sub(a, constant_like(a, 1)), log(x))), lgamma(a)))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    log_beta = sub(add(lgamma(a), lgamma(b)), lgamma(add(a, b)))
    powers = add(mul(sub(b, constant_like(b, 1)), log1p(neg(x))), mul(sub(a, constant_like(a, 1)), log(x)))
    return exp(sub(powers, log_beta))


def _no_shape_gradient(t: Any, out: Any, *operands: Any) -> Any:
    raise ShapeParameterGradientError(operation="betainc", parameters=("a", "b"))


igamma_grad_a_p = elementwise(
    "igamma_grad_a", over=FLOATING, emit=in_single_precision(_derivative_formula(DERIVATIVE)),
    jvp=NotDifferentiable("the second derivative of the incomplete gamma function in `a` is not implemented"))
random_gamma_grad_p = elementwise(
    "random_gamma_grad", over=FLOATING, emit=in_single_precision(_derivative_formula(SAMPLE)),
    jvp=NotDifferentiable("the second derivative of a gamma sample in its shape parameter is not implemented"))
igamma_p = elementwise(
    "igamma", over=FLOATING, emit=in_single_precision(_igamma_formula),
    jvp=(lambda t, out, a, x: mul(t, igamma_grad_a(a, x)), lambda t, out, a, x: mul(t, _density(a, x))))
igammac_p = elementwise(
    "igammac", over=FLOATING, emit=in_single_precision(_igammac_formula),
    jvp=(lambda t, out, a, x: neg(mul(t, igamma_grad_a(a, x))), lambda t, out, a, x: neg(mul(t, _density(a, x)))))
regularized_incomplete_beta_p = elementwise(
    "regularized_incomplete_beta", over=FLOATING, emit=in_single_precision(_betainc_formula),
    jvp=(_no_shape_gradient, _no_shape_gradient, lambda t, out, a, b, x: mul(_beta_density(a, b, x), t)))


def igamma(a: ArrayLike, x: ArrayLike) -> Array:
    """The regularized lower incomplete gamma function P(a, x).

    Args:
        a: floating array, positive.
        x: array of the same dtype, not negative; shapes are equal, or one is a scalar.

    Returns:
        Array of that dtype, from 0 to 1; NaN outside of the domain.
    """
    return local.trace.p2(igamma_p, a if isinstance(a, Array) else operand(a),
                          x if isinstance(x, Array) else operand(x))


def igammac(a: ArrayLike, x: ArrayLike) -> Array:
    """The regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x); operands as for `igamma`."""
    return local.trace.p2(igammac_p, a if isinstance(a, Array) else operand(a),
                          x if isinstance(x, Array) else operand(x))


def igamma_grad_a(a: ArrayLike, x: ArrayLike) -> Array:
    """The derivative of `igamma(a, x)` in `a`; operands as for `igamma`."""
    return local.trace.p2(igamma_grad_a_p, a if isinstance(a, Array) else operand(a),
                          x if isinstance(x, Array) else operand(x))


def random_gamma_grad(a: ArrayLike, x: ArrayLike) -> Array:
    """How a sample `x` of the gamma distribution moves with the shape parameter `a`, its quantile held.

    Args:
        a: floating array, positive.
        x: the sample, of the same dtype; shapes are equal, or one is a scalar.

    Figurnov, Mohamed and Mnih, Implicit reparameterization gradients, 2018.
    """
    return local.trace.p2(random_gamma_grad_p, a if isinstance(a, Array) else operand(a),
                          x if isinstance(x, Array) else operand(x))


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Array:
    """The regularized incomplete beta function I_x(a, b).

    Args:
        a: floating array, positive.
        b: array of the same dtype, positive.
        x: array of the same dtype, from 0 to 1.

    Returns:
        Array of that dtype, from 0 to 1; NaN outside of the domain. It can be differentiated in `x` alone.
    """
    return regularized_incomplete_beta_p(operand(a), operand(b), operand(x))


__all__ = ["betainc", "igamma", "igamma_grad_a", "igamma_grad_a_p", "igamma_p", "igammac", "igammac_p",
           "random_gamma_grad", "random_gamma_grad_p", "regularized_incomplete_beta_p"]
