"""Rounding, and splitting numbers into parts."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import bitwise, compare, elementwise
from perspicax.lax.convert import bitcast_convert_type, convert, imag, real
from perspicax.lax.convert import complex as complex_of
from perspicax.lax.elementwise import RoundingMethod
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import UfuncDtypeError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.promote import array_like, default_floating, of_numbers, promote_args, shortened

_EVEN = RoundingMethod.TO_NEAREST_EVEN


def _rounded(x: Any, function: str, f: Any) -> Any:
    """Integers are whole already, and stay as they are."""
    x = asarray(of_numbers(array_like(x, function), function))
    if kind(x) in ("bool", "int", "uint"):
        return x
    if kind(x) == "complex":
        raise UfuncDtypeError(function=function, type_text=x.aval.str_short(), kind="complex numbers are not ordered")
    return f(x)


@public
def floor(x: Any, /) -> Array:
    """The largest whole number that is not above, element by element; integers stay.

    Args:
        x: real array.
    """
    return _rounded(x, "floor", elementwise.floor)


@public
def ceil(x: Any, /) -> Array:
    """The smallest whole number that is not below, element by element; integers stay.

    Args:
        x: real array.
    """
    return _rounded(x, "ceil", elementwise.ceil)


@public
def trunc(x: Any) -> Array:
    """The whole number next towards zero, element by element; integers stay.

    Args:
        x: real array.
    """
    return _rounded(x, "trunc", lambda x: fused_call(_trunc, (x,)))


def _trunc(x: Any) -> Any:
    return compare.select(compare.lt(x, np.zeros((), x.dtype)), elementwise.ceil(x), elementwise.floor(x))


@public
def rint(x: Any, /) -> Array:
    """The nearest whole number, element by element; half-way the even one. Integers become floating.

    Args:
        x: array; of complex numbers both parts are rounded.
    """
    given: Any = get_aval(array_like(x, "rint"))
    (x,) = promote_args("rint", default_floating(x), inexact=True)
    aval: Any = get_aval(x)
    return convert(_nearest(asarray(x)), aval.dtype, aval.weak_type and given.dtype == aval.dtype)


def _nearest(x: Any) -> Any:
    if kind(x) == "complex":
        return complex_of(elementwise.round(real(x), _EVEN), elementwise.round(imag(x), _EVEN))
    return elementwise.round(x, _EVEN)


@public
def around(a: Any, decimals: int = 0, out: None = None) -> Array:
    """The nearest number with so many decimals, element by element; half-way the even one.

    Args:
        a: array.
        decimals: how many; negative numbers round to tens, hundreds, ….
    """
    refuse("round", out=out)
    x = asarray(of_numbers(array_like(a, "round"), "round"))
    if kind(x) == "bool":
        raise UfuncDtypeError(function="round", type_text=x.aval.str_short(), kind="booleans have no decimals")
    if kind(x) in ("int", "uint"):
        if decimals < 0:
            raise UnsupportedArgumentError(function="round", argument=f"decimals={decimals}",
                                           why=f"{x.aval.str_short()} has integers, which are not rounded to tens; make them "
                                               f"floating first")
        return x
    return fused_call(_around, (x,), decimals=int(decimals))


round = around


def _around(x: Any, *, decimals: int) -> Any:
    if decimals == 0:
        return _nearest(x)
    if kind(x) == "complex":
        return complex_of(_around(real(x), decimals=decimals), _around(imag(x), decimals=decimals))
    work = x.dtype if x.dtype.itemsize >= 4 else np.dtype(np.float32)
    factor = np.asarray(10 ** decimals if decimals > 0 else 10. ** decimals, work)
    scaled = _nearest(elementwise.mul(convert(x, work, x.weak_type and work == x.dtype), factor))
    return convert(elementwise.div(scaled, factor), x.dtype, x.weak_type)


@public
def modf(x: Any, /, out: None = None) -> tuple[Array, Array]:
    """The fractional and the whole part of each element, both with its sign.

    Args:
        x: real array.
    """
    refuse("modf", out=out)
    (x,) = promote_args("modf", x, inexact=True)
    return fused_call(_modf, (asarray(x),))


def _modf(x: Any) -> tuple[Any, Any]:
    whole = compare.select(compare.ge(x, np.zeros((), x.dtype)), elementwise.floor(x), elementwise.ceil(x))
    return elementwise.sub(x, whole), whole


# -- signs

@public
def signbit(x: Any, /) -> Array:
    """Whether the sign bit is set, element by element: of negative numbers, and of -0.0.

    Args:
        x: real array.
    """
    (x,) = promote_args("signbit", x)
    return fused_call(_signbit, (asarray(x),))


def _signbit(x: Any) -> Any:
    match kind(x):
        case "bool" | "uint":
            return compare.ne(x, x)
        case "int":
            return compare.lt(x, np.zeros((), x.dtype))
        case "float":
            integers = np.dtype(f"i{x.dtype.itemsize}")
            return compare.lt(bitcast_convert_type(x, integers), np.zeros((), integers))
        case _:
            raise UfuncDtypeError(function="signbit", type_text=x.aval.str_short())


@public
def copysign(x1: Any, x2: Any, /) -> Array:
    """The size of the first with the sign of the second, element by element.

    Args:
        x1: real array.
        x2: real array.
    """
    x1, x2 = promote_args("copysign", x1, x2, inexact=True)
    return fused_call(_copysign, (shortened(asarray(x1)), shortened(asarray(x2))))


def _copysign(x1: Any, x2: Any) -> Any:
    if kind(x1) == "complex":
        raise UfuncDtypeError(function="copysign", type_text=x1.aval.str_short(), kind="complex numbers have no sign")
    size = elementwise.abs(x1)
    return where3(_signbit(x2), elementwise.neg(size), size)


# -- mantissa and exponent

_LAYOUT = {2: (10, 15), 4: (23, 127), 8: (52, 1023)}


def _layout(dtype: Any) -> tuple[int, int]:
    """Bits of the mantissa, and the bias of the exponent."""
    return (7, 127) if dtype.name == "bfloat16" else _LAYOUT[dtype.itemsize]


@public
def frexp(x: Any, /) -> tuple[Array, Array]:
    """Mantissa and exponent: `x = mantissa * 2**exponent`, the mantissa from 0.5 to 1.

    Args:
        x: real array.
    """
    (x,) = promote_args("frexp", x, inexact=True)
    x = shortened(asarray(x))
    if kind(x) == "complex":
        raise UfuncDtypeError(function="frexp", type_text=x.aval.str_short())
    return fused_call(_frexp, (x,))


def _frexp(x: Any) -> tuple[Any, Any]:
    """The exponent is read off the bits; subnormal numbers are scaled to normal ones before."""
    bits, bias = _layout(x.dtype)
    integers = np.dtype(f"i{x.dtype.itemsize}")
    tiny = compare.lt(elementwise.abs(x), np.asarray(2. ** (1 - bias), x.dtype))
    scaled = where3(tiny, elementwise.mul(x, np.asarray(2. ** bits, x.dtype)), x)
    words = bitcast_convert_type(scaled, integers)
    fields = bitwise.bitwise_and(bitwise.shift_right_arithmetic(words, np.asarray(bits, integers)),
                                 np.asarray(2 * bias + 1, integers))
    exponent = elementwise.add(convert(fields, np.dtype(np.int32), False), np.int32(1 - bias))
    exponent = elementwise.sub(exponent, where3(tiny, np.int32(bits), np.int32(0)))
    special = bitwise.bitwise_or(bitwise.bitwise_not(compare.is_finite(x)), compare.eq(x, np.zeros((), x.dtype)))
    # x / 2**exponent in two steps, since 2**exponent alone may overflow; derivatives follow from it
    power = convert(elementwise.sub(fields, np.asarray(bias - 1, integers)), x.dtype, False)
    half = elementwise.floor(elementwise.mul(power, np.asarray(.5, x.dtype)))
    two = np.asarray(2., x.dtype)
    mantissa = elementwise.mul(elementwise.mul(scaled, elementwise.pow(two, elementwise.neg(half))),
                               elementwise.pow(two, elementwise.sub(half, power)))
    return where3(special, x, mantissa), where3(special, np.int32(0), exponent)


@public
def ldexp(x1: Any, x2: Any, /) -> Array:
    """`x1 * 2**x2`, element by element.

    Args:
        x1: real array.
        x2: array of integers.

    Raises:
        UfuncDtypeError: `x2` is not of integers.
    """
    exponent = asarray(array_like(x2, "ldexp", 1))
    if kind(exponent) not in ("int", "uint", "bool"):
        raise UfuncDtypeError(function="ldexp", type_text=exponent.aval.str_short(),  # type: ignore[attr-defined]
                              kind="the exponent is an integer")
    (x,) = promote_args("ldexp", x1, inexact=True)
    if kind(x) == "complex":
        raise UfuncDtypeError(function="ldexp", type_text=get_aval(x).str_short(), kind="only real numbers are scaled so")
    x, exponent = promote_args("ldexp", asarray(x), exponent)
    return fused_call(_ldexp, (shortened(asarray(x)), shortened(asarray(exponent))))


def _ldexp(x: Any, exponent: Any) -> Any:
    """In three steps, so that neither a power of two nor a product in between leaves the range."""
    reach = np.asarray(_layout(x.dtype)[1] - 1, x.dtype)
    two = np.asarray(2., x.dtype)
    rest = exponent
    for _ in range(3):
        step = compare.clamp(elementwise.neg(reach), rest, reach)
        x = elementwise.mul(x, elementwise.pow(two, step))
        rest = elementwise.sub(rest, step)
    return x


__all__ = ["around", "ceil", "copysign", "floor", "frexp", "ldexp", "modf", "rint", "round", "signbit", "trunc"]
