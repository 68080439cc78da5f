"""Cumulative reductions: each entry combined with those before it along an axis.

XLA computes them as reductions over a window that reaches back to the start. Their derivatives (but for the sum's) are
made by the parallel prefix algorithm of Blelloch (Prefix Sums and Their Applications, 1990) on values and tangents.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, OfPrimitive, Primitive
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.tracer import get_aval
from perspicax.lax import compare, elementwise, shape, slicing, transcendental
from perspicax.lax.errors import OperandDtypeError, OperationShapeError
from perspicax.lax.families import FLOATING, NUMBER, exact, kind, kinds_text
from perspicax.lax.loop_emission import INDEX, emit_while
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.operand import shape_of
from perspicax.lax.reductions import emit_pair, highest, lowest
from perspicax.lax.window import emit_window
from perspicax.transform.batch import BatchAxis
from perspicax.transform.hooks import add_tangents, instantiate
from perspicax.transform.jvp import LINEAR, jvp_flat
from perspicax.xla.emit import i64_array

# -- the parallel prefix

def prefixes(combine: Callable[[list, list], list], items: list, axis: int) -> list:
    """All prefixes of arrays along an axis, combined.

    Args:
        combine: associative; takes two lists of arrays, each entry of the first standing before that of the second.
        items: arrays of one size along `axis`.
    """
    n = shape_of(items[0])[axis]
    if n < 2:
        return items
    part = lambda xs, start, stop, stride: [slicing.slice_in_dim(x, start, stop, stride, axis) for x in xs]
    pairs = combine(part(items, 0, n - 1, 2), part(items, 1, n, 2))
    odd = prefixes(combine, pairs, axis)  # the prefixes that end at 1, 3, 5, …
    before = odd if n % 2 else part(odd, 0, shape_of(odd[0])[axis] - 1, 1)
    even = combine(before, part(items, 2, n, 2))
    even = [shape.concatenate([first, x], axis) for first, x in zip(part(items, 0, 1, 1), even)]
    return [_interleave(x, y, axis) for x, y in zip(even, odd)]


def _interleave(even: Any, odd: Any, axis: int) -> Any:
    """One array whose entries at 0, 2, … are those of `even`, at 1, 3, … those of `odd`."""
    m, n = shape_of(even)[axis], shape_of(odd)[axis]
    aval: Any = get_aval(even)
    zero = exact(0, aval.dtype)
    config = lambda *own: [own if i == axis else (0, 0, 0) for i in range(aval.ndim)]
    return elementwise.add(shape.pad(even, zero, config(0, n - m + 1, 1)),
                           shape.pad(odd, zero, config(1, m - n, 1)))


def _turn(x: Any, axis: int, reverse: bool) -> Any:
    return shape.rev(x, (axis,)) if reverse else x


def _jvp_of(choose: Callable[[Any, Any], Any]) -> Callable[..., tuple[Any, Any]]:
    """The derivative rule from the function that combines two entries: that of all its applications."""
    def jvp(primals: tuple, tangents: tuple, *, axis: int, reverse: bool) -> tuple[Any, Any]:
        def by_prefixes(x: Any) -> list[Any]:
            found = prefixes(lambda a, b: [choose(a[0], b[0])], [_turn(x, axis, reverse)], axis)
            return [_turn(found[0], axis, reverse)]

        (out,), (tangent,) = jvp_flat(by_prefixes, primals, tangents)
        return out, tangent

    return jvp


def log_add_exp(x: Any, y: Any) -> Any:
    """log(eˣ + eʸ), without overflow; the sum where one of them is NaN or both are one infinity."""
    high, apart = elementwise.max(x, y), elementwise.sub(x, y)
    found = elementwise.add(high, transcendental.log1p(transcendental.exp(elementwise.neg(elementwise.abs(apart)))))
    return compare.select(compare.ne(apart, apart), elementwise.add(x, y), found)


def _log_sum_jvp(primals: tuple, tangents: tuple, *, axis: int, reverse: bool) -> tuple[Any, Any]:
    x, t = (_turn(v, axis, reverse) for v in (primals[0], instantiate(tangents[0])))
    out, tangent = prefixes(lambda a, b: list(_log_sum(*a, *b)), [x, t], axis)
    return _turn(out, axis, reverse), _turn(tangent, axis, reverse)


def _log_sum(x: Any, dx: Any, y: Any, dy: Any) -> tuple[Any, Any]:
    """Each tangent counts with its part of the sum, e^(x - out): e⁰ for an infinite `x` that is the sum."""
    out = log_add_exp(x, y)
    weight = lambda v: transcendental.exp(compare.select(compare.eq(v, out), _zeros(v), elementwise.sub(v, out)))
    return out, add_tangents(elementwise.mul(dx, weight(x)), elementwise.mul(dy, weight(y)))


def _zeros(x: Any) -> Any:
    """Zeros of the type of `x`."""
    return shape.broadcast_in_dim(np.zeros((), get_aval(x).dtype), shape_of(x), ())  # type: ignore[attr-defined]


# -- the primitives

def _type_rule(name: str, over: frozenset) -> Callable[..., ShapedArray]:
    def type_rule(x: ShapedArray, *, axis: int, reverse: bool) -> ShapedArray:
        if kind(x.dtype) not in over:
            raise OperandDtypeError(operation=name, type_text=x.str_short(), accepts=kinds_text(over), index=0)
        return x

    return type_rule


def _batch_of(primitive: Primitive) -> Callable[..., Any]:
    def batch(axis_: BatchAxis, args: tuple, axes: tuple, *, axis: int, reverse: bool) -> tuple[Any, int]:
        place = axes[0]
        return primitive(args[0], axis=axis + (place <= axis), reverse=reverse), place

    return batch


def _window(sizes: Sequence[int], axis: int, reverse: bool) -> dict[str, tuple]:
    """The window that reaches from each entry to the start (with `reverse`, to the end)."""
    n, ones = sizes[axis], (1,) * len(sizes)
    own = lambda value, other: tuple([value if i == axis else other for i in range(len(sizes))])
    return {"window_dimensions": own(n, 1), "window_strides": ones, "base_dilation": ones, "window_dilation": ones,
            "padding": own((0, n - 1) if reverse else (n - 1, 0), (0, 0))}


def _emit(body: Callable[[Any, Any, Any], Any], identity: Callable[[Any], Any]) -> Callable[..., Any]:
    def emit(b: Any, x: Any, *, axis: int, reverse: bool) -> Any:
        if x.shape[axis] == 0:
            return x
        scalar = ShapedArray((), x.dtype)
        start = b.constant(np.asarray(identity(x.dtype)).astype(x.dtype), scalar)
        if type(x.shape[axis]) is SymbolicSize:
            return _emit_doubling(b, x, start, body, axis, reverse)
        return emit_window(b, [x], [start], lambda inner, p, q: [body(inner, p, q)], b.out,
                           **_window(x.shape, axis, reverse))[0]

    return emit


def _emit_doubling(b: Any, x: Any, start: Any, body: Callable[[Any, Any, Any], Any], axis: int, reverse: bool) -> Any:
    """Along an axis of symbolic size, since a window's size is known: each entry takes in the ones 1, 2, 4, … before it.

    Hillis and Steele, Data Parallel Algorithms (1986).
    """
    n = x.shape[axis]
    filler = b.broadcast(start, x.shape, ())
    wide = ShapedArray((*x.shape[:axis], 2 * n, *x.shape[axis + 1:]), x.dtype)

    def test(inner: Any, distance: Any, y: Any) -> Any:
        return inner.compare(distance, inner.constant(n, INDEX), "LT", "SIGNED")

    def round(inner: Any, distance: Any, y: Any) -> list:
        padded = inner.hlo("concatenate", [y, filler] if reverse else [filler, y], wide, f"dimension = {axis} : i64")
        at = distance if reverse else inner.op("subtract", [inner.constant(n, INDEX), distance], INDEX)
        zero = inner.constant(0, INDEX)
        moved = inner.hlo("dynamic_slice", [padded, *[at if i == axis else zero for i in range(x.ndim)]], y.aval,
                          f"slice_sizes = {i64_array(x.shape)}")
        # not `distance + distance`: XLA ends the process over a counter that is added to itself
        return [inner.op("shift_left", [distance, inner.constant(1, INDEX)], INDEX), body(inner, moved, y)]

    return emit_while(b, [b.constant(1, INDEX), x], test, round)[1]


def _log_add_exp_emit(b: Any, x: Any, y: Any) -> Any:
    aval = x.aval
    high, apart = b.op("maximum", [x, y], aval), b.op("subtract", [x, y], aval)
    decayed = b.op("exponential", [b.op("negate", [b.op("abs", [apart], aval)], aval)], aval)
    found = b.op("add", [high, b.op("log_plus_one", [decayed], aval)], aval)
    return b.select(b.compare(apart, apart, "NE", "FLOAT"), b.op("add", [x, y], aval), found)


def _host(f: Any) -> Callable[..., Any]:
    """NumPy computes the same bits for integers alone."""
    def host(x: np.ndarray, *, axis: int, reverse: bool) -> Any:
        if x.dtype.kind not in "iu":
            return NotImplemented
        turned = np.flip(x, axis) if reverse else x
        found = f.accumulate(turned, axis, dtype=x.dtype)
        return np.flip(found, axis) if reverse else found

    return host


def _cumulative(name: str, over: frozenset, body: Any, identity: Callable[[Any], Any], jvp: Any, transpose: Any = None,
                host: Any = None) -> Primitive:
    if isinstance(body, str):
        operation = body
        body = lambda b, x, y: emit_pair(b, operation, x, y)
    return Primitive(name, params=("axis", "reverse"), type_rule=_type_rule(name, over), jvp=jvp,
                     batch=OfPrimitive(_batch_of), transpose=transpose or NotLinear(f"`{name}` is not linear"),
                     emit=_emit(body, identity), host=None if host is None else _host(host),
                     source="StableHLO specification, `reduce_window`")


cumsum_p = _cumulative("cumsum", NUMBER, "add", lambda dtype: 0, LINEAR, host=np.add,
                       transpose=lambda ct, x, *, axis, reverse: [cumsum(ct, axis, not reverse)])
cumprod_p = _cumulative("cumprod", NUMBER, "multiply", lambda dtype: 1, _jvp_of(elementwise.mul), host=np.multiply)
cummax_p = _cumulative("cummax", NUMBER, "maximum", lowest, _jvp_of(elementwise.max), host=np.maximum)
cummin_p = _cumulative("cummin", NUMBER, "minimum", highest, _jvp_of(elementwise.min), host=np.minimum)
cumlogsumexp_p = _cumulative("cumlogsumexp", FLOATING, _log_add_exp_emit, lowest, _log_sum_jvp)


def _function(primitive: Primitive, doc: str, differs: str = "") -> Callable[..., Any]:
    def cumulative(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
        x = as_operand(operand)
        rank = len(shape_of(x))
        index = operator.index(axis)
        if not 0 <= index < rank:
            raise OperationShapeError(says=f"`{primitive.name}` along axis {index} of an array with {rank} "
                                           f"{'axis' if rank == 1 else 'axes'}.",
                                      why=f"axes count from 0 to {rank - 1}; negative ones are not taken" if rank
                                          else "a scalar has no axes")
        return local.trace.process(primitive, (x,), (index, bool(reverse)))

    cumulative.__name__ = cumulative.__qualname__ = primitive.name
    cumulative.__doc__ = (f"{doc}\n\nArgs:\n    operand: array of at least one axis.\n    axis: the axis.\n"
                          "    reverse: whether to start at the end.\n" + (differs and f"\nDiffers: {differs}\n"))
    return cumulative


cumsum: Callable[..., Any] = _function(cumsum_p, "The sum of each entry and all before it along an axis.")
cumprod = _function(cumprod_p, "The product of each entry and all before it along an axis.")
cummax = _function(cummax_p, "The maximum of each entry and all before it along an axis.")
cummin = _function(cummin_p, "The minimum of each entry and all before it along an axis.")
cumlogsumexp = _function(cumlogsumexp_p, "The logarithm of the cumulative sum of exponentials, without overflow.",
                         "where the sum is infinite, its derivative counts infinite entries with 1, finite ones with 0.")

__all__ = ["cumlogsumexp", "cumlogsumexp_p", "cummax", "cummax_p", "cummin", "cummin_p", "cumprod", "cumprod_p",
           "cumsum", "cumsum_p", "prefixes"]
