"""Elementwise arithmetic.

No function here promotes: operands have one dtype, and equal shapes, or one is a scalar. The functions of the numpy
room do.
"""
from __future__ import annotations

import builtins
import enum
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import get_aval
from perspicax.lax.accuracy import Accuracy, accuracy_text, checked
from perspicax.lax.compare import compare_values, eq, ge, select_n_p
from perspicax.lax.convert import PART_OF, conj, convert, convert_element_type_p, real
from perspicax.lax.errors import OperandDtypeError, OperandMismatchError, OperationShapeError
from perspicax.lax.families import (
    ANY,
    COMPLEX,
    FLAT,
    FLOATING,
    INEXACT,
    INTEGER,
    LINEAR,
    NUMBER,
    REAL,
    SIGNED,
    UNSIGNED,
    ArrayLike,
    constant_like,
    elementwise,
    elementwise_type,
    full_like,
    integers_only,
    kind,
    kinds_text,
    linear_in_each,
    result_shape,
    spread,
    spread_tangent,
    zeros_like,
)
from perspicax.lax.operand import integer
from perspicax.lax.operand import operand as _operand

# -- sums and products

neg_p = elementwise("neg", over=NUMBER, jvp=LINEAR, emit="negate", transpose=lambda ct, x: [neg(ct)],
                    host=integers_only(np.negative))
add_p = elementwise(
    "add", over=NUMBER, emit="add", host=integers_only(np.add),
    jvp=(lambda t, out, x, y: spread_tangent(t, out), lambda t, out, x, y: spread_tangent(t, out)),
    transpose=linear_in_each(lambda ct, x, y: ct, lambda ct, x, y: ct))
add_any_p = elementwise("add_any", over=NUMBER, emit="add", jvp=LINEAR, host=integers_only(np.add),
                        transpose=linear_in_each(lambda ct, x, y: ct, lambda ct, x, y: ct))
sub_p = elementwise(
    "sub", over=NUMBER, emit="subtract", host=integers_only(np.subtract),
    jvp=(lambda t, out, x, y: spread_tangent(t, out), lambda t, out, x, y: neg(spread_tangent(t, out))),
    transpose=linear_in_each(lambda ct, x, y: ct, lambda ct, x, y: neg(ct)))
mul_p = elementwise("mul", over=NUMBER, emit="multiply", host=integers_only(np.multiply),
                    jvp=(lambda t, out, x, y: mul(t, y), lambda t, out, x, y: mul(x, t)),
                    transpose=linear_in_each(lambda ct, x, y: mul(ct, y), lambda ct, x, y: mul(x, ct)))
div_p = elementwise(
    "div", over=NUMBER, emit="divide",
    jvp=(lambda t, out, x, y: div(t, y), lambda t, out, x, y: mul(mul(neg(t), x), integer_pow(y, -2))),
    transpose=linear_in_each(lambda ct, x, y: div(ct, y), None))
rem_p = elementwise("rem", over=REAL, emit="remainder",
                    jvp=(lambda t, out, x, y: spread_tangent(t, out), lambda t, out, x, y: _rem_jvp(t, x, y)))
mulhi_p = elementwise("mulhi", over=INTEGER, emit="chlo.mulhi", jvp=FLAT)


def _rem_jvp(t: Any, x: Any, y: Any) -> Any:
    """x - y * trunc(x / y), and the quotient does not move."""
    quotient = div(x, y)
    return mul(neg(t), mul(sign(quotient), floor(abs(quotient))))


def neg(x: ArrayLike) -> Array:
    """`-x`.

    Args:
        x: integer, floating or complex array. Unsigned integers and the smallest integer wrap around.
    """
    return local.trace.p1(neg_p, x if isinstance(x, Array) else _operand(x))


def add(x: ArrayLike, y: ArrayLike) -> Array:
    """`x + y`.

    Args:
        x: integer, floating or complex array.
        y: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Array of that dtype; integers wrap around.

    Raises:
        OperandMismatchError: the dtypes differ.
        ElementwiseShapeError: the shapes do not go together.
    """
    return local.trace.p2(add_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


def add_any(x: ArrayLike, y: ArrayLike) -> Array:
    """The sum of two tangents or cotangents of one type."""
    return local.trace.p2(add_any_p, x, y)


def sub(x: ArrayLike, y: ArrayLike) -> Array:
    """`x - y`; operands as for `add`."""
    return local.trace.p2(sub_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


def mul(x: ArrayLike, y: ArrayLike, *, out_dtype: Any = None) -> Array:
    """`x * y`; operands as for `add`.

    Args:
        out_dtype: dtype in which to multiply, and of the result; that of the operands by default.
    """
    if out_dtype is not None:
        dtype = dtypes.requested_dtype(out_dtype, "mul")
        x, y = [convert(v, dtype, get_aval(_operand(v)).weak_type) for v in (x, y)]  # type: ignore[attr-defined]
    return local.trace.p2(mul_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


def div(x: ArrayLike, y: ArrayLike) -> Array:
    """`x / y`; operands as for `add`.

    Returns:
        Array of the operands' dtype. Integers are divided towards zero; divided by zero they give -1 (all bits set).
    """
    return local.trace.p2(div_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


def rem(x: ArrayLike, y: ArrayLike) -> Array:
    """The remainder of `x / y`, which has the sign of `x`.

    Args:
        x: integer or floating array.
        y: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Array of that dtype; integers divided by zero leave `x`.
    """
    return local.trace.p2(rem_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


def mulhi(x: ArrayLike, y: ArrayLike, /) -> Array:
    """The upper half of the product: of `2n` bits for operands of `n` bits the upper `n`.

    Args:
        x: integer array.
        y: array of the same dtype; shapes are equal, or one is a scalar.
    """
    return local.trace.p2(mulhi_p, x if isinstance(x, Array) else _operand(x),
                          y if isinstance(y, Array) else _operand(y))


# -- whole powers

def _integer_pow_type(x: Any, *, y: int) -> Any:
    out = elementwise_type("integer_pow", NUMBER)(x)
    if y < 0 and kind(x.dtype) in INTEGER:
        raise OperationShapeError(says=f"{x.str_short()} cannot be raised to the power {y}.",
                                  why="a negative power of an integer is no integer")
    return out


def _integer_pow_jvp(t: Any, out: Any, x: Any, *, y: int) -> Any:
    match y:
        case 0:
            return zeros_like(t)
        case 1:
            return t
        case _:
            return mul(t, mul(constant_like(x, y), x if y == 2 else integer_pow(x, y - 1)))


def _integer_pow_emit(b: Any, x: Any, *, y: int) -> Any:
    aval = b.out[0]
    if y == 0:
        return b.constant(1, aval)
    if y == 3:
        return b.op("multiply", [b.op("multiply", [x, x], aval), x], aval)
    product: Any = None
    power, n = x, builtins.abs(y)
    while n:
        if n & 1:
            product = power if product is None else b.op("multiply", [product, power], aval)
        n >>= 1
        if n:
            power = b.op("multiply", [power, power], aval)
    return product if y > 0 else b.op("divide", [b.constant(1, aval), product], aval)


integer_pow_p = elementwise("integer_pow", fast_compile="real", over=NUMBER, params=("y",), type_rule=_integer_pow_type,
                            jvp=_integer_pow_jvp, emit=_integer_pow_emit)
square_p = elementwise(
    "square", over=NUMBER, jvp=lambda t, out, x: mul(t, mul(constant_like(x, 2), x)), host=integers_only(np.square),
    fast_compile="real",
    emit=lambda b, x: b.op("multiply", [x, x], b.out[0]) if kind(x.dtype) in INTEGER
    else b.generic("chlo.square", [x], b.out[0]))


def integer_pow(x: ArrayLike, y: int) -> Array:
    """`x` to the power `y`, a Python integer, by repeated multiplication.

    Args:
        x: integer, floating or complex array.
        y: the power; not negative when `x` is of integers.
    """
    return integer_pow_p(x if isinstance(x, Array) else _operand(x), y=integer(y, "integer_pow", "y"))


def square(x: ArrayLike) -> Array:
    """`x * x`, for an integer, floating or complex array."""
    return local.trace.p1(square_p, x if isinstance(x, Array) else _operand(x))


def reciprocal(x: ArrayLike) -> Array:
    """`1 / x`, for a floating or complex array."""
    return integer_pow(x, -1)


# -- the larger and the smaller

def _balanced(x: Any, out: Any, y: Any) -> Any:
    """1 where `x` was chosen, 1/2 where both are equal, else 0."""
    chosen = select_n_p(eq(x, out), full_like(out, 0), full_like(out, 1))
    return div(chosen, select_n_p(eq(y, out), full_like(out, 1), full_like(out, 2)))


def _emit_extreme(operation: str, direction: str) -> Any:
    def emit(b: Any, x: Any, y: Any) -> Any:
        x, y = spread(b, [x, y])
        if kind(x.dtype) not in COMPLEX:
            return b.op(operation, [x, y], b.out[0])
        part = b.out[0].update(dtype=PART_OF[x.dtype])  # lexicographic order: real parts first
        re_x, re_y, im_x, im_y = [b.hlo(name, [v], part) for name in ("real", "imag") for v in (x, y)]
        same = b.compare(re_x, re_y, "EQ", "FLOAT")
        first = b.select(same, b.compare(im_x, im_y, direction, "FLOAT"), b.compare(re_x, re_y, direction, "FLOAT"))
        return b.select(first, x, y)

    return emit


max_p = elementwise("max", over=ANY, emit=_emit_extreme("maximum", "GT"), host=integers_only(np.maximum),
                    fast_compile="all",
                    jvp=(lambda t, out, x, y: mul(t, _balanced(x, out, y)),
                         lambda t, out, x, y: mul(t, _balanced(y, out, x))))
min_p = elementwise("min", over=ANY, emit=_emit_extreme("minimum", "LT"), host=integers_only(np.minimum),
                    fast_compile="all",
                    jvp=(lambda t, out, x, y: mul(t, _balanced(x, out, y)),
                         lambda t, out, x, y: mul(t, _balanced(y, out, x))))


def max(x: ArrayLike, y: ArrayLike) -> Array:
    """The larger of `x` and `y`.

    Args:
        x: array; complex numbers are ordered by their real, then by their imaginary parts.
        y: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Array of that dtype; NaN where either is. Where both are equal, each takes half of the derivative.
    """
    return local.trace.p2(max_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


def min(x: ArrayLike, y: ArrayLike) -> Array:
    """The smaller of `x` and `y`; see `max`."""
    return local.trace.p2(min_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


# -- signs and sizes

def _abs_jvp(t: Any, out: Any, x: Any) -> Any:
    dtype = get_aval(x).dtype  # type: ignore[attr-defined]
    if kind(dtype) not in COMPLEX:
        return select_n_p(ge(x, constant_like(x, 0)), neg(t), t)
    size = convert_element_type_p(out, new_dtype=dtype, weak_type=get_aval(x).weak_type)  # type: ignore[attr-defined]
    size = select_n_p(eq(size, constant_like(size, 0)), size, full_like(size, 1))
    return real(mul(t, div(conj(x), size)))


def _sign_emit(b: Any, x: Any) -> Any:
    if kind(x.dtype) not in UNSIGNED:
        return b.op("sign", [x], b.out[0])
    zero, one = b.constant(0, x.aval.strong), b.constant(1, x.aval.strong)
    return b.select(compare_values(b, x, zero, "EQ"), zero, one)


abs_p = elementwise(
    "abs", over=SIGNED | FLOATING | COMPLEX, out_dtype=lambda d: PART_OF.get(d, d), jvp=_abs_jvp, emit="abs",
    host=integers_only(np.abs))
sign_p = elementwise("sign", fast_compile="all", over=NUMBER, jvp=FLAT, emit=_sign_emit, host=integers_only(np.sign))


def abs(x: ArrayLike) -> Array:
    """`|x|`.

    Args:
        x: signed integer, floating or complex array. The smallest integer stays negative.

    Returns:
        Array of the dtype of `x`; of the dtype of its parts when it is complex.
    """
    return local.trace.p1(abs_p, x if isinstance(x, Array) else _operand(x))


def sign(x: ArrayLike) -> Array:
    """-1, 0 or 1, as `x` is; of complex numbers `x / |x|`.

    Args:
        x: integer, floating or complex array.

    Returns:
        Array of the dtype of `x`; NaN and zeros stay as they are.
    """
    return local.trace.p1(sign_p, x if isinstance(x, Array) else _operand(x))


# -- rounding

class RoundingMethod(enum.IntEnum):
    """What `round` does with numbers half-way between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


floor_p = elementwise("floor", over=FLOATING, jvp=FLAT, emit="floor")
ceil_p = elementwise("ceil", over=FLOATING, jvp=FLAT, emit="ceil")
round_p = elementwise(
    "round", fast_compile="all", over=FLOATING, jvp=FLAT, params=("rounding_method",),
    emit=lambda b, x, *, rounding_method: b.op(
        "round_nearest_even" if rounding_method == RoundingMethod.TO_NEAREST_EVEN else "round_nearest_afz", [x],
        b.out[0]))


def floor(x: ArrayLike) -> Array:
    """The largest whole number that is not above `x`, for a floating array."""
    return local.trace.p1(floor_p, x if isinstance(x, Array) else _operand(x))


def ceil(x: ArrayLike) -> Array:
    """The smallest whole number that is not below `x`, for a floating array."""
    return local.trace.p1(ceil_p, x if isinstance(x, Array) else _operand(x))


def round(x: ArrayLike, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Array:
    """The nearest whole number.

    Args:
        x: floating array.
        rounding_method: where numbers half-way between two go.
    """
    return round_p(x if isinstance(x, Array) else _operand(x), rounding_method=RoundingMethod(rounding_method))


# -- roots, powers, and the logarithm, which the derivative of a power needs

def accurate(name: str, emit: Any, jvp: Any, over: frozenset = INEXACT) -> Primitive:
    """A function of one operand that may be asked for an accuracy; the parameter is absent unless it is."""
    return elementwise(name, over=over, params=None, emit=emit, jvp=jvp, attributes=accuracy_text)


log_p = accurate("log", "log", lambda t, out, x, **_: div(t, x))
sqrt_p = accurate("sqrt", "sqrt", lambda t, out, x, **_: mul(t, div(constant_like(x, .5), out)))
rsqrt_p = accurate("rsqrt", "rsqrt", lambda t, out, x, **_: mul(t, mul(constant_like(x, -.5), div(out, x))))
cbrt_p = accurate("cbrt", "cbrt",
                   lambda t, out, x, **_: mul(t, mul(constant_like(x, 1 / 3), integer_pow(out, -2))), over=FLOATING)


def _pow_type(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    for i, (a, takes) in enumerate(((x, INEXACT), (y, INTEGER | INEXACT))):
        if kind(a.dtype) not in takes:
            raise OperandDtypeError(operation="pow", type_text=a.str_short(), accepts=kinds_text(takes), index=i)
    if kind(y.dtype) not in INTEGER and x.dtype != y.dtype:
        raise OperandMismatchError(operation="pow", avals=(x, y), index=1)
    return ShapedArray(result_shape("pow", (x, y)), x.dtype, x.weak_type and y.weak_type)


def _pow_emit(b: Any, x: Any, y: Any) -> Any:
    return b.op("power", spread(b, [x, b.convert(y, x.dtype)]), b.out[0])


def _pow_base(t: Any, out: Any, x: Any, y: Any) -> Any:
    """y x^(y-1). A whole power of 0 is a constant, and has the derivative 0 even where x^-1 is infinite."""
    if kind(get_aval(y).dtype) in INTEGER:  # type: ignore[attr-defined]
        y = convert_element_type_p(y, new_dtype=get_aval(x).dtype, weak_type=get_aval(x).weak_type)  # type: ignore
        zero = eq(y, constant_like(y, 0))
        factor = mul(select_n_p(zero, y, full_like(y, 1)), pow(x, _one_less(y)))
        return mul(t, select_n_p(spread_tangent(zero, factor), factor, full_like(factor, 0)))
    return mul(t, mul(y, pow(x, _one_less(y))))


def _one_less(y: Any) -> Any:
    """y - 1, never weak: so is the derivative of a power in JAX."""
    return sub(y, np.ones((), get_aval(y).dtype)[()])  # type: ignore[attr-defined]


def _pow_exponent(t: Any, out: Any, x: Any, y: Any) -> Any:
    """log(x) x^y, and 0 at x = 0, where x^y does not depend on y."""
    base = select_n_p(eq(x, constant_like(x, 0)), x, full_like(x, 1))
    return mul(t, mul(log(base), out))


pow_p = elementwise("pow", over=INEXACT, type_rule=_pow_type, emit=_pow_emit, jvp=(_pow_base, _pow_exponent))


def pow(x: ArrayLike, y: ArrayLike) -> Array:
    """`x` to the power `y`.

    Args:
        x: floating or complex array.
        y: array of the same dtype, or of integers; shapes are equal, or one is a scalar.

    Returns:
        Array of the dtype of `x`; `pow(x, 0)` is 1 for every `x`.
    """
    return local.trace.p2(pow_p, x if isinstance(x, Array) else _operand(x), y if isinstance(y, Array) else _operand(y))


def sqrt(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The square root.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.

    Returns:
        Array of the dtype of `x`; NaN for negative numbers. Complex: the principal branch.
    """
    if accuracy is not None:
        return sqrt_p(_operand(x), **checked(accuracy))
    return local.trace.p1(sqrt_p, x if isinstance(x, Array) else _operand(x))


def rsqrt(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """`1 / sqrt(x)`.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.

    Returns:
        Array of the dtype of `x`; infinite at 0.
    """
    if accuracy is not None:
        return rsqrt_p(_operand(x), **checked(accuracy))
    return local.trace.p1(rsqrt_p, x if isinstance(x, Array) else _operand(x))


def cbrt(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The cube root.

    Args:
        x: floating array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.
    """
    if accuracy is not None:
        return cbrt_p(_operand(x), **checked(accuracy))
    return local.trace.p1(cbrt_p, x if isinstance(x, Array) else _operand(x))


def log(x: ArrayLike, *, accuracy: Accuracy = None) -> Array:
    """The natural logarithm.

    Args:
        x: floating or complex array.
        accuracy: how accurate the result shall be; `None` is the usual accuracy.

    Returns:
        Array of the dtype of `x`; NaN for negative numbers, `-inf` at 0. Complex: the principal branch.
    """
    if accuracy is not None:
        return log_p(_operand(x), **checked(accuracy))
    return local.trace.p1(log_p, x if isinstance(x, Array) else _operand(x))


__all__ = ["RoundingMethod", "abs", "abs_p", "accurate", "add", "add_any", "add_any_p", "add_p", "cbrt", "cbrt_p",
           "ceil", "ceil_p", "div", "div_p", "floor", "floor_p", "integer_pow", "integer_pow_p", "log", "log_p", "max",
           "max_p", "min", "min_p", "mul", "mul_p", "mulhi", "mulhi_p", "neg", "neg_p", "pow", "pow_p", "reciprocal",
           "rem", "rem_p", "round", "round_p", "rsqrt", "rsqrt_p", "sign", "sign_p", "sqrt", "sqrt_p", "square",
           "square_p", "sub", "sub_p"]
