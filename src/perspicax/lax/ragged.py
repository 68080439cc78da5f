"""Products of arrays whose rows belong to groups of unequal sizes, each group with a matrix of its own.

One axis of the left operand is *ragged*: its first `group_sizes[0]` entries belong to group 0, the next
`group_sizes[1]` to group 1, and so on; entries behind the last group count as 0. By the part that the axis has in the
product there are three modes:

    free         [b, m, k] · [g, b, k, n] -> [b, m, n]       each row is multiplied by the matrix of its group
    contracting  [b, m, k] · [b, k, n]    -> [g, b, m, n]    a product for each group
    batch        [b, m, k] · [b, k, n]    -> [b, m, n]       the groups make no difference
"""
from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.diagnose.errors import ReportedError
from perspicax.lax import compare, convert, cumulative, elementwise, shape
from perspicax.lax.bitwise import bitwise_and
from perspicax.lax.contraction import canonical_numbers, dot_general_p, dot_type, others
from perspicax.lax.families import INTEGER, kind
from perspicax.lax.operand import operand, shape_of
from perspicax.lax.precision import canonical_precision, canonical_preferred
from perspicax.lax.product_errors import DotDimensionError
from perspicax.lax.result_sharding import out_placed
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import add_tangents


class RaggedDotError(ReportedError, TypeError, ValueError):
    """The operands or dimension numbers of a ragged product do not fit."""


@dataclass(frozen=True)
class RaggedDotDimensionNumbers:
    """Which axes a ragged product pairs, and which are ragged or count groups.

    Attributes:
        dot_dimension_numbers: as for `dot_general`; the group axis of `rhs` is none of them.
        lhs_ragged_dimensions: the one axis of `lhs` whose entries belong to groups.
        rhs_group_dimensions: the axis of `rhs` that counts groups, where the ragged axis is free; else none.
    """

    dot_dimension_numbers: Any
    lhs_ragged_dimensions: Sequence[int]
    rhs_group_dimensions: Sequence[int]


FREE, CONTRACTING, BATCH = "free", "contracting", "batch"


def _mode(numbers: RaggedDotDimensionNumbers) -> str:
    (lc, _), (lb, _) = numbers.dot_dimension_numbers
    ragged = numbers.lhs_ragged_dimensions[0]
    return CONTRACTING if ragged in lc else BATCH if ragged in lb else FREE


def _outer_axes(lhs: ShapedArray, numbers: RaggedDotDimensionNumbers) -> tuple[int, ...]:
    """The axes of `lhs` for each entry of which there may be group sizes: those outside of the ragged one."""
    (lc, _), (lb, _) = numbers.dot_dimension_numbers
    ragged, mode = numbers.lhs_ragged_dimensions[0], _mode(numbers)
    if mode is BATCH:
        return tuple(lb[:lb.index(ragged)])
    same = lc if mode is CONTRACTING else tuple(others(lhs.ndim, lb, lc))
    return (*lb, *same[:same.index(ragged)])


# -- type

def _without(aval: ShapedArray, axis: int) -> ShapedArray:
    return ShapedArray(aval.shape[:axis] + aval.shape[axis + 1:], aval.dtype, aval.weak_type)


def _without_group(numbers: RaggedDotDimensionNumbers) -> Any:
    """The dimension numbers of one group's product: axes of `rhs` counted without the group axis."""
    (lc, rc), (lb, rb) = numbers.dot_dimension_numbers
    if not numbers.rhs_group_dimensions:
        return numbers.dot_dimension_numbers
    group = numbers.rhs_group_dimensions[0]
    down = lambda axes: tuple([d - (d > group) for d in axes])
    return (lc, down(rc)), (lb, down(rb))


def _type_rule(lhs: ShapedArray, rhs: ShapedArray, sizes: ShapedArray, *,
               ragged_dot_dimension_numbers: RaggedDotDimensionNumbers, precision: Any, preferred_element_type: Any,
               group_offset: Any, out_sharding: Any) -> ShapedArray:
    numbers = ragged_dot_dimension_numbers
    given = f"A ragged product of {lhs.str_short()} and {rhs.str_short()} with group sizes {sizes.str_short()}"
    if len(numbers.lhs_ragged_dimensions) != 1 or not 0 <= numbers.lhs_ragged_dimensions[0] < lhs.ndim:
        raise RaggedDotError(says=f"{given} was given lhs_ragged_dimensions={numbers.lhs_ragged_dimensions}.",
                             why="it is one axis of the left operand")
    mode, groups = _mode(numbers), numbers.rhs_group_dimensions
    if mode is FREE and (len(groups) != 1 or not 0 <= groups[0] < rhs.ndim):
        raise RaggedDotError(says=f"{given} was given rhs_group_dimensions={groups}.",
                             why="where the ragged axis is not summed over and no batch axis, one axis of the right "
                                 "operand counts the groups")
    if mode is not FREE and groups:
        raise RaggedDotError(says=f"{given} was given rhs_group_dimensions={groups}.",
                             why=f"the ragged axis is a {mode} axis of both operands, so the right one has no axis of groups")
    if mode is FREE and groups[0] in (*numbers.dot_dimension_numbers[0][1], *numbers.dot_dimension_numbers[1][1]):
        raise DotDimensionError(lhs=lhs, rhs=rhs, dimension_numbers=numbers.dot_dimension_numbers, kind="repeated",
                                which="rhs")
    if kind(sizes.dtype) not in INTEGER:
        raise RaggedDotError(says=f"{given} cannot be computed.", why="group sizes are integers")
    one = rhs if mode is not FREE else _without(rhs, groups[0])
    out = dot_type(lhs, one, dimension_numbers=_without_group(numbers), precision=precision,
                   preferred_element_type=preferred_element_type, out_sharding=None)
    prefix = tuple([lhs.shape[i] for i in _outer_axes(lhs, numbers)])
    if sizes.ndim == 0 or sizes.shape[:-1] not in ((), prefix):
        wanted = f"[{', '.join(map(str, (*prefix, 'groups')))}] or [groups]" if prefix else "[groups]"
        raise RaggedDotError(says=f"{given} cannot be computed.", why=f"group sizes have the shape {wanted}")
    if mode is FREE and sizes.shape[-1] != rhs.shape[groups[0]]:
        raise RaggedDotError(says=f"{given} cannot be computed.",
                             why=f"there are {sizes.shape[-1]} group sizes, but axis {groups[0]} of the right operand has "
                                 f"{rhs.shape[groups[0]]} groups")
    return out if mode is not CONTRACTING else ShapedArray((sizes.shape[-1], *out.shape), out.dtype, out.weak_type)


# -- the product by a mask for each group

def _masks(sizes: Any, lhs: ShapedArray, numbers: RaggedDotDimensionNumbers) -> Any:
    """Booleans `[g, *lhs.shape]`: which entries belong to each group."""
    ragged, outer = numbers.lhs_ragged_dimensions[0], _outer_axes(lhs, numbers)
    groups = shape_of(sizes)[-1]
    if len(shape_of(sizes)) == 1 and outer:
        prefix = tuple([lhs.shape[i] for i in outer])
        sizes = shape.broadcast_in_dim(sizes, (*prefix, groups), (len(prefix),))
    last = len(outer)
    ends = cumulative.cumsum(sizes, last)
    starts = elementwise.sub(ends, sizes)
    # The axes of the sizes, the groups first and the others in their order in `lhs`.
    order = sorted(range(last), key=lambda i: outer[i])
    places = (0, *[outer[i] + 1 for i in order])
    whole = (groups, *lhs.shape)
    spread = lambda x: shape.broadcast_in_dim(shape.transpose(x, (last, *order)), whole, places)
    index = shape.broadcasted_iota(get_aval(sizes).dtype, whole, ragged + 1)  # type: ignore[attr-defined]
    return bitwise_and(compare.le(spread(starts), index), compare.lt(index, spread(ends)))


def _by_masks(lhs: Any, rhs: Any, sizes: Any, *, ragged_dot_dimension_numbers: RaggedDotDimensionNumbers, precision: Any,
              preferred_element_type: Any, **_: Any) -> Any:
    numbers = ragged_dot_dimension_numbers
    (lc, rc), (lb, rb) = numbers.dot_dimension_numbers
    dot = lambda x, y, pairs: dot_general_p(x, y, dimension_numbers=pairs, precision=precision,
                                            preferred_element_type=preferred_element_type, out_sharding=None)
    mode = _mode(numbers)
    if mode is BATCH:
        return dot(lhs, rhs, numbers.dot_dimension_numbers)
    aval: Any = get_aval(lhs)
    masks = _masks(sizes, aval, numbers)
    whole = shape_of(masks)
    copies = shape.broadcast_in_dim(lhs, whole, range(1, len(whole)))
    masked = compare.select(masks, copies, shape.broadcast_in_dim(np.zeros((), aval.dtype), whole, ()))
    past = lambda axes: tuple([d + 1 for d in axes])
    if mode is FREE:  # the group is summed over too: all but one are 0
        group = numbers.rhs_group_dimensions[0]
        return dot(masked, rhs, (((0, *past(lc)), (group, *rc)), (past(lb), rb)))
    product = dot(masked, rhs, ((past(lc), rc), (past(lb), rb)))  # [b, g, m, n]
    rank = len(shape_of(product))
    return shape.transpose(product, [len(lb), *[i for i in range(rank) if i != len(lb)]])


def _emit(b: Any, *operands: Any, **params: Any) -> Any:
    closed = stage_flat(lambda *xs: [_by_masks(*xs, **params)], [v.aval for v in operands])
    consts = [b.constant(np.asarray(c), v.aval) for c, v in zip(closed.consts, closed.jaxpr.constvars)]
    return b.inline(closed.jaxpr, consts, operands)[0]


# -- derivatives

def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
    (x, y, sizes), (dx, dy, _) = primals, tangents
    out = ragged_dot_general_p(x, y, sizes, **params)
    tangent: Any = Zero.like(out)
    if tangent.aval.dtype == dtypes.float0:  # an integer result was asked for: it does not move
        return out, tangent
    if type(dx) is not Zero:
        tangent = ragged_dot_general_p(dx, y, sizes, **params)
    if type(dy) is not Zero:
        tangent = add_tangents(tangent, ragged_dot_general_p(x, dy, sizes, **params))
    return out, tangent


def _transpose(ct: Any, x: Any, y: Any, sizes: Any, *, ragged_dot_dimension_numbers: RaggedDotDimensionNumbers,
               preferred_element_type: Any, **params: Any) -> list[Any]:
    """The cotangent of one operand is a ragged product of the other and of the result's cotangent.

    Both operands are brought to the order batch, free, contracting (the right one with its groups in front), so that
    the axes of the products are known.
    """
    numbers = ragged_dot_dimension_numbers
    (lc, rc), (lb, rb) = numbers.dot_dimension_numbers
    groups, mode = tuple(numbers.rhs_group_dimensions), _mode(numbers)
    lhs, rhs = (v.aval if type(v) is Linear else get_aval(v) for v in (x, y))
    lhs_order = (*lb, *others(lhs.ndim, lb, lc), *lc)
    rhs_order = (*groups, *rb, *rc, *others(rhs.ndim, groups, rb, rc))
    nb, nk = len(lb), len(lc)
    nm, nn = lhs.ndim - nb - nk, rhs.ndim - len(groups) - nb - nk
    ragged = lhs_order.index(numbers.lhs_ragged_dimensions[0])
    span = lambda start, count: tuple(range(start, start + count))
    batch = span(0, nb)

    def product(left: Any, right: Any, contracting: tuple, at: int | None, with_groups: bool) -> Any:
        """`contracting` and the batch axes of `right` are counted without its group axis, which stands in front."""
        up = lambda axes: tuple([d + with_groups for d in axes])
        pairs = ((contracting[0], up(contracting[1])), (batch, up(batch)))
        if at is None:
            return dot_general_p(left, right, dimension_numbers=pairs, preferred_element_type=preferred_element_type,
                                 precision=params["precision"], out_sharding=None)
        wanted = RaggedDotDimensionNumbers(pairs, (at,), (0,) if with_groups else ())
        return ragged_dot_general_p(left, right, sizes, ragged_dot_dimension_numbers=wanted,
                                    preferred_element_type=preferred_element_type, **params)

    # A cotangent is [g?, b, m, n], `x` becomes [b, m, k], `y` [g?, b, k, n].
    if type(x) is Linear:
        right = shape.transpose(y, rhs_order)
        if mode is FREE:  # [b, m, n] · [g, b, k, n] -> [b, m, k]
            found = product(ct, right, (span(nb + nm, nn), span(nb + nk, nn)), ragged, True)
        elif mode is CONTRACTING:  # [b, k, n] · [g, b, m, n] -> [b, k, m]
            found = product(right, ct, (span(nb + nk, nn), span(nb + nm, nn)), ragged - nm, True)
            found = shape.transpose(found, (*batch, *span(nb + nk, nm), *span(nb, nk)))
        else:  # [b, m, n] · [b, k, n] -> [b, m, k]
            found = product(ct, right, (span(nb + nm, nn), span(nb + nk, nn)), None, False)
        return [_as_dtype(_back(found, lhs_order), lhs.dtype), None, None]
    left = shape.transpose(x, lhs_order)
    if mode is FREE:  # [b, m, k] · [b, m, n] -> [g, b, k, n]
        found = product(left, ct, (span(nb, nm), span(nb, nm)), ragged, False)
    elif mode is CONTRACTING:  # [b, m, k] · [g, b, m, n] -> [b, k, n]
        found = product(left, ct, (span(nb, nm), span(nb, nm)), ragged, True)
    else:  # [b, m, k] · [b, m, n] -> [b, k, n]
        found = product(left, ct, (span(nb, nm), span(nb, nm)), None, False)
    return [None, _as_dtype(_back(found, rhs_order), rhs.dtype), None]


def _back(x: Any, order: Sequence[int]) -> Any:
    """The array of which `x` is the transposition by `order`."""
    return shape.transpose(x, [order.index(i) for i in range(len(order))])


def _as_dtype(x: Any, dtype: Any) -> Any:
    return x if get_aval(x).dtype == dtype else convert.convert_element_type(x, dtype)  # type: ignore[attr-defined]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, ragged_dot_dimension_numbers: RaggedDotDimensionNumbers,
           **params: Any) -> tuple[Any, int]:
    x, y, sizes = [to_axis(v, a, 0, axis.size) for v, a in zip(args, axes)]
    numbers = ragged_dot_dimension_numbers
    outer = _outer_axes(get_aval(x).unbatched(0), numbers)  # type: ignore[attr-defined]
    if len(shape_of(sizes)) == 2 and outer:  # [batch, g]: the sizes are the same for all outer axes
        prefix = tuple([shape_of(x)[i + 1] for i in outer])
        n, groups = shape_of(sizes)
        sizes = shape.broadcast_in_dim(sizes, (n, *prefix, groups), (0, len(prefix) + 1))
    past = lambda dims: tuple([d + 1 for d in dims])
    (lc, rc), (lb, rb) = numbers.dot_dimension_numbers
    batched = RaggedDotDimensionNumbers(((past(lc), past(rc)), ((0, *past(lb)), (0, *past(rb)))),
                                        past(numbers.lhs_ragged_dimensions), past(numbers.rhs_group_dimensions))
    out = ragged_dot_general_p(x, y, sizes, ragged_dot_dimension_numbers=batched, **params)
    return out, 1 if _mode(numbers) is CONTRACTING else 0


ragged_dot_general_p: Primitive = Primitive(
    "ragged_dot_general", params=("ragged_dot_dimension_numbers", "precision", "preferred_element_type", "group_offset",
                                  "out_sharding"),
    type_rule=_type_rule, jvp=_jvp, transpose=_transpose, batch=_batch, emit=_emit, source="CHLO, `ragged_dot`")


# -- functions

def ragged_dot_general(lhs: Any, rhs: Any, group_sizes: Any, ragged_dot_dimension_numbers: RaggedDotDimensionNumbers,
                       precision: Any = None, preferred_element_type: Any = None, group_offset: Any = None,
                       out_sharding: Any = None) -> Any:
    """The product of two arrays, one axis of which is divided into groups of unequal sizes.

    Args:
        lhs: array with one ragged axis.
        rhs: array; with an axis of groups, where the ragged axis is neither summed over nor a batch axis.
        group_sizes: integers `[g]`, or `[..., g]` with the axes of `lhs` that are outside of the ragged one: its batch
            axes, and of its free (or contracting) axes those before the ragged one. Entries behind the last group
            count as 0.
        ragged_dot_dimension_numbers: which axis is which, a `RaggedDotDimensionNumbers`.
        precision: as for `dot_general`.
        preferred_element_type: dtype of the result.

    Returns:
        As `dot_general`, with the groups in front where the ragged axis is summed over.

    Raises:
        RaggedDotError: operands, group sizes and dimension numbers do not fit each other.
        DotShapeError: paired axes differ in size.
    """
    if out_sharding is not None:
        return out_placed("ragged_dot_general", out_sharding, lambda a, b, n: ragged_dot_general(
            a, b, n, ragged_dot_dimension_numbers, precision, preferred_element_type, group_offset), lhs, rhs, group_sizes)
    if group_offset is not None:
        raise RaggedDotError(says="ragged_dot was given a `group_offset`.",
                             why="no platform computes a part of the groups; take the part of `rhs` and `group_sizes`")
    x, y = operand(lhs), operand(rhs)
    given = ragged_dot_dimension_numbers
    numbers = RaggedDotDimensionNumbers(
        canonical_numbers(given.dot_dimension_numbers, x, y),
        tuple([operator.index(i) for i in given.lhs_ragged_dimensions]),
        tuple([operator.index(i) for i in given.rhs_group_dimensions]))
    return local.trace.process(ragged_dot_general_p, (x, y, operand(group_sizes)), (
        numbers, canonical_precision(precision), canonical_preferred(preferred_element_type), None, None))


_ROWS = RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0,), (0,))


def ragged_dot(lhs: Any, rhs: Any, group_sizes: Any, precision: Any = None, preferred_element_type: Any = None,
               group_offset: Any = None, out_sharding: Any = None) -> Any:
    """Rows multiplied by the matrix of their group.

    Args:
        lhs: array `[m, k]`, whose rows are sorted by group.
        rhs: array `[g, k, n]`, a matrix for each group.
        group_sizes: integers `[g]`: how many rows each group has. Rows behind the last group give 0.
        precision: as for `dot_general`.
        preferred_element_type: dtype of the result.

    Returns:
        Array `[m, n]`.

    Raises:
        RaggedDotError: the operands do not fit each other.
        DotShapeError: the sizes `k` differ.

    >>> ragged_dot(jnp.ones((3, 2)), jnp.array([[[1.], [1.]], [[5.], [5.]]]), jnp.array([1, 2]))
    Array([[ 2.],
           [10.],
           [10.]], dtype=float32)
    """
    avals: list[Any] = [get_aval(operand(x)) for x in (lhs, rhs, group_sizes)]
    if [a.ndim for a in avals] != [2, 3, 1]:
        raise RaggedDotError(says=f"`ragged_dot` was given {', '.join([a.str_short() for a in avals[:2]])} and group sizes "
                                  f"{avals[2].str_short()}.",
                             why="it takes rows [m, k], a matrix for each group [g, k, n], and group sizes [g]")
    return ragged_dot_general(lhs, rhs, group_sizes, _ROWS, precision, preferred_element_type, group_offset, out_sharding)


__all__ = ["RaggedDotDimensionNumbers", "RaggedDotError", "ragged_dot", "ragged_dot_general", "ragged_dot_general_p"]
