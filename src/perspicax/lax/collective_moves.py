"""Exchange along a named axis: gather, scatter, permute.

Where several axes are named, they count as one, the last name fastest. A batching rule deals with its own axis and leaves
the others to the collective that remains: what it gathers stands between the names before it and those behind.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import get_aval
from perspicax.lax import compare, elementwise
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet, PartialSumError
from perspicax.lax.collectives import axis_index, kind_along, psum, vary_over
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import NUMBER, constant_like, kind, kinds_text, zeros_like
from perspicax.lax.marks import marked_along
from perspicax.lax.mesh_collectives import emit_broadcast, emit_exchange, emit_gather, emit_permute, emit_scatter
from perspicax.lax.named_axes import array_axis, collective, groups_within, listed, size_of, sizes_of, without
from perspicax.lax.operand import operand, shape_of
from perspicax.lax.reductions import reduce_sum
from perspicax.lax.shape import broadcast_in_dim, expand_dims, reshape, squeeze, transpose
from perspicax.lax.slicing import dynamic_slice_in_dim, index_in_dim
from perspicax.lax.taking import index_take
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.jvp import LINEAR
from perspicax.transform.mesh_scope import checked_axes, manual_axes


def _around(names: tuple, name: Any) -> tuple[int, int]:
    """How many there are along the names before one of them, and along those behind."""
    at = names.index(name)
    return math.prod(sizes_of("a collective", names[:at])), math.prod(sizes_of("a collective", names[at + 1:]))


def _regroup(x: Any, axis: int, sizes: Sequence[int], order: Sequence[int]) -> Any:
    """One axis as several, these in another order."""
    shape = shape_of(x)
    x = reshape(x, (*shape[:axis], *sizes, *shape[axis + 1:]))
    rank = len(shape) + len(sizes) - 1
    moved = [axis + i for i in order]
    return transpose(x, [*range(axis), *moved, *range(axis + len(sizes), rank)])


def _merge(x: Any, axis: int, count: int) -> Any:
    """`count` axes from `axis` on as one."""
    shape = shape_of(x)
    return reshape(x, (*shape[:axis], math.prod(shape[axis:axis + count]), *shape[axis + count:]))


# -- all_gather

def _gather_type(x: ShapedArray, *, all_gather_dimension: int, axis_name: tuple, axis_index_groups: Any, axis_size: int,
                 tiled: bool) -> ShapedArray:
    d, shape = all_gather_dimension, x.shape
    if tiled:
        return x.at_shape((*shape[:d], shape[d] * axis_size, *shape[d + 1:]))
    return x.at_shape((*shape[:d], axis_size, *shape[d:]))


def _gather_batch(axis: BatchAxis, args: tuple, axes: tuple, *, all_gather_dimension: int, axis_name: tuple,
                  axis_index_groups: Any, axis_size: int, tiled: bool) -> tuple[Any, int | None]:
    (x,), (at,) = args, axes
    d = all_gather_dimension
    if axis.name is None or axis.name not in axis_name:
        before = at <= d  # the batch axis stands before the gathered one
        found = all_gather_p(x, all_gather_dimension=d + before, axis_name=axis_name, axis_index_groups=axis_index_groups,
                             axis_size=axis_size, tiled=tiled)
        return found, at if before or tiled else at + 1
    found = to_axis(x, at, d, axis.size)  # the batch axis is what is gathered
    left = without(axis_name, axis.name)
    if left:
        first, last = _around(axis_name, axis.name)
        found = all_gather_p(found, all_gather_dimension=d, axis_name=left, axis_index_groups=None, axis_size=first * last,
                             tiled=False)
        found = _regroup(found, d, (first, last), (0, 1))  # d + 2: this axis, which belongs between the two
        found = transpose(found, [*range(d + 1), d + 2, d + 1, *range(d + 3, len(shape_of(found)))])
        found = _merge(found, d, 3)
    return _merge(found, d, 2) if tiled else found, None


def _gather_transpose(ct: Any, x: Any, *, all_gather_dimension: int, **params: Any) -> list[Any]:
    return [reduce_scatter_p(ct, scatter_dimension=all_gather_dimension, **params)]


all_gather_p: Primitive = collective(
    "all_gather", params=("all_gather_dimension", "axis_index_groups", "axis_name", "axis_size", "tiled"), over="axis_name",
    type_rule=_gather_type, jvp=LINEAR, transpose=_gather_transpose, batch=_gather_batch, handles_extended=True,
    emit=emit_gather,
    source="the values along a named axis, side by side; transposed, `reduce_scatter`")


def _invariant_transpose(ct: Any, x: Any, *, all_gather_dimension: int, axis_name: tuple, axis_size: int, tiled: bool,
                         **_: Any) -> list[Any]:
    """All have the whole cotangent: each takes its own part."""
    d = all_gather_dimension
    size = shape_of(ct)[d] // axis_size
    part = dynamic_slice_in_dim(ct, elementwise.mul(axis_index(axis_name), np.int32(size)), size, d)
    return [part if tiled else squeeze(part, (d,))]


def _invariant_batch(axis: BatchAxis, args: tuple, axes: tuple, *, all_gather_dimension: int, tiled: bool,
                     **params: Any) -> tuple[Any, int | None]:
    (x,), (at,), d = args, axes, all_gather_dimension
    before = at <= d
    found = all_gather_invariant_p(x, all_gather_dimension=d + before, tiled=tiled, **params)
    return found, at if before or tiled else at + 1


all_gather_invariant_p: Primitive = collective(
    "all_gather_invariant", params=("all_gather_dimension", "axis_index_groups", "axis_name", "axis_size", "tiled"),
    over="axis_name", function="all_gather", type_rule=_gather_type, jvp=LINEAR, transpose=_invariant_transpose,
    handles_extended=True, batch=_invariant_batch, emit=emit_gather,
    varying=lambda avals, *, axis_name, **_: avals[0].vma.difference(axis_name),
    source="`all_gather` over axes of a mesh, of a type that is the same along them")


def all_gather(x: Any, axis_name: Any, *, axis_index_groups: Any = None, axis: int = 0, tiled: bool = False,
               to: str = "varying") -> Any:
    """The values along a named axis, put together.

    Args:
        x: array of shape `[...]`, or pytree of arrays.
        axis_name: the name of an axis, or several, which then count as one, the last one fastest.
        axis_index_groups: lists of places along the axis, within each of which it happens, of one size; not served over an axis
            of `vmap`.
        axis: where the new axis stands in the result; the axis that grows, where `tiled`.
        tiled: whether the values are put one behind the other along an axis that they have.
        to: `"varying"`; over axes of the mesh of `shard_map` also `"invarying"`: the result is the same for all, and of a type
            that says so; or `"reduced"`: besides, its cotangent is a sum over these axes that is made in pieces, as by
            `psum_scatter`.

    Returns:
        Array with a new axis of size `n`, that of the named axis; with `tiled` an array whose axis is `n` times as long. It
        is the same for all.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: `x` has no such axis.
        PartialSumError: the result is to be reduced, and `x` does not vary; or `x` is a part of a sum.

    >>> jax.vmap(lambda x: lax.all_gather(x, "i"), axis_name="i")(jnp.array([1, 2]))
    Array([[1, 2],
           [1, 2]], dtype=int32)
    """
    names = listed(axis_name)
    size = size_of("all_gather", names)
    groups = groups_within("all_gather", names, axis_index_groups)
    if groups is not None:
        size = len(groups[0])
    gather: Primitive = all_gather_p
    if to == "invarying" and manual_axes().issuperset(names) and groups is None:
        gather = all_gather_invariant_p if checked_axes(names) == frozenset(names) else all_gather_p
    elif to == "reduced" and names and checked_axes(names) == frozenset(names):
        if groups is not None:
            raise CollectiveNotThereYet(function="all_gather", option="`axis_index_groups`", place='with to="reduced"')
        return tree.tree_map(lambda leaf: _gather_reduced(operand(leaf), names, axis, size, bool(tiled)), x)
    elif to != "varying":
        raise CollectiveError(says=f"`all_gather` was given to={to!r}.",
                              why='what is not told to vary is told by the types inside of `shard_map`, over whole axes of its '
                                  'mesh; elsewhere it is "varying"')

    def one(leaf: Any) -> Any:
        leaf = operand(leaf)
        d = array_axis("all_gather", "axis", axis, len(shape_of(leaf)), extra=not tiled)
        return gather(leaf, all_gather_dimension=d, axis_name=names, axis_index_groups=groups, axis_size=size,
                      tiled=bool(tiled))

    return tree.tree_map(one, x)


def _gather_reduced(x: Any, names: tuple, axis: Any, size: int, tiled: bool) -> Any:
    from perspicax.lax.partial_sums import all_gather_reduced_p  # for its weight: few programs need it

    aval: Any = get_aval(x)
    d = array_axis("all_gather", "axis", axis, aval.ndim, extra=not tiled)
    kind = kind_along(aval, frozenset(names))
    if kind == "invarying" or (kind == "mixed" and not aval.vma.issuperset(names) and not marked_along(aval, frozenset(names))):
        along = tuple([n for n in names if n not in aval.vma])
        if kind == "invarying":
            raise PartialSumError(function="all_gather", type_text=aval.str_short(), axes=along, kind="same")
        x = vary_over(x, frozenset(along))
    elif kind != "varying":
        raise PartialSumError(function="all_gather", type_text=aval.str_short(), axes=names, kind=kind)
    return all_gather_reduced_p(x, all_gather_dimension=d, axis_name=names, axis_size=size, tiled=tiled)


# -- psum_scatter

def _scatter_type(x: ShapedArray, *, scatter_dimension: int, axis_name: tuple, axis_index_groups: Any, axis_size: int,
                  tiled: bool) -> ShapedArray:
    if kind(x.dtype) not in NUMBER:
        raise OperandDtypeError(operation="psum_scatter", type_text=x.str_short(), accepts=kinds_text(NUMBER), index=0)
    d, shape = scatter_dimension, x.shape
    if tiled:
        return x.at_shape((*shape[:d], shape[d] // axis_size, *shape[d + 1:]))
    return x.at_shape((*shape[:d], *shape[d + 1:]))


def _scatter_batch(axis: BatchAxis, args: tuple, axes: tuple, *, scatter_dimension: int, axis_name: tuple,
                   axis_index_groups: Any, axis_size: int, tiled: bool) -> tuple[Any, int | None]:
    (x,), (at,) = args, axes
    d = scatter_dimension
    if axis.name is None or axis.name not in axis_name:
        before = at <= d
        found = reduce_scatter_p(x, scatter_dimension=d + before, axis_name=axis_name, axis_index_groups=axis_index_groups,
                                 axis_size=axis_size, tiled=tiled)
        return found, at if before or tiled else at - 1
    total = elementwise.mul(x, constant_like(x, axis.size)) if at is None else reduce_sum(x, (at,))
    first, last = _around(axis_name, axis.name)
    rest = shape_of(total)[d] // axis_size
    parts = _regroup(total, d, (first, axis.size, last, rest), (1, 0, 2, 3))  # d: this axis, behind it the pieces
    parts = _merge(parts, d + 1, 3)
    left = without(axis_name, axis.name)
    if left:
        parts = reduce_scatter_p(parts, scatter_dimension=d + 1, axis_name=left, axis_index_groups=None,
                                 axis_size=first * last, tiled=True)
    return parts if tiled else squeeze(parts, (d + 1,)), d


def _scatter_transpose(ct: Any, x: Any, *, scatter_dimension: int, **params: Any) -> list[Any]:
    return [all_gather_p(ct, all_gather_dimension=scatter_dimension, **params)]


reduce_scatter_p: Primitive = collective(
    "reduce_scatter", params=("axis_index_groups", "axis_name", "axis_size", "scatter_dimension", "tiled"),
    over="axis_name", function="psum_scatter", type_rule=_scatter_type, jvp=LINEAR, transpose=_scatter_transpose,
    batch=_scatter_batch, emit=emit_scatter,
    source="a sum over a named axis, of which each keeps a piece; transposed, `all_gather`")


def psum_scatter(x: Any, axis_name: Any, *, scatter_dimension: int = 0, axis_index_groups: Any = None,
                 tiled: bool = False) -> Any:
    """The sum over a named axis, of which each keeps one piece: `psum(x, axis_name)[axis_index(axis_name)]`.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of size `n`, or several, which then count as one, the last one fastest.
        scatter_dimension: the axis of `x` that is cut.
        axis_index_groups: lists of places along the axis, within each of which it happens, of one size; not served over an axis
            of `vmap`.
        tiled: whether the axis stays, as a piece of `1 / n` of its size; else it has size `n`, and goes.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: the axis of `x` does not exist, or has another size.
    """
    names = listed(axis_name)
    size = size_of("psum_scatter", names)
    groups = groups_within("psum_scatter", names, axis_index_groups)
    if groups is not None:
        size = len(groups[0])

    def one(leaf: Any) -> Any:
        leaf = operand(leaf)
        d = array_axis("psum_scatter", "scatter_dimension", scatter_dimension, len(shape_of(leaf)))
        _check_cut("psum_scatter", leaf, d, axis_name, size, tiled)
        aval: Any = get_aval(leaf)
        if marked_along(aval, frozenset(names)) and kind_along(aval, frozenset(names)) == "unreduced":
            if groups is not None:
                raise CollectiveNotThereYet(function="psum_scatter", option="`axis_index_groups`", place="of parts of a sum")
            from perspicax.lax.partial_sums import unreduced_reduce_scatter_p  # for its weight: few programs need it

            return unreduced_reduce_scatter_p(leaf, scatter_dimension=d, axis_name=names, axis_size=size, tiled=bool(tiled))
        return reduce_scatter_p(leaf, scatter_dimension=d, axis_name=names, axis_index_groups=groups, axis_size=size,
                                tiled=bool(tiled))

    return tree.tree_map(one, x)


def _check_cut(function: str, x: Any, d: int, axis_name: Any, size: int, tiled: bool) -> None:
    n = shape_of(x)[d]
    if n % size if tiled else n != size:
        wanted = "be divisible by" if tiled else "have"
        raise CollectiveError(
            says=f"`{function}` cannot cut axis {d} of {get_aval(x).str_short()} along the axis {axis_name!r} of size "  # type: ignore
                 f"{size}.", why=f"each gets one piece, so the axis must {wanted} size {size}; it has {n}" if not tiled else
                 f"each gets a piece of one size, so {n} must be divisible by {size}")


# -- all_to_all

def _exchange_type(x: ShapedArray, *, split_axis: int, concat_axis: int, axis_name: tuple, axis_index_groups: Any,
                   axis_size: int, tiled: bool) -> ShapedArray:
    shape = list(x.shape)
    shape[split_axis] //= axis_size
    shape[concat_axis] *= axis_size
    return x.at_shape(tuple(shape))


def _exchange_batch(axis: BatchAxis, args: tuple, axes: tuple, *, split_axis: int, concat_axis: int, axis_name: tuple,
                    axis_index_groups: Any, axis_size: int, tiled: bool) -> tuple[Any, int]:
    (x,), (at,) = args, axes
    s, c = split_axis, concat_axis
    if axis.name is None or axis.name not in axis_name:
        x = to_axis(x, at, 0, axis.size)
        return all_to_all_p(x, split_axis=s + 1, concat_axis=c + 1, axis_name=axis_name, axis_index_groups=axis_index_groups,
                            axis_size=axis_size, tiled=tiled), 0
    x = to_axis(x, at, 0, axis.size)  # 0: who sends
    first, last = _around(axis_name, axis.name)
    piece = shape_of(x)[s + 1] // axis_size
    x = _merge(_regroup(x, s + 1, (first, axis.size, last, piece), (1, 0, 2, 3)), s + 2, 3)
    x = transpose(x, [s + 1, 0, *[i for i in range(1, len(shape_of(x))) if i != s + 1]])  # 0: who receives, 1: who sends
    left = without(axis_name, axis.name)
    if left:
        x = all_to_all_p(x, split_axis=s + 2, concat_axis=c + 2, axis_name=left, axis_index_groups=None,
                         axis_size=first * last, tiled=True)
    rank = len(shape_of(x))
    x = transpose(x, [0, *range(2, c + 2), 1, *range(c + 2, rank)])  # who sends, just before the axis that grows
    own = shape_of(x)[c + 2] // (first * last)
    x = _regroup(x, c + 2, (first, last, own), (0, 1, 2))  # c + 1: who sends, then the others that send
    x = transpose(x, [*range(c + 1), c + 2, c + 1, *range(c + 3, len(shape_of(x)))])
    return _merge(x, c + 1, 4), 0


def _exchange_transpose(ct: Any, x: Any, *, split_axis: int, concat_axis: int, **params: Any) -> list[Any]:
    return [all_to_all_p(ct, split_axis=concat_axis, concat_axis=split_axis, **params)]


all_to_all_p: Primitive = collective(
    "all_to_all", params=("axis_index_groups", "axis_name", "axis_size", "concat_axis", "split_axis", "tiled"),
    over="axis_name", type_rule=_exchange_type, jvp=LINEAR, transpose=_exchange_transpose, batch=_exchange_batch,
    handles_extended=True, emit=emit_exchange,
    source="each sends one piece to each; transposed, the pieces go back")


def all_to_all(x: Any, axis_name: Any, split_axis: int, concat_axis: int, *, axis_index_groups: Any = None,
               tiled: bool = False) -> Any:
    """Each cuts its array into pieces and sends one to each: what was a named axis becomes an axis, and the reverse.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of size `n`, or several, which then count as one, the last one fastest.
        split_axis: the axis of `x` that is cut.
        concat_axis: where the pieces that arrive are put together: a new axis; with `tiled` one that `x` has.
        axis_index_groups: lists of places along the axis, within each of which it happens, of one size; not served over an axis
            of `vmap`.
        tiled: whether axes stay: the one that is cut has a size that `n` divides. Else it has size `n`, and goes.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: an axis of `x` does not exist, or has a size that does not fit.

    >>> jax.vmap(lambda x: lax.all_to_all(x, "i", 0, 0), axis_name="i")(jnp.array([[1, 2], [3, 4]]))
    Array([[1, 3],
           [2, 4]], dtype=int32)
    """
    names = listed(axis_name)
    size = size_of("all_to_all", names)
    groups = groups_within("all_to_all", names, axis_index_groups)
    if groups is not None:
        size = len(groups[0])

    def one(leaf: Any) -> Any:
        leaf = operand(leaf)
        rank = len(shape_of(leaf))
        s = array_axis("all_to_all", "split_axis", split_axis, rank)
        c = array_axis("all_to_all", "concat_axis", concat_axis, rank)
        _check_cut("all_to_all", leaf, s, axis_name, size, tiled)
        gone = not tiled and s != c
        if gone:  # an axis of size 1 takes the pieces, and the one that is cut, of size 1 then, goes
            c = c if c < s else c + 1
            leaf, s = expand_dims(leaf, (c,)), s + (c <= s)
        found = all_to_all_p(leaf, split_axis=s, concat_axis=c, axis_name=names, axis_index_groups=groups, axis_size=size,
                             tiled=bool(tiled))
        return squeeze(found, (s,)) if gone else found

    return tree.tree_map(one, x)


def pswapaxes(x: Any, axis_name: Any, axis: int, *, axis_index_groups: Any = None) -> Any:
    """A named axis and an axis of `x`, of the same size, exchanged. For the arguments and errors see `all_to_all`."""
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)


# -- ppermute

def _permute_batch(axis: BatchAxis, args: tuple, axes: tuple, *, axis_name: tuple, perm: tuple) -> tuple[Any, int]:
    (x,), (at,) = args, axes
    if axis.name is None or axis.name not in axis_name:
        return ppermute_p(x, axis_name=axis_name, perm=perm), at
    x = to_axis(x, at, 0, axis.size)
    source = np.zeros(axis.size, np.int32)
    arrives = np.zeros(axis.size, bool)
    for start, end in perm:
        source[end], arrives[end] = start, True
    found = index_take(x, (source,), (0,))
    if arrives.all():
        return found, 0
    return compare.select(broadcast_in_dim(arrives, shape_of(found), (0,)), found, _nothing(found)), 0


def _nothing(x: Any) -> Any:
    """Zeros of the type of `x`; keys of zeros, where it has keys."""
    aval: Any = get_aval(x)
    if not aval.extended:
        return zeros_like(x)
    from perspicax.lax.filling import full_of_elements  # for its weight: few programs need it

    return full_of_elements(aval.shape, 0, aval.dtype)


def _permute_transpose(ct: Any, x: Any, *, axis_name: tuple, perm: tuple) -> list[Any]:
    return [ppermute_p(ct, axis_name=axis_name, perm=tuple([(end, start) for start, end in perm]))]


ppermute_p: Primitive = collective(
    "ppermute", params=("axis_name", "perm"), over="axis_name", type_rule=lambda x, **_: x, jvp=LINEAR,
    transpose=_permute_transpose, batch=_permute_batch, handles_extended=True, emit=emit_permute,
    source="values moved along a named axis; transposed, they move back")


def ppermute(x: Any, axis_name: Any, perm: Any) -> Any:
    """Values moved along a named axis.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of size `n`; of a mesh also several, which then count as one, the last one fastest.
        perm: pairs `(from, to)` of indices `0 … n - 1`; none is named twice as `from`, or twice as `to`.

    Returns:
        Arrays like `x`: what was sent here, and zeros where nothing was.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: the pairs are not of this kind.
        CollectiveNotThereYet: several axes are named, not all of a mesh.

    Differs: JAX refuses under `vmap` what is not a permutation of all indices.

    >>> jax.vmap(lambda x: lax.ppermute(x, "i", [(0, 1), (1, 2)]), axis_name="i")(jnp.array([1, 2, 3]))
    Array([0, 1, 2], dtype=int32)
    """
    names = listed(axis_name)
    size = size_of("ppermute", names)
    if len(names) > 1 and not manual_axes().issuperset(names):
        raise CollectiveNotThereYet(function="ppermute", option="several axes at once")
    pairs = permutation("ppermute", perm, axis_name, size)
    return tree.tree_map(lambda leaf: ppermute_p(operand(leaf), axis_name=names, perm=pairs), x)


def permutation(function: str, perm: Any, axis_name: Any, size: int) -> tuple[tuple[int, int], ...]:
    """The pairs (from, to) that a collective was given.

    Raises:
        CollectiveError: they are no pairs of indices, or an index stands twice on one side.
    """
    try:
        pairs = tuple([(operator.index(start), operator.index(end)) for start, end in perm])
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):
            raise
        raise CollectiveError(says=f"`{function}` was given perm={perm!r}.", why="it is a list of pairs (from, to)") from None
    for which, indices in (("from", [p[0] for p in pairs]), ("to", [p[1] for p in pairs])):
        beyond = [i for i in indices if not 0 <= i < size]
        if beyond:
            raise CollectiveError(says=f"`{function}` was given the index {beyond[0]} along the axis {axis_name!r} of size "
                                       f"{size}.", why=f"indices are 0 to {size - 1}")
        twice = [i for i in indices if indices.count(i) > 1]
        if twice:
            what = "sends to one place" if which == "from" else "receives from one place"
            raise CollectiveError(says=f"`{function}` was given {twice[0]} twice as \"{which}\": perm={list(pairs)}.",
                                  why=f"each index {what} at most")
    return pairs


def pshuffle(x: Any, axis_name: Any, perm: Sequence[int]) -> Any:
    """Values taken along a named axis: index `i` gets what `perm[i]` has.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of size `n`.
        perm: the indices `0 … n - 1`, in some order.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: `perm` does not name each index once.
    """
    size = size_of("pshuffle", listed(axis_name))
    if sorted(perm) != list(range(size)):
        raise CollectiveError(says=f"`pshuffle` was given perm={list(perm)} along the axis {axis_name!r} of size {size}.",
                              why=f"it names each of 0 to {size - 1} once")
    return ppermute(x, axis_name, [(start, end) for end, start in enumerate(perm)])


# -- pbroadcast

def _broadcast_batch(axis: BatchAxis, args: tuple, axes: tuple, *, axis_name: Any, source: int) -> tuple[Any, int | None]:
    (x,), (at,) = args, axes
    if axis.name is None or axis.name != axis_name:
        return pbroadcast_p(x, axis_name=axis_name, source=source), at
    return x if at is None else index_in_dim(x, source, at, keepdims=False), None


def _broadcast_transpose(ct: Any, x: Any, *, axis_name: Any, source: int) -> list[Any]:
    total = psum(ct, axis_name)  # all copies are of the source
    here = compare.eq(axis_index(axis_name), np.int32(source))
    return [compare.select(broadcast_in_dim(here, shape_of(total), ()), total, zeros_like(total))]


pbroadcast_p: Primitive = collective(
    "pbroadcast", params=("axis_name", "source"), over="axis_name", type_rule=lambda x, **_: x, jvp=LINEAR,
    transpose=_broadcast_transpose, batch=_broadcast_batch, handles_extended=True, emit=emit_broadcast,
    source="the value at one index of a named axis; transposed, the sum, at that index alone")


def pbroadcast(x: Any, axis_name: Any, source: int) -> Any:
    """The value at one index of a named axis, for all.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of size `n`, or several, counted as one, the last of them fastest.
        source: the index, from 0 to `n - 1`.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: there is no such index.
    """
    names = listed(axis_name)
    size = size_of("pbroadcast", names)
    if not hasattr(source, "__index__") or not 0 <= operator.index(source) < size:
        along = f"the axis {names[0]!r}" if len(names) == 1 else f"the axes {', '.join(map(repr, names))}"
        raise CollectiveError(says=f"`pbroadcast` was given source={source!r} along {along} of size {size}.",
                              why=f"it is an index from 0 to {size - 1}")

    def one(leaf: Any) -> Any:
        leaf, index = operand(leaf), operator.index(source)
        for name in reversed(names):
            index, place = divmod(index, size_of("pbroadcast", (name,)))
            leaf = pbroadcast_p(leaf, axis_name=name, source=place)
        return leaf

    return tree.tree_map(one, x)


__all__ = ["all_gather", "all_gather_invariant_p", "all_gather_p", "all_to_all", "all_to_all_p", "pbroadcast",
           "pbroadcast_p", "ppermute", "ppermute_p", "pshuffle", "psum_scatter", "pswapaxes", "reduce_scatter_p"]
