"""Functions around one primitive: arithmetic, comparison, bits, circular functions and logarithms.

These are the hottest functions of all, so they are written out: same type on both sides goes straight to the
primitive, everything else through a kept promotion plan.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import trim
from perspicax.lax import bitwise, compare, elementwise, transcendental
from perspicax.lax.convert import convert, imag, real
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import UfuncDtypeError, UnsupportedArgumentError
from perspicax.numpy.promote import Binary, array_like, to_inexact, to_numeric
from perspicax.xla.array import ArrayImpl

_evaluator = evaluator()


def _is_bool(x: Any) -> bool:
    return get_aval(x).dtype == np.dtype(bool)  # type: ignore[attr-defined]


def _is_complex(x: Any) -> bool:
    return get_aval(x).mlir_element[0] == "c"  # type: ignore[attr-defined]


def in_order(primitive: Primitive) -> Callable[[Any, Any], Any]:
    """Complex numbers compared by their real parts, by their imaginary parts where these are equal."""
    def compared(x: Any, y: Any) -> Any:
        parts = [(real(v), imag(v)) for v in (x, y)]
        (re_x, im_x), (re_y, im_y) = parts
        same = compare.eq(re_x, re_y)
        by_real, by_imag = primitive(re_x, re_y), primitive(im_x, im_y)
        return bitwise.bitwise_or(bitwise.bitwise_and(same, by_imag),
                                  bitwise.bitwise_and(bitwise.bitwise_not(same), by_real))

    return compared


def binary(name: str, primitive: Primitive, doc: str, *, adjust: Callable[[Any], Any] | None = None,
           on_bool: Primitive | None = None, on_complex: Callable[[Any, Any], Any] | None = None) -> Callable[..., Any]:
    """A function of two operands around one primitive.

    Args:
        adjust: from the promoted dtype to the one worked in.
        on_bool: the primitive for booleans, where it is another.
        on_complex: what is done with complex numbers, where the primitive does not take them.
    """
    promote = Binary(name, adjust)
    direct = promote.direct
    kernels = primitive.kernels2  # there is one for a pair of types only where the primitive takes them as they are

    if on_bool is None:
        def function(x: Any, y: Any, /, *, out: None = None, where: None = None) -> Any:
            try:
                if out is not None or where is not None:
                    raise UnsupportedArgumentError(function=name, argument="out" if where is None else "where")
                if type(x) is ArrayImpl and type(y) is ArrayImpl and local.trace is _evaluator:
                    kernel = kernels.get((x.aval, y.aval))
                    if kernel is not None:
                        return kernel(x, y)
                if isinstance(x, Array) and isinstance(y, Array):
                    aval = x.aval
                    if aval is y.aval and aval in direct and (on_complex is None or aval.mlir_element[0] != "c"):
                        return local.trace.p2(primitive, x, y)
                x, y = promote(x, y)
                if on_complex is not None and _is_complex(x):
                    return on_complex(x, y)
                return local.trace.p2(primitive, x, y)
            except Exception as error:
                trim(error)
                raise
    else:
        def function(x: Any, y: Any, /, *, out: None = None, where: None = None) -> Any:
            try:
                if out is not None or where is not None:
                    raise UnsupportedArgumentError(function=name, argument="out" if where is None else "where")
                if type(x) is ArrayImpl and type(y) is ArrayImpl and local.trace is _evaluator:
                    kernel = kernels.get((x.aval, y.aval))
                    if kernel is not None:
                        return kernel(x, y)
                if isinstance(x, Array) and isinstance(y, Array):
                    aval = x.aval
                    if aval is y.aval and aval in direct and aval.mlir_element != "i1":
                        return local.trace.p2(primitive, x, y)
                x, y = promote(x, y)
                return local.trace.p2(on_bool if _is_bool(x) else primitive, x, y)
            except Exception as error:
                trim(error)
                raise

    return _named(function, name, f"{doc}\n\nOperands broadcast and are promoted.\n\nArgs:\n    x, y: arrays or scalars."
                  "\n    out, where: are not supported.")


def unary(name: str, primitive: Primitive, doc: str, *, inexact: bool = False) -> Callable[..., Any]:
    """A function of one operand around one primitive; with `inexact`, integers become floating first."""
    direct: set[Any] = set()
    kernels = primitive.kernels1

    def function(x: Any, /) -> Any:
        try:
            if type(x) is ArrayImpl and local.trace is _evaluator:
                kernel = kernels.get(x.aval)
                if kernel is not None:
                    return kernel(x)
            if isinstance(x, Array):
                if x.aval in direct:
                    return local.trace.p1(primitive, x)
            else:
                x = array_like(x, name)
            aval: Any = get_aval(x)
            if inexact and not dtypes.issubdtype(aval.dtype, np.inexact):
                if aval.extended:
                    raise UfuncDtypeError(function=name, type_text=aval.str_short())
                x = convert(x, to_inexact(aval.dtype), aval.weak_type)
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
less = binary("less", compare.lt_p, "Whether the first is less, element by element.",
              on_complex=in_order(compare.lt_p))
less_equal = binary("less_equal", compare.le_p, "Whether the first is less or equal, element by element.",
                    on_complex=in_order(compare.le_p))
greater = binary("greater", compare.gt_p, "Whether the first is greater, element by element.",
                 on_complex=in_order(compare.gt_p))
greater_equal = binary("greater_equal", compare.ge_p, "Whether the first is greater or equal, element by element.",
                       on_complex=in_order(compare.ge_p))

bitwise_and = binary("bitwise_and", bitwise.and_p, "And of the bits, element by element.")
bitwise_or = binary("bitwise_or", bitwise.or_p, "Or of the bits, element by element.")
bitwise_xor = binary("bitwise_xor", bitwise.xor_p, "Exclusive or of the bits, element by element.")
left_shift = binary("left_shift", bitwise.shift_left_p, "Bits moved to the left, element by element.",
                    adjust=to_numeric)

negative = unary("negative", elementwise.neg_p, "The negative.")
bitwise_not = unary("bitwise_not", bitwise.not_p, "The bits inverted.")
invert = bitwise_not
_square = unary("square", elementwise.square_p, "The operand times itself.")
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
log = unary("log", elementwise.log_p, "The natural logarithm.", inexact=True)
log1p = unary("log1p", transcendental.log1p_p, "log(1 + x), precise near 0.", inexact=True)
sqrt = unary("sqrt", elementwise.sqrt_p, "The square root.", inexact=True)
cbrt = unary("cbrt", elementwise.cbrt_p, "The cube root.", inexact=True)


def square(x: Any, /) -> Any:
    """The operand times itself.

    Args:
        x: array or scalar; booleans become integers.
    """
    if isinstance(x, Array):
        return _square(x if x.aval.mlir_element != "i1" else convert(x, to_numeric(x.aval.dtype), False))
    return _square(convert(x, to_numeric(np.dtype(bool)), False) if isinstance(x, (bool, np.bool_)) else x)


def absolute(x: Any, /) -> Any:
    """The absolute value; the modulus of complex numbers.

    Args:
        x: array or scalar; unsigned integers and booleans are returned as they are.
    """
    if isinstance(x, Array) and x.aval.mlir_element[0] not in "iu":
        return _abs(x)
    x = asarray(array_like(x, "absolute"))
    dtype = x.dtype
    if dtype == np.dtype(bool) or dtypes.issubdtype(dtype, np.unsignedinteger):
        return x
    return _abs(x)


def positive(x: Any, /) -> Any:
    """The operand itself."""
    return asarray(array_like(x, "positive"))
