"""Scatter: entries (or windows) of an array replaced, or combined with updates, at places that indices tell."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import perspicax.lax.gathering as gathers
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.report import Fix
from perspicax.lax import compare, elementwise
from perspicax.lax import shape as shapes
from perspicax.lax.errors import OperandDtypeError, OperandMismatchError
from perspicax.lax.families import ANY, NUMBER, kind, kinds_text
from perspicax.lax.index_errors import GatherDimensionsError, ScatterGradientError
from perspicax.lax.operand import operand as as_operand
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import instantiate, lax


class ScatterDimensionNumbers(NamedTuple):
    """How the axes of a scatter's operand, indices and updates belong together.

    The last axis of the indices holds the index vector; the others are batch axes.

    Attributes:
        update_window_dims: axes of the updates that run within a window, increasing; the others are the batch axes.
        inserted_window_dims: axes of the operand along which a window has size 1, absent in the updates; increasing.
        scatter_dims_to_operand_dims: for each component of the index vector the axis of the operand.
        operand_batching_dims: axes of the operand that go along with an axis of the indices; increasing.
        scatter_indices_batching_dims: those axes of the indices.
    """

    update_window_dims: Sequence[int]
    inserted_window_dims: Sequence[int]
    scatter_dims_to_operand_dims: Sequence[int]
    operand_batching_dims: Sequence[int] = ()
    scatter_indices_batching_dims: Sequence[int] = ()


def window_sizes(shape: Sequence[int], updates: Sequence[int], numbers: Any) -> tuple[int, ...]:
    """The size of a window along each axis of the operand."""
    flat = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    sizes = iter([updates[d] for d in numbers.update_window_dims])
    return tuple([1 if d in flat else next(sizes) for d in range(len(shape))])


def _gather_numbers(numbers: Any) -> Any:
    return gathers.GatherDimensionNumbers(*numbers)


# -- rules that all scatters share

def _type_rule(name: str, over: frozenset) -> Callable[..., ShapedArray]:
    def type_rule(x: ShapedArray, indices: ShapedArray, updates: ShapedArray, *, dimension_numbers: Any,
                  **_: Any) -> ShapedArray:
        window, inserted, index_map, batching, index_batching = dimension_numbers
        if x.dtype != updates.dtype:
            raise OperandMismatchError(operation=name, avals=(x, updates), index=1)
        if kind(x.dtype) not in over | {"x"}:
            raise OperandDtypeError(operation=name, type_text=x.str_short(), accepts=kinds_text(over), index=0)
        gathers.check_indices(name, x, indices, index_map)
        gathers.check_dims(name, "the inserted window axes", inserted, x.ndim)
        gathers.check_batching(name, x, indices, batching, index_batching, (*inserted, *index_map))
        kept = [d for d in range(x.ndim) if d not in inserted and d not in batching]
        if updates.ndim != indices.ndim - 1 + len(window) or len(window) != len(kept):
            raise GatherDimensionsError(
                says=f"{name} into {x.str_short()}: updates of type {updates.str_short()} with window axes {tuple(window)} do "
                     "not fit.", why=f"updates have one axis for each of the {indices.ndim - 1} batch axes of the indices and "
                     f"each of the {len(kept)} axes of the operand that are neither inserted nor batching")
        gathers.check_dims(name, "the window axes of the updates", window, updates.ndim)
        for d, u in zip(kept, window):
            if updates.shape[u] > x.shape[d]:
                raise GatherDimensionsError(says=f"{name} into {x.str_short()}: axis {u} of the updates {updates.str_short()} "
                                                 f"is larger than axis {d} of the operand.", why="a window fits the operand")
        batch = tuple([n for i, n in enumerate(updates.shape) if i not in window])
        if batch != indices.shape[:-1]:
            raise GatherDimensionsError(says=f"{name}: the updates have the batch axes {batch}, the indices "
                                             f"{indices.shape[:-1]}.",
                                        why="there is one window of updates for each index vector")
        return ShapedArray(x.shape, x.dtype, x.weak_type)

    return type_rule


def _batch(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    def batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimension_numbers: Any, indices_are_sorted: bool,
              **params: Any) -> tuple[Any, int]:
        window, inserted, index_map, batching, index_batching = map(tuple, dimension_numbers)
        shifted = gathers.shifted
        x, updates = to_axis(args[0], axes[0], 0, axis.size), to_axis(args[2], axes[2], 0, axis.size)
        if axes[1] is None:
            indices = args[1]
            numbers = ScatterDimensionNumbers((0, *shifted(window)), shifted(inserted), shifted(index_map), shifted(batching),
                                              index_batching)
        else:
            indices = to_axis(args[1], axes[1], 0, axis.size)
            numbers = ScatterDimensionNumbers(shifted(window), shifted(inserted), shifted(index_map), (0, *shifted(batching)),
                                              (0, *shifted(index_batching)))
        return primitive()(x, indices, updates, dimension_numbers=numbers, indices_are_sorted=indices_are_sorted, **params), 0

    return batch


def _emit(combine: Callable[..., Any]) -> Callable[..., Any]:
    """The emission of a scatter; `combine(builder, old, new)` emits what becomes of an entry."""
    def emit(b: Any, x: Any, indices: Any, updates: Any, *, dimension_numbers: Any, indices_are_sorted: bool,
             unique_indices: bool, mode: Any, update_jaxpr: Any, update_consts: tuple) -> Any:
        window, inserted, index_map, batching, index_batching = dimension_numbers
        aval = b.out[0]
        if updates.aval.size == 0 or aval.size == 0:
            return x
        if mode is gathers.GatherScatterMode.CLIP and index_map:
            indices = _emit_clipped(b, x, indices, updates, dimension_numbers)
        scalar = ShapedArray((), aval.dtype)
        if update_jaxpr is None:
            body = b.region([scalar, scalar], lambda inner, old, new: [combine(inner, old, new)])
        else:
            body = b.region([scalar, scalar], lambda inner, old, new: inner.inline(update_jaxpr.jaxpr, [
                inner.constant(c) for c in update_jaxpr.consts], [old]))
        text = gathers.numbers_text("scatter", (
            ("update_window_dims", window), ("inserted_window_dims", inserted), ("input_batching_dims", batching),
            ("scatter_indices_batching_dims", index_batching), ("scatter_dims_to_operand_dims", index_map)), indices.ndim - 1)
        return b.hlo("scatter", [x, indices, updates], aval, f"indices_are_sorted = {str(indices_are_sorted).lower()}, "
                     f"scatter_dimension_numbers = {text}, unique_indices = {str(unique_indices).lower()}", [body])

    return emit


def _emit_clipped(b: Any, x: Any, indices: Any, updates: Any, numbers: Any) -> Any:
    """The indices moved to where their windows fit."""
    sizes = window_sizes(x.shape, updates.shape, numbers)
    highest = np.iinfo(indices.dtype).max
    last = [x.shape[d] - sizes[d] for d in numbers.scatter_dims_to_operand_dims]
    if any(type(n) is SymbolicSize for n in last):
        each = [b.reshape(b.convert(b.constant(n, ShapedArray((), np.dtype(np.int32))), indices.dtype), (1,)) for n in last]
        ends = each[0] if len(each) == 1 else b.hlo("concatenate", each, ShapedArray((len(each),), indices.dtype),
                                                    "dimension = 0 : i64")
    else:
        ends = b.constant(np.asarray([min(n, highest) for n in last], indices.dtype))
    high = b.broadcast(ends, indices.shape, (indices.ndim - 1,))
    low = b.constant(np.zeros((), indices.dtype), indices.aval)
    return b.op("clamp", [low, indices, high], indices.aval)


def _host(ufunc: np.ufunc | None, kinds: str) -> Callable[..., Any]:
    """How NumPy scatters; `None` replaces entries. The last of several updates to an entry counts, as on XLA's CPU."""
    def host(x: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, dimension_numbers: Any, indices_are_sorted: bool,
             unique_indices: bool, mode: Any, update_jaxpr: Any, update_consts: tuple) -> Any:
        if update_jaxpr is not None or kind(x.dtype) not in kinds:
            return NotImplemented
        if updates.size == 0 or x.size == 0:
            return x
        sizes = window_sizes(x.shape, updates.shape, dimension_numbers)
        places, inside = gathers.host_places(x.shape, indices, sizes, _gather_numbers(dimension_numbers),
                                             dimension_numbers.update_window_dims, updates.ndim,
                                             mode is gathers.GatherScatterMode.CLIP)
        result = x.copy()
        at: tuple = tuple([np.broadcast_to(p, updates.shape) for p in places])
        if mode is not gathers.GatherScatterMode.CLIP and not inside.all():
            chosen = np.broadcast_to(inside, updates.shape)
            at, updates = tuple([p[chosen] for p in at]), updates[chosen]
        if ufunc is None:
            result[at] = updates
        else:
            ufunc.at(result, at, updates)
        return result

    return host


def _physical(params: dict, avals: list, outs: list) -> dict:
    words, rank = avals[0].dtype.physical_shape, avals[2].ndim
    numbers = params["dimension_numbers"]
    window = (*numbers.update_window_dims, *range(rank, rank + len(words)))
    return {**params, "dimension_numbers": numbers._replace(update_window_dims=window)}


def _bounds(name: str) -> Callable[..., None]:
    def rule(args: tuple, params: dict) -> None:
        x, indices, updates = args
        numbers = params["dimension_numbers"]
        shapes_of: list[Any] = [get_aval(v) for v in (x, updates)]
        outcome = "the nearest entry would be updated" if params["mode"] is gathers.GatherScatterMode.CLIP else \
            "the update would be left out"
        gathers.bounds_check(name, x, indices, window_sizes(shapes_of[0].shape, shapes_of[1].shape, numbers),
                             numbers.scatter_dims_to_operand_dims, outcome)

    return rule


_PARAMS = ("dimension_numbers", "indices_are_sorted", "unique_indices", "mode", "update_jaxpr", "update_consts")


def _scatter(name: str, over: frozenset, jvp: Any, transpose: Any, combine: Callable[..., Any], ufunc: Any,
             host_kinds: str) -> Primitive:
    made: list[Primitive] = []
    made.append(Primitive(
        name, params=_PARAMS, type_rule=_type_rule(name, over), jvp=jvp, transpose=transpose,
        batch=_batch(lambda: made[0]), emit=_emit(combine), host=_host(ufunc, host_kinds), physical=_physical,
        sanitize={"bounds": _bounds(name)}, source="StableHLO specification, `scatter`"))
    return made[0]


def _gathered(ct: Any, x: Any, indices: Any, updates: Any, params: dict) -> Any:
    """What of `ct`, an array like the operand, stands at the places of the updates; 0 for updates that are left out."""
    mode = params["mode"]
    if mode is gathers.GatherScatterMode.ONE_HOT:
        mode = gathers.GatherScatterMode.FILL_OR_DROP
    ct_aval: Any = get_aval(ct)
    shape = updates.aval.shape if type(updates) is Linear else get_aval(updates).shape  # type: ignore[attr-defined]
    return gathers.gather_p(
        ct, indices, dimension_numbers=_gather_numbers(params["dimension_numbers"]),
        slice_sizes=window_sizes(ct_aval.shape, shape, params["dimension_numbers"]), mode=mode, fill_value=0,
        indices_are_sorted=params["indices_are_sorted"], unique_indices=params["unique_indices"])


def _zeros_like(x: Any) -> Any:
    aval = x.aval if type(x) is Linear else get_aval(x)
    return lax().zeros(aval.strong)  # type: ignore[union-attr]


# -- add and subtract: linear in operand and updates together

def _additive_jvp(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple:
        x, indices, updates = primals
        out = primitive()(x, indices, updates, **params)
        tx, _, tu = tangents
        if type(tx) is Zero and type(tu) is Zero:
            return out, Zero.like(out)
        if type(tu) is Zero:
            return out, tx
        return out, primitive()(instantiate(tx), indices, tu, **params)

    return jvp


def _add_transpose(ct: Any, x: Any, indices: Any, updates: Any, **params: Any) -> list:
    return [ct if type(x) is Linear else None, None,
            _gathered(ct, x, indices, updates, params) if type(updates) is Linear else None]


def _sub_transpose(ct: Any, x: Any, indices: Any, updates: Any, **params: Any) -> list:
    cx, _, cu = _add_transpose(ct, x, indices, updates, **params)
    return [cx, None, None if cu is None else elementwise.neg(cu)]


scatter_add_p: Primitive = _scatter("scatter-add", NUMBER, _additive_jvp(lambda: scatter_add_p), _add_transpose,
                                    lambda b, old, new: b.op("add", [old, new], old.aval), np.add, "su")
scatter_sub_p: Primitive = _scatter("scatter-sub", NUMBER, _additive_jvp(lambda: scatter_sub_p), _sub_transpose,
                                    lambda b, old, new: b.op("subtract", [old, new], old.aval), np.subtract, "su")


# -- set

def _set_jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple:
    x, indices, updates = primals
    if params["update_jaxpr"] is not None:
        raise ScatterGradientError(says="scatter_apply (`x.at[i].apply(f)` at indices that are values) cannot be "
                                        "differentiated.",
                                   why="an index may occur several times, and `f` is then applied as often; "
                                       "`x.at[i].set(f(x[i]))` can be")
    out = scatter_p(x, indices, updates, **params)
    tx, _, tu = tangents
    if type(tx) is Zero and type(tu) is Zero:
        return out, Zero.like(out)
    if type(tu) is Zero:  # whichever update wins, the operand's tangent is gone there
        return out, scatter_p(tx, indices, lax().zeros(tu.aval), **params)
    if params["unique_indices"]:
        return out, scatter_p(instantiate(tx), indices, tu, **params)
    return out, _tangent_of_winners(x, indices, updates, tx, tu, params)


def _tangent_of_winners(x: Any, indices: Any, updates: Any, tx: Any, tu: Any, params: dict) -> Any:
    """The tangent where several updates may go to one entry: only that of the update that won.

    Each update has a number, and the numbers are scattered just as the updates are.
    """
    aval: Any = get_aval(updates)
    window = params["dimension_numbers"].update_window_dims
    batch = [d for d in range(len(aval.shape)) if d not in window]
    count = int(np.prod([aval.shape[d] for d in batch]))
    counted = shapes.reshape(shapes.iota(np.uint32, count), [aval.shape[d] for d in batch])
    numbers = elementwise.add(shapes.broadcast_in_dim(counted, aval.shape, batch),
                              shapes.broadcast_in_dim(np.ones((), np.uint32), aval.shape, ()))
    x_aval: Any = get_aval(x)
    nobody = shapes.broadcast_in_dim(np.zeros((), np.uint32), x_aval.shape, ())
    winners = scatter_p(nobody, indices, numbers, **params)
    read = {**params, "mode": gathers.GatherScatterMode.CLIP}
    won = compare.eq(_gathered(winners, None, indices, updates, read), numbers)
    masked = compare.select(won, tu, _zeros_like(tu))
    kept = lax().zeros(tx.aval) if type(tx) is Zero else compare.select(compare.eq(winners, nobody), tx, _zeros_like(tx))
    return scatter_add_p(kept, indices, masked, **params)


def _set_transpose(ct: Any, x: Any, indices: Any, updates: Any, **params: Any) -> list:
    cx = cu = None
    if type(x) is Linear:
        cx = scatter_p(ct, indices, _zeros_like(updates), **params)
    if type(updates) is Linear:
        if not params["unique_indices"]:
            raise ScatterGradientError(says="A scatter that is linear in its updates can be transposed only with unique "
                                            "indices.",
                                       why="of several updates to one entry only one counts")
        cu = _gathered(ct, x, indices, updates, params)
    return [cx, None, cu]


scatter_p = _scatter("scatter", ANY, _set_jvp, _set_transpose, lambda b, old, new: new, None, "bsufcx")


# -- multiply

def _mul_jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple:
    x, indices, updates = primals
    out = scatter_mul_p(x, indices, updates, **params)
    tx, _, tu = tangents
    tangent: Any = Zero.like(out)
    if type(tx) is not Zero:
        tangent = scatter_mul_p(tx, indices, updates, **params)
    if type(tu) is not Zero:
        if not params["unique_indices"]:
            raise ScatterGradientError(
                says="The derivative of scatter_mul (`x.at[i].multiply(v)`) with respect to the factors needs unique indices.",
                why="where an index occurs twice, the derivative by one factor holds the other",
                fixes=(Fix("promise that none does", code="x.at[i].multiply(v, unique_indices=True)"),))
        placed = elementwise.mul(x, scatter_add_p(_zeros_like(x), indices, tu, **params))
        tangent = placed if type(tangent) is Zero else lax().add(tangent, placed)
    return out, tangent


def _mul_transpose(ct: Any, x: Any, indices: Any, updates: Any, **params: Any) -> list:
    cx = cu = None
    if type(x) is Linear:
        cx = scatter_mul_p(ct, indices, updates, **params)
    if type(updates) is Linear:
        if not params["unique_indices"]:
            raise ScatterGradientError(says="A scatter_mul can be transposed by its factors only with unique indices.",
                                       why="it is not linear in them where an index occurs twice")
        cu = _gathered(elementwise.mul(ct, x), x, indices, updates, params)
    return [cx, None, cu]


scatter_mul_p = _scatter("scatter-mul", NUMBER, _mul_jvp, _mul_transpose,
                         lambda b, old, new: b.op("multiply", [old, new], old.aval), np.multiply, "su")


# -- minimum and maximum

def _extremal_jvp(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple:
        """The tangent of an extremum is shared equally by all that attain it: the operand's entry, and updates."""
        x, indices, updates = primals
        out = primitive()(x, indices, updates, **params)
        tx, _, tu = tangents
        if type(tx) is Zero and type(tu) is Zero:
            return out, Zero.like(out)
        aval: Any = get_aval(x)
        one, zero = np.ones((), aval.dtype), np.zeros((), aval.dtype)
        read = {**params, "mode": gathers.GatherScatterMode.CLIP}
        equal = compare.eq(updates, _gathered(out, None, indices, updates, read))
        attained = compare.select(equal, *[shapes.broadcast_in_dim(v, get_aval(updates).shape, ())  # type: ignore[attr-defined]
                                           for v in (one, zero)])
        rivals = scatter_add_p(_zeros_like(x), indices, attained, **params)
        alone = compare.eq(rivals, _zeros_like(x))  # no update attains it: it is the operand's
        kept = compare.select(compare.eq(x, out), *[shapes.broadcast_in_dim(v, aval.shape, ()) for v in (one, zero)])
        kept = compare.select(alone, shapes.broadcast_in_dim(one, aval.shape, ()), kept)
        share = elementwise.div(shapes.broadcast_in_dim(one, aval.shape, ()), elementwise.add(rivals, kept))
        tangent: Any = Zero.like(out)
        if type(tx) is not Zero:
            tangent = elementwise.mul(tx, elementwise.mul(kept, share))
        if type(tu) is not Zero:
            weight = elementwise.mul(attained, _gathered(share, None, indices, updates, read))
            base = _zeros_like(x) if type(tangent) is Zero else tangent
            tangent = scatter_add_p(base, indices, elementwise.mul(tu, weight), **params)
        return out, tangent

    return jvp


def _extreme(primitive: Primitive) -> Callable[..., Any]:
    def combine(b: Any, old: Any, new: Any) -> Any:
        b.out = [old.aval]
        return primitive.emit(b, old, new)  # complex numbers are compared as pairs, which is more than one operation

    return combine


scatter_min_p: Primitive = _scatter("scatter-min", ANY, _extremal_jvp(lambda: scatter_min_p),
                                    NotLinear("a minimum is not linear"), _extreme(elementwise.min_p), np.minimum, "sub")
scatter_max_p: Primitive = _scatter("scatter-max", ANY, _extremal_jvp(lambda: scatter_max_p),
                                    NotLinear("a maximum is not linear"), _extreme(elementwise.max_p), np.maximum, "sub")


# -- the functions

def _scattered(primitive: Primitive, x: Any, indices: Any, updates: Any, numbers: Any, indices_are_sorted: bool,
               unique_indices: bool, mode: Any, jaxpr: ClosedJaxpr | None = None) -> Any:
    dims = ScatterDimensionNumbers(*map(gathers.integers, numbers))
    return local.trace.process(primitive, (as_operand(x), as_operand(indices), as_operand(updates)), (
        dims, bool(indices_are_sorted), bool(unique_indices), gathers.GatherScatterMode.from_any(mode), jaxpr, ()))


_ARGS = """

    Args:
        operand: array of `n` axes.
        scatter_indices: integer array `[..., k]` of index vectors: where each window starts.
        updates: array of the operand's dtype, a window for each index vector.
        dimension_numbers: how the axes of operand, indices and updates belong together.
        indices_are_sorted: promises that the index vectors increase.
        unique_indices: promises that no two windows overlap.
        mode: what becomes of an update whose window does not lie inside; it is left out by default.

    Returns:
        Array like the operand.

    Raises:
        GatherDimensionsError: the dimension numbers do not fit the operands.
        GatherModeError: there is no such mode.
    """


def _function(name: str, primitive: Primitive, says: str) -> Callable[..., Any]:
    def function(operand: Any, scatter_indices: Any, updates: Any, dimension_numbers: ScatterDimensionNumbers, *,
                 indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None) -> Any:
        return _scattered(primitive, operand, scatter_indices, updates, dimension_numbers, indices_are_sorted,
                          unique_indices, mode)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = says + _ARGS
    return function


scatter = _function("scatter", scatter_p, "An array with windows replaced; of several updates to an entry one wins.")
scatter_add = _function("scatter_add", scatter_add_p, "An array with updates added to its entries.")
scatter_sub = _function("scatter_sub", scatter_sub_p, "An array with updates subtracted from its entries.")
scatter_mul = _function("scatter_mul", scatter_mul_p, "An array with its entries multiplied by updates.")
scatter_min = _function("scatter_min", scatter_min_p, "An array of the minima of its entries and the updates.")
scatter_max = _function("scatter_max", scatter_max_p, "An array of the maxima of its entries and the updates.")


def scatter_apply(operand: Any, scatter_indices: Any, func: Callable[[Any], Any],
                  dimension_numbers: ScatterDimensionNumbers, *, update_shape: Sequence[int] = (),
                  indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None) -> Any:
    """An array with a function applied to the entries at some places; as often as a place occurs.

    Args:
        operand: array of `n` axes.
        scatter_indices: integer array `[..., k]` of index vectors: where each window starts.
        func: function of a scalar of the operand's dtype that returns one; it closes over no traced value.
        dimension_numbers: how the axes of operand, indices and updates belong together.
        update_shape: shape that updates would have.
        indices_are_sorted: promises that the index vectors increase.
        unique_indices: promises that no two windows overlap.
        mode: what becomes of a window that does not lie inside; it is left alone by default.

    Raises:
        GatherDimensionsError: the dimension numbers do not fit the operands.
        ScatterGradientError: `func` closes over traced values.
    """
    x = as_operand(operand)
    aval: Any = get_aval(x)
    scalar = ShapedArray((), aval.dtype, aval.weak_type)
    jaxpr = stage_flat(lambda entry: [func(entry)], [scalar])
    if any(isinstance(c, Tracer) for c in jaxpr.consts):
        raise ScatterGradientError(says="The function given to scatter_apply closes over a traced value.",
                                   why="it becomes part of one operation; `x.at[i].set(f(x[i]))` may use any values")
    out: Any = jaxpr.out_avals[0]
    if out.shape != () or out.dtype != aval.dtype:
        raise GatherDimensionsError(says=f"The function given to scatter_apply returns {out.str_short()} for an entry of "
                                         f"type {scalar.str_short()}.", why="it maps an entry to an entry of the same type")
    zeros = shapes.broadcast_in_dim(np.zeros((), aval.dtype), tuple(update_shape), ())
    return _scattered(scatter_p, x, scatter_indices, zeros, dimension_numbers, indices_are_sorted, unique_indices, mode, jaxpr)


__all__ = ["ScatterDimensionNumbers", "scatter", "scatter_add", "scatter_add_p", "scatter_apply", "scatter_max",
           "scatter_max_p", "scatter_min", "scatter_min_p", "scatter_mul", "scatter_mul_p", "scatter_p", "scatter_sub",
           "scatter_sub_p"]
