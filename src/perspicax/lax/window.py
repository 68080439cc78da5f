"""Reductions over a window that moves along the axes: pooling, and cumulative reductions.

The derivative of a maximum over windows takes the tangent of each window's largest entry (`select_and_gather_add`);
its transposition adds each cotangent where that entry stands (`select_and_scatter_add`).
"""
from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import NotLinear, OfPrimitive, Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.lax import compare, shape, slicing
from perspicax.lax.conv_dimensions import dilated, explicit_pads, padtype_to_pads, window_sizes
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import ANY, NUMBER, kind, kinds_text
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.operand import shape_of
from perspicax.lax.reduce_errors import WindowError
from perspicax.lax.reduce_function import (
    check_operands,
    combine,
    emit_combiner,
    monoid,
    reduction_operands,
    stage_combiner,
)
from perspicax.lax.reductions import emit_pair, highest, lowest
from perspicax.transform.batch import BatchAxis, batch_flat, to_axis
from perspicax.transform.jvp import LINEAR, jvp_flat, per_operand
from perspicax.xla.emit import i64_array, i64_matrix

WINDOW = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")


# -- types and emission

def _window_type(operation: str, x: ShapedArray, *, window_dimensions: tuple, window_strides: tuple, padding: tuple,
                 base_dilation: tuple, window_dilation: tuple) -> tuple[int, ...]:
    """The shape of the result."""
    for name, values in zip(WINDOW, (window_dimensions, window_strides, padding, base_dilation, window_dilation)):
        if len(values) != x.ndim:
            raise WindowError(operation=operation, operand=x, name=name, value=values, kind="length")
        if name != "padding" and any(v < 1 for v in values):
            raise WindowError(operation=operation, operand=x, name=name, value=values, kind="positive")
    if any(dilated(n, d) + low + high < 0 for n, d, (low, high) in zip(x.shape, base_dilation, padding)):
        raise WindowError(operation=operation, operand=x, name="padding", value=padding, kind="padding")
    return window_sizes(x.shape, window_dimensions, window_strides, padding, base_dilation, window_dilation)


def emit_window(b: Any, operands: Sequence[Any], starts: Sequence[Any], body: Callable[..., Sequence[Any]],
                outs: Sequence[Any], *, window_dimensions: tuple, window_strides: tuple, padding: tuple,
                base_dilation: tuple, window_dilation: tuple) -> list[Any]:
    """Emit a `reduce_window`; `body(builder, *partial, *further)` emits the combination of two partial results."""
    scalars = [s.aval for s in starts] * 2
    return b.hlo("reduce_window", [*operands, *starts], list(outs), ", ".join([
        f"window_dimensions = {i64_array(window_dimensions)}", f"window_strides = {i64_array(window_strides)}",
        f"base_dilations = {i64_array(base_dilation)}", f"window_dilations = {i64_array(window_dilation)}",
        f"padding = {i64_matrix(padding)}"]), [b.region(scalars, body)])


def _batched(params: dict, place: int) -> dict:
    """The parameters of a window for operands with a further axis at `place`, along which nothing is reduced."""
    put = lambda values, one: (*values[:place], one, *values[place:])
    return {**params, **{name: put(params[name], (0, 0) if name == "padding" else 1) for name in WINDOW
                         if name in params}}


# -- sum, maximum, minimum

def _emit_named(operation: str, identity: Callable[[Any], Any]) -> Callable[..., Any]:
    def emit(b: Any, x: Any, **params: Any) -> Any:
        start = b.constant(np.asarray(identity(x.dtype)).astype(x.dtype), ShapedArray((), x.dtype))
        return emit_window(b, [x], [start], lambda inner, p, q: [emit_pair(inner, operation, p, q)], b.out, **params)[0]

    return emit


def _type_of(name: str, over: frozenset) -> Callable[..., ShapedArray]:
    def type_rule(x: ShapedArray, **params: Any) -> ShapedArray:
        if kind(x.dtype) not in over:
            raise OperandDtypeError(operation=name, type_text=x.str_short(), accepts=kinds_text(over), index=0)
        return ShapedArray(_window_type("reduce_window", x, **params), x.dtype, x.weak_type)

    return type_rule


def _batch_of(primitive: Primitive) -> Callable[..., Any]:
    def batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[Any, int]:
        return primitive(args[0], **_batched(params, axes[0])), axes[0]

    return batch


def _sum_transpose(ct: Any, x: Any, *, window_dimensions: tuple, window_strides: tuple, padding: tuple,
                   base_dilation: tuple, window_dilation: tuple) -> list[Any]:
    """Each entry gets the cotangents of all windows that hold it: a sum over windows of the spread cotangent."""
    config = []
    for n, m, w, stride, (low, _), base, gap in zip(
            x.aval.shape, shape_of(ct), window_dimensions, window_strides, padding, base_dilation, window_dilation):
        reach = dilated(w, gap) - 1
        before = reach - low
        config.append((before, dilated(n, base) + reach - dilated(m, stride) - before, stride - 1))
    spread = shape.pad(ct, np.zeros((), x.aval.dtype), config)
    return [reduce_window_sum_p(
        spread, window_dimensions=window_dimensions, window_strides=base_dilation,
        padding=((0, 0),) * x.aval.ndim, base_dilation=(1,) * x.aval.ndim, window_dilation=window_dilation)]


def _extreme_jvp(select: Primitive) -> OfPrimitive:
    def make(primitive: Primitive) -> Callable[..., Any]:
        def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
            x, t = primals[0], tangents[0]
            out = primitive(x, **params)
            if type(t) is Zero:
                return out, Zero.like(out)
            if any(d != 1 for d in (*params["base_dilation"], *params["window_dilation"])):
                return out, _chosen_tangent(t, x, select, params)
            return out, select_and_gather_add_p(t, x, select_prim=select, **params)

        return jvp

    return OfPrimitive(make)


def _chosen_tangent(t: Any, x: Any, select: Primitive, params: dict) -> Any:
    """The tangent of the chosen entry of each window, entry by entry: XLA cannot scatter into dilated windows."""
    start = np.asarray((lowest if select is compare.ge_p else highest)(get_aval(x).dtype))  # type: ignore[attr-defined]
    entries = zip(_window_entries(x, start.astype(get_aval(x).dtype), params),  # type: ignore[attr-defined]
                  _window_entries(t, np.zeros((), get_aval(t).dtype), params))  # type: ignore[attr-defined]
    (value, tangent), *rest = entries
    for v, dv in rest:
        first = select(value, v)
        value, tangent = compare.select(first, value, v), compare.select(first, tangent, dv)
    return tangent


def _window_entries(x: Any, start: Any, params: dict) -> list[Any]:
    """For each place in the window an array of the entries that stand there, one for each window."""
    config = [(low, high, base - 1) for (low, high), base in zip(params["padding"], params["base_dilation"])]
    padded = shape.pad(x, start, config)
    sizes = window_sizes(shape_of(x), *[params[name] for name in WINDOW])
    strides = params["window_strides"]
    found = []
    for offset in itertools.product(*map(range, params["window_dimensions"])):
        low = [o * gap for o, gap in zip(offset, params["window_dilation"])]
        high = [a + max(0, n - 1) * s + (n > 0) for a, n, s in zip(low, sizes, strides)]
        found.append(slicing.slice(padded, low, high, strides))
    return found


reduce_window_sum_p: Primitive = Primitive(
    "reduce_window_sum", params=WINDOW, type_rule=_type_of("reduce_window_sum", NUMBER), jvp=LINEAR,
    transpose=_sum_transpose, batch=OfPrimitive(_batch_of), emit=_emit_named("add", lambda dtype: 0),
    source="StableHLO specification, `reduce_window`")
reduce_window_max_p = Primitive(
    "reduce_window_max", params=WINDOW, type_rule=_type_of("reduce_window_max", ANY), jvp=_extreme_jvp(compare.ge_p),
    transpose=NotLinear("a maximum is not linear"), batch=OfPrimitive(_batch_of), emit=_emit_named("maximum", lowest),
    source="StableHLO specification, `reduce_window`")
reduce_window_min_p = Primitive(
    "reduce_window_min", params=WINDOW, type_rule=_type_of("reduce_window_min", ANY), jvp=_extreme_jvp(compare.le_p),
    transpose=NotLinear("a minimum is not linear"), batch=OfPrimitive(_batch_of), emit=_emit_named("minimum", highest),
    source="StableHLO specification, `reduce_window`")


# -- the chosen entry of each window

def _pair_batch(primitive: Primitive) -> Callable[..., Any]:
    def batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[Any, int]:
        moved = [to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)]
        return primitive(*moved, **_batched(params, 0)), 0

    return batch


def _start_of(b: Any, x: Any, select: Primitive) -> Any:
    identity = lowest if select is compare.ge_p else highest
    return b.constant(np.asarray(identity(x.dtype)).astype(x.dtype), ShapedArray((), x.dtype))


_DIRECTIONS = {"ge": "GE", "le": "LE"}


def _gather_emit(b: Any, tangents: Any, x: Any, *, select_prim: Primitive, **params: Any) -> Any:
    def better(inner: Any, v: Any, t: Any, w: Any, u: Any) -> list[Any]:
        first = compare.compare_values(inner, v, w, _DIRECTIONS[select_prim.name])
        return [inner.select(first, v, w), inner.select(first, t, u)]

    out = b.out[0]
    zero = b.constant(np.zeros((), tangents.dtype), ShapedArray((), tangents.dtype))
    return emit_window(b, [x, tangents], [_start_of(b, x, select_prim), zero], better,
                       [ShapedArray(out.shape, x.dtype), out], **params)[1]


def _gather_transpose(ct: Any, tangents: Any, x: Any, *, base_dilation: tuple, window_dilation: tuple,
                      **params: Any) -> list[Any]:
    return [select_and_scatter_add_p(ct, x, **params), None]


select_and_gather_add_p: Primitive = Primitive(
    "select_and_gather_add", params=("select_prim", *WINDOW),
    type_rule=lambda t, x, *, select_prim, **params: ShapedArray(
        _window_type("select_and_gather_add", x, **params), t.dtype, t.weak_type),
    jvp=per_operand(lambda t, out, tangents, x, **params: select_and_gather_add_p(t, x, **params), None),
    transpose=_gather_transpose, batch=OfPrimitive(_pair_batch), emit=_gather_emit,
    source="StableHLO specification, `reduce_window`")


def _scatter_emit(b: Any, source: Any, x: Any, *, select_prim: Primitive, window_dimensions: tuple,
                  window_strides: tuple, padding: tuple) -> Any:
    """The operand is padded first: the padding of XLA's own operation would take part as zeros."""
    start = _start_of(b, x, select_prim)
    sizes = tuple([n + low + high for n, (low, high) in zip(x.shape, padding)])
    lows, highs = ([p[k] for p in padding] for k in (0, 1))
    zeros = [0] * x.ndim
    padded = b.hlo("pad", [x, start], ShapedArray(sizes, x.dtype), f"edge_padding_low = {i64_array(lows)}, "
                   f"edge_padding_high = {i64_array(highs)}, interior_padding = {i64_array(zeros)}")
    value, scalar = start.aval, ShapedArray((), source.dtype)
    choose = b.region([value, value], lambda inner, v, w: [
        compare.compare_values(inner, v, w, _DIRECTIONS[select_prim.name])])
    add = b.region([scalar, scalar], lambda inner, p, q: [inner.op("add", [p, q], scalar)])
    zero = b.constant(np.zeros((), source.dtype), scalar)
    found = b.hlo("select_and_scatter", [padded, source, zero], ShapedArray(sizes, source.dtype), ", ".join([
        f"window_dimensions = {i64_array(window_dimensions)}", f"window_strides = {i64_array(window_strides)}",
        f"padding = {i64_matrix([(0, 0)] * x.ndim)}"]), [choose, add])
    return b.slice(found, lows, [low + n for low, n in zip(lows, x.shape)])


def _scatter_transpose(ct: Any, source: Any, x: Any, **params: Any) -> list[Any]:
    ones = (1,) * len(shape_of(x))
    return [select_and_gather_add_p(ct, x, base_dilation=ones, window_dilation=ones, **params), None]


select_and_scatter_add_p: Primitive = Primitive(
    "select_and_scatter_add", params=("select_prim", "window_dimensions", "window_strides", "padding"),
    type_rule=lambda source, x, **_: ShapedArray(x.shape, source.dtype, source.weak_type),
    jvp=per_operand(lambda t, out, source, x, **params: select_and_scatter_add_p(t, x, **params), None),
    transpose=_scatter_transpose, batch=OfPrimitive(_pair_batch), emit=_scatter_emit,
    source="StableHLO specification, `select_and_scatter`")


# -- any function

def _function_type(*avals: ShapedArray, jaxpr: ClosedJaxpr, **params: Any) -> list[ShapedArray]:
    operands, starts = avals[:len(avals) // 2], avals[len(avals) // 2:]
    check_operands("reduce_window", operands, starts)
    return [ShapedArray(_window_type("reduce_window", x, **params), x.dtype, x.weak_type) for x in operands]


def _entrywise(jaxpr: ClosedJaxpr, operands: Sequence[Any], starts: Sequence[Any], params: dict) -> list[Any]:
    """The reduction by operations that can be differentiated: place after place of the window."""
    entries = zip(*[_window_entries(x, s, params) for x, s in zip(operands, starts)])
    sizes = window_sizes(shape_of(operands[0]), *[params[name] for name in WINDOW])
    found = [shape.broadcast_in_dim(s, sizes, ()) for s in starts]
    for entry in entries:
        found = combine(jaxpr, found, list(entry))
    return found


def _function_jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, **params: Any) -> tuple[list, list]:
    k = len(primals) // 2
    return jvp_flat(lambda *xs: _entrywise(jaxpr, xs[:k], xs[k:], params), primals, tangents)


def _function_batch(axis: BatchAxis, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, **params: Any) -> tuple[list, list]:
    k = len(args) // 2
    if any(a is not None for a in axes[k:]):  # XLA takes one initial value for all
        return batch_flat(lambda *xs: _entrywise(jaxpr, xs[:k], xs[k:], params), axis, args, axes)
    moved = [to_axis(x, a, 0, axis.size) for x, a in zip(args[:k], axes[:k])]
    return reduce_window_p(*moved, *args[k:], jaxpr=jaxpr, **_batched(params, 0)), [0] * k


def _function_emit(b: Any, *args: Any, jaxpr: ClosedJaxpr, **params: Any) -> list[Any]:
    k = len(args) // 2
    return emit_window(b, args[:k], args[k:], emit_combiner(jaxpr), b.out, **params)


reduce_window_p = Primitive(
    "reduce_window", params=("jaxpr", *WINDOW), multiple_results=True,
    type_rule=_function_type, jvp=_function_jvp, transpose=NotLinear("it is not known to be linear"),
    batch=_function_batch, emit=_function_emit, source="StableHLO specification, `reduce_window`")

_NAMED = {"add": reduce_window_sum_p, "max": reduce_window_max_p, "min": reduce_window_min_p}


def _window_params(sizes: Sequence[int], window_dimensions: Any, window_strides: Any, padding: Any,
                   base_dilation: Any, window_dilation: Any) -> tuple:
    ones = (1,) * len(sizes)
    ints = lambda values: ones if values is None else tuple([operator.index(v) for v in values])
    window, strides = tuple([operator.index(v) for v in window_dimensions]), ints(window_strides)
    base, gaps = ints(base_dilation), ints(window_dilation)
    if isinstance(padding, str):
        fits = len({len(v) for v in (sizes, window, strides, base, gaps)}) == 1 and all(s > 0 for s in strides)
        padding = padtype_to_pads([dilated(n, d) for n, d in zip(sizes, base)],
                                  [dilated(n, d) for n, d in zip(window, gaps)],
                                  strides, padding) if fits else [(0, 0)] * len(sizes)
        return window, strides, tuple(padding), base, gaps
    return window, strides, explicit_pads(padding), base, gaps


def reduce_window(operand: Any, init_value: Any, computation: Callable[..., Any], window_dimensions: Sequence[int],
                  window_strides: Sequence[int] | None = None, padding: Any = "VALID",
                  base_dilation: Sequence[int] | None = None, window_dilation: Sequence[int] | None = None) -> Any:
    """The entries of a window combined into one, for each place of the window.

    Args:
        operand: an array, or a pytree of arrays of one shape that are reduced together.
        init_value: what `computation` starts with, a scalar (or a pytree of them); its identity.
        computation: an associative function of two partial results that returns one; sums, maxima and minima are
            recognised.
        window_dimensions: size of the window along each axis.
        window_strides: by how much it moves, 1 by default.
        padding: `"VALID"`, `"SAME"`, `"SAME_LOWER"`, or `(low, high)` for each axis.
        base_dilation: factors by which the entries are spread, the gaps filled with `init_value`.
        window_dilation: factors by which the entries of a window are spread.

    Returns:
        An array (or a pytree of them) with one entry for each place of the window.

    Raises:
        WindowError: the window does not fit the operand.
        PaddingError: `padding` is none.
        ReductionFunctionError: `computation` returns something of another type.

    >>> reduce_window(jnp.array([1., 5., 2., 3.]), -jnp.inf, max, (2,), (2,))
    Array([5., 3.], dtype=float32)
    """
    xs, starts, out_tree = reduction_operands("reduce_window", operand, init_value)
    values = _window_params(shape_of(xs[0]), window_dimensions, window_strides, padding, base_dilation, window_dilation)
    closed = stage_combiner("reduce_window", computation, xs, out_tree)
    named = _NAMED.get(monoid(closed, xs, starts) or "")
    if named is not None:
        return out_tree.unflatten([local.trace.process(named, (xs[0],), values)])
    return out_tree.unflatten(local.trace.process(reduce_window_p, (*xs, *starts), (closed, *values)))


def _named_window(primitive: Primitive, doc: str) -> Callable[..., Any]:
    def reduce(operand: Any, window_dimensions: Sequence[int], window_strides: Sequence[int] | None = None,
               padding: Any = "VALID", base_dilation: Sequence[int] | None = None,
               window_dilation: Sequence[int] | None = None) -> Any:
        x = as_operand(operand)
        values = _window_params(shape_of(x), window_dimensions, window_strides, padding, base_dilation, window_dilation)
        return local.trace.process(primitive, (x,), values)

    reduce.__name__ = reduce.__qualname__ = primitive.name
    reduce.__doc__ = doc
    return reduce


reduce_window_sum = _named_window(reduce_window_sum_p, "The sum over each window; arguments as for `reduce_window`.")
reduce_window_max = _named_window(reduce_window_max_p, "The maximum of each window; arguments as for `reduce_window`.")
reduce_window_min = _named_window(reduce_window_min_p, "The minimum of each window; arguments as for `reduce_window`.")

__all__ = ["reduce_window", "reduce_window_max", "reduce_window_max_p", "reduce_window_min",
           "reduce_window_min_p", "reduce_window_p", "reduce_window_sum", "reduce_window_sum_p", "select_and_gather_add_p",
           "select_and_scatter_add_p"]
