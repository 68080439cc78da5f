"""Special functions: error functions, the gamma function and its derivatives, zeta, Bessel functions."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.core.primitive import NotDifferentiable
from perspicax.core.tracer import get_aval
from perspicax.lax.compare import gt, select_n_p
from perspicax.lax.elementwise import abs as lax_abs
from perspicax.lax.elementwise import add, integer_pow, mul, neg, sign, square, sub
from perspicax.lax.families import FLOATING, ArrayLike, constant_like, elementwise, full_like
from perspicax.lax.formula import Formula, in_single_precision
from perspicax.lax.operand import operand
from perspicax.lax.special_errors import ShapeParameterGradientError
from perspicax.lax.transcendental import exp

# -- error functions

erf_p = elementwise("erf", over=FLOATING, emit="chlo.erf",
                    jvp=lambda t, out, x: _gaussian(t, x, 2 / math.sqrt(math.pi)))
erfc_p = elementwise("erfc", over=FLOATING, emit="chlo.erfc",
                     jvp=lambda t, out, x: _gaussian(t, x, -2 / math.sqrt(math.pi)))
erf_inv_p = elementwise(
    "erf_inv", over=FLOATING, emit="chlo.erf_inv",
    jvp=lambda t, out, x: mul(constant_like(x, math.sqrt(math.pi) / 2), mul(t, exp(square(out)))))


def _gaussian(t: Any, x: Any, factor: float) -> Any:
    return mul(constant_like(x, factor), mul(t, exp(neg(square(x)))))


def erf(x: ArrayLike) -> Array:
    """The error function, `2/sqrt(pi)` times the integral of `exp(-s²)` from 0 to `x`.

    Args:
        x: floating array.
    """
    return local.trace.p1(erf_p, x if isinstance(x, Array) else operand(x))


def erfc(x: ArrayLike) -> Array:
    """`1 - erf(x)`, accurate for large `x`.

    Args:
        x: floating array.
    """
    return local.trace.p1(erfc_p, x if isinstance(x, Array) else operand(x))


def erf_inv(x: ArrayLike) -> Array:
    """The inverse of `erf`.

    Args:
        x: floating array, from -1 to 1.

    Returns:
        Array of the dtype of `x`; infinite at -1 and 1, NaN beyond.
    """
    return local.trace.p1(erf_inv_p, x if isinstance(x, Array) else operand(x))


# -- the gamma function

lgamma_p = elementwise("lgamma", over=FLOATING, emit="chlo.lgamma", jvp=lambda t, out, x: mul(t, digamma(x)))
digamma_p = elementwise("digamma", over=FLOATING, emit="chlo.digamma",
                        jvp=lambda t, out, x: mul(t, polygamma(constant_like(x, 1), x)))


def _no_order_gradient(t: Any, out: Any, m: Any, x: Any) -> Any:
    raise ShapeParameterGradientError(operation="polygamma", parameters=("m",))


polygamma_p = elementwise(
    "polygamma", over=FLOATING, emit="chlo.polygamma",
    jvp=(_no_order_gradient, lambda t, out, m, x: mul(t, polygamma(add(m, constant_like(m, 1)), x))))
zeta_p = elementwise("zeta", over=FLOATING, emit="chlo.zeta",
                     jvp=NotDifferentiable("the derivative of `zeta` is not implemented"))


def lgamma(x: ArrayLike) -> Array:
    """The logarithm of the absolute value of the gamma function.

    Args:
        x: floating array.
    """
    return local.trace.p1(lgamma_p, x if isinstance(x, Array) else operand(x))


def digamma(x: ArrayLike) -> Array:
    """The derivative of `lgamma`.

    Args:
        x: floating array.
    """
    return local.trace.p1(digamma_p, x if isinstance(x, Array) else operand(x))


def polygamma(m: ArrayLike, x: ArrayLike) -> Array:
    """The derivative of order `m` of `digamma`.

    Args:
        m: the order: floating array of whole numbers, not negative.
        x: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Array of that dtype. It can be differentiated in `x` alone.
    """
    return local.trace.p2(polygamma_p, m if isinstance(m, Array) else operand(m),
                          x if isinstance(x, Array) else operand(x))


def zeta(x: ArrayLike, q: ArrayLike) -> Array:
    """The Hurwitz zeta function, the sum of `(q + k)**-x` over `k = 0, 1, 2, …`.

    Args:
        x: floating array, above 1.
        q: array of the same dtype; shapes are equal, or one is a scalar.
    """
    return local.trace.p2(zeta_p, x if isinstance(x, Array) else operand(x), q if isinstance(q, Array) else operand(q))


# -- Bessel functions

# Chebyshev coefficients of exp(-x) I0(x) on [0, 8] and of exp(-x) sqrt(x) I0(x) on [8, inf), from Moshier's Cephes
# library (`i0.c`, `i0f.c`), highest order first.
_I0_NEAR: dict[int, tuple[float, ...]] = {4: (
    -1.30002500998624804212E-8, 6.04699502254191894932E-8, -2.67079385394061173391E-7, 1.11738753912010371815E-6,
    -4.41673835845875056359E-6, 1.64484480707288970893E-5, -5.75419501008210370398E-5, 1.88502885095841655729E-4,
    -5.76375574538582365885E-4, 1.63947561694133579842E-3, -4.32430999505057594430E-3, 1.05464603945949983183E-2,
    -2.37374148058994688156E-2, 4.93052842396707084878E-2, -9.49010970480476444210E-2, 1.71620901522208775349E-1,
    -3.04682672343198398683E-1, 6.76795274409476084995E-1)}
_I0_NEAR[8] = (
    -4.41534164647933937950E-18, 3.33079451882223809783E-17, -2.43127984654795469359E-16, 1.71539128555513303061E-15,
    -1.16853328779934516808E-14, 7.67618549860493561688E-14, -4.85644678311192946090E-13, 2.95505266312963983461E-12,
    -1.72682629144155570723E-11, 9.67580903537323691224E-11, -5.18979560163526290666E-10, 2.65982372468238665035E-9,
    *_I0_NEAR[4])
_I0_FAR: dict[int, tuple[float, ...]] = {4: (
    3.39623202570838634515E-9, 2.26666899049817806459E-8, 2.04891858946906374183E-7, 2.89137052083475648297E-6,
    6.88975834691682398426E-5, 3.36911647825569408990E-3, 8.04490411014108831608E-1)}
_I0_FAR[8] = (
    -7.23318048787475395456E-18, -4.83050448594418207126E-18, 4.46562142029675999901E-17, 3.46122286769746109310E-17,
    -2.82762398051658348494E-16, -3.42548561967721913462E-16, 1.77256013305652638360E-15, 3.81168066935262242075E-15,
    -9.55484669882830764870E-15, -4.15056934728722208663E-14, 1.54008621752140982691E-14, 3.85277838274214270114E-13,
    7.18012445138366623367E-13, -1.79417853150680611778E-12, -1.32158118404477131188E-11, -3.14991652796324136454E-11,
    1.18891471078464383424E-11, 4.94060238822496958910E-10, *_I0_FAR[4])


def _chebyshev(x: Formula, coefficients: Sequence[float]) -> Formula:
    """Clenshaw's recurrence for a Chebyshev series in x/2, whose last coefficient counts half."""
    b0 = b1 = b2 = x.constant(0)
    for c in coefficients:
        b0, b1, b2 = x * b0 - b1 + c, b0, b1
    return .5 * (b0 - b2)


def _i0e_formula(x: Formula) -> Formula:
    size = abs(x)
    width = 8 if x.dtype == np.dtype("float64") else 4
    near = _chebyshev(.5 * size - 2, _I0_NEAR[width])
    far = _chebyshev(32 / size - 2, _I0_FAR[width]) / size.sqrt()
    return (size <= 8).where(near, far)


def _i1e_jvp(t: Any, out: Any, x: Any) -> Any:
    """i0e(x) - i1e(x) (sign x + 1/x), and its limit 1/2 at 0."""
    epsilon = float(np.finfo(np.float32 if get_aval(x).dtype.itemsize < 8 else np.float64).eps)  # type: ignore
    away = gt(lax_abs(x), constant_like(x, epsilon))
    safe = select_n_p(away, full_like(x, epsilon), x)
    slope = sub(bessel_i0e(safe), mul(out, add(sign(safe), integer_pow(safe, -1))))
    return mul(t, select_n_p(away, full_like(x, .5), slope))


bessel_i0e_p = elementwise("bessel_i0e", over=FLOATING, emit=in_single_precision(_i0e_formula),
                           jvp=lambda t, out, x: mul(t, sub(bessel_i1e(x), mul(sign(x), out))))
bessel_i1e_p = elementwise("bessel_i1e", over=FLOATING, emit="chlo.bessel_i1e", jvp=_i1e_jvp)


def bessel_i0e(x: ArrayLike) -> Array:
    """`exp(-|x|)` times the modified Bessel function of the first kind of order 0.

    Args:
        x: floating array.
    """
    return local.trace.p1(bessel_i0e_p, x if isinstance(x, Array) else operand(x))


def bessel_i1e(x: ArrayLike) -> Array:
    """`exp(-|x|)` times the modified Bessel function of the first kind of order 1.

    Args:
        x: floating array.
    """
    return local.trace.p1(bessel_i1e_p, x if isinstance(x, Array) else operand(x))


__all__ = ["bessel_i0e", "bessel_i0e_p", "bessel_i1e", "bessel_i1e_p", "digamma", "digamma_p", "erf", "erf_inv",
           "erf_inv_p", "erf_p", "erfc", "erfc_p", "lgamma", "lgamma_p", "polygamma", "polygamma_p", "zeta", "zeta_p"]
