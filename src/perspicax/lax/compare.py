"""Comparison and choice."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotDifferentiable, OfPrimitive, Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import get_aval
from perspicax.lax.bitwise import bitwise_and
from perspicax.lax.errors import ElementwiseShapeError, OperandDtypeError, OperandMismatchError, OperationShapeError
from perspicax.lax.families import (
    ANY,
    BOOL,
    FLAT,
    FLOATING,
    INTEGER,
    REAL,
    ArrayLike,
    elementwise,
    elementwise_type,
    integers_only,
    kind,
    kinds_text,
    spread,
    spread_tangent,
    spread_to,
    zeros_like,
)
from perspicax.lax.host_order import compared
from perspicax.lax.operand import operand
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import instantiate, lax
from perspicax.xla.emit import i64_array

ORDERED = REAL | BOOL
KEYS = frozenset("x")
BOOLEAN = np.dtype(bool)


# -- comparison

def compare_values(b: Any, x: Any, y: Any, direction: str, total_order: bool = False) -> Any:
    """Emit the comparison of two values of one shape."""
    otherwise = "TOTALORDER" if total_order else "FLOAT"
    return b.compare(x, y, direction, {"s": "SIGNED", "u": "UNSIGNED", "b": "UNSIGNED"}.get(kind(x.dtype), otherwise))


def _comparison(name: str, direction: str, over: frozenset, host: Any, total_order: bool = False) -> Primitive:
    def emit(b: Any, x: Any, y: Any) -> Any:
        words = max(len(x.shape), len(y.shape)) - len(b.out[0].shape)
        x, y = [_spread_keys(b, v, words) for v in (x, y)] if words else spread(b, [x, y])
        found = compare_values(b, x, y, direction, total_order)
        return found if found.shape == b.out[0].shape else _join_words(b, found, "and" if direction == "EQ" else "or")

    on_host = integers_only(host) if total_order else compared(host)
    return elementwise(name, over=over, jvp=FLAT, emit=emit, host=on_host, out_dtype=lambda _: BOOLEAN,
                       physical=_same_parameters, fast_compile="all")


def _same_parameters(params: dict, in_avals: list, out_avals: list) -> dict:
    return params


def _spread_keys(b: Any, x: Any, words: int) -> Any:
    """Keys repeated to the shape of the result; the last axes are those of their words."""
    shape, own = b.out[0].shape, len(x.shape) - words
    whole = (*shape, *x.shape[own:])
    return x if x.shape == whole else b.broadcast(x, whole, (*range(own), *range(len(shape), len(whole))))


def _join_words(b: Any, found: Any, how: str) -> Any:
    """The comparison of keys from that of their words."""
    out = b.out[0]
    scalar = ShapedArray((), BOOLEAN)
    body = b.region([scalar, scalar], lambda inner, x, y: [inner.op(how, [x, y], scalar)])
    return b.hlo("reduce", [found, b.constant(how == "and", scalar)], out,
                 f"dimensions = {i64_array(range(out.ndim, found.ndim))}", [body])


eq_p = _comparison("eq", "EQ", ANY | KEYS, np.equal)
ne_p = _comparison("ne", "NE", ANY | KEYS, np.not_equal)
lt_p = _comparison("lt", "LT", ORDERED, np.less)
le_p = _comparison("le", "LE", ORDERED, np.less_equal)
gt_p = _comparison("gt", "GT", ORDERED, np.greater)
ge_p = _comparison("ge", "GE", ORDERED, np.greater_equal)
eq_to_p = _comparison("eq_to", "EQ", ANY, np.equal, total_order=True)
le_to_p = _comparison("le_to", "LE", ORDERED, np.less_equal, total_order=True)
lt_to_p = _comparison("lt_to", "LT", ORDERED, np.less, total_order=True)
is_finite_p = elementwise("is_finite", over=FLOATING, jvp=FLAT, emit="is_finite", out_dtype=lambda _: BOOLEAN)
nextafter_p = elementwise(
    "nextafter", over=FLOATING, emit="chlo.next_after",
    jvp=NotDifferentiable("`nextafter` steps from one floating-point number to the next: it has no derivative"))


def eq(x: ArrayLike, y: ArrayLike) -> Array:
    """Whether `x == y`, element by element.

    Args:
        x: array of any dtype.
        y: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Boolean array. NaN equals nothing.
    """
    return local.trace.p2(eq_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def ne(x: ArrayLike, y: ArrayLike) -> Array:
    """Whether `x != y`, element by element.

    Args:
        x: array of any dtype.
        y: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Boolean array. NaN differs from everything.
    """
    return local.trace.p2(ne_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def lt(x: ArrayLike, y: ArrayLike) -> Array:
    """Whether `x < y`, element by element.

    Args:
        x: boolean, integer or floating array.
        y: array of the same dtype; shapes are equal, or one is a scalar.

    Returns:
        Boolean array; false where either is NaN.
    """
    return local.trace.p2(lt_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def le(x: ArrayLike, y: ArrayLike) -> Array:
    """Whether `x <= y`, element by element; see `lt`."""
    return local.trace.p2(le_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def gt(x: ArrayLike, y: ArrayLike) -> Array:
    """Whether `x > y`, element by element; see `lt`."""
    return local.trace.p2(gt_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def ge(x: ArrayLike, y: ArrayLike) -> Array:
    """Whether `x >= y`, element by element; see `lt`."""
    return local.trace.p2(ge_p, x if isinstance(x, Array) else operand(x), y if isinstance(y, Array) else operand(y))


def is_finite(x: ArrayLike) -> Array:
    """Whether each element is neither infinite nor NaN.

    Args:
        x: floating array.

    Returns:
        Boolean array.
    """
    return local.trace.p1(is_finite_p, x if isinstance(x, Array) else operand(x))


def nextafter(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The floating-point number next to `x1` in the direction of `x2`.

    Args:
        x1: floating array.
        x2: array of the same dtype.

    Returns:
        Array of that dtype; `x2` where both are equal, NaN where either is.
    """
    return local.trace.p2(nextafter_p, x1 if isinstance(x1, Array) else operand(x1),
                          x2 if isinstance(x2, Array) else operand(x2))


# -- select_n

def _select_type(which: ShapedArray, *cases: ShapedArray) -> ShapedArray:
    if not cases:
        raise OperationShapeError(says="`select_n` was given nothing to choose from.",
                                  why="it takes `which` and at least one case")
    if kind(which.dtype) not in BOOL | INTEGER:
        raise OperandDtypeError(operation="select_n", type_text=which.str_short(), accepts=kinds_text(BOOL | INTEGER),
                                index=0)
    if kind(which.dtype) in BOOL and len(cases) > 2:
        raise OperationShapeError(says=f"`select_n` was given {len(cases)} cases and a boolean `which`.",
                                  why="a boolean chooses between two; an integer array chooses among more")
    first = cases[0]
    for i, case in enumerate(cases):
        if case.dtype != first.dtype:
            raise OperandMismatchError(operation="select", avals=cases, index=i)
        if case.shape != first.shape:
            raise ElementwiseShapeError(operation="select", avals=cases)
    if which.shape not in ((), first.shape):
        raise OperationShapeError(
            says=f"`select_n` was given `which` of shape {which.shape} and cases of shape {first.shape}.",
            why="`which` is a scalar, or has the shape of the cases")
    return ShapedArray(first.shape, first.dtype, all(c.weak_type for c in cases))


def _select_batch(axis: BatchAxis, args: tuple, axes: tuple) -> tuple[Any, int]:
    which, *cases = args
    which_axis, *case_axes = axes
    rank = len(get_aval(cases[0]).shape) - (case_axes[0] is not None)  # type: ignore[attr-defined]
    which_rank = len(get_aval(which).shape) - (which_axis is not None)  # type: ignore[attr-defined]
    place = next((a for a in case_axes if a is not None), which_axis if which_rank == rank else 0)
    cases = [to_axis(x, a, place, axis.size) for x, a in zip(cases, case_axes)]
    if which_axis is not None and which_rank < rank:  # one choice for each example, among arrays
        which = lax().broadcast_to(lax().expand(which, rank + 1, place), get_aval(cases[0]).shape)  # type: ignore
    elif which_axis is not None or which_rank:
        which = to_axis(which, which_axis, place, axis.size)
    return select_n_p(which, *cases), place


def _select_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    out = select_n_p(*primals)
    if all(type(t) is Zero for t in tangents[1:]):
        return out, Zero.like(out)
    return out, select_n_p(primals[0], *[instantiate(t) for t in tangents[1:]])


def _select_transpose(ct: Any, which: Any, *cases: Any) -> list[Any]:
    zeros = zeros_like(ct)
    return [None] + [select_n_p(which, *[ct if i == j else zeros for j in range(len(cases))])
                     if type(case) is Linear else None for i, case in enumerate(cases)]


def _select_emit(b: Any, which: Any, *cases: Any) -> Any:
    if len(cases) == 1:
        return cases[0]
    if which.shape and which.shape != cases[0].shape:  # the words of keys
        which = b.broadcast(which, cases[0].shape, range(which.ndim))
    if kind(which.dtype) in BOOL:
        return b.select(which, cases[1], cases[0])

    def among(first: int, last: int) -> Any:  # halving: the depth is the logarithm of the number of cases
        if last - first == 1:
            return cases[first]
        middle = (first + last) // 2
        below = compare_values(b, which, b.constant(middle, ShapedArray(which.shape, which.dtype)), "LT")
        return b.select(below, among(first, middle), among(middle, last))

    return among(0, len(cases))


def _select_host(which: np.ndarray, *cases: np.ndarray) -> Any:
    if cases[0].dtype.kind not in "biufc":  # XLA selects bfloat16 in float32, and NaNs lose their payload on the way
        return NotImplemented
    if len(cases) == 1:
        return cases[0].copy()
    if which.dtype == BOOLEAN:
        return np.where(which, cases[1], cases[0])
    chosen = np.broadcast_to(np.clip(which, 0, len(cases) - 1), cases[0].shape)
    out = cases[0].copy()
    for i in range(1, len(cases)):
        np.copyto(out, cases[i], where=chosen == i)
    return out


select_n_p = elementwise("select_n", over=ANY, type_rule=_select_type, jvp=OfPrimitive(lambda _: _select_jvp),
                         transpose=_select_transpose, batch=_select_batch, emit=_select_emit, host=_select_host,
                         physical=_same_parameters, fast_compile="all")


def select_n(which: ArrayLike, *cases: ArrayLike) -> Array:
    """For each element the case that `which` names.

    Args:
        which: boolean (with at most two cases: false chooses the first) or integer array of the shape of the cases,
            or a scalar. Indices below 0 choose the first case, those too large the last.
        cases: arrays of one shape and dtype.

    Returns:
        Array of the shape and dtype of the cases.

    >>> select_n(True, 1., 2.)
    Array(2., dtype=float32, weak_type=True)
    """
    return select_n_p(operand(which), *[x if isinstance(x, Array) else operand(x) for x in cases])


def select(pred: ArrayLike, on_true: ArrayLike, on_false: ArrayLike) -> Array:
    """`on_true` where `pred` holds, else `on_false`.

    Args:
        pred: boolean array of the shape of the others, or a scalar.
        on_true: array.
        on_false: array of the same shape and dtype.

    Both sides are computed; in derivatives each element follows the side that was chosen.
    """
    return select_n_p(operand(pred), on_false if isinstance(on_false, Array) else operand(on_false),
                      on_true if isinstance(on_true, Array) else operand(on_true))


# -- clamp

def _clamp_type(low: ShapedArray, x: ShapedArray, high: ShapedArray) -> ShapedArray:
    elementwise_type("clamp", ANY)(low.at_shape(x.shape), x, high.at_shape(x.shape))
    for bound in (low, high):
        if bound.shape not in ((), x.shape):
            raise ElementwiseShapeError(operation="clamp", avals=(low, x, high))
    return ShapedArray(x.shape, x.dtype, low.weak_type and x.weak_type and high.weak_type)


def _clamp_emit(b: Any, low: Any, x: Any, high: Any) -> Any:
    low, high = spread_to(b, low, x.shape), spread_to(b, high, x.shape)
    if kind(x.dtype) in BOOL:  # XLA has no clamp of booleans
        return b.op("minimum", [b.op("maximum", [x, low], b.out[0]), high], b.out[0])
    return b.op("clamp", [low, x, high], b.out[0])


def _where(chosen: Any, t: Any) -> Any:
    return select_n_p(chosen, zeros_like(t), t)


def _clamp_low(t: Any, out: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(bitwise_and(gt(low, x), lt(low, high)), spread_tangent(t, out))


def _clamp_x(t: Any, out: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(bitwise_and(gt(x, low), lt(x, high)), t)


def _clamp_high(t: Any, out: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(gt(x, high), spread_tangent(t, out))


def _clamp_batch(axis: BatchAxis, args: tuple, axes: tuple) -> tuple[Any, int]:
    low, x, high = args
    place = axes[1]
    rank = len(get_aval(x).shape) - (place is not None)  # type: ignore[attr-defined]
    if place is None:
        place = next((a for bound, a in ((low, axes[0]), (high, axes[2])) if a is not None and
                      len(get_aval(bound).shape) - 1 == rank), 0)  # type: ignore[attr-defined]
        x = lax().broadcast(x, axis.size, place)
    bounds = []
    for bound, a in ((low, axes[0]), (high, axes[2])):
        bound_rank = len(get_aval(bound).shape) - (a is not None)  # type: ignore[attr-defined]
        if a is not None and bound_rank < rank:
            bound = lax().broadcast_to(lax().expand(bound, rank + 1, place), get_aval(x).shape)  # type: ignore
        elif a is not None or bound_rank:
            bound = to_axis(bound, a, place, axis.size)
        bounds.append(bound)
    return clamp_p(bounds[0], x, bounds[1]), place


clamp_p = elementwise(
    "clamp", over=ANY, type_rule=_clamp_type, jvp=(_clamp_low, _clamp_x, _clamp_high), batch=_clamp_batch,
    emit=_clamp_emit, fast_compile="all", host=integers_only(lambda low, x, high: np.minimum(np.maximum(x, low), high)))


def clamp(min: ArrayLike, x: ArrayLike, max: ArrayLike) -> Array:
    """`x` brought into the range from `min` to `max`.

    Args:
        min: lower bound: a scalar, or an array of the shape of `x`; of its dtype.
        x: array.
        max: upper bound likewise; where the bounds cross it wins.

    Returns:
        Array of the shape and dtype of `x`; NaN stays NaN.

    The derivative is that of `x` strictly between the bounds, and 0 on them.
    """
    return clamp_p(operand(min), x if isinstance(x, Array) else operand(x), operand(max))


__all__ = ["clamp", "clamp_p", "compare_values", "eq", "eq_p", "eq_to_p", "ge", "ge_p", "gt", "gt_p",
           "is_finite", "is_finite_p", "le", "le_p", "le_to_p", "lt", "lt_p", "lt_to_p", "ne", "ne_p",
           "nextafter", "nextafter_p", "select", "select_n", "select_n_p"]
