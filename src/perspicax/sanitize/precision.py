"""The sanitizer `precision`: values of 64 bits that change when they are cut down to 32, and integers that wrap around.

Integer arithmetic is done a second time in floating point, which does not wrap; the two are compared. Unsigned integers of
32 and 64 bits are left alone: hashes and random generators are meant to wrap around.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.check_errors import CheckFailure
from perspicax.api.checkify_rules import EXTRA, Checker
from perspicax.api.checks import Signature, Site
from perspicax.core.avals import ShapedArray
from perspicax.core.config import enable_x64, local, sanitize
from perspicax.core.jaxpr import JaxprEqn
from perspicax.core.primitive import Primitive
from perspicax.diagnose.place import Position
from perspicax.diagnose.report import Label
from perspicax.diagnose.source import expression_at, operands_at, user_place, user_position
from perspicax.lax import bitwise, compare, convert, elementwise, reductions, shape, slicing, transcendental
from perspicax.sanitize.names import parse
from perspicax.sanitize.precision_findings import DtypeTruncation, IntegerOverflow
from perspicax.sanitize.telling import found
from perspicax.xla.array import ArrayImpl

FLOAT, INT = np.dtype(np.float32), np.dtype(np.int32)
SIGNATURE: Signature = (ShapedArray((), FLOAT), ShapedArray((), INT))
WRAPPING = frozenset({"uint32", "uint64"})
OPERATIONS = {
    "add": {"add"}, "subtract": {"sub"}, "multiply": {"mul"}, "power": {"integer_pow", "pow", "mul"},
    "pow": {"integer_pow", "pow"},
    "sum": {"reduce_sum"}, "cumsum": {"cumsum"}, "prod": {"reduce_prod"}, "cumprod": {"cumprod"}, "square": {"square", "mul",
    "integer_pow"}, "dot": {"dot_general"}, "matmul": {"dot_general"}, "negative": {"neg"}, "vdot": {"dot_general"},
    "einsum": {"dot_general"}, "mul": {"mul"}, "sub": {"sub"}, "integer_pow": {"integer_pow"}, "left_shift": {"shift_left"},
}
"""The expressions whose integers must not wrap around, and the operations that they consist of."""
ARITHMETIC = frozenset.union(*map(frozenset, OPERATIONS.values()))


class OverflowCheck(CheckFailure, no_page="never leaves the sanitizer `precision`, whose finding is IntegerOverflow"):
    """Integers wrapped around in a program."""


# -- overflow

def _concerns(primitive: Primitive, aval: Any, place: Any) -> bool:
    """Whether an operation is arithmetic of integers that the user has asked for."""
    if primitive.name not in ARITHMETIC or not isinstance(aval, ShapedArray):
        return False
    if aval.extended or aval.dtype.kind not in "iu" or aval.size == 0:
        return False
    if aval.dtype.name in WRAPPING or place is None:
        return False
    return primitive.name in OPERATIONS.get(operands_at(Position(*place)).operation, ())


class _Overflow:
    """The check that is put into programs."""

    def signature(self, eqn: JaxprEqn) -> Signature | None:
        return SIGNATURE if len(eqn.outvars) == 1 and _concerns(eqn.primitive, eqn.outvars[0].aval, eqn.place) else None

    def check(self, checker: Checker, eqn: JaxprEqn, args: Sequence[Any], outs: Sequence[Any], state: list) -> list:
        out = outs[0]
        aval: Any = eqn.outvars[0].aval
        exact = _in_floats(eqn.primitive, args, eqn.values)
        if exact is None:
            return state
        low, high = _bounds(aval.dtype)
        flat = shape.reshape(exact, (aval.size,))
        outside = bitwise.bitwise_or(compare.gt(flat, np.full(aval.size, high, FLOAT)),
                                     compare.lt(flat, np.full(aval.size, low, FLOAT)))
        first = reductions.argmax(convert.convert_element_type(outside, INT), 0, INT)
        got = convert.convert_element_type(shape.reshape(out, (aval.size,)), INT)
        values = [slicing.dynamic_index_in_dim(x, first, 0, keepdims=False) for x in (flat, got)]
        return checker.fail(state, reductions.reduce_or(outside, (0,)), OverflowCheck, lambda *_: "integer overflow", SIGNATURE,
                            values, aval.dtype)


EXTRA[OverflowCheck] = _Overflow()


def _bounds(dtype: np.dtype) -> tuple[float, float]:
    """What is certainly outside of a dtype, float32's rounding allowed for."""
    info = np.iinfo(dtype)
    slack = 1.0 + 1e-5 if dtype.itemsize >= 4 else 1.0
    return float(info.min) * slack, float(info.max) * slack


def _in_floats(primitive: Primitive, args: Sequence[Any], values: tuple) -> Any:
    """The same operation in floating point."""
    floats = [convert.convert_element_type(x, FLOAT) for x in args]
    if primitive.name == "shift_left":
        return elementwise.mul(floats[0], transcendental.exp2(floats[1]))
    params = primitive.unpack(values)
    if "preferred_element_type" in params:
        params["preferred_element_type"] = None
    return local.trace.process(primitive, tuple(floats), primitive.pack(params))


def tell_site(site: Site, values: Sequence[np.ndarray], name: str) -> None:
    """Tell of integers that wrapped around in a program."""
    _tell(site.place, site.facts, float(values[0]), int(values[1]), name)


def _tell(place: Any, dtype: np.dtype, exact: float, got: int, function: str) -> None:
    position = Position(*place)
    expression, operands = expression_at(position), operands_at(position)
    info = np.iinfo(dtype)
    shown = f"{exact:.0f}" if abs(exact) < 1e6 else f"about {exact:.4g}"
    labels = (Label(expression.span, dtype.name),) if expression is not None else ()
    text = expression.text if expression is not None and len(expression.text) <= 80 else operands.operation
    found(IntegerOverflow(operation=text, dtype=dtype.name, exact=shown, got=str(got), low=int(info.min), high=int(info.max),
                          function=function, labels=labels, position=position))


def look(primitive: Primitive, args: tuple, values: tuple, results: Sequence[Any]) -> None:
    """Look at one operation that was applied by itself."""
    if primitive.name not in ARITHMETIC or len(results) != 1 or type(results[0]) is not ArrayImpl:
        return
    aval = results[0].aval
    place = local.place or user_place()
    if not _concerns(primitive, aval, place):
        return
    exact = _exactly(primitive, [_value(x) for x in args], values)
    if exact is None:
        return
    info, flat = np.iinfo(aval.dtype), exact.reshape(-1)
    outside = np.nonzero((flat > info.max) | (flat < info.min))[0]
    if outside.size:
        _tell(place, aval.dtype, float(flat[outside[0]]), int(results[0].value().reshape(-1)[outside[0]]), "")


def _value(x: Any) -> np.ndarray:
    return np.asarray(x.value() if type(x) is ArrayImpl else x).astype(np.float64)


def _exactly(primitive: Primitive, args: list[np.ndarray], values: tuple) -> np.ndarray | None:
    """The operation in float64, by NumPy; `None` for what is not done here."""
    params = primitive.unpack(values)
    match primitive.name:
        case "add":
            return args[0] + args[1]
        case "sub":
            return args[0] - args[1]
        case "mul":
            return args[0] * args[1]
        case "neg":
            return -args[0]
        case "square":
            return args[0] ** 2
        case "integer_pow":
            return args[0] ** params["y"]
        case "pow":
            return args[0] ** args[1]
        case "shift_left":
            return args[0] * 2.0 ** args[1]
        case "reduce_sum":
            return np.asarray(args[0].sum(tuple(params["axes"])))
        case "reduce_prod":
            return np.asarray(args[0].prod(tuple(params["axes"])))
        case "cumsum" | "cumprod":
            x = np.flip(args[0], params["axis"]) if params["reverse"] else args[0]
            made = (np.cumsum if primitive.name == "cumsum" else np.cumprod)(x, params["axis"])
            return np.flip(made, params["axis"]) if params["reverse"] else made
    return None


# -- values of 64 bits

def watch_value(value: np.ndarray, dtype: np.dtype) -> None:
    """Look at a NumPy value that becomes an array of fewer bits."""
    if value.size == 0 or value.dtype.kind not in "iuf" or enable_x64.value or "precision" not in parse(sanitize.value):
        return
    wide = value.dtype
    with np.errstate(all="ignore"):
        narrow = value.astype(dtype)
        back = narrow.astype(wide)
    if wide.kind in "iu":
        if (back == value).all():
            return
        at = int(np.nonzero((back != value).reshape(-1))[0][0])
        lost = f"{value.reshape(-1)[at]} wraps around to {narrow.reshape(-1)[at]}"
    else:
        lost = _lost(value, narrow)
        if not lost:
            return
    position = user_position(2)
    operands = operands_at(position)
    name = operands[0].text if operands and len(operands[0].text) <= 40 else ""
    found(DtypeTruncation(name=name, asked=wide.name, got=dtype.name, lost=lost, position=position))


def watch_request(asked: str, got: str, where: str) -> bool:
    """Look at a dtype of 64 bits that was asked for by name; whether it was told."""
    if "precision" not in parse(sanitize.value):
        return False
    position = user_position(2)
    found(DtypeTruncation(name=where, asked=asked, got=got, position=position))
    return True


def _lost(value: np.ndarray, narrow: np.ndarray) -> str:
    """What floating-point values lose besides digits that nobody counts on; empty if it is nothing."""
    flat, low = value.reshape(-1), narrow.reshape(-1)
    finite = np.isfinite(flat)
    beyond = finite & ~np.isfinite(low)
    if beyond.any():
        return f"{flat[beyond][0]:.6g} is beyond its range, and becomes an infinity"
    vanished = finite & (flat != 0) & (low == 0) & (np.abs(flat) > 1e-300)
    if vanished.any() and not (np.abs(flat[finite]) > 1e-30).any():
        return f"{flat[vanished][0]:.6g} is too small for it, and becomes 0"
    whole = finite & (np.abs(flat) >= 2.0**24) & (flat == np.floor(flat)) & (low.astype(np.float64) != flat)
    if whole.any():
        return f"the whole number {flat[whole][0]:.0f} becomes {low[whole][0].astype(np.float64):.0f}"
    steps = np.diff(flat)
    merged = (steps != 0) & (np.diff(low) == 0) & (np.abs(flat[1:]) > 1e4)
    if flat.size > 1 and merged.mean() > 0.5:
        at = int(np.nonzero(merged)[0][0])
        return f"neighbours that differ, {flat[at]!s} and {flat[at + 1]!s}, become equal"
    return ""


__all__ = ["OPERATIONS", "OverflowCheck", "look", "tell_site", "watch_request", "watch_value"]
