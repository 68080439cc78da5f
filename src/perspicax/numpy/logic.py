"""Truth values: logical functions, what numbers are (finite, NaN, real), and comparison of whole arrays."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import bitwise, compare, elementwise
from perspicax.lax.convert import convert, imag, real
from perspicax.lax.families import constant_like
from perspicax.lax.reductions import reduce_and
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import filled
from perspicax.numpy.errors import UfuncDtypeError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.operators import absolute, add, equal, less_equal, multiply, subtract
from perspicax.numpy.promote import array_like, joined_shapes, of_numbers, promote_args, promote_shapes

_BOOL = np.dtype(bool)


def truth(x: Any, function: str, index: int = 0) -> Any:
    """The truth values of an array's elements."""
    x = array_like(x, function, index)
    aval: Any = get_aval(x)
    if aval.dtype == _BOOL:
        return asarray(x)
    return compare.ne(asarray(of_numbers(x, function)), constant_like(x, 0))


def kind(x: Any) -> str:
    """`bool`, `int`, `uint`, `float`, `complex`, …: what the elements are."""
    return dtypes.kind_of(get_aval(x).dtype)  # type: ignore[attr-defined]


def _logical(name: str, f: Callable[[Any, Any], Any], doc: str) -> Callable[..., Array]:
    @public
    def function(x: Any, y: Any, /, out: None = None, where: None = None) -> Array:
        refuse(name, out=out, where=where)
        found = f(*promote_shapes(name, truth(x, name, 0), truth(y, name, 1)))
        weak = [type(v) is not bool and get_aval(v).weak_type for v in (x, y)]  # type: ignore[attr-defined]
        # Python's booleans do not count: they are weak beside what is weak
        one = found.shape == () and any(weak)
        return convert(found, _BOOL, one and all(w or type(v) is bool for w, v in zip(weak, (x, y))))

    function.__name__ = function.__qualname__ = name
    function.__module__ = "perspicax.numpy"
    function.__doc__ = f"{doc}\n\nArgs:\n    x: array; elements that are not 0 are true.\n    y: likewise; they broadcast."
    return function


def refuse(function: str, **arguments: Any) -> None:
    """Raise for an argument that only NumPy's signature has, when it is given.

    Raises:
        UnsupportedArgumentError: it is.
    """
    for name, value in arguments.items():
        if value is not None:
            raise UnsupportedArgumentError(function=function, argument=name)


logical_and = _logical("logical_and", bitwise.bitwise_and, "Whether both are true, element by element.")
logical_or = _logical("logical_or", bitwise.bitwise_or, "Whether one of both is true, element by element.")
logical_xor = _logical("logical_xor", bitwise.bitwise_xor, "Whether just one of both is true, element by element.")


@public
def logical_not(x: Any, /) -> Array:
    """Whether elements are false, that is, 0.

    Args:
        x: array.
    """
    found = bitwise.bitwise_not(truth(x, "logical_not"))
    return convert(found, _BOOL, found.aval.weak_type and found.shape == ())


# -- what numbers are

def _false(x: Any) -> Any:
    return filled(get_aval(x).update(dtype=_BOOL, weak_type=False), False)  # type: ignore[attr-defined]


@public
def isnan(x: Any, /) -> Array:
    """Whether elements are NaN.

    Args:
        x: array; complex numbers are NaN if a part is.
    """
    x = asarray(array_like(x, "isnan"))
    return compare.ne(x, x)


@public
def isfinite(x: Any, /) -> Array:
    """Whether elements are neither infinite nor NaN.

    Args:
        x: array.
    """
    x = asarray(array_like(x, "isfinite"))
    match kind(x):
        case "float":
            return compare.is_finite(x)
        case "complex":
            return bitwise.bitwise_and(compare.is_finite(real(x)), compare.is_finite(imag(x)))
        case _:
            return bitwise.bitwise_not(_false(x))


@public
def isinf(x: Any, /) -> Array:
    """Whether elements are infinite.

    Args:
        x: array; complex numbers are infinite if a part is.
    """
    return _isinf(asarray(array_like(x, "isinf")))


def _isinf(x: Any) -> Any:
    match kind(x):
        case "float":
            return compare.eq(elementwise.abs(x), np.asarray(math.inf, x.dtype))
        case "complex":
            return bitwise.bitwise_or(_isinf(real(x)), _isinf(imag(x)))
        case _:
            return _false(x)


def _signed_infinity(function: str, x: Any, value: float, out: Any) -> Any:
    refuse(function, out=out)
    x = asarray(array_like(x, function))
    if kind(x) == "complex":
        raise UfuncDtypeError(function=function, type_text=x.aval.str_short(), kind="complex infinity has no sign")
    return compare.eq(x, np.asarray(value, x.dtype)) if kind(x) == "float" else _false(x)


@public
def isposinf(x: Any, /, out: None = None) -> Array:
    """Whether elements are positive infinity; of real arrays."""
    return _signed_infinity("isposinf", x, math.inf, out)


@public
def isneginf(x: Any, /, out: None = None) -> Array:
    """Whether elements are negative infinity; of real arrays."""
    return _signed_infinity("isneginf", x, -math.inf, out)


@public
def iscomplex(x: Any) -> Array:
    """Whether elements have an imaginary part that is not 0."""
    x = asarray(of_numbers(array_like(x, "iscomplex"), "iscomplex"))
    if kind(x) != "complex":
        return convert(_false(x), _BOOL, x.aval.weak_type)  # type: ignore[attr-defined]
    part = imag(x)
    return convert(compare.ne(part, np.zeros((), part.dtype)), _BOOL, x.aval.weak_type)  # type: ignore[attr-defined]


@public
def isreal(x: Any) -> Array:
    """Whether elements have no imaginary part, or one of 0."""
    return bitwise.bitwise_not(iscomplex(x))


# -- near enough

@public
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    """Whether elements are equal within a tolerance: `|a - b| <= atol + rtol * |b|`.

    Args:
        a: array.
        b: array of the values aimed at.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether NaN is close to NaN.
    """
    a, b = promote_args("isclose", a, b)
    if get_aval(a).extended:  # type: ignore[attr-defined]
        return equal(a, b)
    return fused_call(_isclose, (asarray(a), asarray(b), rtol, atol), equal_nan=bool(equal_nan))


def _isclose(a: Any, b: Any, rtol: Any, atol: Any, *, equal_nan: bool) -> Any:
    if kind(a) not in ("float", "complex"):
        if kind(a) == "bool":
            a, b = convert(a, np.dtype(np.int32), False), convert(b, np.dtype(np.int32), False)
        # differences of integers as floating numbers, so that unsigned ones do not wrap around
        floating = dtypes.default_dtype("float")
        near = less_equal(absolute(subtract(convert(a, floating, False), convert(b, floating, False))),
                          add(atol, multiply(rtol, absolute(convert(b, floating, False)))))
        return bitwise.bitwise_or(*promote_args("isclose", near, equal(a, b)))
    tolerance = add(_real_like(atol, b), multiply(_real_like(rtol, b), absolute(b)))
    near = bitwise.bitwise_and(*promote_args("isclose", isfinite(b), less_equal(absolute(subtract(a, b)), tolerance)))
    found = bitwise.bitwise_or(*promote_args("isclose", near, equal(a, b)))
    if not equal_nan:
        return found
    return bitwise.bitwise_or(*promote_args("isclose", found, bitwise.bitwise_and(*promote_args(
        "isclose", isnan(a), isnan(b)))))


def _real_like(x: Any, like: Any) -> Any:
    dtype = like.dtype
    return convert(x, np.dtype(f"f{dtype.itemsize // 2}") if kind(like) == "complex" else dtype, False)


@public
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    """Whether all elements are equal within a tolerance; see `isclose`."""
    return all_true(isclose(a, b, rtol, atol, equal_nan))


def all_true(x: Any) -> Any:
    """Whether all elements of a boolean array are true."""
    return reduce_and(x, range(x.ndim))


@public
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array:
    """Whether two arrays have one shape and equal elements.

    Args:
        a1: array, or what `asarray` makes one of.
        a2: likewise.
        equal_nan: whether NaN equals NaN.
    """
    a, b = asarray(a1), asarray(a2)
    if a.shape != b.shape:
        return asarray(False)
    return convert(_equal_everywhere(a, b, equal_nan), _BOOL, False)


def _equal_everywhere(a: Any, b: Any, equal_nan: bool) -> Any:
    same = equal(a, b)
    if equal_nan:
        same = bitwise.bitwise_or(same, bitwise.bitwise_and(isnan(a), isnan(b)))
    return all_true(same)


@public
def array_equiv(a1: Any, a2: Any) -> Array:
    """Whether two arrays have shapes that broadcast and equal elements then.

    Args:
        a1: array, or what `asarray` makes one of.
        a2: likewise.
    """
    a, b = asarray(a1), asarray(a2)
    if joined_shapes((a.aval, b.aval)) is None:
        return asarray(False)
    return convert(all_true(equal(a, b)), _BOOL, False)


__all__ = ["allclose", "array_equal", "array_equiv", "iscomplex", "isclose", "isfinite", "isinf", "isnan", "isneginf",
           "isposinf", "isreal", "kind", "logical_and", "logical_not", "logical_or", "logical_xor", "refuse", "truth"]
