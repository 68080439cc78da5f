"""Exponentials and logarithms, circular and hyperbolic functions."""
from __future__ import annotations

import math
from typing import Any

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.lax.accuracy import Accuracy, accuracy_text, checked
from perspicax.lax.convert import PART_OF
from perspicax.lax.elementwise import accurate, add, div, integer_pow, mul, neg, rsqrt, square, sub
from perspicax.lax.families import (
    COMPLEX,
    INEXACT,
    ArrayLike,
    constant_like,
    elementwise,
    kind,
)
from perspicax.lax.operand import operand

# -- exponentials and logarithms

def _emit_exp2(b: Any, x: Any, **accuracy: Any) -> Any:
    product = b.op("multiply", [b.constant(math.log(2), x.aval.strong), x], x.aval)
    return b.hlo("exponential", [product], b.out[0], accuracy_text(**accuracy))


def _emit_logistic(b: Any, x: Any, **_: Any) -> Any:
    aval = b.out[0]
    one = b.constant(1, aval)
    return b.op("divide", [one, b.op("add", [one, b.op("exponential", [b.op("negate", [x], aval)], aval)], aval)], aval)


exp_p = accurate("exp", "exponential", lambda t, out, x, **_: mul(t, out))
exp2_p = accurate("exp2", _emit_exp2, lambda t, out, x, **_: mul(constant_like(x, math.log(2)), mul(t, out)))
log1p_p = accurate("log1p", "log_plus_one", lambda t, out, x, **_: div(t, add(x, constant_like(x, 1))))
expm1_p = accurate("expm1", "exponential_minus_one", lambda t, out, x, **_: mul(t, add(out, constant_like(x, 1))))
logistic_p = accurate("logistic", _emit_logistic,
                       lambda t, out, x, **_: mul(t, mul(out, sub(constant_like(x, 1), out))))


def exp(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """`e` to the power `x`.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return exp_p(operand(x), **checked(accuracy))
    return local.trace.p1(exp_p, x if isinstance(x, Array) else operand(x))


def exp2(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """2 to the power `x`.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return exp2_p(operand(x), **checked(accuracy))
    return local.trace.p1(exp2_p, x if isinstance(x, Array) else operand(x))


def log1p(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """`log(1 + x)`, accurate near 0.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return log1p_p(operand(x), **checked(accuracy))
    return local.trace.p1(log1p_p, x if isinstance(x, Array) else operand(x))


def expm1(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """`exp(x) - 1`, accurate near 0.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return expm1_p(operand(x), **checked(accuracy))
    return local.trace.p1(expm1_p, x if isinstance(x, Array) else operand(x))


def logistic(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The sigmoid `1 / (1 + exp(-x))`.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return logistic_p(operand(x), **checked(accuracy))
    return local.trace.p1(logistic_p, x if isinstance(x, Array) else operand(x))


# -- circular functions

def _emit_trigonometric(cosine: bool) -> Any:
    """sin(x + iy) = sin x cosh y + i cos x sinh y and cos(x + iy) = cos x cosh y - i sin x sinh y.

    The hyperbolic functions come from exp(y) - 1, which keeps small `y` accurate. On the imaginary axis one part is
    zero whatever the other is: there 0 * inf must not become NaN.
    """
    name = "cosine" if cosine else "sine"

    def emit(b: Any, z: Any, **accuracy: Any) -> Any:
        if kind(z.dtype) not in COMPLEX:
            text = accuracy_text(**accuracy)
            return b.hlo(name, [z], b.out[0], text) if text else b.op(name, [z], b.out[0])
        part = ShapedArray(z.shape, PART_OF[z.dtype])
        x, y = b.hlo("real", [z], part), b.hlo("imag", [z], part)
        zero, two = b.constant(0, part), b.constant(2, part)
        up = b.op("exponential_minus_one", [y], part)
        down = b.op("exponential_minus_one", [b.op("negate", [y], part)], part)
        sinh_y = b.op("divide", [b.op("subtract", [up, down], part), two], part)
        cosh_y = b.op("divide", [b.op("add", [b.op("add", [up, down], part), two], part), two], part)
        sin_x, cos_x = b.op("sine", [x], part), b.op("cosine", [x], part)
        on_axis = b.compare(x, zero, "EQ", "FLOAT")
        if cosine:
            re = b.op("multiply", [cos_x, cosh_y], part)
            im = b.op("multiply", [b.op("negate", [sin_x], part), sinh_y], part)
            axis = b.hlo("complex", [re, zero], b.out[0])
        else:
            re, im = b.op("multiply", [sin_x, cosh_y], part), b.op("multiply", [cos_x, sinh_y], part)
            axis = b.hlo("complex", [zero, im], b.out[0])
        return b.select(on_axis, axis, b.hlo("complex", [re, im], b.out[0]))

    return emit


def _one_and_square(x: Any) -> Any:
    return add(constant_like(x, 1), square(x))


def _rsqrt_of_one_minus_square(x: Any) -> Any:
    return rsqrt(sub(constant_like(x, 1), square(x)))


sin_p = accurate("sin", _emit_trigonometric(False), lambda t, out, x, **_: mul(t, cos(x)))
cos_p = accurate("cos", _emit_trigonometric(True), lambda t, out, x, **_: neg(mul(t, sin(x))))
tan_p = accurate("tan", "tan", lambda t, out, x, **_: mul(t, _one_and_square(out)))
asin_p = elementwise("asin", over=INEXACT, emit="chlo.asin",
                     jvp=lambda t, out, x: mul(t, _rsqrt_of_one_minus_square(x)))
acos_p = elementwise("acos", over=INEXACT, emit="chlo.acos",
                     jvp=lambda t, out, x: mul(t, neg(_rsqrt_of_one_minus_square(x))))
atan_p = elementwise("atan", over=INEXACT, emit="chlo.atan", jvp=lambda t, out, x: div(t, _one_and_square(x)))
atan2_p = elementwise("atan2", over=INEXACT, emit="atan2",
                      jvp=(lambda t, out, x, y: mul(t, div(y, add(square(x), square(y)))),
                           lambda t, out, x, y: mul(t, div(neg(x), add(square(x), square(y))))))


def sin(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The sine.

    Args:
        x: floating or complex array; radians.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return sin_p(operand(x), **checked(accuracy))
    return local.trace.p1(sin_p, x if isinstance(x, Array) else operand(x))


def cos(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The cosine.

    Args:
        x: floating or complex array; radians.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return cos_p(operand(x), **checked(accuracy))
    return local.trace.p1(cos_p, x if isinstance(x, Array) else operand(x))


def tan(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The tangent.

    Args:
        x: floating or complex array; radians.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return tan_p(operand(x), **checked(accuracy))
    return local.trace.p1(tan_p, x if isinstance(x, Array) else operand(x))


def asin(x: ArrayLike) -> Array:
    """The angle whose sine is `x`.

    Args:
        x: floating or complex array.

    Returns:
        Radians from -pi/2 to pi/2; NaN where `|x| > 1`. Complex: the principal branch.
    """
    return local.trace.p1(asin_p, x if isinstance(x, Array) else operand(x))


def acos(x: ArrayLike) -> Array:
    """The angle whose cosine is `x`.

    Args:
        x: floating or complex array.

    Returns:
        Radians from 0 to pi; NaN where `|x| > 1`. Complex: the principal branch.
    """
    return local.trace.p1(acos_p, x if isinstance(x, Array) else operand(x))


def atan(x: ArrayLike) -> Array:
    """The angle whose tangent is `x`.

    Args:
        x: floating or complex array.

    Returns:
        Radians from -pi/2 to pi/2. Complex: the principal branch.
    """
    return local.trace.p1(atan_p, x if isinstance(x, Array) else operand(x))


def atan2(x: ArrayLike, y: ArrayLike) -> Array:
    """The angle of the point with ordinate `x` and abscissa `y`.

    Args:
        x: floating or complex array.
        y: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Radians from -pi to pi.
    """
    return local.trace.p2(atan2_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


# -- hyperbolic functions

sinh_p = elementwise("sinh", over=INEXACT, emit="chlo.sinh", jvp=lambda t, out, x: mul(t, cosh(x)))
cosh_p = elementwise("cosh", over=INEXACT, emit="chlo.cosh", jvp=lambda t, out, x: mul(t, sinh(x)))
tanh_p = accurate("tanh", "tanh", lambda t, out, x, **_: _tanh_jvp(t, out))
asinh_p = elementwise("asinh", over=INEXACT, emit="chlo.asinh",
                      jvp=lambda t, out, x: mul(t, rsqrt(_one_and_square(x))))
acosh_p = elementwise("acosh", over=INEXACT, emit="chlo.acosh",
                      jvp=lambda t, out, x: mul(t, rsqrt(sub(square(x), constant_like(x, 1)))))
atanh_p = elementwise("atanh", over=INEXACT, emit="chlo.atanh", jvp=lambda t, out, x: _atanh_jvp(t, x))


def _tanh_jvp(t: Any, out: Any) -> Any:
    """(1 + out) * (1 - out) keeps more digits than 1 - out² where `out` is near 1."""
    return mul(add(t, mul(t, out)), sub(constant_like(out, 1), out))


def _atanh_jvp(t: Any, x: Any) -> Any:
    one = constant_like(x, 1)
    return mul(integer_pow(add(one, x), -1), div(t, sub(one, x)))


def sinh(x: ArrayLike) -> Array:
    """The hyperbolic sine.

    Args:
        x: floating or complex array.
    """
    return local.trace.p1(sinh_p, x if isinstance(x, Array) else operand(x))


def cosh(x: ArrayLike) -> Array:
    """The hyperbolic cosine.

    Args:
        x: floating or complex array.
    """
    return local.trace.p1(cosh_p, x if isinstance(x, Array) else operand(x))


def tanh(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The hyperbolic tangent.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return tanh_p(operand(x), **checked(accuracy))
    return local.trace.p1(tanh_p, x if isinstance(x, Array) else operand(x))


def asinh(x: ArrayLike) -> Array:
    """The inverse of `sinh`.

    Args:
        x: floating or complex array.
    """
    return local.trace.p1(asinh_p, x if isinstance(x, Array) else operand(x))


def acosh(x: ArrayLike) -> Array:
    """The inverse of `cosh`.

    Args:
        x: floating or complex array.

    Returns:
        Array of the dtype of `x`, at least 0; NaN below 1. Complex: the principal branch.
    """
    return local.trace.p1(acosh_p, x if isinstance(x, Array) else operand(x))


def atanh(x: ArrayLike) -> Array:
    """The inverse of `tanh`.

    Args:
        x: floating or complex array.

    Returns:
        Array of the dtype of `x`; NaN where `|x| > 1`. Complex: the principal branch.
    """
    return local.trace.p1(atanh_p, x if isinstance(x, Array) else operand(x))


__all__ = ["acos", "acos_p", "acosh", "acosh_p", "asin", "asin_p", "asinh", "asinh_p", "atan", "atan2", "atan2_p",
           "atan_p", "atanh", "atanh_p", "cos", "cos_p", "cosh", "cosh_p", "exp", "exp2", "exp2_p", "exp_p", "expm1",
           "expm1_p", "log1p", "log1p_p", "logistic", "logistic_p", "sin", "sin_p", "sinh", "sinh_p", "tan", "tan_p",
           "tanh", "tanh_p"]
