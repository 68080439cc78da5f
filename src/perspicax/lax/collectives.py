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
from perspicax.lax.collective_errors import CollectiveError
from perspicax.lax.convert import convert_element_type
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import NUMBER, constant_like, kind, kinds_text
from perspicax.lax.named_axes import collective, listed, refuse_groups, size_of, sizes_of, without
from perspicax.lax.operand import operand, shape_of
from perspicax.lax.reductions import reduce_max, reduce_min, reduce_sum
from perspicax.lax.shape import broadcasted_iota
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis
from perspicax.transform.jvp import FLAT, LINEAR

_BOOL = np.dtype(bool)


# -- psum

def _psum_type(x: ShapedArray, *, axes: tuple, axis_index_groups: None) -> ShapedArray:
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
        return primitive(found, axes=left, axis_index_groups=None) if left else found, None

    return batch


def _times(x: Any, size: int) -> Any:
    return elementwise.mul(x, constant_like(x, size))


psum_p: Primitive = collective(
    "psum", params=("axes", "axis_index_groups"), over="axes", type_rule=_psum_type, jvp=LINEAR,
    transpose=lambda ct, x, **params: [psum_p(ct, **params)],
    batch=_reduced(lambda x, **params: psum_p(x, **params), reduce_sum, _times),
    source="the sum over a named axis, and its own transposition")


def psum(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """The sum over a named axis.

    Args:
        x: array, or pytree of arrays. Of a number, which is the same for all, the result is a number: `psum(1, "i")` is the
            size of the axis.
        axis_name: the name of an axis, or several; an integer among them stands for an axis of `x`.
        axis_index_groups: is not served over an axis of `vmap`.

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
    refuse_groups(function, groups)
    positions = tuple([a for a in listed(axis_name) if isinstance(a, (int, np.integer))])
    names = tuple([a for a in listed(axis_name) if not isinstance(a, (int, np.integer))])
    size = size_of(function, names)

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
        return primitive(leaf, axes=names, axis_index_groups=None)

    return tree.tree_map(one, x)


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
    total = psum(x, axis_name, axis_index_groups=axis_index_groups)
    names = tuple([a for a in listed(axis_name) if not isinstance(a, (int, np.integer))])
    size = size_of("pmean", names)
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

def _extreme(name: str, reduce: Callable[..., Any]) -> Primitive:
    primitive: Primitive = collective(
        name, params=("axes", "axis_index_groups"), over="axes", type_rule=lambda x, **_: x,
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
    jvp=FLAT, transpose=NotLinear("it has no operands"),
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
    """Changes whether a value may differ along the axis of a mesh of devices.

    Args:
        x: array, or pytree of arrays.
        axis_name: the name of an axis of the mesh, or several.
        to: `"varying"`, `"reduced"` or `"unreduced"`.

    Raises:
        CollectiveError: `to` is none of these; or there is no mesh here. Axes of `vmap` have nothing of the kind.
    """
    if to not in ("varying", "reduced", "unreduced"):
        raise CollectiveError(says=f"`pcast` was given to={to!r}.", why='it is "varying", "reduced" or "unreduced"')
    for name in listed(axis_name):
        raise CollectiveError(says=f"`pcast` was given the axis {name!r}, which is no axis of a mesh of devices here.",
                              why="whether a value varies is part of its type inside of `shard_map` alone; along an axis of "
                                  "`vmap` every value may vary")
    return x


__all__ = ["axis_index", "axis_index_p", "axis_size", "pcast", "pmax", "pmax_p", "pmean", "pmin",
           "pmin_p", "psum", "psum_p"]
