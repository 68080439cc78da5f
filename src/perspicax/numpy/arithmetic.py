"""Division with remainder, powers, shifts: arithmetic that takes more than one primitive; and the operators of arrays."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public, trim
from perspicax.lax import bitwise, compare, elementwise
from perspicax.lax.convert import convert, convert_element_type
from perspicax.lax.families import constant_like
from perspicax.lax.shape import broadcast_to_rank
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import UfuncDtypeError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.operators import (
    absolute,
    add,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    left_shift,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    positive,
    subtract,
    true_divide,
)
from perspicax.numpy.promote import array_like, of_numbers, promote_args, to_numeric
from perspicax.xla.array import ArrayImpl

_BOOL = np.dtype(bool)
_OPERANDS = (Array, np.ndarray, np.generic, int, float, complex)


def _kind(x: Any) -> str:
    return dtypes.kind_of(get_aval(x).dtype)  # type: ignore[attr-defined]


def _operands(function: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands of one dtype and rank, as arrays; booleans become int32."""
    x, y = promote_args(function, x, y)
    of_numbers(x, function)
    if _kind(x) == "bool":
        x, y = convert_element_type(x, np.int32), convert_element_type(y, np.int32)
    return asarray(x), asarray(y)


def _as_weak_as(x: Any, found: Any) -> Any:
    """A result whose weak type went away by constants, with that of the promoted operand."""
    return convert(found, found.dtype, True) if get_aval(x).weak_type else found  # type: ignore[attr-defined]


def _zero(x: Any) -> Any:
    return constant_like(x, 0)


def _one(x: Any) -> Any:
    return constant_like(x, 1)


# -- division

@public
def remainder(x1: Any, x2: Any, /) -> Array:
    """What division leaves over, with the sign of the divisor, element by element.

    Args:
        x1: real array.
        x2: real array.

    Returns:
        Array of the promoted dtype; `x1` itself where integers are divided by 0, NaN where floating numbers are.

    Raises:
        UfuncDtypeError: an operand is complex.
    """
    x1, x2 = _operands("remainder", x1, x2)
    _no_complex("remainder", x1)
    return fused_call(_remainder, (x1, x2))


mod = remainder


def _no_complex(function: str, x: Any) -> None:
    if _kind(x) == "complex":
        raise UfuncDtypeError(function=function, type_text=x.aval.str_short(), kind="complex numbers are not ordered, so "
                                                                                    "there is no rounding down")


def _remainder(x1: Any, x2: Any) -> Any:
    zero = _zero(x1)
    if _kind(x2) in ("int", "uint"):  # XLA leaves the remainder by 0 open to the backend; by 1 it is 0 everywhere
        x2 = where3(compare.eq(x2, zero), _one(x2), x2)
    rem = elementwise.rem(x1, x2)
    return _as_weak_as(x1, _with_sign(rem, x2, zero))


def _with_sign(rem: Any, x2: Any, zero: Any) -> Any:
    differs = compare.ne(compare.lt(rem, zero), compare.lt(x2, zero))
    moved = bitwise.bitwise_and(differs, compare.ne(rem, zero))
    return where3(moved, elementwise.add(rem, x2), rem)


@public
def floor_divide(x1: Any, x2: Any, /) -> Array:
    """The quotient rounded down, element by element.

    Args:
        x1: real array.
        x2: real array.

    Returns:
        Array of the promoted dtype.

    Raises:
        UfuncDtypeError: an operand is complex.
    """
    x1, x2 = _operands("floor_divide", x1, x2)
    _no_complex("floor_divide", x1)
    return fused_call(_floor_divide, (x1, x2))


def _floor_divide(x1: Any, x2: Any) -> Any:
    match _kind(x1):
        case "uint":
            return elementwise.div(x1, x2)
        case "int":
            quotient = elementwise.div(x1, x2)
            differs = compare.ne(elementwise.sign(x1), elementwise.sign(x2))
            down = bitwise.bitwise_and(differs, compare.ne(elementwise.rem(x1, x2), _zero(x1)))
            return _as_weak_as(x1, where3(down, elementwise.sub(quotient, _one(x1)), quotient))
        case _:
            return _float_divmod(x1, x2)[0]


def _float_divmod(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Quotient rounded down and remainder of floating numbers: the remainder decides, so that both agree.

    Divided by 0, the remainder is NaN; the quotient is then that of the operand itself: infinite, or NaN for 0 / 0.
    """
    zero = _zero(x1)
    rem = elementwise.rem(x1, x2)
    whole = where3(compare.eq(x2, zero), x1, elementwise.sub(x1, rem))
    quotient = elementwise.div(whole, x2)
    fix = bitwise.bitwise_and(compare.ne(rem, zero), compare.ne(elementwise.sign(x2), elementwise.sign(rem)))
    rem = where3(fix, elementwise.add(rem, x2), rem)
    quotient = where3(fix, elementwise.sub(quotient, _one(x1)), quotient)
    return _as_weak_as(x1, elementwise.round(quotient)), _as_weak_as(x1, rem)


def _divmod(x1: Any, x2: Any) -> tuple[Any, Any]:
    if _kind(x1) == "float":
        return _float_divmod(x1, x2)
    return _floor_divide(x1, x2), _remainder(x1, x2)


@public
def divmod(x1: Any, x2: Any, /) -> tuple[Array, Array]:
    """`floor_divide` and `remainder` together.

    Args:
        x1: real array.
        x2: real array.
    """
    x1, x2 = _operands("divmod", x1, x2)
    _no_complex("divmod", x1)
    return fused_call(_divmod, (x1, x2))


@public
def fmod(x1: Any, x2: Any, /) -> Array:
    """What division leaves over, with the sign of the dividend, element by element; 0 where integers are divided by 0.

    Args:
        x1: real array.
        x2: real array.
    """
    booleans = _kind(x1) == _kind(x2) == "bool"
    x1, x2 = _operands("fmod", x1, x2)
    if not booleans and _kind(x1) in ("int", "uint"):
        x2 = where3(compare.eq(x2, _zero(x2)), _one(x2), x2)
    return _as_weak_as(x1, elementwise.rem(x1, x2))


# -- powers

def power(x1: Any, x2: Any, /) -> Array:
    """The first to the power of the second, element by element.

    Args:
        x1: base.
        x2: exponent. One that is a single integer, known now, becomes repeated multiplication, in the dtype of the base.

    Returns:
        Array of the promoted dtype; of the dtype of `x1` where that is floating and `x2` is of integers.

    Raises:
        UfuncDtypeError: an integer base with a negative exponent has no integer result.
    """
    try:
        if isinstance(x2, (ArrayImpl, np.ndarray)) and x2.shape == () and _kind(x2) in ("int", "uint"):
            x2 = x2.item()
        if isinstance(x2, (int, np.integer)):
            x1 = array_like(x1, "power", 0)
            if _kind(x1) == "bool":
                x1 = convert_element_type(x1, np.int32)
            aval: Any = get_aval(x1)
            kind = dtypes.kind_of(aval.dtype)
            if kind in ("float", "complex", "int", "uint"):
                if x2 < 0 and kind in ("int", "uint"):
                    raise UfuncDtypeError(function="power", type_text=aval.str_short(), kind="negative exponent")
                return elementwise.integer_pow(asarray(x1), int(x2))
        return _power(x1, x2)
    except Exception as error:
        trim(error)
        raise


pow = power


def _power(x1: Any, x2: Any) -> Any:
    x1, x2 = array_like(x1, "power", 0), array_like(x2, "power", 1)
    if _kind(x2) in ("int", "uint") and _kind(x1) in ("float", "complex"):
        exponent = asarray(x2)
        base, promoted = promote_args("power", x1, x2)
        ranked = promoted.aval.shape if isinstance(promoted, Array) else np.shape(promoted)
        return elementwise.pow(base, exponent if exponent.shape == ranked else _ranked(exponent, len(ranked)))
    base, exponent = promote_args("power", x1, x2)
    if _kind(base) in ("float", "complex"):
        return elementwise.pow(base, exponent)
    of_numbers(base, "power")
    base, exponent = asarray(base), asarray(exponent)
    if _kind(base) == "bool":
        base, exponent = convert_element_type(base, np.int32), convert_element_type(exponent, np.int32)
    return fused_call(_integer_power, (convert(base, base.dtype, False), convert(exponent, base.dtype, False)))


def _ranked(x: Any, rank: int) -> Any:
    """An array with leading axes of size 1; scalars stay scalars."""
    return x if x.ndim == 0 else broadcast_to_rank(x, rank)


def _integer_power(base: Any, exponent: Any) -> Any:
    """Integer powers by repeated squaring, a step for each of the lowest 6 bits of the exponent; JAX too leaves out the rest.

    A base of 0 gives 0, but for the exponent 0: also for negative exponents, where the bits would go on.
    """
    dtype = base.dtype
    one, zero = np.ones((), dtype), np.zeros((), dtype)
    result = where3(bitwise.bitwise_and(compare.eq(base, zero), compare.ne(exponent, zero)), zero, one)
    for _ in range(6):
        odd = compare.ne(bitwise.bitwise_and(exponent, one), zero)
        result = where3(odd, multiply(result, base), result)
        base = elementwise.mul(base, base)
        exponent = bitwise.shift_right_logical(exponent, one)
    return result


@public
def float_power(x: Any, y: Any, /) -> Array:
    """The first to the power of the second, computed in floating numbers.

    Args:
        x: base.
        y: exponent.
    """
    return elementwise.pow(*promote_args("float_power", x, y, inexact=True))


@public
def reciprocal(x: Any, /) -> Array:
    """`1 / x`; integers become floating first."""
    (x,) = promote_args("reciprocal", x, inexact=True)
    return elementwise.integer_pow(x, -1)


@public
def right_shift(x1: Any, x2: Any, /) -> Array:
    """Bits moved to the right, element by element; the sign is kept.

    Args:
        x1: integer array.
        x2: integer array: by how many places.
    """
    x1, x2 = promote_args("right_shift", x1, x2)
    if _kind(x1) == "bool":
        x1, x2 = [convert(x, to_numeric(x1.dtype), False) for x in (x1, x2)]
    return (bitwise.shift_right_logical if _kind(x1) == "uint" else bitwise.shift_right_arithmetic)(x1, x2)


# -- as operators

def _operator(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        try:
            if isinstance(other, _OPERANDS) or hasattr(other, "__jax_array__"):
                return function(self, other)
            return _declined(function, other, 1)
        except Exception as error:
            trim(error)
            raise

    return _named(method, function)


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        try:
            if isinstance(other, _OPERANDS) or hasattr(other, "__jax_array__"):
                return function(other, self)
            return _declined(function, other, 0)
        except Exception as error:
            trim(error)
            raise

    return _named(method, function)


def _unary_operator(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any) -> Any:
        try:
            return function(self)
        except Exception as error:
            trim(error)
            raise

    return _named(method, function)


def _declined(function: Callable[..., Any], other: Any, index: int) -> Any:
    """Other classes may know how to combine with arrays; lists, tuples and text do not, and are reported."""
    if isinstance(other, (list, tuple)) or (isinstance(other, str) and function not in (equal, not_equal)):
        array_like(other, function.__name__, index)
    return NotImplemented


def _named(method: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


def operator_methods() -> dict[str, Callable[..., Any]]:
    """The operators of `Array` by their method names; without `@`, which stands with the products."""
    both = {"add": add, "sub": subtract, "mul": multiply, "truediv": true_divide, "floordiv": floor_divide,
            "mod": remainder, "divmod": divmod, "pow": power, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
            "lshift": left_shift, "rshift": right_shift}
    found = {f"__{n}__": _operator(f) for n, f in both.items()}
    found.update({f"__r{n}__": _reflected(f) for n, f in both.items()})
    found.update({"__eq__": _operator(equal), "__ne__": _operator(not_equal), "__lt__": _operator(less),
                  "__le__": _operator(less_equal), "__gt__": _operator(greater), "__ge__": _operator(greater_equal)})
    ones = {"__neg__": negative, "__pos__": positive, "__abs__": absolute, "__invert__": bitwise_not}
    found.update({name: _unary_operator(f) for name, f in ones.items()})
    return found


__all__ = ["divmod", "float_power", "floor_divide", "fmod", "mod", "operator_methods", "pow", "power", "reciprocal",
           "remainder", "right_shift"]
