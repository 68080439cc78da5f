"""The operators of arrays and the functions behind them: arithmetic, comparison, bits.

These are the hottest functions of all, so they are written out: same type on both sides goes straight to the
primitive, everything else through a kept promotion plan.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import trim
from perspicax.lax import bitwise, compare, elementwise, transcendental
from perspicax.lax.convert import convert_element_type
from perspicax.numpy.errors import UfuncDtypeError
from perspicax.numpy.promote import Binary, array_like, promote_args, to_inexact

_OPERANDS = (Array, np.ndarray, np.generic, int, float, complex)


def _is_bool(x: Any) -> bool:
    return get_aval(x).dtype == np.dtype(bool)  # type: ignore[attr-defined]


def binary(name: str, primitive: Primitive, doc: str, *, adjust: Callable[[Any], Any] | None = None,
           on_bool: Primitive | None = None) -> Callable[..., Any]:
    """A function of two operands around one primitive.

    Args:
        adjust: from the promoted dtype to the one worked in.
        on_bool: the primitive for booleans, where it is another.
    """
    promote = Binary(name, adjust)
    direct = promote.direct

    if on_bool is None:
        def function(x: Any, y: Any, /) -> Any:
            try:
                if isinstance(x, Array) and isinstance(y, Array):
                    aval = x.aval
                    if aval is y.aval and aval in direct:
                        return local.trace.p2(primitive, x, y)
                x, y = promote(x, y)
                return local.trace.p2(primitive, x, y)
            except Exception as error:
                trim(error)
                raise
    else:
        def function(x: Any, y: Any, /) -> Any:
            try:
                if isinstance(x, Array) and isinstance(y, Array):
                    aval = x.aval
                    if aval is y.aval and aval in direct and aval.mlir_element != "i1":
                        return local.trace.p2(primitive, x, y)
                x, y = promote(x, y)
                return local.trace.p2(on_bool if _is_bool(x) else primitive, x, y)
            except Exception as error:
                trim(error)
                raise

    return _named(function, name, f"{doc}\n\nOperands broadcast and are promoted.\n\nArgs:\n    x, y: arrays or scalars.")


def unary(name: str, primitive: Primitive, doc: str, *, inexact: bool = False) -> Callable[..., Any]:
    """A function of one operand around one primitive; with `inexact`, integers become floating first."""
    direct: set[Any] = set()

    def function(x: Any, /) -> Any:
        try:
            if isinstance(x, Array):
                if x.aval in direct:
                    return local.trace.p1(primitive, x)
            else:
                x = array_like(x, name)
            aval: Any = get_aval(x)
            if inexact and not dtypes.issubdtype(aval.dtype, np.inexact):
                if aval.extended:
                    raise UfuncDtypeError(function=name, type_text=aval.str_short())
                x = convert_element_type(x, to_inexact(aval.dtype))
            elif isinstance(x, Array):
                direct.add(aval)
            return local.trace.p1(primitive, x)
        except Exception as error:
            trim(error)
            raise

    return _named(function, name, f"{doc}\n\nArgs:\n    x: array or scalar{', integers become floating' if inexact else ''}.")


def _named(function: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__module__ = "perspicax.numpy"
    return function


add = binary("add", elementwise.add_p, "The sum, element by element.", on_bool=bitwise.or_p)
multiply = binary("multiply", elementwise.mul_p, "The product, element by element.", on_bool=bitwise.and_p)
subtract = binary("subtract", elementwise.sub_p, "The difference, element by element.")
true_divide = binary("true_divide", elementwise.div_p, "The quotient, element by element.", adjust=to_inexact)
divide = true_divide
maximum = binary("maximum", elementwise.max_p, "The larger of two, element by element; NaN where one is NaN.")
minimum = binary("minimum", elementwise.min_p, "The smaller of two, element by element; NaN where one is NaN.")
arctan2 = binary("arctan2", transcendental.atan2_p, "The angle of the point (y, x), in radians.", adjust=to_inexact)

equal = binary("equal", compare.eq_p, "Whether two are equal, element by element.")
not_equal = binary("not_equal", compare.ne_p, "Whether two differ, element by element.")
less = binary("less", compare.lt_p, "Whether the first is less, element by element.")
less_equal = binary("less_equal", compare.le_p, "Whether the first is less or equal, element by element.")
greater = binary("greater", compare.gt_p, "Whether the first is greater, element by element.")
greater_equal = binary("greater_equal", compare.ge_p, "Whether the first is greater or equal, element by element.")

bitwise_and = binary("bitwise_and", bitwise.and_p, "And of the bits, element by element.")
bitwise_or = binary("bitwise_or", bitwise.or_p, "Or of the bits, element by element.")
bitwise_xor = binary("bitwise_xor", bitwise.xor_p, "Exclusive or of the bits, element by element.")
left_shift = binary("left_shift", bitwise.shift_left_p, "Bits moved to the left, element by element.")

negative = unary("negative", elementwise.neg_p, "The negative.")
bitwise_not = unary("bitwise_not", bitwise.not_p, "The bits inverted.")
invert = bitwise_not
_abs = unary("absolute", elementwise.abs_p, "The absolute value.")

sin = unary("sin", transcendental.sin_p, "The sine of an angle in radians.", inexact=True)
cos = unary("cos", transcendental.cos_p, "The cosine of an angle in radians.", inexact=True)
tan = unary("tan", transcendental.tan_p, "The tangent of an angle in radians.", inexact=True)
sinh = unary("sinh", transcendental.sinh_p, "The hyperbolic sine.", inexact=True)
cosh = unary("cosh", transcendental.cosh_p, "The hyperbolic cosine.", inexact=True)
tanh = unary("tanh", transcendental.tanh_p, "The hyperbolic tangent.", inexact=True)
arcsin = unary("arcsin", transcendental.asin_p, "The angle in radians whose sine is given.", inexact=True)
arccos = unary("arccos", transcendental.acos_p, "The angle in radians whose cosine is given.", inexact=True)
arctan = unary("arctan", transcendental.atan_p, "The angle in radians whose tangent is given.", inexact=True)
arcsinh = unary("arcsinh", transcendental.asinh_p, "The inverse hyperbolic sine.", inexact=True)
arccosh = unary("arccosh", transcendental.acosh_p, "The inverse hyperbolic cosine.", inexact=True)
arctanh = unary("arctanh", transcendental.atanh_p, "The inverse hyperbolic tangent.", inexact=True)
exp = unary("exp", transcendental.exp_p, "e to the power of the operand.", inexact=True)
exp2 = unary("exp2", transcendental.exp2_p, "2 to the power of the operand.", inexact=True)
expm1 = unary("expm1", transcendental.expm1_p, "exp(x) - 1, precise near 0.", inexact=True)
log = unary("log", transcendental.log_p, "The natural logarithm.", inexact=True)
log1p = unary("log1p", transcendental.log1p_p, "log(1 + x), precise near 0.", inexact=True)
sqrt = unary("sqrt", elementwise.sqrt_p, "The square root.", inexact=True)
cbrt = unary("cbrt", elementwise.cbrt_p, "The cube root.", inexact=True)


def absolute(x: Any, /) -> Any:
    """The absolute value; the modulus of complex numbers.

    Args:
        x: array or scalar; unsigned integers and booleans are returned as they are.
    """
    if isinstance(x, Array) and x.aval.mlir_element[0] not in "iu":
        return _abs(x)
    x = array_like(x, "absolute")
    dtype = get_aval(x).dtype  # type: ignore[attr-defined]
    if dtype == np.dtype(bool) or dtypes.issubdtype(dtype, np.unsignedinteger):
        return x if isinstance(x, Array) else convert_element_type(x, dtype)
    return _abs(x)


def right_shift(x1: Any, x2: Any, /) -> Any:
    """Bits moved to the right, element by element; the sign is kept."""
    x1, x2 = promote_args("right_shift", x1, x2)
    signed = dtypes.issubdtype(get_aval(x1).dtype, np.signedinteger)  # type: ignore[attr-defined]
    return (bitwise.shift_right_arithmetic if signed else bitwise.shift_right_logical)(x1, x2)


def square(x: Any, /) -> Any:
    """The operand times itself."""
    x = array_like(x, "square")
    return elementwise.square(x)


def reciprocal(x: Any, /) -> Any:
    """1 / x."""
    (x,) = promote_args("reciprocal", x, inexact=True)
    return elementwise.integer_pow(x, -1)


def positive(x: Any, /) -> Any:
    """The operand itself."""
    x = array_like(x, "positive")
    return x if isinstance(x, Array) else convert_element_type(x, get_aval(x).dtype)  # type: ignore[attr-defined]


def remainder(x1: Any, x2: Any, /) -> Any:
    """What division leaves over, with the sign of the divisor, element by element."""
    x1, x2 = promote_args("remainder", x1, x2)
    zero = _constant(0, x2)
    if _is_bool(x2):
        x1, x2 = convert_element_type(x1, np.int32), convert_element_type(x2, np.int32)
        zero = _constant(0, x2)
    rem = elementwise.rem(x1, x2)
    nonzero = compare.ne(rem, zero)
    differs = compare.ne(compare.lt(rem, zero), compare.lt(x2, zero))
    return compare.select(bitwise.bitwise_and(differs, nonzero), elementwise.add(rem, x2), rem)


mod = remainder


def _constant(value: float, like: Any) -> Any:
    aval: Any = get_aval(like)
    return lax_shape_broadcast(np.asarray(value, aval.dtype), aval.shape)


def lax_shape_broadcast(x: Any, shape: tuple) -> Any:
    """A scalar repeated to `shape`."""
    from perspicax.lax.shape import broadcast_in_dim

    return broadcast_in_dim(x, shape, ()) if shape else convert_element_type(x, x.dtype)


def floor_divide(x1: Any, x2: Any, /) -> Any:
    """The quotient rounded down, element by element."""
    x1, x2 = promote_args("floor_divide", x1, x2)
    aval: Any = get_aval(x1)
    dtype = aval.dtype
    if dtype == np.dtype(bool):
        x1, x2, dtype = convert_element_type(x1, np.int32), convert_element_type(x2, np.int32), np.dtype(np.int32)
    if dtypes.issubdtype(dtype, np.unsignedinteger):
        return elementwise.div(x1, x2)
    if dtypes.issubdtype(dtype, np.integer):
        quotient = elementwise.div(x1, x2)
        differs = compare.ne(elementwise.sign(x1), elementwise.sign(x2))
        leaves = compare.ne(elementwise.rem(x1, x2), np.zeros((), dtype))
        down = bitwise.bitwise_and(differs, leaves)
        return compare.select(down, elementwise.sub(quotient, np.ones((), dtype)), quotient)
    if dtypes.issubdtype(dtype, np.complexfloating):
        raise UfuncDtypeError(function="floor_divide", type_text=aval.str_short())
    quotient, _ = _float_divmod(x1, x2)
    return quotient


def _float_divmod(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Quotient rounded down and remainder of floating numbers: the remainder decides, so that both agree."""
    rem = elementwise.rem(x1, x2)
    quotient = elementwise.div(elementwise.sub(x1, rem), x2)
    zero = np.zeros((), get_aval(x1).dtype)  # type: ignore[attr-defined]
    fix = bitwise.bitwise_and(compare.ne(rem, zero), compare.ne(elementwise.sign(x2), elementwise.sign(rem)))
    rem = compare.select(fix, elementwise.add(rem, x2), rem)
    quotient = compare.select(fix, elementwise.sub(quotient, np.ones((), get_aval(x1).dtype)), quotient)  # type: ignore
    return elementwise.round(quotient), rem


def divmod_(x1: Any, x2: Any, /) -> tuple[Any, Any]:
    """`floor_divide` and `remainder` together."""
    x1, x2 = promote_args("divmod", x1, x2)
    if dtypes.issubdtype(get_aval(x1).dtype, np.floating):  # type: ignore[attr-defined]
        return _float_divmod(x1, x2)
    return floor_divide(x1, x2), remainder(x1, x2)


def power(x1: Any, x2: Any, /) -> Any:
    """The first to the power of the second, element by element.

    Args:
        x1: base.
        x2: exponent. A Python integer is unrolled into multiplications, also for negative values of a floating base.

    Raises:
        UfuncDtypeError: an integer base with a negative Python exponent has no integer result.
    """
    if isinstance(x2, (int, np.integer)) and not isinstance(x2, (bool, np.bool_)):
        x1 = array_like(x1, "power", 0)
        dtype = get_aval(x1).dtype  # type: ignore[attr-defined]
        if dtypes.issubdtype(dtype, np.inexact) or dtypes.issubdtype(dtype, np.integer):
            n = int(x2)
            if n < 0 and dtypes.issubdtype(dtype, np.integer):
                raise UfuncDtypeError(function="power", type_text=get_aval(x1).str_short(), kind="negative exponent")
            if isinstance(x2, int):
                return elementwise.integer_pow(x1, n)
    x1, x2 = array_like(x1, "power", 0), array_like(x2, "power", 1)
    exponent: Any = get_aval(x2)
    base: Any = get_aval(x1)
    if dtypes.issubdtype(exponent.dtype, np.integer) and dtypes.issubdtype(base.dtype, np.inexact) \
            and not exponent.weak_type:
        x1, x2 = promote_args("power", x1, x2)
        return elementwise.pow(x1, x2)
    x1, x2 = promote_args("power", x1, x2)
    if dtypes.issubdtype(get_aval(x1).dtype, np.inexact):  # type: ignore[attr-defined]
        return elementwise.pow(x1, x2)
    return _integer_power(x1, x2)


def _integer_power(base: Any, exponent: Any) -> Any:
    """Integer powers by repeated squaring, one step for each bit of the exponent."""
    dtype = get_aval(base).dtype  # type: ignore[attr-defined]
    if dtype == np.dtype(bool):
        base, exponent = convert_element_type(base, np.int32), convert_element_type(exponent, np.int32)
        dtype = np.dtype(np.int32)
    one, zero = np.ones((), dtype), np.zeros((), dtype)
    result: Any = one
    square_ = base
    for _ in range(6 if dtype.itemsize < 8 else 7):
        odd = compare.ne(bitwise.bitwise_and(exponent, one), zero)
        result = where(odd, multiply(result, square_), result)
        square_ = elementwise.mul(square_, square_)
        exponent = bitwise.shift_right_logical(exponent, one)
    return result


def where(condition: Any, x: Any, y: Any) -> Any:
    """Elements of `x` where the condition holds, else of `y`; all three broadcast."""
    from perspicax.numpy.select import where as full_where

    return full_where(condition, x, y)


# -- installing them as operators

def _operator(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, _OPERANDS) or hasattr(other, "__jax_array__"):
            return function(self, other)
        return NotImplemented

    return _named(method, function.__name__, function.__doc__ or "")


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, _OPERANDS) or hasattr(other, "__jax_array__"):
            return function(other, self)
        return NotImplemented

    return _named(method, function.__name__, function.__doc__ or "")


def operator_methods() -> dict[str, Callable[..., Any]]:
    """The operators of `Array` by their method names."""
    both = {"add": add, "sub": subtract, "mul": multiply, "truediv": true_divide, "floordiv": floor_divide,
            "mod": remainder, "divmod": divmod_, "pow": power, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
            "lshift": left_shift, "rshift": right_shift}
    found = {f"__{n}__": _operator(f) for n, f in both.items()}
    found.update({f"__r{n}__": _reflected(f) for n, f in both.items()})
    found.update({"__eq__": _operator(equal), "__ne__": _operator(not_equal), "__lt__": _operator(less),
                  "__le__": _operator(less_equal), "__gt__": _operator(greater), "__ge__": _operator(greater_equal)})
    found.update({"__neg__": lambda self: negative(self), "__pos__": lambda self: positive(self),
                  "__abs__": lambda self: absolute(self), "__invert__": lambda self: bitwise_not(self)})
    return found


__all__ = ["ShapedArray", "absolute", "add", "bitwise_and", "divide", "divmod_", "equal", "floor_divide", "multiply",
           "negative", "operator_methods", "power", "remainder", "subtract", "true_divide", "where"]
