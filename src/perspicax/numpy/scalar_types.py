"""Scalar types as `jax.numpy` names them, what can be asked of dtypes, and the constants."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.promotion import promote_types, result_type
from perspicax.diagnose.boundary import public
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError

_types = dtypes.scalar_types

bool_ = bool = _types["bool"]
int1, int2, int4 = _types.get("int1"), _types["int2"], _types["int4"]
int8, int16, int32, int64 = _types["int8"], _types["int16"], _types["int32"], _types["int64"]
uint1, uint2, uint4 = _types.get("uint1"), _types["uint2"], _types["uint4"]
uint8, uint16, uint32, uint64 = _types["uint8"], _types["uint16"], _types["uint32"], _types["uint64"]
bfloat16, float16, float32, float64 = _types["bfloat16"], _types["float16"], _types["float32"], _types["float64"]
float4_e2m1fn, float6_e2m3fn, float6_e3m2fn = _types["float4_e2m1fn"], _types["float6_e2m3fn"], _types["float6_e3m2fn"]
float8_e3m4, float8_e4m3, float8_e4m3b11fnuz = _types["float8_e3m4"], _types["float8_e4m3"], _types["float8_e4m3b11fnuz"]
float8_e4m3fn, float8_e4m3fnuz = _types["float8_e4m3fn"], _types["float8_e4m3fnuz"]
float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu = _types["float8_e5m2"], _types["float8_e5m2fnuz"], _types["float8_e8m0fnu"]
complex64, complex128 = _types["complex64"], _types["complex128"]
single, double, csingle, cdouble = float32, float64, complex64, complex128
int_, uint, float_, complex_ = int64, uint64, float64, complex128

generic, number, inexact, floating, complexfloating = np.generic, np.number, np.inexact, np.floating, np.complexfloating
integer, signedinteger, unsignedinteger = np.integer, np.signedinteger, np.unsignedinteger
flexible, character, object_ = np.flexible, np.character, np.object_
ComplexWarning = np.exceptions.ComplexWarning
dtype = np.dtype
finfo, iinfo = dtypes.finfo, dtypes.iinfo
ndarray = Array

pi, e, euler_gamma, inf, nan, newaxis = math.pi, math.e, np.euler_gamma, math.inf, math.nan, None

issubdtype = public(dtypes.issubdtype)


@public
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> Any:
    """Whether values of one dtype can become another by a rule of NumPy.

    Args:
        from_: anything that names a dtype, or an array.
        to: anything that names a dtype.
        casting: "no", "equiv", "safe", "same_kind" or "unsafe".
    """
    if isinstance(from_, int | float | complex) and not isinstance(from_, np.generic):
        raise ArgumentKindError(says=f"`can_cast` was given the number {from_!r}.",
                                why="whether a Python number can be cast depends on its value; a dtype's values are meant")
    source: Any = from_.dtype if isinstance(from_, Array) else dtypes.to_dtype(from_)
    target: Any = dtypes.to_dtype(to)
    return np.can_cast(source, target, casting)


_KINDS: dict[str, tuple[type, ...]] = {
    "bool": (np.bool_,), "signed integer": (np.signedinteger,), "unsigned integer": (np.unsignedinteger,),
    "integral": (np.integer,), "real floating": (np.floating,), "complex floating": (np.complexfloating,),
    "numeric": (np.integer, np.floating, np.complexfloating)}


@public
def isdtype(dtype: Any, kind: Any) -> Any:
    """Whether a dtype is of a kind.

    Args:
        dtype: anything that names a dtype.
        kind: a dtype; one of "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex
            floating", "numeric"; or a tuple of these.
    """
    found = dtypes.to_dtype(dtype)
    for k in kind if isinstance(kind, tuple) else (kind,):
        if isinstance(k, str) and k in _KINDS:
            if any(dtypes.issubdtype(found, above) for above in _KINDS[k]):
                return True
        elif isinstance(k, str) and k not in dtypes.ALL:
            raise ArgumentValueError(says=f"`isdtype` was given the kind {k!r}.",
                                     why=f"the kinds are {', '.join(map(repr, _KINDS))}")
        elif dtypes.to_dtype(k) == found:
            return True
    return False


@public
def isscalar(element: Any) -> Any:
    """Whether something is a number or an array without axes (or text, as for NumPy)."""
    if isinstance(element, (np.ndarray, Array)):
        return element.ndim == 0
    if hasattr(element, "__jax_array__"):
        return element.__jax_array__().ndim == 0
    return np.isscalar(element)


@public
def iscomplexobj(x: Any) -> Any:
    """Whether something is complex, or an array of complex numbers."""
    if x is None:
        return False
    found = getattr(x, "dtype", None)
    if isinstance(found, dtypes.ExtendedDType):
        return False
    return np.iscomplexobj(x) if found is None else dtypes.issubdtype(found, np.complexfloating)


@public
def isrealobj(x: Any) -> Any:
    """Whether something is neither complex nor an array of complex numbers."""
    return not iscomplexobj(x)


promote_types = public(promote_types)
result_type = public(result_type)  # type: ignore[assignment]
