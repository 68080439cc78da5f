"""Products of vectors and matrices: dot, matmul, and their like."""
from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import local, state_key
from perspicax.core.promotion import lattice_result
from perspicax.diagnose.boundary import public, trim
from perspicax.lax import shape as lax_shape
from perspicax.lax.contraction import dot_general, dot_general_p
from perspicax.lax.convert import conj, convert
from perspicax.lax.precision import canonical_precision
from perspicax.lax.result_sharding import out_placed
from perspicax.lax.shape import squeeze_p, transpose_p
from perspicax.lax.slicing import index_in_dim
from perspicax.numpy.axes import many_axes, one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, MatmulShapeError, UfuncDtypeError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.joining import stack
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.operators import multiply, subtract
from perspicax.numpy.promote import array_like, promote_dtypes
from perspicax.numpy.shapes import expand_dims, moveaxis, ravel, reshaped

MAX_PLANS = 8192

Axes = tuple[int, ...]


def result_dtype(avals: Sequence[Any], preferred: Any, function: str) -> tuple[Any, bool]:
    """The dtype of a product, and whether it is weak."""
    dtype, weak = lattice_result([a.dtype for a in avals], [a.weak_type for a in avals])
    if preferred is None:
        return dtype, weak
    return dtypes.requested_dtype(preferred, function), False


def product(x: Any, y: Any, contracting: tuple[Axes, Axes], batch: tuple[Axes, Axes], precision: Any, dtype: Any,
            weak: bool) -> Any:
    """`dot_general` of arrays, with the dtype that promotion gives."""
    found = local.trace.process(dot_general_p, (x, y), ((contracting, batch), canonical_precision(precision), dtype, None))
    return convert(found, dtype, weak)


# -- matmul

_plans: dict[tuple, tuple] = {}


def matmul(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None, out_sharding: Any = None) -> Array:
    """The product of matrices; of vectors, and of stacks of matrices, whose leading axes broadcast.

    Args:
        a: array `[..., m, k]`, or a vector `[k]`.
        b: array `[..., k, n]`, or a vector `[k]`.
        precision: of the computation; see `jax.lax.Precision`.
        preferred_element_type: dtype in which sums are kept, and of the result.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Returns:
        Array `[..., m, n]`, without the axis that a vector does not have.

    Raises:
        MatmulShapeError: an operand is a scalar, the inner sizes differ, or the leading axes do not broadcast.
    """
    try:
        if out_sharding is not None:
            return _placed_matmul(a, b, precision, preferred_element_type, out_sharding)
        if isinstance(a, Array) and isinstance(b, Array) and precision is None and preferred_element_type is None:
            key = (state_key(), a.aval, b.aval)
            plan = _plans.get(key)
            if plan is None:
                plan = _matmul_plan(a.aval, b.aval)
                if plan[4] is not None:
                    return _matmul(a, b, precision, preferred_element_type)
                if len(_plans) >= MAX_PLANS:
                    _plans.clear()
                _plans[key] = plan
            left, right, values, order, _ = plan
            trace = local.trace
            if left is not None:
                a = trace.process(squeeze_p, (a,), (left,))
            if right is not None:
                b = trace.process(squeeze_p, (b,), (right,))
            found = trace.process(dot_general_p, (a, b), values)
            return found if order is None else trace.process(transpose_p, (found,), (order,))
        return _matmul(asarray(array_like(a, "matmul", 0)), asarray(array_like(b, "matmul", 1)), precision,
                       preferred_element_type)
    except Exception as error:
        trim(error)
        raise


def _placed_matmul(a: Any, b: Any, precision: Any, preferred_element_type: Any, out_sharding: Any) -> Any:
    """The product of matrices as one operation that is told how its result lies; of other arrays in two steps."""
    x, y = asarray(array_like(a, "matmul", 0)), asarray(array_like(b, "matmul", 1))
    if x.ndim == y.ndim == 2 and x.shape[1] == y.shape[0] and x.dtype == y.dtype:
        return dot_general(x, y, (((1,), (0,)), ((), ())), precision, preferred_element_type, out_sharding=out_sharding)
    return out_placed("matmul", out_sharding, lambda p, q: matmul(
        p, q, precision=precision, preferred_element_type=preferred_element_type), x, y)


def _matmul_plan(a: Any, b: Any) -> tuple:
    """(axes of `a` to squeeze, of `b`, parameters of the product, order of the result's axes, weak dtype or None)."""
    left, right, contracting, batch, order = _matmul_axes(a, b)
    dtype, weak = result_dtype((a, b), None, "matmul")
    return left, right, ((contracting, batch), canonical_precision(None), dtype, None), order, dtype if weak else None


def _matmul_axes(a: Any, b: Any) -> tuple:
    if not a.shape or not b.shape:
        raise MatmulShapeError(operation="matmul", avals=(a, b))
    inner = (a.ndim - 1, max(b.ndim - 2, 0))
    if a.shape[inner[0]] != b.shape[inner[1]]:
        raise MatmulShapeError(operation="matmul", avals=(a, b), axes=inner)
    leading = max(a.ndim - 2, b.ndim - 2, 0)
    names = list(range(leading))
    drop: tuple[list[int], list[int]] = ([], [])
    kept: tuple[list[int], list[int]] = ([], [])  # for each operand the names of the leading axes that stay
    for name in names:
        places = [i if i >= 0 else None for i in (name - leading + max(x.ndim - 2, 0) for x in (a, b))]
        sizes = [1 if i is None else x.shape[i] for i, x in zip(places, (a, b))]
        if sizes[0] != sizes[1] and 1 not in sizes:
            raise MatmulShapeError(operation="matmul", avals=(a, b), axes=(places[0], places[1]), batch=True)
        for k in (0, 1):
            if places[k] is None:
                continue
            if sizes[k] == 1 and (sizes[1 - k] != 1 or (k == 1 and places[0] is not None)):
                drop[k].append(places[k])  # type: ignore[arg-type]
            else:
                kept[k].append(name)
    both = [n for n in kept[0] if n in kept[1]]
    batch = (tuple([kept[0].index(n) for n in both]), tuple([kept[1].index(n) for n in both]))
    contracting = ((len(kept[0]) + (a.ndim > 1),), (len(kept[1]),))
    found: list[Any] = both + [n for n in kept[0] if n not in both] + (["m"] if a.ndim > 1 else []) \
        + [n for n in kept[1] if n not in both] + (["n"] if b.ndim > 1 else [])
    wanted = [n for n in names if n in found] + (["m"] if a.ndim > 1 else []) + (["n"] if b.ndim > 1 else [])
    order = None if found == wanted else tuple([found.index(n) for n in wanted])
    return tuple(drop[0]) or None, tuple(drop[1]) or None, contracting, batch, order


def _matmul(a: Any, b: Any, precision: Any, preferred: Any) -> Any:
    left, right, contracting, batch, order = _matmul_axes(a.aval, b.aval)
    dtype, weak = result_dtype((a.aval, b.aval), preferred, "matmul")
    a, b = a if left is None else lax_shape.squeeze(a, left), b if right is None else lax_shape.squeeze(b, right)
    found = product(a, b, contracting, batch, precision, dtype, weak)
    return found if order is None else lax_shape.transpose(found, order)


# -- dot and its like

def _two(function: str, a: Any, b: Any) -> tuple[Any, Any]:
    return asarray(array_like(a, function, 0)), asarray(array_like(b, function, 1))


@public
def dot(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None, out_sharding: Any = None) -> Array:
    """The sum of products over the last axis of the first and the last but one of the second; scalars multiply.

    Args:
        a: array.
        b: array; of a vector the only axis is meant.
        precision: of the computation; see `jax.lax.Precision`.
        preferred_element_type: dtype in which sums are kept, and of the result.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Raises:
        MatmulShapeError: the sizes differ.
    """
    x, y = _two("dot", a, b)
    if out_sharding is not None:
        if x.ndim == y.ndim == 2:
            return _placed_matmul(x, y, precision, preferred_element_type, out_sharding)
        return out_placed("dot", out_sharding, lambda p, q: dot(
            p, q, precision=precision, preferred_element_type=preferred_element_type), x, y)
    dtype, weak = result_dtype((x.aval, y.aval), preferred_element_type, "dot")
    if x.ndim == 0 or y.ndim == 0:
        return product(x, y, ((), ()), ((), ()), precision, dtype, weak)
    inner = (x.ndim - 1, max(y.ndim - 2, 0))
    _check_inner("dot", x, y, inner)
    return product(x, y, ((inner[0],), (inner[1],)), ((), ()), precision, dtype, weak)


def _check_inner(function: str, x: Any, y: Any, axes: tuple[int, int]) -> None:
    if x.shape[axes[0]] != y.shape[axes[1]]:
        raise MatmulShapeError(operation=function, avals=(x.aval, y.aval), axes=axes)


@public
def vdot(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The sum of the products of all elements, the first ones conjugated.

    Args:
        a: array.
        b: array with as many elements.
        precision: of the computation; see `jax.lax.Precision`.
        preferred_element_type: dtype in which sums are kept, and of the result.
    """
    x, y = _two("vdot", a, b)
    if kind(x) == "complex":
        x = conj(x)
    return dot(ravel(x), ravel(y), precision=precision, preferred_element_type=preferred_element_type)


@public
def inner(a: Any, b: Any, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The sum of products over the last axes of both; scalars multiply.

    Args:
        a: array.
        b: array.
        precision: of the computation; see `jax.lax.Precision`.
        preferred_element_type: dtype in which sums are kept, and of the result.
    """
    x, y = _two("inner", a, b)
    dtype, weak = result_dtype((x.aval, y.aval), preferred_element_type, "inner")
    if x.ndim == 0 or y.ndim == 0:
        return product(x, y, ((), ()), ((), ()), precision, dtype, weak)
    _check_inner("inner", x, y, (x.ndim - 1, y.ndim - 1))
    return product(x, y, ((x.ndim - 1,), (y.ndim - 1,)), ((), ()), precision, dtype, weak)


@public
def outer(a: Any, b: Any, out: None = None) -> Array:
    """All products of an element of the first and one of the second.

    Args:
        a: array of `m` elements.
        b: array of `n` elements.
        out: is not supported.

    Returns:
        Array `[m, n]`.
    """
    refuse("outer", out=out)
    x, y = _two("outer", a, b)
    return multiply(expand_dims(ravel(x), 1), expand_dims(ravel(y), 0))


@public
def tensordot(a: Any, b: Any, axes: Any = 2, *, precision: Any = None, preferred_element_type: Any = None,
              out_sharding: Any = None) -> Array:
    """The sum of products over several axes.

    Args:
        a: array.
        b: array.
        axes: how many of the last axes of `a` and the first of `b`; or for each array the axes.
        precision: of the computation; see `jax.lax.Precision`.
        preferred_element_type: dtype in which sums are kept, and of the result.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.
    """
    x, y = _two("tensordot", a, b)
    if out_sharding is not None:
        return out_placed("tensordot", out_sharding, lambda p, q: tensordot(
            p, q, axes, precision=precision, preferred_element_type=preferred_element_type), x, y)
    contracting = _tensordot_axes(x.aval, y.aval, axes)
    for i, j in zip(*contracting):
        _check_inner("tensordot", x, y, (i, j))
    dtype, weak = result_dtype((x.aval, y.aval), preferred_element_type, "tensordot")
    return product(x, y, contracting, ((), ()), precision, dtype, weak)


def _tensordot_axes(a: Any, b: Any, axes: Any) -> tuple[Axes, Axes]:
    if isinstance(axes, (tuple, list)) and len(axes) == 2:
        left, right = [many_axes(v, x.ndim, "tensordot") for v, x in zip(axes, (a, b))]
        if len(left) != len(right):
            raise TensordotAxesError(says=f"`tensordot` was given {len(left)} axes of one array and {len(right)} of the "
                                          "other.", why="the axes are summed in pairs")
        return left, right
    try:
        count = operator.index(axes)
    except TypeError:
        raise TensordotAxesError(says=f"`tensordot` was given axes={axes!r}.",
                                 why="it is a number of axes, or a pair of sequences of axes") from None
    if count > min(a.ndim, b.ndim) or count < 0:
        raise TensordotAxesError(says=f"`tensordot` of {a.str_short()} and {b.str_short()} cannot sum over {count} axes.",
                                 why="an array has fewer axes")
    return tuple(range(a.ndim - count, a.ndim)), tuple(range(count))


class TensordotAxesError(ArgumentKindError, ArgumentValueError):
    """The axes given to `tensordot` do not fit."""


@public
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The sums of products along an axis, the first ones conjugated; the other axes broadcast.

    Args:
        x1: array.
        x2: array of the same size along `axis`.
        axis: the axis.
        precision: of the computation; see `jax.lax.Precision`.
        preferred_element_type: dtype in which sums are kept, and of the result.
    """
    x, y = _two("vecdot", x1, x2)
    if not x.ndim or not y.ndim:
        raise MatmulShapeError(operation="vecdot", avals=(x.aval, y.aval))
    i, j = one_axis(axis, x.ndim, "vecdot"), one_axis(axis, y.ndim, "vecdot")
    _check_inner("vecdot", x, y, (i, j))
    x, y = moveaxis(x, i, -1), moveaxis(y, j, -1)
    if kind(x) == "complex":
        x = conj(x)
    found = matmul(expand_dims(x, -2), expand_dims(y, -1), precision=precision,
                   preferred_element_type=preferred_element_type)
    return lax_shape.squeeze(found, (found.ndim - 2, found.ndim - 1))


@public
def matvec(x1: Any, x2: Any, /) -> Array:
    """The product of matrices `[..., m, n]` and vectors `[..., n]`."""
    x, y = _two("matvec", x1, x2)
    if x.ndim < 2 or y.ndim < 1:
        raise MatmulShapeError(operation="matvec", avals=(x.aval, y.aval))
    return lax_shape.squeeze(found := matmul(x, expand_dims(y, -1)), (found.ndim - 1,))


@public
def vecmat(x1: Any, x2: Any, /) -> Array:
    """The product of vectors `[..., n]`, conjugated, and matrices `[..., n, m]`."""
    x, y = _two("vecmat", x1, x2)
    if x.ndim < 1 or y.ndim < 2:
        raise MatmulShapeError(operation="vecmat", avals=(x.aval, y.aval))
    if kind(x) == "complex":
        x = conj(x)
    return lax_shape.squeeze(found := matmul(expand_dims(x, -2), y), (found.ndim - 2,))


@public
def kron(a: Any, b: Any) -> Array:
    """The Kronecker product: an array of blocks, each `b` times an element of `a`.

    Args:
        a: array.
        b: array.
    """
    x, y = promote_dtypes(*_two("kron", a, b))
    if kind(x) == "bool":
        raise UfuncDtypeError(function="kron", type_text=x.aval.str_short(),
                              kind="the product of booleans is an and; make them integers first")
    rank = max(x.ndim, y.ndim)
    x, y = [lax_shape.broadcast_to_rank(v, rank) for v in (x, y)]
    x, y = expand_dims(x, tuple(range(1, 2 * rank, 2))), expand_dims(y, tuple(range(0, 2 * rank, 2)))
    found = multiply(x, y)
    return reshaped(found, tuple([found.shape[2 * i] * found.shape[2 * i + 1] for i in range(rank)]))


@public
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """The cross product of vectors of 2 or 3 entries.

    Args:
        a: array of vectors.
        b: array of vectors; the other axes broadcast.
        axisa: the axis of `a` along which its vectors lie.
        axisb: that of `b`.
        axisc: that of the result.
        axis: all three of them.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = promote_dtypes(*_two("cross", a, b))
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        raise ArgumentValueError(says=f"`cross` was given vectors of {x.shape[-1]} and {y.shape[-1]} entries.",
                                 why="vectors of 2 or 3 entries have a cross product")
    found = fused_call(_cross, (x, y))
    return found if x.shape[-1] == y.shape[-1] == 2 else moveaxis(found, -1, axisc)


def _cross(x: Any, y: Any) -> Any:
    def entries(v: Any) -> list[Any]:
        return [index_in_dim(v, i, v.ndim - 1, keepdims=False) for i in range(v.shape[-1])]

    p, q = entries(x), entries(y)
    last = subtract(multiply(p[0], q[1]), multiply(p[1], q[0]))
    if len(p) == len(q) == 2:
        return last
    zero = np.zeros((), x.dtype)
    p2, q2 = (p[2] if len(p) == 3 else zero), (q[2] if len(q) == 3 else zero)
    first = subtract(multiply(p[1], q2), multiply(p2, q[1]))
    second = subtract(multiply(p2, q[0]), multiply(p[0], q2))
    return stack([first, second, last], -1)




def matmul_operator(self: Any, other: Any) -> Any:
    """`self @ other`; see `jax.numpy.matmul`."""
    try:
        if isinstance(other, (Array, np.ndarray, np.generic, int, float, complex)) or hasattr(other, "__jax_array__"):
            return matmul(self, other)
        return _declined(other, 1)
    except Exception as error:
        trim(error)
        raise


def reflected_matmul_operator(self: Any, other: Any) -> Any:
    """`other @ self`; see `jax.numpy.matmul`."""
    try:
        if isinstance(other, (Array, np.ndarray, np.generic, int, float, complex)) or hasattr(other, "__jax_array__"):
            return matmul(other, self)
        return _declined(other, 0)
    except Exception as error:
        trim(error)
        raise


def _declined(other: Any, index: int) -> Any:
    if isinstance(other, (list, tuple, str)):
        array_like(other, "matmul", index)
    return NotImplemented


__all__ = ["cross", "dot", "inner", "kron", "matmul", "matvec", "outer", "tensordot", "vdot",
           "vecdot", "vecmat"]
