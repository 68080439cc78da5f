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
from perspicax.lax import elementwise
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet, ReductionAxesVaryError
from perspicax.lax.convert import convert_element_type
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import NUMBER, constant_like, kind, kinds_text
from perspicax.lax.mesh_collectives import emit_index, reducing
from perspicax.lax.named_axes import collective, groups_within, listed, size_of, sizes_of, without
from perspicax.lax.operand import operand, shape_of
from perspicax.lax.reductions import reduce_max, reduce_min, reduce_sum
from perspicax.lax.shape import broadcasted_iota
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
        axis_index_groups: lists of places along the axis (or axes, counted as one): the sum is taken within each. They are all
            of one size, and name each place once. Not served over an axis of `vmap`, nor where types tell what varies.

    Returns:
        Arrays of the shape of `x` less the axes given by integers, the same for all along the named ones. Booleans are
        summed as integers.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: an axis is named twice, or an integer is no axis of `x`.

    >>> jax.vmap(lambda x: x / lax.psum(x, "i"), axis_name="i")(jnp.array([1., 3.]))
    Array([0.25, 0.75], dtype=float32)
    """
    return _mapped("psum", x, axis_name, axis_index_groups, psum_p, reduce_sum, _constant_sum)


def _constant_sum(x: Any, size: int) -> Any:
    """The sum of what is the same for all; of a Python number a Python number, which can be a shape or a divisor."""
    if isinstance(x, (int, float, complex)):
        return x * size
    return _times(x, size)


def _mapped(function: str, x: Any, axis_name: Any, groups: Any, primitive: Primitive, reduce: Callable[..., Any],
            constant: Callable[[Any, int], Any]) -> Any:
    positions = tuple([a for a in listed(axis_name) if isinstance(a, (int, np.integer))])
    names = tuple([a for a in listed(axis_name) if not isinstance(a, (int, np.integer))])
    size = size_of(function, names)
    groups = groups_within(function, names, groups)
    checked = checked_axes(names)
    if groups is not None:
        size = len(groups[0])
        if checked and function == "psum":
            raise CollectiveNotThereYet(function=function, option="`axis_index_groups`", place="where types tell what varies")

    def one(leaf: Any) -> Any:
        leaf = operand(leaf)
        if function == "psum" and get_aval(leaf).dtype == _BOOL:  # type: ignore[attr-defined]
            leaf = int(leaf) if type(leaf) is bool else convert_element_type(leaf, np.int32)
        if positions:
            leaf = reduce(leaf, _positions(function, positions, shape_of(leaf)))
        if not names:
            return leaf
        if not isinstance(leaf, Tracer):
            return constant(leaf, size)
        if checked:
            return _over_checked(function, leaf, names, checked, primitive, groups)
        return primitive(leaf, axes=names, axis_index_groups=groups)

    return tree.tree_map(one, x)


def _over_checked(function: str, x: Any, names: tuple, checked: frozenset, primitive: Primitive, groups: Any) -> Any:
    """A reduction over axes, some of them of a mesh along which types tell what varies."""
    aval = get_aval(x)
    along = aval.vma & checked  # type: ignore[attr-defined]
    if function != "psum":
        return primitive(x, axes=names, axis_index_groups=groups)
    if along and along != checked:
        raise ReductionAxesVaryError(function=function, type_text=aval.str_short(), varying=tuple(sorted(along, key=str)),  # type: ignore
                                     invariant=tuple(sorted(checked - along, key=str)))
    others = tuple([n for n in names if n not in checked])
    if others:
        x = primitive(x, axes=others, axis_index_groups=None)
    return psum_invariant_p(x, axes=tuple([n for n in names if n in checked]))


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
    whole = size_of("pmean", names)  # before the sum: a name that is not known is told of this function
    groups = groups_within("pmean", names, axis_index_groups)
    size = whole if groups is None else len(groups[0])
    total = psum(x, axis_name, axis_index_groups=axis_index_groups)
    positions = [int(a) for a in listed(axis_name) if isinstance(a, (int, np.integer))]

    def one(summed: Any, leaf: Any) -> Any:
        n = size * math.prod([shape_of(leaf)[a] for a in positions])
        if isinstance(summed, (int, float, complex)):
            return summed / n
        if not dtypes.issubdtype(summed.dtype, np.inexact):
            summed = convert_element_type(summed, dtypes.default_dtype("float"))
        return elementwise.div(summed, constant_like(summed, n))

    return tree.tree_map(one, total, x)


# -- extremes

def _extreme_varies(avals: tuple, *, axes: tuple, axis_index_groups: Any) -> frozenset:
    return avals[0].vma if axis_index_groups is not None else avals[0].vma.difference(axes)


def _extreme(name: str, reduce: Callable[..., Any]) -> Primitive:
    primitive: Primitive = collective(
        name, params=("axes", "axis_index_groups"), over="axes", type_rule=lambda x, **_: x,
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
    """A value of a type that may differ along axes of a mesh, inside of `shard_map`; the value is the same.

    It is what happens by itself where the value meets one that varies along these axes. Its cotangent is summed over them.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of the mesh, or several.
        to: `"varying"`.

    Raises:
        CollectiveError: `to` is something else; `x` varies along one of the axes; or there is no such axis of a mesh here: axes
            of `vmap` have nothing of the kind.
        CollectiveNotThereYet: `to` is `"reduced"` or `"unreduced"`.
        UnboundAxisError: there is no axis of such a name.
    """
    if to not in ("varying", "reduced", "unreduced"):
        raise CollectiveError(says=f"`pcast` was given to={to!r}.", why='it is "varying", "reduced" or "unreduced"')
    names = listed(axis_name)
    if names and manual_axes().issuperset(names):
        if to != "varying":
            raise CollectiveNotThereYet(function="pcast", option=f"to={to!r}", place="along an axis of a mesh")
        return tree.tree_map(lambda leaf: _to_varying(operand(leaf), names), x)
    for name in names:
        raise CollectiveError(says=f"`pcast` was given the axis {name!r}, which is no axis of a mesh of devices here.",
                              why="whether a value varies is part of its type inside of `shard_map` alone; along an axis of "
                                  "`vmap` every value may vary")
    return x


def _to_varying(x: Any, names: tuple) -> Any:
    checked = checked_axes(names)
    already = get_aval(x).vma & checked  # type: ignore[attr-defined]
    if already:
        names_text = ", ".join(map(repr, sorted(already, key=str)))
        raise CollectiveError(says=f"`pcast` was asked to let a value vary along {names_text}, along which it varies already.",
                              why=f"its type is {get_aval(x).str_short()}")  # type: ignore[attr-defined]
    return pvary_p(x, axes=tuple([n for n in names if n in checked])) if checked else x


__all__ = ["axis_index", "axis_index_p", "axis_size", "pcast", "pmax", "pmax_p", "pmean", "pmin",
           "pmin_p", "psum", "psum_invariant_p", "psum_over", "psum_p", "pvary_p", "vary_over"]
