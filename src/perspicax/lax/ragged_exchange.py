"""`ragged_all_to_all`: slices of unequal sizes, sent along a named axis.

Slot `i` of a sender goes to the receiver `i // k`, `k` slots for each, which writes it where the sender says. On CPUs, where
XLA has no operation for that, and over an axis of `vmap`, every receiver finds in the offsets of all senders which slot its
rows come from. The transpose does the same the other way: each sender finds who has its rows, and sums what they were worth.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import compare, elementwise
from perspicax.lax.bitwise import bitwise_and
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet
from perspicax.lax.collective_moves import all_gather
from perspicax.lax.collectives import axis_index
from perspicax.lax.convert import convert_element_type
from perspicax.lax.families import constant_like, zeros_like
from perspicax.lax.gathering import GatherScatterMode
from perspicax.lax.mesh_collectives import attributes, emit_place, groups_of, matrix, mesh_of
from perspicax.lax.named_axes import collective, groups_within, listed, size_of
from perspicax.lax.operand import operand, shape_of
from perspicax.lax.reductions import reduce_max
from perspicax.lax.scattering import ScatterDimensionNumbers, scatter_add
from perspicax.lax.shape import broadcast_in_dim, iota, reshape, transpose
from perspicax.lax.slicing import dynamic_slice_in_dim
from perspicax.lax.taking import index_take
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import instantiate
from perspicax.transform.vmap import vmap

OFFSETS = ("input_offsets", "send_sizes", "output_offsets", "recv_sizes")


def _filled(x: Any, value: int) -> Any:
    return broadcast_in_dim(constant_like(x, value), shape_of(x), ())


# -- who writes where

def _writers(me: Any, starts: Any, sizes: Any, rows: int) -> tuple[Any, Any, Any]:
    """For each row of a receiver, whether it is written, by which sender, and from which of its slots.

    Args:
        me: the receiver's place along the axis.
        starts, sizes: of all senders' slots, `[n, slots]`; of two that write one row, the last one counts.
        rows: how many rows the receiver has.
    """
    n, slots = shape_of(starts)
    each = slots // n
    whole = get_aval(starts).dtype.type  # type: ignore[attr-defined]
    first = elementwise.mul(me, whole(each))
    starts, sizes = (reshape(dynamic_slice_in_dim(x, first, each, 1), (n * each,)) for x in (starts, sizes))
    shape = (rows, n * each)
    row = iota(starts.dtype, rows)
    beyond = elementwise.sub(broadcast_in_dim(row, shape, (0,)), broadcast_in_dim(starts, shape, (1,)))
    hit = bitwise_and(compare.ge(beyond, zeros_like(beyond)), compare.lt(beyond, broadcast_in_dim(sizes, shape, (1,))))
    count = broadcast_in_dim(iota(starts.dtype, n * each), shape, (1,))
    last = reduce_max(compare.select(hit, count, _filled(count, -1)), (1,))
    found = compare.ge(last, zeros_like(last))
    last = elementwise.max(last, zeros_like(last))
    slot = elementwise.add(first, elementwise.rem(last, constant_like(last, each)))
    return found, elementwise.div(last, constant_like(last, each)), slot


def _source_rows(starts: Any, begins: Any, sender: Any, slot: Any) -> Any:
    """For each row of a receiver, the row of the sender that it comes from; anything where it comes from none."""
    n, slots = shape_of(starts)
    place = elementwise.add(elementwise.mul(sender, constant_like(sender, slots)), slot)
    start, begin = (index_take(reshape(x, (n * slots,)), (place,), (0,)) for x in (starts, begins))
    row = iota(start.dtype, shape_of(sender)[0])
    return elementwise.add(elementwise.sub(row, start), begin)


def _received(me: Any, sent: Any, output: Any, begins: Any, sizes: Any, starts: Any) -> Any:
    """What one receiver has in the end.

    Args:
        me: its place along the axis.
        sent: of all senders, `[n, rows, ...]`.
        output: `[received rows, ...]`.
        begins, sizes, starts: of all senders' slots, `[n, slots]`: their first row, how many, and the first row written.
    """
    n, rows = shape_of(sent)[:2]
    if not rows or not shape_of(starts)[1] or not shape_of(output)[0]:
        return output
    found, sender, slot = _writers(me, starts, sizes, shape_of(output)[0])
    row = _source_rows(starts, begins, sender, slot)
    place = elementwise.add(elementwise.mul(sender, constant_like(sender, rows)), row)
    place = compare.select(found, place, zeros_like(place))
    values = index_take(reshape(sent, (n * rows, *shape_of(sent)[2:])), (place,), (0,))
    return compare.select(broadcast_in_dim(found, shape_of(output), (0,)), values, output)


def _given_back(me: Any, cotangents: Any, like: ShapedArray, begins: Any, sizes: Any, starts: Any) -> Any:
    """The cotangent of what one sender sent.

    Args:
        cotangents: of all receivers' results, `[n, received rows, ...]`.
        like: the type of the operand.
        me, begins, sizes, starts: as for `_received`.
    """
    n, received = shape_of(cotangents)[:2]
    zeros = broadcast_in_dim(np.zeros((), like.dtype), like.shape, ())
    if not like.shape[0] or not shape_of(starts)[1] or not received:
        return zeros

    def rows_of(receiver: Any) -> Any:
        found, sender, slot = _writers(receiver, starts, sizes, received)
        mine = bitwise_and(found, compare.eq(sender, broadcast_in_dim(me, shape_of(sender), ())))
        row = _source_rows(starts, begins, sender, slot)
        return compare.select(mine, row, _filled(row, like.shape[0]))  # beyond the end: dropped

    rows = vmap(rows_of)(iota(get_aval(starts).dtype, n))  # type: ignore[attr-defined]
    numbers = ScatterDimensionNumbers(update_window_dims=tuple(range(1, len(like.shape))), inserted_window_dims=(0,),
                                      scatter_dims_to_operand_dims=(0,))
    return scatter_add(zeros, reshape(rows, (n * received, 1)), reshape(cotangents, (n * received, *like.shape[1:])), numbers,
                       mode=GatherScatterMode.FILL_OR_DROP)


# -- the primitive

def _type(x: ShapedArray, output: ShapedArray, *offsets: ShapedArray, axis_name: tuple, axis_index_groups: Any) -> ShapedArray:
    return output.update(weak_type=False)


def _emit(b: Any, *operands: Any, axis_name: tuple, axis_index_groups: Any) -> Any:
    mesh = mesh_of(b, "ragged_all_to_all", axis_name)
    if b.module.platform != "cpu":
        groups = matrix(groups_of(mesh, axis_name, axis_index_groups))
        return b.custom_call("ragged_all_to_all", operands, b.out[0],
                             config=f"channel_id = 1 : i64, replica_groups = {groups}")
    x, output, begins, sizes, starts, _ = operands
    n = groups_of(mesh, axis_name, axis_index_groups).shape[1]

    def of_all(v: Any) -> Any:
        one = b.reshape(v, (1, *v.shape))
        return b.hlo("all_gather", [one], ShapedArray((n, *v.shape), v.aval.dtype),
                     f"all_gather_dim = 0 : i64, {attributes(mesh, axis_name, axis_index_groups)}")

    me = b.convert(emit_place(b, mesh, axis_name, axis_index_groups), begins.aval.dtype)
    values = [me, of_all(x), output, *[of_all(v) for v in (begins, sizes, starts)]]
    closed = stage_flat(lambda *xs: [_received(*xs)], [ShapedArray(v.shape, v.aval.dtype) for v in values])
    consts = [b.constant(np.asarray(c), v.aval) for c, v in zip(closed.consts, closed.jaxpr.constvars)]
    return b.inline(closed.jaxpr, consts, values)[0]


def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
    out = ragged_all_to_all_p(*primals, **params)
    if type(tangents[0]) is Zero and type(tangents[1]) is Zero:
        return out, Zero.like(out)
    moving = [instantiate(t) for t in tangents[:2]]
    return out, ragged_all_to_all_p(*moving, *primals[2:], **params)


def _place(names: tuple, groups: Any, dtype: Any) -> Any:
    """The own place along the axes, or within the own group."""
    place = axis_index(names)
    if groups is not None:
        within = {i: at for group in groups for at, i in enumerate(group)}
        table = np.asarray([within[i] for i in range(len(within))], np.int32)
        place = reshape(index_take(table, (reshape(place, (1,)),), (0,)), ())
    return convert_element_type(place, dtype)


def _transpose(ct: Any, x: Any, output: Any, begins: Any, sizes: Any, starts: Any, received: Any, *, axis_name: tuple,
               axis_index_groups: Any) -> list[Any]:
    """The rows that came from elsewhere are worth what they are worth to those who sent them, the others to `output`."""
    def of_all(v: Any) -> Any:
        return all_gather(v, axis_name, axis_index_groups=axis_index_groups)

    me = _place(axis_name, axis_index_groups, get_aval(starts).dtype)  # type: ignore[attr-defined]
    begins, sizes, starts = map(of_all, (begins, sizes, starts))
    to_operand = to_output = None
    if type(x) is Linear:
        to_operand = _given_back(me, of_all(ct), x.aval, begins, sizes, starts)
    if type(output) is Linear:
        to_output = ct
        if shape_of(starts)[1] and shape_of(ct)[0]:
            found = _writers(me, starts, sizes, shape_of(ct)[0])[0]
            to_output = compare.select(broadcast_in_dim(found, shape_of(ct), (0,)), zeros_like(ct), ct)
    return [to_operand, to_output, None, None, None, None]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, axis_name: tuple, axis_index_groups: Any) -> tuple[Any, int]:
    args = tuple([to_axis(x, at, 0, axis.size) for x, at in zip(args, axes)])
    if axis.name is None or axis.name not in axis_name:
        return _beside(args, axis.size, axis_name, axis_index_groups), 0
    if len(axis_name) > 1:
        raise CollectiveNotThereYet(function="ragged_all_to_all", option="several axes at once")
    x, output, begins, sizes, starts, _ = args
    me = iota(starts.dtype, axis.size)
    return vmap(lambda me, output: _received(me, x, output, begins, sizes, starts))(me, output), 0


def _beside(args: tuple, count: int, names: tuple, groups: Any) -> Any:
    """Several exchanges at once: one whose rows, and the slots for each receiver, stand behind each other."""
    x, output, *offsets = args
    n = len(groups[0]) if groups is not None else size_of("ragged_all_to_all", names)
    slots = shape_of(offsets[0])[1]
    entry = reshape(iota(offsets[0].dtype, count), (count, 1))

    def joined(v: Any) -> Any:  # [count, n k] -> [n count k]
        return reshape(transpose(reshape(v, (count, n, slots // n)), (1, 0, 2)), (count * slots,))

    def moved(v: Any, rows: int) -> Any:
        step = elementwise.mul(entry, constant_like(entry, rows))
        return elementwise.add(v, broadcast_in_dim(step, (count, slots), (0, 1)))

    begins, sizes, starts, received = offsets
    rows, out = shape_of(x)[1], shape_of(output)
    made = ragged_all_to_all_p(
        reshape(x, (count * rows, *shape_of(x)[2:])), reshape(output, (count * out[1], *out[2:])), joined(moved(begins, rows)),
        joined(sizes), joined(moved(starts, out[1])), joined(received), axis_name=names, axis_index_groups=groups)
    return reshape(made, out)


ragged_all_to_all_p: Primitive = collective(
    "ragged_all_to_all", params=("axis_index_groups", "axis_name"), over="axis_name", type_rule=_type, jvp=_jvp,
    transpose=_transpose, batch=_batch, emit=_emit,
    source="slices of unequal sizes sent along a named axis; transposed, sums of what came back")


def ragged_all_to_all(operand_: Any, output: Any, input_offsets: Any, send_sizes: Any, output_offsets: Any, recv_sizes: Any, *,
                      axis_name: Any, axis_index_groups: Any = None) -> Any:
    """Slices of rows, of unequal sizes, sent along a named axis of size `n`.

    Slot `i` of the `n * k` slots is sent to the place `i // k` along the axis: the rows `input_offsets[i]` up to
    `input_offsets[i] + send_sizes[i]` of the operand; there they are written into the rows from `output_offsets[i]` on.

    Args:
        operand_: `[rows, ...]`, the first argument.
        output: `[received rows, ...]` of the same dtype: what the result holds where nothing arrives.
        input_offsets, send_sizes, output_offsets: integers `[n * k]`, of what is sent.
        recv_sizes: integers `[n * k]`: how many rows arrive, in the order of the senders.
        axis_name: the name of an axis; of a mesh also several, which then count as one, the last one fastest.
        axis_index_groups: lists of places along the axis, within each of which it happens, of one size; not served over an axis
            of `vmap`.

    Returns:
        Array like `output`.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: the shapes or dtypes do not fit.
        CollectiveNotThereYet: several axes are named, and one is of `vmap`.

    Differs: it runs on CPUs and over axes of `vmap` too, and rows that are sent to several places get the sum of their
        gradients.
    """
    names = listed(axis_name)
    n = size_of("ragged_all_to_all", names)
    groups = groups_within("ragged_all_to_all", names, axis_index_groups)
    if groups is not None:
        n = len(groups[0])
    x, output, *offsets = map(operand, (operand_, output, input_offsets, send_sizes, output_offsets, recv_sizes))
    _check(x, output, offsets, n)
    wide = any(get_aval(v).dtype.itemsize > 4 for v in offsets)  # type: ignore[attr-defined]
    offsets = [convert_element_type(v, np.int64 if wide else np.int32) for v in offsets]
    return ragged_all_to_all_p(x, output, *offsets, axis_name=names, axis_index_groups=groups)


def _check(x: Any, output: Any, offsets: list, n: int) -> None:
    avals: Any = [get_aval(v) for v in (x, output, *offsets)]
    given = (f"`ragged_all_to_all` was given an operand of type {avals[0].str_short()} and an output of type "
             f"{avals[1].str_short()}.")
    if not avals[0].ndim or avals[0].ndim != avals[1].ndim or avals[0].shape[1:] != avals[1].shape[1:]:
        raise CollectiveError(says=given, why="rows of one are written into the other: all their axes but the first agree")
    if avals[0].dtype != avals[1].dtype:
        raise CollectiveError(says=given, why="rows of one are written into the other: they have one dtype")
    for name, aval in zip(OFFSETS, avals[2:]):
        if aval.ndim != 1 or not dtypes.issubdtype(aval.dtype, np.integer) or aval.shape != avals[2].shape:
            raise CollectiveError(says=f"`ragged_all_to_all` was given {name} of type {aval.str_short()}.",
                                  why=f"each of {', '.join(OFFSETS)} is a vector of integers, all of one length")
    if avals[2].shape[0] % n:
        raise CollectiveError(says=f"`ragged_all_to_all` was given {avals[2].shape[0]} slots along an axis of size {n}.",
                              why=f"there are equally many slots for each receiver, so {n} must divide their number")


__all__ = ["ragged_all_to_all", "ragged_all_to_all_p"]
