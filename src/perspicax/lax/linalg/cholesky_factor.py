"""The Cholesky factor of positive definite matrices, and its change by a matrix of rank one."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Missing, NotLinear, Primitive
from perspicax.lax import compare, convert, elementwise
from perspicax.lax.families import kind
from perspicax.lax.linalg.errors import MatrixShapeError, NotDifferentiableError
from perspicax.lax.linalg.kernels import (
    GPUS,
    STACKED,
    GpuKernel,
    check_dtype,
    check_one_dtype,
    check_square,
    empty_results,
    info_type,
    nan_where_failed,
    native_call,
    promoted,
    type_of,
    u8,
)
from perspicax.lax.linalg.matrices import lower, mask, product, symmetrized
from perspicax.lax.linalg.triangular import triangular_solve
from perspicax.lax.operand import operand

# -- cholesky

def _type(x: ShapedArray) -> ShapedArray:
    check_square("lax.linalg.cholesky", x)
    return ShapedArray(x.shape, x.dtype, x.weak_type)


def _half_diagonal(x: Any) -> Any:
    """The lower triangle, with half of the diagonal: what added to its adjoint makes a Hermitian matrix."""
    below = lower(x)
    a = type_of(below)
    return compare.select(mask(below, compare.eq), elementwise.mul(below, np.asarray(0.5, a.dtype)[()]), below)


def _jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """L̇ = L Φ(L⁻¹ Ȧ L⁻ᴴ), Φ the lower triangle with half of the diagonal (Murray, arXiv:1602.07527)."""
    factor = lower(cholesky_p(*primals))
    right = triangular_solve(factor, tangents[0], left_side=False, transpose_a=True, conjugate_a=True, lower=True)
    both = triangular_solve(factor, right, left_side=True, transpose_a=False, lower=True)
    return factor, product(factor, _half_diagonal(both))


def _emit(b: Any, x: Any) -> Any:
    out = b.out[0]
    if not out.size:
        return empty_results(b, [out])[0]
    info = info_type(out.shape[:-2])
    found, failed = native_call(
        b, "lax.linalg.cholesky", "potrf", f"uplo = {u8('L')}", [x], [out, info], ranks=(2, 2, 0), aliases={0: 0},
        gpu=GpuKernel("solver_potrf_ffi", "lower = true"))
    return nan_where_failed(b, failed, [found])[0]


cholesky_p = Primitive(
    "cholesky", type_rule=_type, jvp=_jvp, transpose=NotLinear("the factor of a sum is not the sum of the factors"),
    batch=STACKED, emit=_emit, source="LAPACK, `potrf`")


def cholesky(x: Any, *, symmetrize_input: bool = True) -> Array:
    """The Cholesky factor: the lower triangular L with A = L Lᴴ.

    Args:
        x: positive definite matrices `[..., n, n]`.
        symmetrize_input: whether to take (A + Aᴴ)/2 for A; otherwise only the lower triangle is read.

    Returns:
        Array of the shape and dtype of `x`, zero above the diagonal. NaN, where a matrix is not positive definite.

    Raises:
        SquareMatrixError: `x` has less than two axes, or its matrices are not square.

    >>> cholesky(jnp.array([[4., 2.], [2., 5.]]))
    Array([[2., 0.],
           [1., 2.]], dtype=float32)
    """
    x = as_inexact(x)
    if symmetrize_input:
        check_square("lax.linalg.cholesky", type_of(x))
        x = symmetrized(x)
    return lower(local.trace.process(cholesky_p, (x,), ()))


def as_inexact(x: Any) -> Any:
    """Integers as floating numbers, which the mean of a matrix and its adjoint has."""
    x = operand(x)
    return x if kind(type_of(x).dtype) in "fcx" else convert.convert_element_type(x, dtypes.default_dtype("float"))


# -- cholesky_update

def _update_type(r: ShapedArray, w: ShapedArray) -> ShapedArray:
    function = "lax.linalg.cholesky_update"
    for a in (r, w):
        check_dtype(function, a, "f")
    check_one_dtype(function, (r, w))
    if r.ndim < 2 or r.shape != (*w.shape, w.shape[-1] if w.ndim else 0):
        raise MatrixShapeError(function=function, avals=(r, w),
                               why="it takes square matrices [..., n, n] and vectors [..., n] of the same n")
    return ShapedArray(r.shape, r.dtype, r.weak_type and w.weak_type)


def _no_update_derivative(*_: Any, **__: Any) -> Any:
    raise NotDifferentiableError(function="lax.linalg.cholesky_update", what="the updated factor",
                                 why="JAX defines none", use="lax.linalg.cholesky(R.T @ R + jnp.outer(w, w))",
                                 use_why="decompose the sum, which has a derivative")


def _row(b: Any, x: Any, k: int) -> Any:
    stack = x.shape[:-2]
    cut = b.slice(x, (0,) * len(stack) + (k, 0), (*stack, k + 1, x.shape[-1]))
    return b.reshape(cut, (*stack, x.shape[-1]))


def _entry(b: Any, v: Any, k: int) -> Any:
    stack = v.shape[:-1]
    return b.reshape(b.slice(v, (0,) * len(stack) + (k,), (*stack, k + 1)), stack)


def _rotation(b: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Cosine and sine of the rotation that takes (x, y) to (r, 0); scaled against overflow."""
    a = x.aval
    large = b.op("maximum", [b.op("abs", [x], a), b.op("abs", [y], a)], a)
    u, v = b.op("divide", [x, large], a), b.op("divide", [y, large], a)
    square = b.op("add", [b.op("multiply", [u, u], a), b.op("multiply", [v, v], a)], a)
    scale = b.op("divide", [b.constant(1, a), b.op("sqrt", [square], a)], a)
    c, s = b.op("multiply", [u, scale], a), b.op("multiply", [b.op("negate", [v], a), scale], a)
    nothing = b.compare(y, b.constant(0, a), "EQ", "FLOAT")
    return b.select(nothing, b.constant(1, a), c), b.select(nothing, b.constant(0, a), s)


def _update_emit(b: Any, r: Any, w: Any) -> Any:
    """Givens rotations take the vector into the factor, row by row."""
    n, stack = w.shape[-1], w.shape[:-1]
    if b.module.platform in GPUS and not stack and r.dtype.itemsize in (4, 8):
        return native_call(b, "lax.linalg.cholesky_update", "", "", [r, w], [r.aval, w.aval], ranks=(1, 1, 1, 1),
                           aliases={0: 0, 1: 1}, gpu=GpuKernel("_cholesky_update_ffi"))[0]
    rows = []
    for k in range(n):
        row = _row(b, r, k)
        c, s = (b.broadcast(v, w.shape, range(len(stack))) for v in _rotation(b, _entry(b, row, k), _entry(b, w, k)))
        a = w.aval
        rows.append(b.op("subtract", [b.op("multiply", [c, row], a), b.op("multiply", [s, w], a)], a))
        w = b.op("add", [b.op("multiply", [c, w], a), b.op("multiply", [s, row], a)], a)
    rows = [b.reshape(row, (*stack, 1, n)) for row in rows]
    if not rows:
        return r
    return b.hlo("concatenate", rows, b.out[0], f"dimension = {len(stack)} : i64")


cholesky_update_p = Primitive(
    "cholesky_update", type_rule=_update_type, jvp=_no_update_derivative,
    transpose=Missing("the update is not linear in the factor or in the vector"), batch=STACKED, emit=_update_emit,
    source="Golub and Van Loan, Matrix Computations, 4th edition, 6.5.4")


def cholesky_update(r_matrix: Any, w_vector: Any) -> Array:
    """The Cholesky factor of A + w wᵀ from that of A, in O(n²).

    Args:
        r_matrix: upper triangular R `[..., n, n]` with A = Rᵀ R; real.
        w_vector: vector `[..., n]`.

    Returns:
        The upper triangular factor of the sum, of the shape of `r_matrix`.

    Raises:
        MatrixShapeError: the sizes differ.

    Differs: takes stacks of matrices, and `vmap`.
    """
    return local.trace.process(cholesky_update_p, tuple(promoted("lax.linalg.cholesky_update", r_matrix, w_vector)), ())


__all__ = ["as_inexact", "cholesky", "cholesky_p", "cholesky_update", "cholesky_update_p"]
