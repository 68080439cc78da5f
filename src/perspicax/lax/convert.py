"""Other dtypes for the same elements, and the parts of complex numbers."""
from __future__ import annotations

import builtins
import operator
import warnings
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import OfPrimitive, Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.diagnose.frames import warning_level
from perspicax.diagnose.report import Fix
from perspicax.lax.compare import compare_values
from perspicax.lax.errors import OperandDtypeError, OperationShapeError
from perspicax.lax.families import (
    ANY,
    COMPLEX,
    FLAT,
    FLOATING,
    LINEAR,
    ArrayLike,
    constant_like,
    elementwise,
    elementwise_type,
    exact,
    kind,
    linear_in_each,
    spread,
    spread_tangent,
)
from perspicax.lax.operand import operand
from perspicax.transform.batch import to_axis
from perspicax.xla.array import ArrayImpl

COMPLEX_OF = {np.dtype("float32"): np.dtype("complex64"), np.dtype("float64"): np.dtype("complex128")}
PART_OF = {c: f for f, c in COMPLEX_OF.items()}


# -- convert_element_type

def _convert_type(x: ShapedArray, *, new_dtype: Any, weak_type: bool) -> ShapedArray:
    if x.extended or isinstance(new_dtype, dtypes.ExtendedDType):
        if x.dtype != new_dtype and not _meets(x.dtype, new_dtype):
            raise OperationShapeError(says=f"{x.str_short()} cannot be converted to {dtypes.name_of(new_dtype)}.",
                                      why="the elements of an extended dtype (such as PRNG keys) are opaque: they do "
                                          "not convert to numbers, nor numbers to them",
                                      fixes=_between_keys_and_words(x.dtype, new_dtype))
    return ShapedArray(x.shape, new_dtype, weak_type)


def _between_keys_and_words(old: Any, new: Any) -> tuple[Fix, ...]:
    """What is likely meant where keys are converted to integers, or integers to keys."""
    if dtypes.name_of(old).startswith("key<") and dtypes.kind_of(new) == "uint":
        return (Fix("take the words of the keys", code="jax.random.key_data(keys)"),)
    if dtypes.name_of(new).startswith("key<") and dtypes.kind_of(old) == "uint":
        return (Fix("make keys of their words", code="jax.random.wrap_key_data(words)"),)
    return ()


def _meets(old: Any, new: Any) -> bool:
    """Whether one of two dtypes is extended, and the other that of its elements."""
    return any(isinstance(a, dtypes.MeetingDType) and b == a.physical_dtype for a, b in ((old, new), (new, old)))


def _convert_jvp(primals: tuple, tangents: tuple, *, new_dtype: Any, weak_type: bool) -> tuple[Any, Any]:
    out = convert_element_type_p(*primals, new_dtype=new_dtype, weak_type=weak_type)
    moves = kind(new_dtype) in FLOATING | COMPLEX or isinstance(new_dtype, dtypes.MeetingDType)
    if type(tangents[0]) is Zero or not moves:
        return out, Zero.like(out)
    return out, convert_element_type_p(tangents[0], new_dtype=new_dtype, weak_type=weak_type)


def _convert_transpose(ct: Any, x: Any, *, new_dtype: Any, weak_type: bool) -> list[Any]:
    return [convert_element_type_p(ct, new_dtype=x.dtype, weak_type=x.aval.weak_type)]


def _convert_emit(b: Any, x: Any, *, new_dtype: Any, weak_type: bool) -> Any:
    if kind(x.dtype) in COMPLEX and kind(new_dtype) not in COMPLEX:
        x = b.hlo("real", [x], ShapedArray(x.shape, PART_OF[x.dtype]))
    if new_dtype == np.dtype(bool) and x.dtype != new_dtype:
        return compare_values(b, x, b.constant(0, x.aval.strong), "NE")
    if kind(x.dtype) in FLOATING and dtypes.itemsize_bits(x.dtype) < 8:  # fused, XLA takes their largest for infinite
        x = b.convert(x, dtypes.float32)
    return b.convert(x, new_dtype)


EXACT_FLOATS = (np.dtype("float32"), np.dtype("float64"))


def _convert_host(x: np.ndarray, *, new_dtype: Any, weak_type: bool) -> Any:
    if x.dtype == new_dtype:
        return x.copy()
    if x.dtype.kind not in "biu":
        return NotImplemented
    if new_dtype.kind in "biu" or new_dtype in EXACT_FLOATS:
        return x.astype(new_dtype)
    return NotImplemented


convert_element_type_p = elementwise(
    "convert_element_type", fast_compile="all", over=ANY, params=("new_dtype", "weak_type"), type_rule=_convert_type,
    jvp=OfPrimitive(lambda _: _convert_jvp), transpose=_convert_transpose, emit=_convert_emit, host=_convert_host,
    physical=lambda params, in_avals, out_avals: {**params, "new_dtype": getattr(out_avals[0].dtype, "physical_dtype",
                                                                                out_avals[0].dtype)})


def convert_element_type(operand: ArrayLike, new_dtype: Any) -> Array:
    """The elements as another dtype.

    Args:
        operand: array of any dtype, or a number.
        new_dtype: anything that names a dtype.

    Returns:
        Array of `new_dtype`, not weakly typed. Floating numbers are rounded to the nearest; towards zero when they
        become integers; to booleans by `!= 0`. Of complex numbers that become real the real part is left.

    Raises:
        UnknownDTypeError: `new_dtype` names no dtype.

    >>> convert_element_type(2.7, int)
    Array(2, dtype=int32)
    """
    if new_dtype is None:
        raise OperationShapeError(says="`convert_element_type` was given no dtype.", why="`new_dtype` is None")
    if not isinstance(new_dtype, dtypes.ExtendedDType):
        new_dtype = dtypes.requested_dtype(new_dtype, "convert_element_type")
    return convert(operand, new_dtype, False)


def convert_to(x: ArrayLike, aval: ShapedArray) -> Array:
    """`x` in the dtype and weak type of `aval`."""
    return convert(x, aval.dtype, aval.weak_type)


def convert(x: ArrayLike, dtype: Any, weak: bool) -> Array:
    """`x` in a dtype and weak type; `x` itself when it has them."""
    if not isinstance(x, Array):
        value = _python_number(x, dtype)
        if value is not None:
            return ArrayImpl(ShapedArray((), dtype, weak), None, value, None, False)
        x = operand(x)
    aval: Any = get_aval(x)
    if isinstance(x, Array) and aval.dtype == dtype and aval.weak_type == weak:
        return x
    if kind(aval.dtype) in COMPLEX and kind(dtype) in "suf":
        warnings.warn("complex numbers become real: their imaginary parts are discarded", np.exceptions.ComplexWarning,
                      stacklevel=warning_level())
    return convert_element_type_p(x, new_dtype=dtype, weak_type=weak)


def _python_number(x: Any, dtype: Any) -> np.ndarray | None:
    """A Python number in `dtype` as NumPy converts it, which never depends on the kind it would have as an operand:
    an int keeps the bits that fit, whatever its size. `None` for what XLA shall convert."""
    if not isinstance(x, (int, float, builtins.complex)) or isinstance(x, np.generic):
        return None
    if isinstance(dtype, dtypes.ExtendedDType):
        return None
    wanted = kind(dtype)
    if isinstance(x, int) and wanted in "su" and dtype.kind in "iu":
        bits = dtype.itemsize * 8
        x = x % (1 << bits)
        return np.asarray(x, np.dtype(f"u{dtype.itemsize}")).view(dtype)
    if isinstance(x, int) or (isinstance(x, float) and wanted in "fc") or wanted == "c":
        with np.errstate(over="ignore"):
            return np.asarray(x if wanted in "bsu" else x * 1.0, dtype)
    return None


# -- bitcast_convert_type

def _bitcast_type(x: ShapedArray, *, new_dtype: Any) -> ShapedArray:
    old = x.dtype
    if old != new_dtype and any(kind(d) in "bcx" for d in (old, new_dtype)):
        raise OperandDtypeError(
            operation="bitcast_convert_type", type_text=f"{x.str_short()} to {dtypes.name_of(new_dtype)}",
            accepts="integer and floating", index=0)
    if old == new_dtype:
        return ShapedArray(x.shape, new_dtype)
    before, after = dtypes.itemsize_bits(old), dtypes.itemsize_bits(new_dtype)
    if before == after:
        shape: tuple = x.shape
    elif before > after:
        shape = (*x.shape, before // after)
    elif x.shape and x.shape[-1] * before == after:
        shape = x.shape[:-1]
    else:
        last = f"{x.shape[-1]} elements" if x.shape else "a single element"
        raise OperationShapeError(
            says=f"{x.str_short()} cannot be read as {dtypes.name_of(new_dtype)}.",
            why=f"an element of {after} bits is made of the last axis of the operand, but {last} of {before} bits "
                f"{'are' if x.shape and x.shape[-1] != 1 else 'is'} {(x.shape[-1] if x.shape else 1) * before} bits")
    return ShapedArray(shape, new_dtype)


def _bitcast_host(x: np.ndarray, *, new_dtype: Any) -> Any:
    if dtypes.itemsize_bits(x.dtype) % 8 or dtypes.itemsize_bits(new_dtype) % 8:
        return NotImplemented
    size, wanted = x.dtype.itemsize, new_dtype.itemsize
    x = np.array(x, order="C")  # a copy: a view would hold on to the operand's memory
    if size == wanted:
        return x.view(new_dtype)
    if size > wanted:
        return x.reshape(*x.shape, 1).view(new_dtype)
    return x.view(new_dtype).reshape(x.shape[:-1])


bitcast_convert_type_p = elementwise(
    "bitcast_convert_type", fast_compile="all", over=ANY, params=("new_dtype",), type_rule=_bitcast_type, jvp=FLAT,
    emit=lambda b, x, *, new_dtype: b.hlo("bitcast_convert", [x], b.out[0]) if x.dtype != new_dtype else x,
    host=_bitcast_host,
    batch=lambda axis, args, axes, *, new_dtype: _bitcast_batch(args[0], axes[0], new_dtype))


def _bitcast_batch(x: Any, at: int, new_dtype: Any) -> tuple[Any, int]:
    """The last axis may be consumed, so the batch axis must not be it."""
    return bitcast_convert_type_p(to_axis(x, at, 0, 0), new_dtype=new_dtype), 0


def bitcast_convert_type(operand: ArrayLike, new_dtype: Any) -> Array:
    """The bits of the elements read as another dtype.

    Args:
        operand: integer or floating array `[...]`; boolean or complex only when the dtype stays.
        new_dtype: anything that names a dtype.

    Returns:
        Array of `new_dtype`; of the same shape when the widths are equal, of shape `[..., n]` when one element is read
        as `n` narrower ones, without the last axis when that is read as one wider element.

    Raises:
        OperandDtypeError: a boolean or complex dtype.
        OperationShapeError: the last axis is not as wide as an element of `new_dtype`.
    """
    new_dtype = dtypes.requested_dtype(new_dtype, "bitcast_convert_type")
    return bitcast_convert_type_p(operand if isinstance(operand, Array) else _operand(operand), new_dtype=new_dtype)


_operand = operand


# -- reduce_precision

def _reduce_precision_type(x: ShapedArray, *, exponent_bits: int, mantissa_bits: int) -> ShapedArray:
    if exponent_bits < 1:
        raise OperationShapeError(says=f"`reduce_precision` was given exponent_bits={exponent_bits}.",
                                  why="at least one bit of exponent is needed")
    if mantissa_bits < 0:
        raise OperationShapeError(says=f"`reduce_precision` was given mantissa_bits={mantissa_bits}.",
                                  why="the number of bits of a mantissa is at least 0")
    return elementwise_type("reduce_precision", FLOATING)(x)


reduce_precision_p: Primitive = elementwise(
    "reduce_precision", over=FLOATING, params=("exponent_bits", "mantissa_bits"), type_rule=_reduce_precision_type,
    jvp=LINEAR, transpose=lambda ct, x, **params: [reduce_precision_p(ct, **params)],
    emit=lambda b, x, *, exponent_bits, mantissa_bits: b.hlo(
        "reduce_precision", [x], b.out[0],
        f"exponent_bits = {exponent_bits} : i32, mantissa_bits = {mantissa_bits} : i32"))


def reduce_precision(operand: ArrayLike, exponent_bits: int, mantissa_bits: int) -> Array:
    """Each element rounded to a floating format with fewer bits; the dtype stays.

    Args:
        operand: floating array.
        exponent_bits: bits of the exponent, at least 1.
        mantissa_bits: bits of the mantissa, at least 0.

    Returns:
        Array of the dtype of `operand`; infinite where the exponent does not fit.
    """
    return reduce_precision_p(operand if isinstance(operand, Array) else _operand(operand),
                              exponent_bits=operator.index(exponent_bits), mantissa_bits=operator.index(mantissa_bits))


# -- parts of complex numbers

def _part_type(dtype: Any) -> Any:
    return PART_OF[dtype]


def _strong_zero(ct: Any) -> Any:
    """The other part of a cotangent: the whole is of strong type, as in JAX, whatever `ct` is."""
    return exact(0., get_aval(ct).dtype)


real_p = elementwise("real", over=COMPLEX, jvp=LINEAR, emit="real", out_dtype=_part_type,
                     transpose=lambda ct, x: [complex(ct, _strong_zero(ct))],
                     host=lambda x: np.array(x.real, order="C"))
imag_p = elementwise("imag", over=COMPLEX, jvp=LINEAR, emit="imag", out_dtype=_part_type,
                     transpose=lambda ct, x: [conj(complex(_strong_zero(ct), ct))],
                     host=lambda x: np.array(x.imag, order="C"))


def _complex_type(x: ShapedArray, y: ShapedArray) -> ShapedArray:
    for i, a in enumerate((x, y)):
        if a.dtype not in COMPLEX_OF:
            raise OperandDtypeError(operation="complex", type_text=a.str_short(), accepts="float32 and float64",
                                    index=i)
    return elementwise_type("complex", FLOATING, COMPLEX_OF.__getitem__)(x, y)


def _complex_host(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    dtype: Any = COMPLEX_OF[x.dtype]
    out: np.ndarray = np.empty(np.broadcast_shapes(x.shape, y.shape), dtype)
    out.real, out.imag = x, y
    return out


complex_p = elementwise(
    "complex", fast_compile="all", over=FLOATING, type_rule=_complex_type, host=_complex_host,
    jvp=(lambda t, out, x, y: complex(spread_tangent(t, out), constant_like(t, 0.)),
         lambda t, out, x, y: complex(constant_like(t, 0.), spread_tangent(t, out))),
    transpose=linear_in_each(lambda ct, x, y: real(ct), lambda ct, x, y: imag(conj(ct))),
    emit=lambda b, x, y: b.hlo("complex", spread(b, [x, y]), b.out[0]))


def _conj_type(x: ShapedArray, *, input_dtype: Any) -> ShapedArray:
    if x.dtype not in COMPLEX_OF and x.dtype not in PART_OF:
        raise OperandDtypeError(operation="conj", type_text=x.str_short(), accepts="float32, float64 and complex",
                                index=0)
    return ShapedArray(x.shape, COMPLEX_OF.get(x.dtype, x.dtype), x.weak_type)


def _conj_emit(b: Any, x: Any, *, input_dtype: Any) -> Any:
    out = b.out[0]
    if x.dtype in COMPLEX_OF:
        return b.hlo("complex", [x, b.constant(0., x.aval.strong)], out)
    part = ShapedArray(x.shape, PART_OF[x.dtype])
    return b.hlo("complex", [b.hlo("real", [x], part), b.op("negate", [b.hlo("imag", [x], part)], part)], out)


def _conj_transpose(ct: Any, x: Any, *, input_dtype: Any) -> list[Any]:
    found = conj_p(ct, input_dtype=input_dtype)
    return [found if kind(input_dtype) in COMPLEX else real(found)]


conj_p = elementwise("conj", over=FLOATING | COMPLEX, params=("input_dtype",), type_rule=_conj_type, jvp=LINEAR,
                     transpose=_conj_transpose, emit=_conj_emit, fast_compile="all")


def real(x: ArrayLike) -> Array:
    """The real part of each element.

    Args:
        x: complex array.

    Returns:
        Floating array.
    """
    return local.trace.p1(real_p, x if isinstance(x, Array) else operand(x))


def imag(x: ArrayLike) -> Array:
    """The imaginary part of each element.

    Args:
        x: complex array.

    Returns:
        Floating array.
    """
    return local.trace.p1(imag_p, x if isinstance(x, Array) else operand(x))


def complex(x: ArrayLike, y: ArrayLike) -> Array:
    """The complex numbers `x + iy`.

    Args:
        x: real parts, float32 or float64.
        y: imaginary parts, of the same dtype.

    >>> complex(1., 2.)
    Array(1.+2.j, dtype=complex64, weak_type=True)
    """
    return local.trace.p2(complex_p, x if isinstance(x, Array) else operand(x),
                          y if isinstance(y, Array) else operand(y))


def conj(x: ArrayLike) -> Array:
    """The complex conjugate of each element.

    Args:
        x: float32, float64 or complex array.

    Returns:
        Complex array.
    """
    x = x if isinstance(x, Array) else operand(x)
    return conj_p(x, input_dtype=get_aval(x).dtype)  # type: ignore[attr-defined]


__all__ = ["COMPLEX_OF", "PART_OF", "bitcast_convert_type", "bitcast_convert_type_p", "complex", "complex_p",
           "conj", "conj_p", "convert", "convert_element_type", "convert_element_type_p", "convert_to", "imag",
           "imag_p", "real", "real_p", "reduce_precision", "reduce_precision_p"]
