"""Diagonals, and the indices of diagonals and triangles."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public
from perspicax.diagnose.report import Fix
from perspicax.lax import elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.families import constant_like
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather
from perspicax.numpy.axes import one_axis
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray, wrap
from perspicax.numpy.creation import diagonal_mask, diagonal_number, filled
from perspicax.numpy.errors import ArgumentValueError, AxisError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.indexing import at
from perspicax.numpy.logic import refuse
from perspicax.numpy.promote import array_like, of_numbers
from perspicax.numpy.reductions import promoted_integer
from perspicax.numpy.reductions import sum as sum_
from perspicax.numpy.repeating import resize
from perspicax.numpy.search import index_dtype, nonzero
from perspicax.numpy.selection import InPlaceError
from perspicax.numpy.shapes import moveaxis, ravel


@public
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """A diagonal of matrices, along a new last axis.

    Args:
        a: array of at least two axes.
        offset: which diagonal: above the main one for positive numbers, below for negative ones.
        axis1: the axis of the rows.
        axis2: the axis of the columns.
    """
    x = asarray(array_like(a, "diagonal"))
    if x.ndim < 2:
        raise ArgumentValueError(says=f"`diagonal` was given {x.aval.str_short()}.", why="only matrices have diagonals")
    i, j = one_axis(axis1, x.ndim, "diagonal"), one_axis(axis2, x.ndim, "diagonal")
    if i == j:
        raise AxisError(function="diagonal", axis=(axis1, axis2), ndim=x.ndim, kind="repeated")
    x = moveaxis(x, (i, j), (-2, -1))
    k = int(static_value(diagonal_number(offset), "jnp.diagonal", "offset"))
    return _diagonal(x, k)


def _diagonal(x: Any, k: int) -> Any:
    """The entries (max(0, -k) + n, max(0, k) + n) of the last two axes."""
    rows, columns = x.shape[-2:]
    size = max(0, min(rows + min(k, 0), columns - max(k, 0)))
    leading = tuple(range(x.ndim - 2))
    if size == 0:
        return lax_shape.broadcast_in_dim(np.zeros((), x.dtype), (*x.shape[:-2], 0), ())
    first = np.asarray([[max(0, -k), max(0, k)]], np.int32)
    if type(size) is SymbolicSize:
        places = elementwise.add(lax_shape.broadcasted_iota(np.int32, (size, 2), 0),
                                 lax_shape.broadcast_in_dim(first, (size, 2), (0, 1)))
    else:
        places = asarray((np.arange(size)[:, None] + first).astype(np.int32))
    numbers = GatherDimensionNumbers(leading, (x.ndim - 2, x.ndim - 1), (x.ndim - 2, x.ndim - 1))
    return gather(x, places, numbers, (*x.shape[:-2], 1, 1), unique_indices=True,
                  indices_are_sorted=True, mode=GatherScatterMode.PROMISE_IN_BOUNDS)


@public
def diag(v: Any, k: int = 0) -> Array:
    """A diagonal of a matrix; of a vector the matrix with it as a diagonal.

    Args:
        v: vector or matrix.
        k: which diagonal: above the main one for positive numbers, below for negative ones.
    """
    x = asarray(array_like(v, "diag"))
    if x.ndim not in (1, 2):
        raise ArgumentValueError(says=f"`diag` was given {x.aval.str_short()}.", why="it takes a vector or a matrix")
    k = int(static_value(k, "jnp.diag", "k"))
    return diagonal(x, k) if x.ndim == 2 else fused_call(_diag, (x,), k=k)


def _diag(x: Any, *, k: int) -> Any:
    n = x.shape[0] + abs(k)
    if x.aval.extended:
        zero = filled(ShapedArray((), x.dtype), 0)
        row = lax_shape.concatenate([filled(ShapedArray((max(0, k),), x.dtype), 0), x,
                                     filled(ShapedArray((max(0, -k),), x.dtype), 0)], 0)
    else:
        zero = constant_like(x, 0)
        row = lax_shape.pad(x, zero, ((max(0, k), max(0, -k), 0),))
    return where3(diagonal_mask(n, n, k, False), lax_shape.broadcast_in_dim(row, (n, n), (1,)), zero)


@public
def diagflat(v: Any, k: int = 0) -> Array:
    """The matrix with the elements of an array as a diagonal; see `diag`."""
    x = ravel(v)
    return diag(x if np.ndim(v) else convert(x, x.dtype, False), k)


@public
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Array:
    """The sum along a diagonal.

    Args:
        a: array of at least two axes.
        offset: which diagonal: above the main one for positive numbers, below for negative ones.
        axis1: the axis of the rows.
        axis2: the axis of the columns.
        dtype: of the result; integers become at least the default ones.
        out: is not supported.
    """
    refuse("trace", out=out)
    x = asarray(array_like(a, "trace"))
    if x.ndim < 2:
        raise ArgumentValueError(says=f"`trace` was given {x.aval.str_short()}.", why="only matrices have a trace")
    i, j = one_axis(axis1, x.ndim, "trace"), one_axis(axis2, x.ndim, "trace")
    of_numbers(x, "trace")
    dtype = promoted_integer(x.dtype) if dtype is None else dtypes.requested_dtype(dtype, "trace")
    x = moveaxis(x, (i, j), (-2, -1))
    if isinstance(diagonal_number(offset), Array):
        return fused_call(_trace, (x, offset), dtype=dtype)
    return fused_call(_trace, (x,), offset=int(offset), dtype=dtype)


def _trace(x: Any, offset: Any, *, dtype: Any) -> Any:
    mask = diagonal_mask(x.shape[-2], x.shape[-1], offset, False)
    return sum_(where3(mask, convert(x, dtype, False), np.zeros((), dtype)), (-2, -1), dtype)


@public
def fill_diagonal(a: Any, val: Any, wrap: bool = False, *, inplace: bool = True) -> Array:
    """An array with values on its main diagonal.

    Args:
        a: array of at least two axes; of more they must have one size.
        val: value, or values, repeated as often as needed.
        wrap: is not supported.
        inplace: must be False: arrays never change.
    """
    if inplace:
        raise InPlaceError(says="`fill_diagonal` cannot write into its argument.",
                           why="arrays never change",
                           fixes=(Fix("let it return the changed array", code="x = jnp.fill_diagonal(x, val, inplace=False)"),))
    if wrap:
        refuse("fill_diagonal", wrap=wrap)
    x = asarray(array_like(a, "fill_diagonal"))
    values = ravel(asarray(val))
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise ArgumentValueError(says=f"`fill_diagonal` was given {x.aval.str_short()}.",
                                 why="it takes a matrix, or an array all of whose axes have one size")
    n = min(x.shape)
    i = lax_shape.iota(np.int32, n)
    if values.size > 1:
        values = resize(values, (n,))
    else:
        values = lax_shape.reshape(values, ())
    return at(x)[(i,) * x.ndim].set(values, unique_indices=True, indices_are_sorted=True)


@public
def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """The indices of the main diagonal of an array with `ndim` axes of size `n`."""
    for name, v in (("n", n), ("ndim", ndim)):
        if v < 0:
            raise ArgumentValueError(says=f"`diag_indices` was given {name}={v}.", why="it is at least 0")
    return (lax_shape.iota(index_dtype(), n),) * ndim


@public
def diag_indices_from(arr: Any) -> tuple[Array, ...]:
    """The indices of the main diagonal of an array all of whose axes have one size."""
    x = asarray(array_like(arr, "diag_indices_from"))
    if x.ndim < 2 or len(set(x.shape)) != 1:
        raise ArgumentValueError(says=f"`diag_indices_from` was given {x.aval.str_short()}.",
                                 why="it takes an array of at least two axes, all of one size")
    return diag_indices(x.shape[0], x.ndim)


def _triangle(n: Any, k: Any, m: Any, function: str, lower: bool) -> tuple[Array, Array]:
    rows = int(static_value(n, f"jnp.{function}", "n"))
    columns = rows if m is None else int(static_value(m, f"jnp.{function}", "m"))
    mask = np.tri(rows, columns, k if lower else k - 1, bool)
    found = np.nonzero(mask if lower else ~mask)
    return wrap(found[0].astype(index_dtype())), wrap(found[1].astype(index_dtype()))


@public
def tril_indices(n: Any, k: Any = 0, m: Any = None) -> tuple[Array, Array]:
    """The indices on and below a diagonal of a matrix of `n` rows and `m` columns."""
    return _triangle(n, k, m, "tril_indices", True)


@public
def triu_indices(n: Any, k: Any = 0, m: Any = None) -> tuple[Array, Array]:
    """The indices on and above a diagonal of a matrix of `n` rows and `m` columns."""
    return _triangle(n, k, m, "triu_indices", False)


def _matrix(arr: Any, function: str) -> tuple[int, int]:
    shape = np.shape(arr) if not hasattr(arr, "shape") else tuple(arr.shape)
    if len(shape) != 2:
        raise ArgumentValueError(says=f"`{function}` was given an array of shape {shape}.", why="it takes a matrix")
    return shape  # type: ignore[return-value]


@public
def tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """The indices on and below a diagonal of a matrix."""
    rows, columns = _matrix(arr, "tril_indices_from")
    return _triangle(rows, k, columns, "tril_indices_from", True)


@public
def triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    """The indices on and above a diagonal of a matrix."""
    rows, columns = _matrix(arr, "triu_indices_from")
    return _triangle(rows, k, columns, "triu_indices_from", False)


@public
def mask_indices(n: int, mask_func: Any, k: int = 0, *, size: int | None = None) -> tuple[Array, Array]:
    """The indices that `mask_func(ones, k)` leaves of a matrix of ones: `tril` and `triu` are such functions.

    Args:
        n: number of rows and columns.
        mask_func: a function of a matrix and `k`.
        k: handed to it.
        size: of the result; see `nonzero`.
    """
    ones = lax_shape.broadcast_in_dim(np.ones((), np.float32), (n, n), ())
    i, j = nonzero(mask_func(ones, k), size=size)
    return i, j


__all__ = ["diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal",
           "fill_diagonal", "mask_indices", "trace", "tril_indices", "tril_indices_from",
           "triu_indices", "triu_indices_from"]
