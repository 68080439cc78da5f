"""Reductions with a function of the user's."""
from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local, state_key
from perspicax.core.jaxpr import ClosedJaxpr, Literal, eval_jaxpr
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.lax import convert, shape, slicing
from perspicax.lax.operand import operand, shape_of
from perspicax.lax.parameters import calling
from perspicax.lax.reduce_errors import (
    ReductionAxesError,
    ReductionClosureError,
    ReductionFunctionError,
    ReductionOperandsError,
)
from perspicax.lax.reductions import (
    highest,
    lowest,
    reduce_and,
    reduce_max,
    reduce_min,
    reduce_or,
    reduce_prod,
    reduce_sum,
    reduce_xor,
)
from perspicax.lax.result_sharding import out_placed
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_flat, to_axis
from perspicax.transform.jvp import jvp_flat
from perspicax.transform.stage import function_name
from perspicax.xla.emit import i64_array

# -- operands

def reduction_operands(operation: str, operands: Any, init_values: Any) -> tuple[list[Any], list[Any], Any]:
    """Operands and initial values, flat, and their pytree; Python numbers take the dtype of their operand.

    Raises:
        ReductionOperandsError: there are none, or the pytrees differ.
    """
    xs, x_tree = tree.flatten(operands)
    starts, start_tree = tree.flatten(init_values)
    if x_tree != start_tree:
        raise ReductionOperandsError(operation=operation, kind="structure", structures=(_form(x_tree), _form(start_tree)))
    if not xs:
        raise ReductionOperandsError(operation=operation, kind="none")
    xs = [operand(x) for x in xs]
    return xs, [_start(s, x) for s, x in zip(starts, xs)], x_tree


def _form(structure: Any) -> str:
    """A pytree as a report shows it, a star for each array: `(*, *)`."""
    return str(structure).removeprefix("PyTreeDef(").removesuffix(")")


def _start(start: Any, x: Any) -> Any:
    start = operand(start)
    aval: Any = get_aval(start)
    dtype = get_aval(x).dtype  # type: ignore[attr-defined]
    return convert.convert_element_type(start, dtype) if aval.weak_type and aval.dtype != dtype else start


def check_operands(operation: str, operands: Sequence[ShapedArray], starts: Sequence[ShapedArray]) -> None:
    """Raise for operands and initial values whose types do not fit."""
    for kind, fits in (("shapes", all(x.shape == operands[0].shape for x in operands)),
                       ("initial", all(s.shape == () for s in starts)),
                       ("dtypes", all(s.dtype == x.dtype for x, s in zip(operands, starts)))):
        if not fits:
            raise ReductionOperandsError(operation=operation, kind=kind, operands=tuple(operands), initial=tuple(starts))


# -- the function

_staged: weakref.WeakKeyDictionary[Any, dict[Any, ClosedJaxpr]] = weakref.WeakKeyDictionary()


def stage_combiner(operation: str, computation: Callable[..., Any], xs: Sequence[Any], x_tree: Any) -> ClosedJaxpr:
    """The jaxpr of a function of two partial results; kept as long as the function lives.

    Raises:
        ReductionFunctionError: it returns something of another type.
        ReductionClosureError: it uses a traced value from outside.
    """
    avals = tuple([ShapedArray((), get_aval(x).dtype) for x in xs])  # type: ignore[attr-defined]
    key = (operation, avals, x_tree, state_key())
    try:
        kept = _staged.setdefault(computation, {})
    except TypeError:  # a callable that cannot be referred to weakly, or hashed
        kept = {}
    found = kept.get(key)
    if found is None:
        found = kept[key] = _stage(operation, computation, avals, x_tree)
    return found


def _stage(operation: str, computation: Callable[..., Any], avals: tuple, x_tree: Any) -> ClosedJaxpr:
    k = len(avals)

    def flat(*args: Any) -> Sequence[Any]:
        result = calling(computation, operation, "computation", (x_tree.unflatten(args[:k]), x_tree.unflatten(args[k:])))
        outs, out_tree = tree.flatten(result)
        if out_tree != x_tree:
            raise ReductionFunctionError(operation=operation, function=function_name(computation), expected=_form(x_tree),
                                         got=_form(out_tree))
        return outs

    closed = stage_flat(flat, [*avals, *avals])
    if any(isinstance(c, Tracer) for c in closed.consts):
        raise ReductionClosureError(operation=operation, function=function_name(computation))
    for out, aval in zip(closed.out_avals, avals):
        if out.shape != () or out.dtype != aval.dtype:
            raise ReductionFunctionError(operation=operation, function=function_name(computation),
                                         expected=aval.str_short(), got=out.str_short())
    return closed


# Names of primitives that combine two values into one, and their identities.
_IDENTITIES: dict[str, Callable[[Any], Any]] = {
    "add": lambda dtype: 0, "mul": lambda dtype: 1, "max": lowest, "min": highest,
    "or": lambda dtype: 0, "and": lambda dtype: -1, "xor": lambda dtype: 0}


def monoid(closed: ClosedJaxpr, xs: Sequence[Any], starts: Sequence[Any]) -> str | None:
    """The name of the primitive that a staged function consists of, if the initial value is its identity."""
    eqns, start = closed.jaxpr.eqns, starts[0]
    if len(xs) != 1 or len(eqns) != 1 or isinstance(start, Tracer):
        return None
    eqn = eqns[0]
    name = eqn.primitive.name
    if name not in _IDENTITIES or list(eqn.invars) != closed.jaxpr.invars or list(eqn.outvars) != closed.jaxpr.outvars:
        return None
    if any(type(a) is Literal for a in eqn.invars):
        return None
    aval: Any = get_aval(start)
    if aval.shape != () or aval.dtype != get_aval(xs[0]).dtype:  # type: ignore[attr-defined]
        return None
    identity = np.asarray(_IDENTITIES[name](aval.dtype)).astype(aval.dtype)
    return name if bool(np.asarray(start) == identity) else None


def combine(closed: ClosedJaxpr, xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
    """A function of scalars applied to arrays of one shape, entry by entry."""
    sizes = shape_of(xs[0])
    n = int(np.prod(sizes, dtype=int))
    flat = [shape.reshape(x, (n,)) for x in (*xs, *ys)]
    outs, axes = batch_flat(lambda *args: eval_jaxpr(closed.jaxpr, closed.consts, *args), BatchAxis(n), flat,
                            [0] * len(flat))
    return [shape.reshape(to_axis(x, a, 0, n), sizes) for x, a in zip(outs, axes)]


def emit_combiner(closed: ClosedJaxpr) -> Callable[..., list[Any]]:
    """What emits the function into the region of a reduction."""
    def body(inner: Any, *args: Any) -> list[Any]:
        consts = [inner.constant(np.asarray(c), v.aval) for c, v in zip(closed.consts, closed.jaxpr.constvars)]
        return inner.inline(closed.jaxpr, consts, args)

    return body


# -- reduce

def _reduce_type(*avals: ShapedArray, computation: Any, jaxpr: ClosedJaxpr, dimensions: tuple) -> list[ShapedArray]:
    operands, starts = avals[:len(avals) // 2], avals[len(avals) // 2:]
    check_operands("reduce", operands, starts)
    first = operands[0]
    if len(set(dimensions)) != len(dimensions) or any(not 0 <= d < first.ndim for d in dimensions):
        raise ReductionAxesError(operation="reduce", operand=first, axes=dimensions)
    sizes = tuple([n for i, n in enumerate(first.shape) if i not in dimensions])
    return [ShapedArray(sizes, x.dtype, x.weak_type) for x in operands]


def _by_halves(closed: ClosedJaxpr, operands: Sequence[Any], starts: Sequence[Any], dimensions: tuple) -> list[Any]:
    """The reduction by operations that can be differentiated: the first half combined with the second, and again."""
    sizes = shape_of(operands[0])
    kept = [i for i in range(len(sizes)) if i not in dimensions]
    kept_sizes = tuple([sizes[i] for i in kept])
    n = int(np.prod([sizes[d] for d in dimensions], dtype=int))
    order = (*dimensions, *kept)
    parts = [shape.reshape(shape.transpose(x, order), (n, *kept_sizes)) for x in operands]
    while n > 1:
        half = n // 2
        cut = lambda low, high: [slicing.slice_in_dim(x, low, high) for x in parts]
        joined = combine(closed, cut(0, half), cut(half, 2 * half))
        parts = [shape.concatenate([x, y], 0) for x, y in zip(joined, cut(2 * half, n))] if n % 2 else joined
        n = half + n % 2
    found = [shape.broadcast_in_dim(s, kept_sizes, ()) for s in starts]
    return combine(closed, found, [shape.reshape(x, kept_sizes) for x in parts]) if n else found


def _reduce_jvp(primals: tuple, tangents: tuple, *, computation: Any, jaxpr: ClosedJaxpr,
                dimensions: tuple) -> tuple[list, list]:
    k = len(primals) // 2
    return jvp_flat(lambda *args: _by_halves(jaxpr, args[:k], args[k:], dimensions), primals, tangents)


def _reduce_batch(axis: BatchAxis, args: tuple, axes: tuple, *, computation: Any, jaxpr: ClosedJaxpr,
                  dimensions: tuple) -> tuple[list, list]:
    k = len(args) // 2
    if any(a is not None for a in axes[k:]):  # XLA takes one initial value for all
        return batch_flat(lambda *xs: _by_halves(jaxpr, xs[:k], xs[k:], dimensions), axis, args, axes)
    moved = [to_axis(x, a, 0, axis.size) for x, a in zip(args[:k], axes[:k])]
    outs = reduce_p(*moved, *args[k:], computation=computation, jaxpr=jaxpr,
                    dimensions=tuple([d + 1 for d in dimensions]))
    return outs, [0] * k


def _reduce_emit(b: Any, *args: Any, computation: Any, jaxpr: ClosedJaxpr, dimensions: tuple) -> list[Any]:
    starts = args[len(args) // 2:]
    body = b.region([s.aval for s in starts] * 2, emit_combiner(jaxpr))
    return b.hlo("reduce", args, list(b.out), f"dimensions = {i64_array(dimensions)}", [body])


reduce_p = Primitive(
    "reduce", params=("computation", "jaxpr", "dimensions"), multiple_results=True,
    type_rule=_reduce_type, jvp=_reduce_jvp, transpose=NotLinear("it is not known to be linear"), batch=_reduce_batch,
    emit=_reduce_emit, source="StableHLO specification, `reduce`")

_NAMED = {"add": reduce_sum, "mul": reduce_prod, "max": reduce_max, "min": reduce_min, "or": reduce_or,
          "and": reduce_and, "xor": reduce_xor}


def reduce(operands: Any, init_values: Any, computation: Callable[[Any, Any], Any], dimensions: Sequence[int],
           out_sharding: Any = None) -> Any:
    """Entries combined into one by a function, along some axes.

    Args:
        operands: an array, or a pytree of arrays of one shape that are reduced together.
        init_values: what `computation` starts with, a scalar (or a pytree of them): its identity, which may be combined
            in any number of times.
        computation: an associative function of two partial results that returns one, in no particular order; it must not
            use traced values from outside.
        dimensions: the axes to reduce away.

    Returns:
        An array (or a pytree of them) without these axes.

    Raises:
        ReductionAxesError: an axis does not exist, or is given twice.
        ReductionOperandsError: operands and initial values do not fit each other.
        ReductionFunctionError: `computation` returns something of another type.
        ReductionClosureError: `computation` uses a traced value from outside.

    >>> reduce(jnp.array([[1., 2.], [3., 4.]]), 1., mul, (0,))
    Array([3., 8.], dtype=float32)
    """
    if out_sharding is not None:
        leaves, structure = tree.flatten(operands)
        if len(leaves) > 1:
            raise ReductionAxesError(operation="reduce", operand=get_aval(leaves[0]), axes=tuple(dimensions))
        return structure.unflatten([out_placed("reduce", out_sharding, lambda x: tree.leaves(reduce(
            structure.unflatten([x]), init_values, computation, dimensions))[0], *leaves)])
    xs, starts, out_tree = reduction_operands("reduce", operands, init_values)
    axes = tuple([operator.index(d) for d in dimensions])
    closed = stage_combiner("reduce", computation, xs, out_tree)
    named = _NAMED.get(monoid(closed, xs, starts) or "")
    if named is not None and all(0 <= d < len(shape_of(xs[0])) for d in axes):
        return out_tree.unflatten([named(xs[0], axes)])
    return out_tree.unflatten(local.trace.process(reduce_p, (*xs, *starts), (computation, closed, axes)))


__all__ = ["reduce", "reduce_p"]
