"""Dtypes: making them of what names them, the dtype of a value, their hierarchy, and scalar types that make arrays.

A dtype in Perspicax is an `np.dtype` (one object per type, so that dictionaries find it by identity) or an
`ExtendedDType`. `to_dtype` makes one of anything that names a dtype. `dtype_table.py` lists them all.
"""
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_dtypes import finfo, iinfo

from perspicax.core.config import enable_x64, explicit_x64_dtypes
from perspicax.core.dtype_errors import (
    Explicit64BitDTypeError,
    ExtendedDTypeError,
    IntegerRangeError,
    NonNumericDTypeError,
    NotTypedError,
    UnknownDTypeError,
)
from perspicax.core.dtype_table import (
    ALL,
    BITS,
    FLOAT0_NAME,
    KINDS,
    ML_FLOATS,
    ML_INTS,
    MLIR,
    NARROW,
    NUMERIC,
    SMALL_FLOATS,
    DType,
    ExtendedDType,
    MeetingDType,
    bfloat16,
    bool_,
    complex64,
    complex128,
    extended,
    float0,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    kind_of,
    name_of,
    prng_key,
    python_scalar_dtypes,
    short_name,
    uint8,
    uint16,
    uint32,
    uint64,
)
from perspicax.core.option import near_names
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import InternalError
from perspicax.diagnose.frames import user_position
from perspicax.diagnose.watched import requests_watched

__all__ = [
    "ALL", "FLOAT0_NAME", "ML_FLOATS", "ML_INTS", "NUMERIC", "SMALL_FLOATS", "DType", "ExtendedDType", "MeetingDType",
    "ScalarType",
    "bfloat16", "bool_", "canonicalize_dtype", "check_int_fits", "check_numeric", "complex64", "complex128",
    "default_dtype", "dtype_of", "extended", "finfo", "float0", "float16", "float32", "float64", "iinfo", "int8",
    "int16", "int32", "int64", "is_weakly_typed", "issubdtype", "itemsize_bits", "jax_dtype", "kind_of",
    "mlir_element_type", "name_of", "prng_key", "python_scalar_dtype", "python_scalar_dtypes", "requested_dtype",
    "scalar_type_of", "scalar_types", "set_scalar_constructor", "short_name", "to_dtype", "to_numpy_dtype", "uint8",
    "uint16", "uint32", "uint64",
]


def mlir_element_type(dtype: np.dtype) -> str:
    """The element type in StableHLO text: `f32`, `ui8`, `i1`, `f8E4M3FN`, `complex<f32>`.

    Raises:
        NonNumericDTypeError: arrays cannot have this dtype.
    """
    found = MLIR.get(dtype)
    if found is None:
        check_numeric(dtype)
        raise ExtendedDTypeError(dtype=name_of(dtype), where="mlir_element_type")
    return found


def itemsize_bits(dtype: Any) -> int:
    """Bits of an element; a boolean counts as 8.

    Raises:
        ExtendedDTypeError: the elements are not numbers.
        UnknownDTypeError: `dtype` names no dtype.
    """
    found = to_dtype(dtype)
    if dtype is None or found not in BITS:
        raise ExtendedDTypeError(dtype="None" if dtype is None else name_of(found), where="itemsize_bits")
    return BITS[found]  # type: ignore[index]


# --- making dtypes

_interned: dict[Any, np.dtype] = {None: float64, float0: float0}
for _dtype in NUMERIC:
    _interned[_dtype] = _interned[_dtype.type] = _interned[_dtype.name] = _dtype
_interned.update(python_scalar_dtypes)
_with_64: dict[Any, np.dtype] = {dtype: dtype for dtype in (*NUMERIC, float0)}
_without_64: dict[Any, np.dtype] = {dtype: NARROW.get(dtype, dtype) for dtype in _with_64}


def to_dtype(x: Any) -> DType:
    """The dtype that `x` names; 64-bit dtypes stay. `None` is NumPy's default, float64.

    Args:
        x: a dtype, a NumPy or `jnp` scalar type, a name, or one of `bool`, `int`, `float`, `complex`.

    Raises:
        UnknownDTypeError: `x` names no dtype.
    """
    try:
        return _interned[x]
    except (KeyError, TypeError):  # new, or not hashable
        return _new_dtype(x)


def _new_dtype(x: Any) -> DType:
    if isinstance(x, ExtendedDType):
        return x
    if not isinstance(x, (type, np.dtype)) and hasattr(x, "dtype"):
        raise UnknownDTypeError(given=f"An array of dtype {x.dtype}", is_array=True)
    try:
        dtype = np.dtype(x)
    except (TypeError, ValueError):
        raise UnknownDTypeError(given=repr(x)[:80], near=tuple(near_names(x, ALL, 2))) from None
    dtype = _interned.get(dtype, dtype)
    if isinstance(x, (str, type, np.dtype)):
        _interned[x] = dtype
    return dtype


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> DType:
    """The dtype that `dtype` names; while 64-bit types are off, that of 32 bits in place of one of 64.

    Raises:
        ExtendedDTypeError: `dtype` is extended, and that is not allowed.
        UnknownDTypeError: `dtype` names no dtype.
    """
    try:
        return (_with_64 if enable_x64.value else _without_64)[dtype]
    except (KeyError, TypeError):
        found = to_dtype(dtype)
    if isinstance(found, ExtendedDType):
        if not allow_extended_dtype:
            raise ExtendedDTypeError(dtype=found.name, where="canonicalize_dtype")
        return found
    if isinstance(dtype, (str, type)):
        _with_64[dtype] = found
        _without_64[dtype] = NARROW.get(found, found)
    return found if enable_x64.value else NARROW.get(found, found)


def jax_dtype(x: Any) -> DType:
    """The dtype that an array gets for which `x` is asked, extended ones included."""
    return canonicalize_dtype(x, allow_extended_dtype=True)


def to_numpy_dtype(dtype: DType) -> np.dtype:
    """The dtype of the NumPy array that holds such elements."""
    return dtype.physical_dtype if isinstance(dtype, ExtendedDType) else dtype


def check_numeric(dtype: DType) -> DType:
    """`dtype`, if arrays can have it.

    Raises:
        NonNumericDTypeError: they cannot.
    """
    if isinstance(dtype, ExtendedDType) or dtype in KINDS:
        return dtype
    native = dtype.newbyteorder("=")
    raise NonNumericDTypeError(dtype=str(dtype), native=native.name if native in NUMERIC else "")


def requested_dtype(dtype: Any, where: str) -> DType:
    """The dtype for a user who asks `where` for `dtype`; he is told if it is not the one that he gets.

    Python's own types ask for a kind only: `float` is float32 while 64-bit types are off, without a word.

    Raises:
        Explicit64BitDTypeError: 64 bits are asked for, and `jax_explicit_x64_dtypes` is `"error"`.
        UnknownDTypeError: `dtype` names no dtype.
    """
    found = jax_dtype(dtype)
    if enable_x64.value or dtype is None or any(dtype is kind for kind in python_scalar_dtypes):
        return found
    asked = to_dtype(dtype)
    if found is asked:
        return found
    mode = explicit_x64_dtypes.value
    if mode == "allow":
        return asked
    if mode == "error":
        raise Explicit64BitDTypeError(dtype=name_of(asked), where=where)
    _warn_truncated(asked, found, where)
    return found


_warned: dict[str, dict] = {}  # for each file, what `warnings` keeps so as to say a thing once at a line


def _warn_truncated(asked: DType, found: DType, where: str) -> None:
    for watch in requests_watched:
        if watch(name_of(asked), name_of(found), where):
            return
    position = user_position()
    span = None if position is None else position.span()
    filename, line = ("<unknown>", 0) if span is None else (span.filename, span.line)
    text = (f"`{where}` was asked for {name_of(asked)}, but 64-bit types are off (jax_enable_x64): "
            f"the result is {name_of(found)}.")
    warnings.warn_explicit(text, UserWarning, filename, line, registry=_warned.setdefault(filename, {}))


# --- the dtype of a value

_DEFAULTS = {"bool": (bool_, bool_), "int": (int32, int64), "uint": (uint32, uint64), "float": (float32, float64),
             "complex": (complex64, complex128)}
_INT_BOUNDS = {dtype: (int(iinfo(dtype).min), int(iinfo(dtype).max))
               for dtype in NUMERIC if kind_of(dtype) in ("int", "uint")}
_ANY_INT = (-np.inf, np.inf)


def default_dtype(kind: str) -> np.dtype:
    """The dtype of a value of which only the kind is known: `bool`, `int`, `uint`, `float` or `complex`."""
    return _DEFAULTS[kind][enable_x64.value]


def python_scalar_dtype(python_type: type, value: Any = None) -> np.dtype:
    """The dtype that a Python scalar gets as an operand.

    Args:
        python_type: `bool`, `int`, `float` or `complex`.
        value: the scalar, if its range shall be checked.

    Raises:
        IntegerRangeError: it is an integer that does not fit.
    """
    dtype = _DEFAULTS[python_type.__name__][enable_x64.value]
    if python_type is int and value is not None:
        check_int_fits(value, dtype)
    return dtype


def check_int_fits(value: int, dtype: np.dtype) -> None:
    """Nothing, if an array of the integer type `dtype` can hold `value`, or if `dtype` is no integer type.

    Raises:
        IntegerRangeError: it cannot.
    """
    low, high = _INT_BOUNDS.get(dtype, _ANY_INT)
    if not low <= value <= high:
        shown = str(value) if value.bit_length() < 256 else f"of {value.bit_length()} bits"
        raise IntegerRangeError(value=shown, dtype=dtype.name)


def _python_scalar_type(x: Any) -> type | None:
    """`bool`, `int`, `float` or `complex` for Python's scalars (and members of subclasses, as enumerations have)."""
    kind = type(x)
    if kind in python_scalar_dtypes:
        return kind
    if isinstance(x, np.generic):  # float64 and complex128 are subclasses of Python's types
        return None
    return next((scalar for scalar in (int, float, complex) if isinstance(x, scalar)), None)


def dtype_of(x: Any) -> DType:
    """The dtype of `x` as an operand: of an array, of a scalar, or of what a dtype names.

    What NumPy and Python hold becomes 32 bits while 64-bit types are off; arrays of ours are what they are.

    Raises:
        NonNumericDTypeError: arrays cannot have this dtype.
        NotTypedError: `x` has no dtype.
        UnknownDTypeError: `x` is a text that names no dtype.
    """
    python_type = _python_scalar_type(x)
    if python_type is not None:
        return python_scalar_dtype(python_type)
    if hasattr(x, "aval"):
        return x.dtype
    if isinstance(x, (str, type, np.dtype)):
        return jax_dtype(check_numeric(to_dtype(x)))
    if not hasattr(x, "dtype"):
        raise NotTypedError(value=repr(x)[:60], value_type=type(x).__name__)
    return jax_dtype(check_numeric(to_dtype(x.dtype)))


def is_weakly_typed(x: Any) -> bool:
    """Whether the dtype of `x` gives way to others in promotion.

    Python's numbers do, and their types, and arrays made of them alone; booleans do not.
    """
    if isinstance(x, type):
        return x is int or x is float or x is complex
    python_type = _python_scalar_type(x)
    if python_type is not None:
        return python_type is not bool
    return bool(getattr(x, "weak_type", False))


def scalar_type_of(x: Any) -> type:
    """Python's scalar type for `x`, an array, scalar or dtype: `bool`, `int`, `float` or `complex`.

    Raises:
        ExtendedDTypeError: the elements are not numbers.
    """
    dtype = dtype_of(x)
    kind = kind_of(dtype)
    found = {"bool": bool, "int": int, "uint": int, "float": float, "complex": complex}.get(kind)
    if found is None:
        raise ExtendedDTypeError(dtype=name_of(dtype), where="scalar_type_of")
    return found


# --- the hierarchy

_ABSTRACT: dict[type, type] = {dtype.type: np.floating for dtype in map(ALL.__getitem__, ML_FLOATS)}
_ABSTRACT |= {dtype.type: np.unsignedinteger if kind_of(dtype) == "uint" else np.signedinteger
              for dtype in map(ALL.__getitem__, ML_INTS)}  # NumPy itself has all of these below `np.generic` only
_subtypes: dict[tuple[Any, Any], bool] = {}


def issubdtype(a: Any, b: Any) -> bool:
    """Whether `a` is, or lies below, `b` in the hierarchy of scalar types.

    Args:
        a: anything that names a dtype, an array, an abstract scalar type (`np.floating`), an extended dtype.
        b: likewise.

    Raises:
        UnknownDTypeError: one of them names no dtype.
    """
    try:
        return _subtypes[a, b]
    except (KeyError, TypeError):
        found = _is_below(a, b)
    if isinstance(a, (str, type, np.dtype)) and isinstance(b, (str, type, np.dtype)):
        _subtypes[a, b] = found
    return found


def _is_below(a: Any, b: Any) -> bool:
    if isinstance(a, ExtendedDType) and isinstance(b, ExtendedDType):
        return a == b
    below, above = _scalar_class(a), _scalar_class(b)
    if above in _ABSTRACT:
        return below is above
    return issubclass(below, above) or issubclass(_ABSTRACT.get(below, below), above)


def _scalar_class(x: Any) -> type:
    if isinstance(x, type) and issubclass(x, np.generic):
        return x
    if hasattr(x, "dtype"):  # an array, or a class of `scalar_types`
        x = x.dtype
    return to_dtype(x).type


# --- scalar types that make arrays

_construct: Callable[[Any, np.dtype], Any] | None = None


def set_scalar_constructor(construct: Callable[[Any, np.dtype], Any]) -> None:
    """Say how `float32(x)` makes an array: by `construct(x, dtype)`. The numpy room does, once, at import."""
    global _construct
    _construct = construct


class ScalarType(type):
    """The class of `jnp.float32` and its like: each stands for a dtype wherever one goes, equals NumPy's scalar type
    of that dtype, and makes an array when called."""

    dtype: np.dtype

    @public
    def __call__(cls, x: Any) -> Any:
        if _construct is None:
            raise InternalError(what=f"`{cls.__name__}` is called before anybody has said how it makes arrays")
        return _construct(x, cls.dtype)

    def __eq__(cls, other: object) -> bool:
        if isinstance(other, ScalarType):
            return cls.dtype is other.dtype
        return other is cls.dtype.type or (isinstance(other, np.dtype) and other == cls.dtype)

    def __hash__(cls) -> int:
        return hash(cls.dtype.type)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, cls.dtype.type)


def _scalar_type(name: str, dtype: np.dtype) -> ScalarType:
    doc = f"The dtype {name}. Calling it makes an array of this dtype of a number or of anything like an array."
    return ScalarType(name, (), {"dtype": dtype, "__doc__": doc, "__module__": "perspicax.numpy"})


scalar_types: dict[str, ScalarType] = {name: _scalar_type(name, dtype) for name, dtype in ALL.items()}
"""`jnp.float32` and its like, by the dtype's name."""
