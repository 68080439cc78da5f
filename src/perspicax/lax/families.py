"""Families of primitives: the rules that many primitives share, so that each of them takes a few lines.

`elementwise` founds elementwise primitives: shapes agree (scalars go with anything, axes of size 1 with axes of any
size), dtypes are equal, the batching rule moves axes together. A derivative is given as a function of the tangent for
each operand.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import enable_x64
from perspicax.core.primitive import Missing, NotLinear, OfPrimitive, Primitive
from perspicax.core.trace import Linear
from perspicax.core.tracer import get_aval
from perspicax.lax.errors import ElementwiseShapeError, OperandDtypeError, OperandMismatchError
from perspicax.transform.batch import ELEMENTWISE
from perspicax.transform.hooks import lax
from perspicax.transform.jvp import FLAT, LINEAR, per_operand
from perspicax.xla.array import ArrayImpl

BOOL, SIGNED, UNSIGNED, FLOATING, COMPLEX = (frozenset((k,)) for k in "bsufc")
INTEGER = SIGNED | UNSIGNED
INEXACT = FLOATING | COMPLEX
REAL = INTEGER | FLOATING
NUMBER = INTEGER | INEXACT
ANY = NUMBER | BOOL

ArrayLike = Any
"""What a function of lax takes: an array, a NumPy array, a number, an object that says `__jax_array__`."""


def kind(dtype: Any) -> str:
    """`b`, `s`, `u`, `f` or `c`; `x` for an extended dtype."""
    if isinstance(dtype, dtypes.ExtendedDType):
        return "x"
    if dtype == np.dtype(bool):
        return "b"
    if dtypes.issubdtype(dtype, np.signedinteger):
        return "s"
    if dtypes.issubdtype(dtype, np.unsignedinteger):
        return "u"
    if dtypes.issubdtype(dtype, np.floating):
        return "f"
    return "c" if dtypes.issubdtype(dtype, np.complexfloating) else "x"


_KIND_NAMES = {"b": "boolean", "s": "signed integer", "u": "unsigned integer", "f": "floating", "c": "complex",
               "x": "key"}


def kinds_text(over: frozenset) -> str:
    """The kinds in words, for reports."""
    return ", ".join([name for k, name in _KIND_NAMES.items() if k in over])


# -- types

def elementwise_type(name: str, over: frozenset | tuple[frozenset, ...],
                     out_dtype: Callable[[Any], Any] | None = None) -> Callable[..., Any]:
    """The type rule of an elementwise primitive.

    Args:
        over: kinds of dtypes that it takes; a tuple gives them for each operand.
        out_dtype: the result's dtype from the operands'; the same by default.
    """
    def type_rule(*avals: ShapedArray, **_: Any) -> ShapedArray:
        dtype = avals[0].dtype
        for i, a in enumerate(avals):
            takes = over[i] if isinstance(over, tuple) else over
            if kind(a.dtype) not in takes:
                raise OperandDtypeError(operation=name, type_text=a.str_short(), accepts=kinds_text(takes), index=i)
        for i, a in enumerate(avals):
            if a.dtype != dtype:
                raise OperandMismatchError(operation=name, avals=avals, index=i)
        return ShapedArray(result_shape(name, avals), dtype if out_dtype is None else out_dtype(dtype),
                           all(a.weak_type for a in avals))

    return type_rule


def result_shape(name: str, avals: Sequence[ShapedArray]) -> tuple:
    """The shape of the result of an elementwise operation.

    Raises:
        ElementwiseShapeError: the shapes do not go together.
    """
    shape = avals[0].shape
    for a in avals[1:]:
        if a.shape != shape:
            joined = joined_shape(shape, a.shape)
            if joined is None:
                raise ElementwiseShapeError(operation=name, avals=tuple(avals))
            shape = joined
    return shape


def joined_shape(a: tuple, b: tuple) -> tuple | None:
    """The shape of an elementwise result: scalars go with anything, axes of size 1 with any axes; ranks agree."""
    if a == () or b == ():
        return a or b
    if len(a) != len(b):
        return None
    sizes = [n if m == 1 else m for m, n in zip(a, b)]
    return tuple(sizes) if all(x in (1, s) for shape in (a, b) for x, s in zip(shape, sizes)) else None


# -- the family

ROUNDED_ONCE = frozenset((
    "add", "and", "ceil", "count_leading_zeros", "floor", "imag", "is_finite", "negate", "not", "or", "popcnt", "real",
    "shift_left", "shift_right_arithmetic", "shift_right_logical", "subtract", "xor", "chlo.mulhi"))
ROUNDED_ONCE_IF_REAL = frozenset(("abs", "divide", "multiply", "remainder"))


def elementwise(name: str, *, over: frozenset | tuple[frozenset, ...], jvp: Any, emit: Any, transpose: Any = None,
                host: Any = None, out_dtype: Callable[[Any], Any] | None = None, params: Sequence[str] | None = (),
                batch: Any = ELEMENTWISE, type_rule: Any = None, attributes: Callable[..., str] | None = None,
                fast_compile: str | None = None, **more: Any) -> Primitive:
    """An elementwise primitive of any number of operands.

    Args:
        name: of the primitive.
        over: kinds of dtypes that it takes; a tuple gives them for each operand.
        jvp: one function `(tangent, out, *operands, **params)` for each operand, or `LINEAR`, or `FLAT`.
        emit: name of the StableHLO operation (`"sine"`), of a CHLO one (`"chlo.erf"`), or a rule.
        transpose: a rule, where the primitive is linear in some operand.
        host: a NumPy function that computes the same bits; `integers_only(f)` for arithmetic.
        out_dtype: the result's dtype, where it is not the operands'.
        params: names of the parameters; `None` when they may be left out.
        attributes: the text of the operation's attributes from the parameters.
        fast_compile: whether its eager kernel has the same bits when it is compiled the fast way: `"all"`, `"real"`
            (not for complex operands) or `"none"`; it has where each result is rounded once. Known for operations of
            StableHLO that are given by name.
    """
    if isinstance(jvp, tuple):
        jvp = per_operand(*jvp)
    elif not isinstance(jvp, (OfPrimitive, Missing)):
        jvp = per_operand(jvp)
    if fast_compile is None:
        fast_compile = "all" if emit in ROUNDED_ONCE else "real" if emit in ROUNDED_ONCE_IF_REAL else "none"
    if isinstance(emit, str):
        emit = emit_named(emit, out_dtype is not None or type_rule is not None, attributes)
    primitive = Primitive(
        name, params=params, type_rule=type_rule or elementwise_type(name, over, out_dtype), jvp=jvp,
        transpose=transpose or NotLinear(f"`{name}` is not linear"), batch=batch, emit=emit,
        host=host and _as_arrays(host), **more)
    primitive.extra["elementwise"] = True
    primitive.extra["fast_compile"] = fast_compile
    if attributes is not None:
        primitive.extra["attributes"] = attributes
    return primitive


def _as_arrays(f: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy gives scalars for arrays of no axes; a kernel must give an array."""
    def host(*arrays: np.ndarray, **params: Any) -> Any:
        found = f(*arrays, **params)
        return found if type(found) is np.ndarray or found is NotImplemented else np.asarray(found)

    return host


def integers_only(f: Callable[..., Any]) -> Callable[..., Any]:
    """A `host` rule for booleans and integers of whole bytes: NumPy computes XLA's bits for these alone.

    Floating arithmetic and comparison always run in XLA, which flushes subnormal numbers.
    """
    def host(*arrays: np.ndarray, **params: Any) -> Any:
        for a in arrays:
            if a.dtype.kind not in "biu":
                return NotImplemented
        return f(*arrays, **params)

    return host


def emit_named(name: str, changes_type: bool = False, attributes: Callable[..., str] | None = None) -> Any:
    """The emission of one operation: its full name when operands and result have one type, else a rule."""
    full = name if "." in name else f"stablehlo.{name}"
    if not changes_type and full.startswith("stablehlo."):
        return full

    def emit(b: Any, *operands: Any, **params: Any) -> Any:
        return b.generic(full, spread(b, operands), b.out[0], attributes(**params) if attributes is not None else "")

    return emit


def spread(b: Any, operands: Sequence[Any]) -> list[Any]:
    """The operands brought to one shape."""
    shape: tuple = ()
    for v in operands:
        shape = joined_shape(shape, v.shape) or ()
    return [spread_to(b, v, shape) for v in operands]


def spread_to(b: Any, v: Any, shape: tuple) -> Any:
    """An operand repeated to the shape of the result: a scalar, or axes of size 1."""
    if v.shape == shape:
        return v
    return b.broadcast(v, shape, range(len(shape)) if v.shape else ())


# -- derivatives

def constant_like(x: Any, value: Any) -> Any:
    """The number `value` in the dtype of `x`, weak where `x` is: a literal for rules of derivatives."""
    aval: Any = get_aval(x)
    wide = enable_x64.value
    if not wide and aval.dtype in SHORTENED:
        return exact(value, aval.dtype)
    key = (aval.dtype, aval.weak_type and wide, aval.weak_type, value)  # a weak one follows the option
    found = _constants.get(key)
    if found is None:
        found = np.asarray(value, aval.dtype)[()]
        if aval.weak_type:
            scalar = found.item()
            if get_aval(scalar).dtype == aval.dtype:  # type: ignore[attr-defined]
                found = scalar
        _constants[key] = found
    return found


_constants: dict[tuple, Any] = {}


SHORTENED = frozenset(map(np.dtype, ("float64", "complex128", "int64", "uint64")))
"""The dtypes that numbers and NumPy arrays lose while 64-bit types are switched off."""


def exact(value: Any, dtype: Any) -> Any:
    """The number `value` in just this dtype, also in one of 64 bits while these are switched off: arrays may have it."""
    if dtype in SHORTENED and not enable_x64.value:
        return ArrayImpl(ShapedArray((), dtype), None, np.asarray(value, dtype), None, False)
    return np.asarray(value, dtype)[()]


def zeros_like(x: Any) -> Any:
    """Zeros of the type of `x`."""
    return full_like(x, 0)


def full_like(x: Any, value: Any) -> Any:
    """`value` everywhere, in the type of `x`."""
    aval: Any = get_aval(x)
    if aval.shape == ():
        return constant_like(x, value)
    made = lax().full_like(x, value, aval.dtype)  # type: ignore[attr-defined]
    made = lax().convert(made, aval) if aval.weak_type else made
    if aval.memory is not None:
        made = lax().in_memory(made, aval.memory)
    if aval.explicit is None or not (aval.explicit.spec.unreduced or aval.explicit.spec.reduced):
        return made  # where `x` is split alone, the operation in which both meet says how its result lies
    return lax().laid_as(made, aval.explicit)


def spread_tangent(t: Any, out: Any) -> Any:
    """The tangent of an operand that was repeated to the shape of the result."""
    shape, wanted = get_aval(t).shape, get_aval(out).shape  # type: ignore[attr-defined]
    if shape == wanted:
        return t
    if shape == ():
        if len(wanted) == 1:
            return lax().broadcast(t, wanted[0], 0)
        t = lax().reshape(t, (1,) * len(wanted))  # type: ignore[attr-defined]
    return lax().broadcast_to(t, wanted)


def unspread(ct: Any, aval: Any) -> Any:
    """The cotangent of an operand that was repeated: summed over the copies."""
    shape = get_aval(ct).shape  # type: ignore[attr-defined]
    if aval.shape == shape:
        return ct
    if aval.shape == ():
        return lax().sum_all(ct)  # type: ignore[attr-defined]
    copied = tuple([i for i, (n, m) in enumerate(zip(aval.shape, shape)) if n != m])
    return lax().reshape(lax().reduce_sum(ct, copied), aval.shape)  # type: ignore[attr-defined]


def linear_in_each(*rules: Callable[..., Any] | None) -> Callable[..., Any]:
    """The transposition of a primitive that is linear in each operand alone: a function `(ct, *operands)` for each."""
    def transpose(ct: Any, *operands: Any, **params: Any) -> list[Any]:
        return [unspread(rule(ct, *operands, **params), x.aval) if rule is not None and type(x) is Linear else None
                for rule, x in zip(rules, operands)]

    return transpose


__all__ = ["ANY", "BOOL", "COMPLEX", "FLAT", "FLOATING", "INEXACT", "INTEGER", "LINEAR", "NUMBER", "REAL", "SHORTENED",
           "SIGNED", "UNSIGNED", "ArrayLike", "constant_like", "elementwise", "elementwise_type", "emit_named", "exact",
           "full_like", "integers_only", "joined_shape", "kind", "kinds_text", "linear_in_each", "result_shape",
           "spread", "spread_tangent", "spread_to", "unspread", "zeros_like"]
