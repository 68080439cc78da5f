"""Families of primitives: the rules that many primitives share, so that each of them takes a few lines.

`unary`, `binary` and `elementwise` found elementwise primitives: shapes agree (scalars go with anything), dtypes are
equal, the batching rule moves axes together. A derivative is given as a function of the tangent for each operand.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.primitive import Missing, NotLinear, OfPrimitive, Primitive
from perspicax.core.trace import Linear
from perspicax.core.tracer import get_aval
from perspicax.lax.errors import ElementwiseShapeError, OperandDtypeError, OperandMismatchError
from perspicax.transform.batch import ELEMENTWISE
from perspicax.transform.hooks import lax
from perspicax.transform.jvp import FLAT, LINEAR, per_operand

BOOL, SIGNED, UNSIGNED, FLOATING, COMPLEX = (frozenset((k,)) for k in "bsufc")
INTEGER = SIGNED | UNSIGNED
INEXACT = FLOATING | COMPLEX
REAL = INTEGER | FLOATING
NUMBER = INTEGER | INEXACT
ANY = NUMBER | BOOL


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


def elementwise_type(name: str, over: frozenset, out_dtype: Callable[[Any], Any] | None = None) -> Callable[..., Any]:
    """The type rule of an elementwise primitive.

    Args:
        over: kinds of dtypes that it takes.
        out_dtype: the result's dtype from the operands'; the same by default.
    """
    def type_rule(*avals: ShapedArray, **_: Any) -> ShapedArray:
        first = avals[0]
        dtype = first.dtype
        for i, a in enumerate(avals):
            if a.dtype != dtype:
                raise OperandMismatchError(operation=name, avals=avals, index=i)
        if kind(dtype) not in over:
            raise OperandDtypeError(operation=name, type_text=first.str_short(), accepts=kinds_text(over), index=0)
        shape = first.shape
        weak = first.weak_type
        for a in avals[1:]:
            if a.shape != shape:
                joined = joined_shape(shape, a.shape)
                if joined is None:
                    raise ElementwiseShapeError(operation=name, avals=avals)
                shape = joined
            weak = weak and a.weak_type
        return ShapedArray(shape, dtype if out_dtype is None else out_dtype(dtype), weak and out_dtype is None)

    return type_rule


def joined_shape(a: tuple, b: tuple) -> tuple | None:
    """The shape of an elementwise result: scalars go with anything, axes of size 1 with axes of any size; ranks agree."""
    if a == () or b == ():
        return a or b
    if len(a) != len(b):
        return None
    sizes = [n if m == 1 else m for m, n in zip(a, b)]
    return tuple(sizes) if all(x in (1, s) for shape in (a, b) for x, s in zip(shape, sizes)) else None


def elementwise(name: str, *, over: frozenset, jvp: Any, emit: Any, transpose: Any = None, host: Any = None,
                out_dtype: Callable[[Any], Any] | None = None, params: Sequence[str] = (), batch: Any = ELEMENTWISE,
                type_rule: Any = None, **more: Any) -> Primitive:
    """An elementwise primitive of any number of operands.

    Args:
        name: of the primitive.
        over: kinds of dtypes that it takes.
        jvp: one function `(tangent, out, *operands, **params)` for each operand, or `LINEAR`, or `FLAT`.
        emit: name of the StableHLO operation (`"sine"`), of a CHLO one (`"chlo.erf"`), or a rule.
        transpose: a rule, where the primitive is linear in some operand.
        host: a NumPy function that computes the same bits.
        out_dtype: the result's dtype, where it is not the operands'.
    """
    if isinstance(jvp, tuple):
        jvp = per_operand(*jvp)
    elif not isinstance(jvp, (OfPrimitive, Missing)):
        jvp = per_operand(jvp)
    if isinstance(emit, str):
        emit = emit_named(emit, out_dtype is not None)
    return Primitive(
        name, params=params, type_rule=type_rule or elementwise_type(name, over, out_dtype), jvp=jvp,
        transpose=transpose or NotLinear(f"`{name}` is not linear"), batch=batch, emit=emit, host=host, **more)


def emit_named(name: str, changes_type: bool = False) -> Any:
    """The emission of one operation: its full name when operands and result have one type, else a rule."""
    full = name if "." in name else f"stablehlo.{name}"
    if not changes_type and full.startswith("stablehlo."):
        return full

    def emit(b: Any, *operands: Any, **_: Any) -> Any:
        return b.generic(full, spread(b, operands), b.out[0])

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


def unspread(ct: Any, aval: Any) -> Any:
    """The cotangent of an operand that was repeated: summed over the copies."""
    shape = get_aval(ct).shape  # type: ignore[attr-defined]
    if aval.shape == shape:
        return ct
    if aval.shape == ():
        return lax().sum_all(ct)  # type: ignore[attr-defined]
    copied = tuple([i for i, (n, m) in enumerate(zip(aval.shape, shape)) if n != m])
    return lax().reshape(lax().reduce_sum(ct, copied), aval.shape)  # type: ignore[attr-defined]


def linear_in_each(*rules: Callable[..., Any]) -> Callable[..., Any]:
    """The transposition of a primitive that is linear in each operand alone: one function `(ct, *operands)` for each."""
    def transpose(ct: Any, *operands: Any, **params: Any) -> list[Any]:
        return [unspread(rule(ct, *operands, **params), x.aval) if type(x) is Linear else None
                for rule, x in zip(rules, operands)]

    return transpose


__all__ = ["ANY", "BOOL", "COMPLEX", "FLAT", "FLOATING", "INEXACT", "INTEGER", "LINEAR", "NUMBER", "REAL", "SIGNED",
           "UNSIGNED", "elementwise", "elementwise_type", "emit_named", "kind", "linear_in_each", "spread", "unspread"]
