"""Functions of elements that take a few operations: logarithms, angles, parts of complex numbers, and their like."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import bitwise, compare, elementwise, transcendental
from perspicax.lax import convert as lax_convert
from perspicax.lax.convert import convert
from perspicax.lax.families import constant_like, zeros_like
from perspicax.numpy.choice import spread, where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import filled
from perspicax.numpy.creation import zeros_like as zeros_as
from perspicax.numpy.errors import UfuncDtypeError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.operators import greater, less, unary
from perspicax.numpy.promote import array_like, broadcast_shape_of, default_floating, promote_args, shortened
from perspicax.transform.custom import custom_jvp

sign = unary("sign", elementwise.sign_p, "-1, 0 or 1, as the operand is; of complex numbers `x / |x|`.")


def _one(function: str, x: Any) -> Any:
    """The operand as a floating or complex array."""
    return asarray(promote_args(function, x, inexact=True)[0])


def _as_weak_as(found: Any, x: Any) -> Any:
    """A result whose weak type went away by constants, with that of the operand."""
    return convert(found, found.dtype, get_aval(x).weak_type)  # type: ignore[attr-defined]


def _scaled(x: Any, factor: float) -> Any:
    if get_aval(x).weak_type and x.shape != ():  # type: ignore[attr-defined]
        return elementwise.mul(x, np.asarray(factor, x.dtype)[()])  # arrays of weak type become strong, as in JAX
    return _as_weak_as(elementwise.mul(x, constant_like(x, factor)), x)


@public
def log2(x: Any, /) -> Array:
    """The logarithm to the base 2; integers become floating."""
    return fused_call(_log2, (_one("log2", x),))


def _log2(x: Any) -> Any:
    def quotient(part: Any) -> Any:
        return elementwise.div(part, elementwise.log(np.asarray(2, part.dtype)))

    return _of_parts(quotient, elementwise.log(x))


def _of_parts(f: Callable[[Any], Any], x: Any) -> Any:
    """`f` of a real array, and of each part of a complex one: complex division would make NaN of 0 beside infinity."""
    if kind(x) != "complex":
        return f(x)
    return lax_convert.complex(f(lax_convert.real(x)), f(lax_convert.imag(x)))


@public
def log10(x: Any, /) -> Array:
    """The logarithm to the base 10; integers become floating."""
    return fused_call(_log10, (_one("log10", x),))


def _log10(x: Any) -> Any:
    return convert(_of_parts(lambda part: _scaled(part, 1 / math.log(10)), elementwise.log(x)), x.dtype, False)


@public
def deg2rad(x: Any, /) -> Array:
    """Degrees as radians; integers become floating."""
    return _scaled(_one("deg2rad", x), math.pi / 180)


@public
def rad2deg(x: Any, /) -> Array:
    """Radians as degrees; integers become floating."""
    return _scaled(_one("rad2deg", x), 180 / math.pi)


@public
def fabs(x: Any, /) -> Array:
    """The absolute value of real numbers, floating.

    Raises:
        UfuncDtypeError: `x` is complex; `absolute` is for those.
    """
    x = _one("fabs", x)
    if kind(x) == "complex":
        raise UfuncDtypeError(function="fabs", type_text=x.aval.str_short(), kind="`jnp.abs` takes complex arrays")
    return elementwise.abs(x)


@public
def hypot(x1: Any, x2: Any, /) -> Array:
    """The length of the vector (x1, x2), element by element, without overflow in between.

    Args:
        x1: real array.
        x2: real array.
    """
    x1, x2 = promote_args("hypot", x1, x2, inexact=True)
    if kind(x1) == "complex":
        raise UfuncDtypeError(function="hypot", type_text=get_aval(x1).str_short())  # type: ignore[attr-defined]
    return fused_call(_hypot, (asarray(x1), asarray(x2)))


def _hypot(x1: Any, x2: Any) -> Any:
    x1, x2 = elementwise.abs(x1), elementwise.abs(x2)
    infinity, zero, one = [constant_like(x1, v) for v in (math.inf, 0., 1.)]
    infinite = bitwise.bitwise_or(compare.eq(x1, infinity), compare.eq(x2, infinity))
    large, small = elementwise.max(x1, x2), elementwise.min(x1, x2)
    empty = compare.eq(large, zero)
    ratio = elementwise.div(small, where3(empty, one, large))
    length = elementwise.mul(large, elementwise.sqrt(elementwise.add(one, elementwise.square(ratio))))
    found = where3(infinite, infinity, where3(empty, large, length))
    return convert(found, found.dtype, x1.aval.weak_type and x1.shape == x2.shape)


# -- sums of exponentials

@custom_jvp
def _logaddexp(x1: Any, x2: Any) -> Any:
    if kind(x1) == "complex":
        return _complex_logaddexp(x1, x2)
    larger = elementwise.max(x1, x2)
    difference = elementwise.sub(x1, x2)
    log = transcendental.log1p(transcendental.exp(elementwise.neg(elementwise.abs(difference))))
    # equal infinities, whose difference is NaN, add up to themselves; a NaN stays one
    return where3(compare.ne(difference, difference), elementwise.add(x1, x2), elementwise.add(larger, log))


def _complex_logaddexp(x1: Any, x2: Any) -> Any:
    """log(exp(x1) + exp(x2)), the imaginary part brought into (-pi, pi]."""
    first = compare.gt(lax_convert.real(x1), lax_convert.real(x2))
    larger, smaller = where3(first, x1, x2), where3(first, x2, x1)
    found = elementwise.add(larger, transcendental.log1p(transcendental.exp(elementwise.sub(smaller, larger))))
    angle = lax_convert.imag(found)
    turn, half = np.asarray(2 * math.pi, angle.dtype), np.asarray(math.pi, angle.dtype)
    turned = elementwise.sub(half, elementwise.sub(elementwise.sub(half, angle), elementwise.mul(
        turn, elementwise.floor(elementwise.div(elementwise.sub(half, angle), turn)))))
    return lax_convert.convert(lax_convert.complex(lax_convert.real(found), turned), x1.dtype, x1.weak_type)


@_logaddexp.defjvp
def _logaddexp_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x1, x2), (t1, t2) = primals, tangents
    out = _logaddexp(x1, x2)
    return out, elementwise.add(elementwise.mul(t1, _share(x1, out)), elementwise.mul(t2, _share(x2, out)))


def _share(x: Any, out: Any, power: Callable[[Any], Any] = transcendental.exp) -> Any:
    """exp(x - out), where infinities of one sign share alike with what they are compared to."""
    if kind(x) == "complex":
        return transcendental.exp(elementwise.sub(x, out))
    infinite = compare.eq(elementwise.abs(out), constant_like(out, math.inf))
    alike = bitwise.bitwise_and(compare.eq(x, out), infinite)
    return power(elementwise.sub(compare.select(alike, zeros_like(x), x), compare.select(infinite, zeros_like(out), out)))


@public
def logaddexp(x1: Any, x2: Any, /, out: None = None, where: None = None) -> Array:
    """`log(exp(x1) + exp(x2))`, element by element, safe against overflow.

    Args:
        x1: array.
        x2: array.
    """
    refuse("logaddexp", out=out, where=where)
    x1, x2 = _equal_shapes("logaddexp", x1, x2, keeps_weak="float")
    return fused_call(_logaddexp, (x1, x2))


def _equal_shapes(function: str, x1: Any, x2: Any, keeps_weak: str = "") -> tuple[Any, Any]:
    """The operands in one floating dtype and shape; what is broadcast is of weak type no more, but for one kind."""
    x1, x2 = [asarray(x) for x in promote_args(function, x1, x2, inexact=True)]
    shape = broadcast_shape_of(function, (x1.aval, x2.aval))
    if x1.shape != x2.shape and kind(x1) != keeps_weak:
        x1, x2 = convert(x1, x1.dtype, False), convert(x2, x2.dtype, False)
    return x1 if x1.shape == shape else spread(x1, x1.shape, shape), x2 if x2.shape == shape else spread(x2, x2.shape, shape)


@public
def logaddexp2(x1: Any, x2: Any, /, out: None = None, where: None = None) -> Array:
    """`log2(2**x1 + 2**x2)`, element by element, safe against overflow.

    Args:
        x1: array.
        x2: array.
    """
    refuse("logaddexp2", out=out, where=where)
    x1, x2 = _equal_shapes("logaddexp2", x1, x2)
    if kind(x1) == "complex":
        return fused_call(_complex_logaddexp2, (x1, x2))
    return fused_call(_logaddexp2, (x1, x2))


def _complex_logaddexp2(x1: Any, x2: Any) -> Any:
    found = _logaddexp(_scaled(x1, math.log(2)), _scaled(x2, math.log(2)))
    return _scaled(found, 1 / math.log(2))


@custom_jvp
def _logaddexp2(x1: Any, x2: Any) -> Any:
    larger = elementwise.max(x1, x2)
    difference = elementwise.sub(x1, x2)
    log = transcendental.log1p(transcendental.exp2(elementwise.neg(elementwise.abs(difference))))
    found = elementwise.add(larger, _scaled(log, 1 / math.log(2)))
    found = where3(compare.ne(difference, difference), elementwise.add(x1, x2), found)
    return convert(found, found.dtype, found.aval.weak_type and found.shape == ())


@_logaddexp2.defjvp
def _logaddexp2_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x1, x2), (t1, t2) = primals, tangents
    out = _logaddexp2(x1, x2)
    shares = [_share(x, out, transcendental.exp2) for x in (x1, x2)]
    return out, elementwise.add(elementwise.mul(t1, shares[0]), elementwise.mul(t2, shares[1]))


# -- sin(x) / x

@public
def sinc(x: Any, /) -> Array:
    """`sin(pi x) / (pi x)`, and 1 at 0; integers become floating."""
    return fused_call(_sinc, (_one("sinc", x),))


def _sinc(x: Any) -> Any:
    at_zero = compare.eq(x, constant_like(x, 0.))
    scaled = _scaled(x, math.pi)
    safe = where3(at_zero, constant_like(x, 1.), scaled)
    return where3(at_zero, _sinc_series(scaled, 0), elementwise.div(transcendental.sin(safe), safe))


def _sinc_series(x: Any, order: int) -> Any:
    """The derivative number `order` of sin(x) / x at 0, where the quotient and all its derivatives are 0 / 0.

    The Taylor series has the coefficients (-1)^(n/2) / (n + 1) for even derivatives, and 0 for odd ones.
    """
    @custom_jvp
    def derivative(x: Any) -> Any:
        value = 0. if order % 2 else (-1) ** (order // 2) / (order + 1)
        return elementwise.add(elementwise.mul(x, constant_like(x, 0.)), constant_like(x, value))

    @derivative.defjvp
    def rule(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
        return derivative(primals[0]), elementwise.mul(tangents[0], _sinc_series(primals[0], order + 1))

    return derivative(x)


# -- steps and neighbours

@public
def heaviside(x1: Any, x2: Any, /) -> Array:
    """0 below zero, 1 above, and `x2` at zero, element by element.

    Args:
        x1: real array.
        x2: real array.
    """
    x1, x2 = promote_args("heaviside", x1, x2, inexact=True)
    return fused_call(_heaviside, (asarray(x1), asarray(x2)))


def _heaviside(x1: Any, x2: Any) -> Any:
    zero, one = constant_like(x1, 0.), constant_like(x1, 1.)
    at_nan = where3(compare.ne(x1, x1), x1, x2)
    found = where3(compare.lt(x1, zero), zero, where3(compare.gt(x1, zero), one, at_nan))
    return convert(found, found.dtype, x1.aval.weak_type and x2.shape == found.shape)


@public
def nextafter(x: Any, y: Any, /) -> Array:
    """The floating number next to `x` in the direction of `y`, element by element."""
    return compare.nextafter(*promote_args("nextafter", x, y, inexact=True))


@public
def spacing(x: Any, /) -> Array:
    """The distance to the next floating number away from zero, with the sign of `x` (float16: to the next larger one)."""
    x = _one("spacing", x)
    if kind(x) == "complex":
        raise UfuncDtypeError(function="spacing", type_text=x.aval.str_short())
    return fused_call(_spacing, (x,))


def _spacing(x: Any) -> Any:
    if x.dtype.itemsize < 2 or x.dtype == np.dtype(np.float16):  # upwards even where negative, as in NumPy
        top = np.asarray(math.inf, x.dtype)
        if not np.isinf(top):  # some floating numbers of 8 bits have no infinity: NaN follows their largest
            top = np.asarray(dtypes.finfo(x.dtype).max, x.dtype)
        distance = elementwise.sub(compare.nextafter(x, top), x)
        distance = where3(compare.lt(x, top), distance, np.asarray(math.nan, x.dtype))
    else:
        distance = _unit_of_last_place(x)
    return where3(compare.is_finite(x), distance, np.asarray(math.nan, x.dtype))


def _unit_of_last_place(x: Any) -> Any:
    """Made from the bits of the exponent, since arithmetic flushes the small ones to zero; with the sign of `x`."""
    digits = dtypes.finfo(x.dtype).nmant
    bits = np.dtype(f"uint{x.dtype.itemsize * 8}")
    number = lambda n: np.asarray(n, bits)
    exponent = dtypes.finfo(x.dtype).bits - 1 - digits
    raw = lax_convert.bitcast_convert_type(x, bits)
    biased = bitwise.bitwise_and(bitwise.shift_right_logical(raw, number(digits)), number((1 << exponent) - 1))
    normal = bitwise.shift_left(elementwise.sub(biased, number(digits)), number(digits))
    small = bitwise.shift_left(number(1), where3(compare.gt(biased, number(0)), elementwise.sub(biased, number(1)), number(0)))
    found = where3(compare.gt(biased, number(digits)), normal, small)
    sign = bitwise.bitwise_and(raw, number(1 << (exponent + digits)))
    return lax_convert.bitcast_convert_type(bitwise.bitwise_or(found, sign), x.dtype)


@public
def fmax(x1: Any, x2: Any) -> Array:
    """The larger of two, element by element; NaN only where both are."""
    x1, x2 = promote_args("fmax", x1, x2)
    return fused_call(_fextreme, (asarray(x1), asarray(x2)), largest=True)


@public
def fmin(x1: Any, x2: Any) -> Array:
    """The smaller of two, element by element; NaN only where both are."""
    x1, x2 = promote_args("fmin", x1, x2)
    return fused_call(_fextreme, (asarray(x1), asarray(x2)), largest=False)


def _fextreme(x1: Any, x2: Any, *, largest: bool) -> Any:
    first = greater(x1, x2) if largest else less(x1, x2)  # complex numbers by their real parts first
    return where3(bitwise.bitwise_or(first, compare.ne(x2, x2)), x1, x2)


# -- parts of complex numbers

@public
def real(val: Any, /) -> Array:
    """The real part; of a real array the array itself."""
    x = asarray(array_like(val, "real"))
    return lax_convert.real(x) if kind(x) == "complex" else x


@public
def imag(val: Any, /) -> Array:
    """The imaginary part; of a real array zeros."""
    x = asarray(array_like(val, "imag"))
    return lax_convert.imag(x) if kind(x) == "complex" else zeros_as(x)


@public
def conjugate(x: Any, /) -> Array:
    """The complex conjugate; of a real array the array itself."""
    x = asarray(array_like(x, "conjugate"))
    return lax_convert.conj(x) if kind(x) == "complex" else x


@public
def angle(z: Any, deg: bool = False) -> Array:
    """The angle of complex numbers in the plane.

    Args:
        z: array.
        deg: whether it is wanted in degrees, not radians.
    """
    return fused_call(_angle, (_one("angle", default_floating(array_like(z, "angle"))),), deg=bool(deg))


def _angle(z: Any, *, deg: bool) -> Any:
    if kind(z) == "complex":
        re, im = lax_convert.real(z), lax_convert.imag(z)
    else:
        re, im = z, filled(z.aval, 0)
    real_operand = kind(z) != "complex"
    # JAX's angle of one real number is of the default dtype at least, that of several keeps theirs
    default = np.dtype(dtypes.default_dtype("float"))
    widened = real_operand and re.ndim == 0 and re.dtype.itemsize < default.itemsize
    found = convert(transcendental.atan2(im, re), default if widened else re.dtype, not real_operand and z.aval.weak_type)
    return _scaled(found, 180 / math.pi) if deg else found


# -- NaN replaced

@public
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """NaN and infinities replaced by numbers.

    Args:
        x: array.
        copy: is ignored: arrays never change.
        nan: what NaN becomes.
        posinf: what infinity becomes; the largest number by default.
        neginf: what negative infinity becomes; the most negative number by default.
    """
    del copy
    x = asarray(array_like(x, "nan_to_num"))
    if kind(x) not in ("float", "complex"):
        return x
    x = shortened(convert(x, x.dtype, False))
    part = lax_convert.PART_OF.get(x.dtype, x.dtype)
    info = dtypes.finfo(part)
    values = (nan, info.max if posinf is None else posinf, info.min if neginf is None else neginf)
    return fused_call(_nan_to_num, (x, *[convert(v, part, False) for v in values]))


def _nan_to_num(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    if kind(x) == "complex":
        return lax_convert.complex(_nan_to_num(lax_convert.real(x), nan, posinf, neginf),
                                   _nan_to_num(lax_convert.imag(x), nan, posinf, neginf))
    infinity = np.asarray(math.inf, x.dtype)
    found = where3(compare.ne(x, x), nan, x)
    found = where3(compare.eq(found, infinity), posinf, found)
    found = where3(compare.eq(found, elementwise.neg(infinity)), neginf, found)
    return convert(found, x.dtype, False)


@public
def bitwise_count(x: Any, /) -> Array:
    """How many bits of the absolute value are set, element by element, as uint8.

    Args:
        x: array of integers or booleans.
    """
    x = asarray(array_like(x, "bitwise_count"))
    if kind(x) == "bool":
        return convert(x, np.dtype(np.uint8), False)
    if kind(x) not in ("int", "uint"):
        raise UfuncDtypeError(function="bitwise_count", type_text=x.aval.str_short())
    return convert(bitwise.population_count(elementwise.abs(x) if kind(x) == "int" else x), np.dtype(np.uint8), False)


__all__ = ["angle", "bitwise_count", "conjugate", "deg2rad", "fabs", "fmax", "fmin", "heaviside", "hypot", "imag",
           "log10", "log2", "logaddexp", "logaddexp2", "nan_to_num", "nextafter", "rad2deg", "real", "sign", "sinc",
           "spacing"]
