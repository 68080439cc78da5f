"""Sums and extremes over a named axis, and places along it.

`vmap(f, axis_name="i")` runs `f` for all slices at once; within `f`, `psum(x, "i")` is the sum of `x` over all of them. The
batching rule of each collective is therefore what it does: a reduction over the batch axis, whose result is the same for
all.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.primitive import NotDifferentiable, NotLinear, Primitive
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.report import Fix
from perspicax.lax import elementwise
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet, PartialSumError, ReductionAxesVaryError
from perspicax.lax.convert import convert_element_type
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import ANY, NUMBER, constant_like, kind, kinds_text
from perspicax.lax.marks import marked_along, marks_of
from perspicax.lax.mesh_collectives import emit_index, reducing
from perspicax.lax.named_axes import collective, groups_within, listed, refuse_vmap, size_of, sizes_of, without
from perspicax.lax.operand import operand, shape_of
from perspicax.lax.reductions import reduce_max, reduce_min, reduce_sum
from perspicax.lax.shape import broadcast_in_dim, broadcasted_iota, reshape
from perspicax.lax.taking import index_take
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis
from perspicax.transform.jvp import FLAT, LINEAR
from perspicax.transform.mesh_scope import checked_axes, manual_axes

_BOOL = np.dtype(bool)


# -- psum

def _psum_type(x: ShapedArray, *, axes: tuple, axis_index_groups: Any = None) -> ShapedArray:
    if kind(x.dtype) not in NUMBER:
        raise OperandDtypeError(operation="psum", type_text=x.str_short(), accepts=kinds_text(NUMBER), index=0)
    return x


def _reduced(primitive: Callable[..., Any], reduce: Callable[..., Any], repeat: Callable[[Any, int], Any]) -> Any:
    """The batching rule of a reduction: `repeat(x, size)` is that of `size` equal values."""
    def batch(axis: BatchAxis, args: tuple, axes: tuple, /, **params: Any) -> tuple[Any, int | None]:
        (x,), (at,) = args, axes
        names = params["axes"]
        if axis.name is None or axis.name not in names:
            return primitive(x, **params), at
        found = repeat(x, axis.size) if at is None else reduce(x, (at,))
        left = without(names, axis.name)
        return primitive(found, **{**params, "axes": left}) if left else found, None

    return batch


def _times(x: Any, size: int) -> Any:
    return elementwise.mul(x, constant_like(x, size))


psum_p: Primitive = collective(
    "psum", params=("axes", "axis_index_groups"), over="axes", type_rule=_psum_type, jvp=LINEAR,
    transpose=lambda ct, x, **params: [psum_p(ct, **params)], varying=lambda avals, **_: avals[0].vma,
    batch=_reduced(lambda x, **params: psum_p(x, **params), reduce_sum, _times), emit=reducing("psum", "add"),
    source="the sum over a named axis, and its own transposition")


def _passed_by(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    """The batching rule of what works along axes of a mesh alone: the batch axis stays where it is."""
    def batch(axis: BatchAxis, args: tuple, axes: tuple, /, **params: Any) -> tuple[Any, int | None]:
        return primitive()(*args, **params), axes[0]

    return batch


# Over axes of a mesh along which types tell what varies, a sum is the same for all and says so. Its transposition, the same
# cotangent for all, is `pvary`, and the reverse.
psum_invariant_p: Primitive = collective(
    "psum_invariant", params=("axes",), over="axes", function="psum", type_rule=_psum_type, jvp=LINEAR,
    transpose=lambda ct, x, *, axes: [pvary_p(ct, axes=axes)], varying=lambda avals, *, axes: avals[0].vma.difference(axes),
    batch=_passed_by(lambda: psum_invariant_p), emit=reducing("psum", "add"),
    source="the sum over axes of a mesh, of a type that is the same along them")

pvary_p: Primitive = collective(
    "pvary", params=("axes",), over="axes", function="pcast", type_rule=lambda x, **_: x, jvp=LINEAR, handles_extended=True,
    transpose=lambda ct, x, *, axes: [psum_invariant_p(ct, axes=axes)], varying=lambda avals, *, axes: avals[0].vma.union(axes),
    batch=_passed_by(lambda: pvary_p), emit=lambda b, x, **_: x,
    source="the same value, of a type that may differ along axes of a mesh")


def psum_over(x: Any, axes: frozenset) -> Any:
    """The sum over axes of a mesh, the same along them."""
    return psum_invariant_p(x, axes=tuple(sorted(axes, key=str)))


def vary_over(x: Any, axes: frozenset) -> Any:
    """The same value, of a type that may differ along axes of a mesh."""
    return pvary_p(x, axes=tuple(sorted(axes, key=str)))


def psum(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The sum over a named axis.

    Args:
        x: array, or pytree of arrays. Of a number, which is the same for all, the result is a number: `psum(1, "i")` is the
            size of the axis.
        axis_name: the name of an axis, or several; an integer among them stands for an axis of `x`.
        axis_index_groups: lists of places along the axis (or axes, counted as one): the sum is taken within each. They name
            each place once. Not served over an axis of `vmap`.

    Returns:
        Arrays of the shape of `x` less the axes given by integers, the same for all along the named ones. Booleans are
        summed as integers.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: an axis is named twice, or an integer is no axis of `x`.

    Differs: where groups are of several sizes, a number is counted as often as the own group has places, and the result is an
    array; JAX takes the size of the first group for all. Where types tell what varies, JAX serves no groups.

    >>> jax.vmap(lambda x: x / lax.psum(x, "i"), axis_name="i")(jnp.array([1., 3.]))
    Array([0.25, 0.75], dtype=float32)
    """
    return _mapped("psum", x, axis_name, axis_index_groups, psum_p, reduce_sum, _constant_sum)


def _constant_sum(x: Any, size: Any) -> Any:
    """The sum of what is the same for all; of a Python number a Python number, which can be a shape or a divisor, unless groups
    have several sizes."""
    if not isinstance(size, int):
        aval: Any = get_aval(x)
        return elementwise.mul(broadcast_in_dim(convert_element_type(size, aval.dtype), aval.shape, ()), x)
    if isinstance(x, (int, float, complex)):
        return x * size
    return _times(x, size)


def _mapped(function: str, x: Any, axis_name: Any, groups: Any, primitive: Primitive, reduce: Callable[..., Any],
            constant: Callable[[Any, Any], Any]) -> Any:
    positions = tuple([a for a in listed(axis_name) if isinstance(a, (int, np.integer))])
    names = tuple([a for a in listed(axis_name) if not isinstance(a, (int, np.integer))])
    size: Any = size_of(function, names)
    groups = groups_within(function, names, groups, uneven=True, over_vmap=True)
    checked = checked_axes(names)

    def one(leaf: Any) -> Any:
        leaf = operand(leaf)
        if function == "psum" and get_aval(leaf).dtype == _BOOL:  # type: ignore[attr-defined]
            leaf = int(leaf) if type(leaf) is bool else convert_element_type(leaf, np.int32)
        if positions:
            leaf = reduce(leaf, _positions(function, positions, shape_of(leaf)))
        if not names:
            return leaf
        if not isinstance(leaf, Tracer):
            return constant(leaf, size if groups is None else _own_size(names, groups))
        if groups is not None:
            refuse_vmap(function, names)
        if checked:
            return _over_checked(function, leaf, names, checked, primitive, groups)
        return primitive(leaf, axes=names, axis_index_groups=groups)

    return tree.tree_map(one, x)


def _own_size(names: tuple, groups: Any) -> Any:
    """How many places the own group has: a number, where all have as many, else an array."""
    if len({len(group) for group in groups}) == 1:
        return len(groups[0])
    table = np.zeros(sum(map(len, groups)), np.int32)
    for group in groups:
        table[list(group)] = len(group)
    return reshape(index_take(table, (reshape(axis_index(names), (1,)),), (0,)), ())


def _over_checked(function: str, x: Any, names: tuple, checked: frozenset, primitive: Primitive, groups: Any) -> Any:
    """A reduction over axes, some of them of a mesh along which types tell what varies."""
    aval = get_aval(x)
    along = aval.vma & checked  # type: ignore[attr-defined]
    if marked_along(aval, checked):
        if groups is not None:
            raise CollectiveNotThereYet(function=function, option="`axis_index_groups`", place="of parts of a sum")
        return _over_parts(function, x, names, checked)
    if groups is not None and function == "psum":  # the sums of groups vary
        alike = checked - along
        return psum_p(vary_over(x, alike) if alike else x, axes=names, axis_index_groups=groups)
    if function != "psum":
        return primitive(x, axes=names, axis_index_groups=groups)
    if along and along != checked:
        raise ReductionAxesVaryError(function=function, type_text=aval.str_short(), varying=tuple(sorted(along, key=str)),  # type: ignore
                                     invariant=tuple(sorted(checked - along, key=str)))
    others = tuple([n for n in names if n not in checked])
    if others:
        x = primitive(x, axes=others, axis_index_groups=None)
    return psum_invariant_p(x, axes=tuple([n for n in names if n in checked]))


def _over_parts(function: str, x: Any, names: tuple, checked: frozenset) -> Any:
    """A reduction of what is a part of a sum that has not been made yet, or has such a cotangent."""
    from perspicax.lax.partial_sums import unreduced_psum_p  # for its weight: few programs need it

    aval: Any = get_aval(x)
    unreduced, reduced = marks_of(aval)
    axes = tuple([n for n in names if n in checked])
    if unreduced.issuperset(axes) and function == "psum":
        return unreduced_psum_p(x, axes=names) if len(axes) == len(names) else psum_p(
            unreduced_psum_p(x, axes=axes), axes=tuple([n for n in names if n not in checked]), axis_index_groups=None)
    kind = "reduced" if reduced.issuperset(axes) else "unreduced" if unreduced.issuperset(axes) else "mixed"
    raise PartialSumError(function=function, type_text=aval.str_short(), axes=axes, kind=kind)


def _positions(function: str, positions: tuple, shape: tuple) -> tuple:
    for a in positions:
        if not 0 <= a < len(shape):
            raise CollectiveError(says=f"`{function}` was given the axis {a} of an array of shape {shape}.",
                                  why="an integer stands for an axis of the array itself, counted from 0")
    if len(set(positions)) != len(positions):
        raise CollectiveError(says=f"`{function}` was given the axes {positions}.", why="each axis may be named once")
    return tuple([int(a) for a in positions])


def pmean(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The mean over a named axis; integers become floating. For the arguments see `psum`.

    >>> jax.vmap(lambda x: x - lax.pmean(x, "i"), axis_name="i")(jnp.array([1., 3.]))
    Array([-1.,  1.], dtype=float32)
    """
    names = tuple([a for a in listed(axis_name) if not isinstance(a, (int, np.integer))])
    size: Any = size_of("pmean", names)  # before the sum: a name that is not known is told of this function
    groups = groups_within("pmean", names, axis_index_groups, uneven=True, over_vmap=True)
    if groups is not None:
        size = _own_size(names, groups)
    total = psum(x, axis_name, axis_index_groups=axis_index_groups)
    positions = [int(a) for a in listed(axis_name) if isinstance(a, (int, np.integer))]

    def one(summed: Any, leaf: Any) -> Any:
        count = math.prod([shape_of(leaf)[a] for a in positions])
        n = size * count if isinstance(size, int) else elementwise.mul(size, np.int32(count))
        if isinstance(summed, (int, float, complex)):
            return summed / n
        if not dtypes.issubdtype(summed.dtype, np.inexact):
            summed = convert_element_type(summed, dtypes.default_dtype("float"))
        if isinstance(n, int):
            return elementwise.div(summed, constant_like(summed, n))
        return elementwise.div(summed, broadcast_in_dim(convert_element_type(n, summed.dtype), summed.shape, ()))

    return tree.tree_map(one, total, x)


# -- extremes

def _extreme_varies(avals: tuple, *, axes: tuple, axis_index_groups: Any) -> frozenset:
    return avals[0].vma if axis_index_groups is not None else avals[0].vma.difference(axes)


def _extreme(name: str, reduce: Callable[..., Any]) -> Primitive:
    def extreme_type(x: ShapedArray, **_: Any) -> ShapedArray:
        if kind(x.dtype) not in ANY:
            raise OperandDtypeError(operation=name, type_text=x.str_short(), accepts=kinds_text(ANY), index=0)
        return x

    primitive: Primitive = collective(
        name, params=("axes", "axis_index_groups"), over="axes", type_rule=extreme_type,
        emit=reducing(name, "maximum" if name == "pmax" else "minimum"), varying=_extreme_varies,
        jvp=NotDifferentiable("which of several equal values is the extreme is not decided; take the derivative of "
                              "`lax.all_gather` and the extreme of its result instead"),
        transpose=NotLinear(f"`{name}` is not linear"),
        batch=_reduced(lambda x, **params: primitive(x, **params), reduce, lambda x, size: x),
        source="the extreme over a named axis")
    return primitive


pmax_p, pmin_p = _extreme("pmax", reduce_max), _extreme("pmin", reduce_min)


def pmax(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The largest value over a named axis. It has no derivative. For the arguments see `psum`."""
    return _mapped("pmax", x, axis_name, axis_index_groups, pmax_p, reduce_max, lambda leaf, size: leaf)


def pmin(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The smallest value over a named axis. It has no derivative. For the arguments see `psum`."""
    return _mapped("pmin", x, axis_name, axis_index_groups, pmin_p, reduce_min, lambda leaf, size: leaf)


# -- places along an axis

axis_index_p: Primitive = collective(
    "axis_index", params=("axis_name",), over="axis_name", type_rule=lambda *, axis_name: ShapedArray((), np.dtype(np.int32)),
    jvp=FLAT, transpose=NotLinear("it has no operands"), emit=emit_index,
    batch=lambda axis, args, axes, *, axis_name: (broadcasted_iota(np.int32, (axis.size,), 0), 0),
    source="the index along a named axis")


def axis_index(axis_name: Any) -> Any:
    """The index along a named axis.

    Args:
        axis_name: the name of an axis; or several, along which one counts as in an array, the last one fastest.

    Returns:
        Array of type `int32[]`.

    Raises:
        UnboundAxisError: there is no axis of such a name.

    >>> jax.vmap(lambda x: lax.axis_index("i"), axis_name="i")(jnp.zeros(3))
    Array([0, 1, 2], dtype=int32)
    """
    names = listed(axis_name)
    sizes = sizes_of("axis_index", names)
    if not isinstance(axis_name, (tuple, list)):
        return axis_index_p(axis_name=axis_name)
    found: Any = np.int32(0)
    step = 1
    for name, size in zip(reversed(names), reversed(sizes)):
        index = axis_index_p(axis_name=name)
        found = elementwise.add(found, index if step == 1 else elementwise.mul(index, np.int32(step)))
        step *= size
    return found


def axis_size(axis_name: Any) -> int:
    """The size of a named axis, or the product of the sizes of several: a plain integer.

    Raises:
        UnboundAxisError: there is no axis of such a name.
    """
    return size_of("axis_size", listed(axis_name))


def pcast(x: Any, axis_name: Any, *, to: str) -> Any:
    """The same value, of another kind along axes of a mesh, inside of `shard_map`.

    Along such an axis a value varies, is the same for all, is a part of a sum that has not been made yet ("unreduced": `psum`
    and `psum_scatter` make it), or is the same for all and has such a cotangent ("reduced"). That a value may vary happens by
    itself where it meets one that varies.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of the mesh, or several, along which `x` is of one kind.
        to: of what is the same for all, `"varying"` or `"reduced"`; of what is reduced, `"varying"`; of what varies,
            `"unreduced"`.

    Returns:
        The value as it is. What is the same for all has as cotangent the sum over these axes; it is made where the value is
        used, or, of what is reduced, where it came from.

    Raises:
        PartialSumError: `x` is not of a kind that can be cast so.
        CollectiveError: `to` is something else; or there is no such axis of a mesh here: axes of `vmap` have nothing of the
            kind.
    """
    if to not in ("varying", "reduced", "unreduced"):
        raise CollectiveError(says=f"`pcast` was given to={to!r}.", why='it is "varying", "reduced" or "unreduced"')
    names = listed(axis_name)
    if not names or manual_axes().issuperset(names):
        return tree.tree_map(lambda leaf: _cast(operand(leaf), names, to), x)
    beyond = next(n for n in names if n not in manual_axes())
    raise CollectiveError(says=f"`pcast` was given the axis {beyond!r}, which is no axis of a mesh of devices here.",
                          why="whether a value varies is part of its type inside of `shard_map` alone; along an axis of "
                              "`vmap` every value may vary")


def kind_along(aval: Any, axes: frozenset) -> str:
    """Of which kind a type is along axes of a mesh; "mixed", where it is not of one."""
    unreduced, reduced = marks_of(aval)
    kinds = [kind for kind, along in (("varying", aval.vma), ("unreduced", unreduced), ("reduced", reduced),
                                      ("invarying", axes - aval.vma - unreduced - reduced)) if along & axes]
    return kinds[0] if len(kinds) == 1 else "mixed"


def _cast(x: Any, names: tuple, to: str) -> Any:
    checked = checked_axes(names)
    if not checked:
        if to == "unreduced" and names:
            raise CollectiveError(says="`pcast` was asked for a part of a sum where types do not tell of such parts.",
                                  why="`shard_map` was given check_vma=False",
                                  fixes=(Fix("make the sum", code=f"lax.psum(x, {names if len(names) > 1 else names[0]!r})"),))
        return x
    aval: Any = get_aval(x)
    kind = kind_along(aval, checked)
    axes = tuple([n for n in names if n in checked])
    if (kind, to) == ("invarying", "varying"):
        return pvary_p(x, axes=axes)
    from perspicax.lax import partial_sums as sums  # for its weight: few programs need it

    primitive = {("invarying", "reduced"): sums.preduced_p, ("reduced", "varying"): sums.reduced_vary_cast_p,
                 ("varying", "unreduced"): sums.vary_unreduced_cast_p}.get((kind, to))
    if primitive is None:
        raise PartialSumError(function="pcast", type_text=aval.str_short(), axes=axes, source=kind, to=to,
                              kind="mixed" if kind == "mixed" else "cast")
    return primitive(x, axes=axes)


__all__ = ["axis_index", "axis_index_p", "axis_size", "kind_along", "pcast", "pmax", "pmax_p", "pmean", "pmin",
           "pmin_p", "psum", "psum_invariant_p", "psum_over", "psum_p", "pvary_p", "vary_over"]
