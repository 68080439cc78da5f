"""Arrays put together along a new axis, taken apart along one, and repeated along all of them."""
from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.lax import shape
from perspicax.lax.errors import OperandMismatchError, OperationShapeError
from perspicax.lax.join_errors import JoinError
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.operand import shape_of
from perspicax.lax.reductions import reduce_sum
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import instantiate
from perspicax.transform.jvp import LINEAR
from perspicax.xla.emit import i64


def _same_parameters(params: dict, avals: list, outs: list) -> dict:
    return params


# -- stack

def _stack_type(*avals: ShapedArray, axis: int) -> ShapedArray:
    first = avals[0]
    for i, a in enumerate(avals):
        if a.dtype != first.dtype:
            raise OperandMismatchError(operation="stack", avals=avals, index=i)
    if any(a.shape != first.shape for a in avals):
        raise JoinError(operation="stack", avals=avals, axis=axis)
    return ShapedArray((*first.shape[:axis], len(avals), *first.shape[axis:]), first.dtype,
                       all(a.weak_type for a in avals))


def _stack_transpose(ct: Any, *operands: Any, axis: int) -> list[Any]:
    parts = unstack_p(ct, axis=axis)
    return [part if type(x) is Linear else None for part, x in zip(parts, operands)]


def _stack_batch(axis_: BatchAxis, args: tuple, axes: tuple, *, axis: int) -> tuple[Any, int]:
    return stack_p(*[to_axis(x, a, 0, axis_.size) for x, a in zip(args, axes)], axis=axis + 1), 0


def _stack_emit(b: Any, *xs: Any, axis: int) -> Any:
    whole = b.out[0]
    piece = (*whole.shape[:axis], 1, *whole.shape[axis + 1:])
    parts = [b.reshape(x, piece) for x in xs]
    return parts[0] if len(parts) == 1 else b.hlo("concatenate", parts, whole, f"dimension = {i64(axis)}")


stack_p: Primitive = Primitive(
    "stack", params=("axis",), type_rule=_stack_type, jvp=LINEAR, transpose=_stack_transpose, batch=_stack_batch,
    emit=_stack_emit, host=lambda *xs, axis: np.stack(xs, axis), physical=_same_parameters,
    source="StableHLO specification, `concatenate`")


def stack(operands: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape put together along a new axis.

    Args:
        operands: one array or more, of one shape `[...]` and one dtype.
        axis: the place of the new axis in the result.

    Returns:
        Array `[..., n, ...]`, where `n` is the number of arrays.

    Raises:
        OperationShapeError: there are none, or there is no such axis.
        JoinError: their shapes differ.
        OperandMismatchError: their dtypes differ.

    >>> stack([jnp.array([1, 2]), jnp.array([3, 4])], axis=1)
    Array([[1, 3],
           [2, 4]], dtype=int32)
    """
    xs = tuple([as_operand(x) for x in operands])
    if not xs:
        raise OperationShapeError(says="stack was given no arrays.", why="the shape of the result is not known then")
    place = shape.canonical_axis(axis, len(shape_of(xs[0])) + 1)
    return local.trace.process(stack_p, xs, (place,))


# -- unstack

def _unstack_type(x: ShapedArray, *, axis: int) -> list[ShapedArray]:
    return [ShapedArray(x.shape[:axis] + x.shape[axis + 1:], x.dtype, x.weak_type)] * x.shape[axis]


def _unstack_jvp(primals: tuple, tangents: tuple, *, axis: int) -> tuple[list, list]:
    outs = unstack_p(primals[0], axis=axis)
    t = tangents[0]
    return outs, [Zero.like(x) for x in outs] if type(t) is Zero else unstack_p(t, axis=axis)


def _unstack_transpose(cts: Sequence[Any], x: Any, *, axis: int) -> list[Any]:
    return [stack_p(*[instantiate(ct) for ct in cts], axis=axis) if cts else Zero(x.aval)]


def _unstack_batch(axis_: BatchAxis, args: tuple, axes: tuple, *, axis: int) -> tuple[list, list]:
    place = axes[0]
    outs = unstack_p(args[0], axis=axis + (place <= axis))
    return outs, [place - (place > axis)] * len(outs)


def _unstack_emit(b: Any, x: Any, *, axis: int) -> list[Any]:
    found = []
    for i, out in enumerate(b.out):
        low, high = [0] * x.ndim, list(x.shape)
        low[axis], high[axis] = i, i + 1
        found.append(b.reshape(b.slice(x, low, high), out.shape))
    return found


def _unstack_host(x: np.ndarray, *, axis: int) -> list[np.ndarray]:
    moved = np.moveaxis(x, axis, 0)
    return [moved[i, ...] for i in range(len(moved))]


unstack_p: Primitive = Primitive(
    "unstack", params=("axis",), multiple_results=True, type_rule=_unstack_type, jvp=_unstack_jvp,
    transpose=_unstack_transpose, batch=_unstack_batch, emit=_unstack_emit, host=_unstack_host,
    physical=_same_parameters, source="StableHLO specification, `slice`")
stack_p.extra["words_on_host"] = unstack_p.extra["words_on_host"] = True  # of random keys


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The entries of an array along one axis, each an array without that axis.

    Raises:
        OperationShapeError: there is no such axis.
    """
    x = as_operand(x)
    place = shape.canonical_axis(axis, len(shape_of(x)))
    return tuple(local.trace.process(unstack_p, (x,), (place,)))


# -- tile

def _tile_type(x: ShapedArray, *, reps: tuple) -> ShapedArray:
    return ShapedArray(tuple([n * r for n, r in zip(x.shape, reps)]), x.dtype, x.weak_type)


def _interleaved(reps: Sequence[int], sizes: Sequence[int]) -> tuple[int, ...]:
    """The shape in which each axis of the result is two: the copies, and the entries of one copy."""
    return tuple([n for pair in zip(reps, sizes) for n in pair])


def _tile_transpose(ct: Any, x: Any, *, reps: tuple) -> list[Any]:
    """Each entry gets the sum of the cotangents of its copies."""
    copies = shape.reshape(ct, _interleaved(reps, x.aval.shape))
    return [reduce_sum(copies, range(0, 2 * len(reps), 2))]


def _tile_batch(axis: BatchAxis, args: tuple, axes: tuple, *, reps: tuple) -> tuple[Any, int]:
    place = axes[0]
    return tile_p(args[0], reps=(*reps[:place], 1, *reps[place:])), place


def _tile_emit(b: Any, x: Any, *, reps: tuple) -> Any:
    copies = b.broadcast(x, _interleaved(reps, x.shape), range(1, 2 * x.ndim, 2))
    return b.reshape(copies, b.out[0].shape)


tile_p: Primitive = Primitive(
    "tile", params=("reps",), type_rule=_tile_type, jvp=LINEAR, transpose=_tile_transpose, batch=_tile_batch,
    emit=_tile_emit, host=lambda x, *, reps: np.tile(x, reps) if reps else x.copy(),
    physical=lambda params, avals, outs: {"reps": params["reps"] + (1,) * len(avals[0].dtype.physical_shape)},
    source="StableHLO specification, `broadcast_in_dim`")


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """An array repeated along its axes.

    Args:
        operand: array of `n` axes.
        reps: `n` integers from 0: how many copies follow each other along each axis.

    Raises:
        OperationShapeError: there is not one number for each axis, or one of them is negative.

    >>> tile(jnp.array([1, 2]), (2,))
    Array([1, 2, 1, 2], dtype=int32)
    """
    x = as_operand(operand)
    sizes = shape_of(x)
    counts = _counts(reps)
    if len(counts) != len(sizes):
        raise OperationShapeError(says=f"tile was given the repetitions {counts} for an array of shape {sizes}.",
                                  why="there is one number for each axis; `jnp.tile` adds axes where there are fewer")
    return local.trace.process(tile_p, (x,), (counts,))


def _counts(reps: Any) -> tuple[int, ...]:
    try:
        counts = tuple([operator.index(r) for r in reps])
    except TypeError as error:
        if type(error) is not TypeError:  # a traced number has its own report
            raise
        raise OperationShapeError(says=f"tile was given the repetitions {reps!r}.",
                                  why="they are a sequence of integers, one for each axis") from None
    if any(r < 0 for r in counts):
        raise OperationShapeError(says=f"tile was given the repetitions {counts}.", why="they are integers from 0")
    return counts


__all__ = ["stack", "stack_p", "tile", "tile_p", "unstack", "unstack_p"]
