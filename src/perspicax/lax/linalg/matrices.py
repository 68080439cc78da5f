"""Small operations on stacks of matrices, in which derivatives and solvers are written."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.tracer import get_aval
from perspicax.lax import compare, convert, elementwise, shape
from perspicax.lax.contraction import batch_matmul
from perspicax.lax.families import kind, zeros_like
from perspicax.lax.precision import Precision
from perspicax.lax.reductions import reduce_sum
from perspicax.lax.slicing import slice as sliced
from perspicax.lax.sorting import take_along


def _aval(x: Any) -> Any:
    return get_aval(x)


def transposed(x: Any) -> Any:
    """The matrices turned over."""
    n = _aval(x).ndim
    return shape.transpose(x, (*range(n - 2), n - 1, n - 2))


def conjugate(x: Any) -> Any:
    """The complex conjugate; real arrays as they are."""
    return convert.conj(x) if kind(_aval(x).dtype) == "c" else x


def adjoint(x: Any) -> Any:
    """The conjugate transposes."""
    return conjugate(transposed(x))


def real_part(x: Any) -> Any:
    """The real part; real arrays as they are."""
    return convert.real(x) if kind(_aval(x).dtype) == "c" else x


def product(x: Any, y: Any) -> Any:
    """The products of two stacks of matrices, in full precision."""
    return batch_matmul(x, y, Precision.HIGHEST)


def mask(x: Any, comparison: Any, offset: int = 0) -> Any:
    """Booleans in the shape of `x`: where `comparison` holds of row + offset and column."""
    sizes = _aval(x).shape
    row, column = (shape.broadcasted_iota(dtypes.int32, sizes, len(sizes) - i) for i in (2, 1))
    if offset:
        row = elementwise.add(row, np.int32(offset))
    return comparison(row, column)


def lower(x: Any, offset: int = 0) -> Any:
    """The lower triangles: entries on and below the diagonal that is `offset` above the main one."""
    return compare.select(mask(x, compare.ge, offset), x, zeros_like(x))


def upper(x: Any, offset: int = 0) -> Any:
    """The upper triangles: entries on and above the diagonal that is `offset` above the main one."""
    return compare.select(mask(x, compare.ge, offset - 1), zeros_like(x), x)


def identity_like(x: Any) -> Any:
    """Ones on the diagonals, of the type of `x`."""
    return convert.convert_element_type(mask(x, compare.eq), _aval(x).dtype)


def diagonal(x: Any) -> Any:
    """The diagonals of square matrices."""
    on = compare.select(mask(x, compare.eq), x, zeros_like(x))
    return reduce_sum(on, (_aval(x).ndim - 1,))


def on_diagonal(d: Any) -> Any:
    """Square matrices with the vectors `d` on their diagonals."""
    spread = as_columns(d)
    return compare.select(mask(spread, compare.eq), spread, zeros_like(spread))


def as_rows(v: Any) -> Any:
    """Square matrices whose every row is the vector: entry (i, j) is v[j]."""
    a = _aval(v)
    return shape.broadcast_in_dim(v, (*a.shape, a.shape[-1]), (*range(a.ndim - 1), a.ndim))


def as_columns(v: Any) -> Any:
    """Square matrices whose every column is the vector: entry (i, j) is v[i]."""
    a = _aval(v)
    return shape.broadcast_in_dim(v, (*a.shape, a.shape[-1]), range(a.ndim))


def scaled_columns(x: Any, v: Any) -> Any:
    """Each column `j` of the matrices times `v[j]`."""
    a = _aval(x)
    spread = shape.broadcast_in_dim(v, a.shape, (*range(a.ndim - 2), a.ndim - 1))
    return elementwise.mul(x, convert.convert_element_type(spread, a.dtype))


def scaled_rows(v: Any, x: Any) -> Any:
    """Each row `i` of the matrices times `v[i]`."""
    a = _aval(x)
    spread = shape.broadcast_in_dim(v, a.shape, range(a.ndim - 1))
    return elementwise.mul(convert.convert_element_type(spread, a.dtype), x)


def permuted_rows(x: Any, permutation: Any) -> Any:
    """The rows of matrices in another order: row `i` is row `permutation[i]` of `x`."""
    a = _aval(x)
    if not a.size:
        return x
    places = shape.broadcast_in_dim(permutation, (*a.shape[:-2], _aval(permutation).shape[-1], a.shape[-1]),
                                    range(a.ndim - 1))
    return take_along(x, places, a.ndim - 2)


def permuted_columns(x: Any, permutation: Any) -> Any:
    """The columns of matrices in another order."""
    return transposed(permuted_rows(transposed(x), permutation))


def block(x: Any, rows: int, columns: int) -> Any:
    """The first rows and columns of the matrices."""
    a = _aval(x)
    if (rows, columns) == a.shape[-2:]:
        return x
    return sliced(x, (0,) * a.ndim, (*a.shape[:-2], rows, columns))


def padded(x: Any, rows: int, columns: int) -> Any:
    """The matrices with zeros below and to the right, up to a size."""
    a = _aval(x)
    more = (rows - a.shape[-2], columns - a.shape[-1])
    if more == (0, 0):
        return x
    zero = np.zeros((), a.dtype)[()]
    return shape.pad(x, zero, [(0, 0, 0)] * (a.ndim - 2) + [(0, more[0], 0), (0, more[1], 0)])


def symmetrized(x: Any) -> Any:
    """(x + xᴴ) / 2."""
    total = elementwise.add(x, adjoint(x))
    return elementwise.div(total, np.asarray(2, _aval(total).dtype)[()])


__all__ = ["adjoint", "as_columns", "as_rows", "block", "conjugate", "diagonal", "identity_like", "lower", "mask",
           "on_diagonal", "padded", "permuted_columns", "permuted_rows", "product", "real_part", "scaled_columns",
           "scaled_rows", "symmetrized", "transposed", "upper"]
