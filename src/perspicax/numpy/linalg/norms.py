"""Norms of vectors and matrices, condition numbers and ranks."""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.tracer_errors import static_value
from perspicax.lax import linalg as lax_linalg
from perspicax.lax.linalg.errors import MatrixShapeError
from perspicax.numpy.axes import many_axes
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.linalg.arguments import check_matrix, check_square, inexact
from perspicax.numpy.linalg.equations import inv
from perspicax.numpy.promote import array_like, default_floating

MATRIX_NORMS = (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm of a vector or a matrix, or of each in an array.

    Args:
        x: array.
        ord: the kind of norm: of vectors any number, `inf`, `-inf` or 0 (which counts entries other than 0); of matrices
            `"fro"`, `"nuc"` (the sum of singular values), 2 and -2 (the largest and the smallest of them), 1 and -1 (the
            largest and smallest sum of a column's sizes), `inf` and `-inf` (of a row's). Without it, the root of the sum of
            squares.
        axis: the axis of the vectors, or the two of the matrices; without it, those of all of `x`.
        keepdims: whether the axes stay, with size 1.

    Returns:
        Real floating array.

    Raises:
        ArgumentValueError: there is no such norm, or it needs one or two axes and there are others.
        AxisError: there is no such axis.
    """
    return _norm("jnp.linalg.norm", x, ord, axis, keepdims)


def _norm(function: str, x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    [x] = inexact(function, x)
    axes = many_axes(axis, x.ndim, function)
    ord = static_value(ord, function, "ord")
    if ord is not None or axis is not None:
        if len(axes) not in (1, 2):
            raise ArgumentValueError(says=f"`{function}` was given {len(axes)} axes, {axes}.",
                                     why="a vector has one axis, a matrix two; name them by `axis`")
        known = MATRIX_NORMS if len(axes) == 2 else ()
        if (len(axes) == 2 and ord not in known) or (len(axes) == 1 and isinstance(ord, str)):
            kinds = ("of matrices there are 'fro', 'nuc', 1, -1, 2, -2, inf and -inf" if len(axes) == 2 else
                     "of vectors there are the numbers, inf and -inf")
            raise ArgumentValueError(says=f"`{function}` was given ord={ord!r}.", why=kinds)
    return fused_call(_norm_of, (x,), ord=ord, axes=axes, keepdims=bool(keepdims))


def _norm_of(x: Any, *, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord is None or (len(axes) == 1 and ord == 2) or ord == "fro":
        return jnp.sqrt(jnp.sum(jnp.real(x * jnp.conj(x)), axis=axes, keepdims=keepdims))
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    return _matrix_norm(x, ord, axes, keepdims)


def _vector_norm(x: Any, ord: Any, axis: int, keepdims: bool) -> Any:
    size = jnp.abs(x)
    if ord == np.inf:
        return jnp.max(size, axis=axis, keepdims=keepdims, initial=0)
    if ord == -np.inf:
        return jnp.min(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return jnp.sum(x != 0, axis=axis, keepdims=keepdims, dtype=jnp.finfo(x.dtype).dtype)
    if ord == 1:
        return jnp.sum(size, axis=axis, keepdims=keepdims)
    power = jnp.asarray(ord, size.dtype)
    return jnp.power(jnp.sum(jnp.power(size, power), axis=axis, keepdims=keepdims), 1 / power)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    row, column = axes
    if ord in (1, -1, np.inf, -np.inf):
        summed, kept = (row, column) if abs(ord) == 1 else (column, row)
        sums = jnp.sum(jnp.abs(x), axis=summed, keepdims=True)
        found = jnp.max(sums, axis=kept, keepdims=True, initial=0) if ord > 0 else jnp.min(sums, axis=kept, keepdims=True)
        return found if keepdims else jnp.squeeze(found, axis=axes)
    s = lax_linalg.svd(jnp.moveaxis(x, axes, (-2, -1)), full_matrices=False, compute_uv=False)
    if ord == "nuc":
        found = jnp.sum(s, axis=-1)
    else:
        found = jnp.max(s, axis=-1, initial=0) if ord == 2 else jnp.min(s, axis=-1)
    return jnp.expand_dims(found, tuple(sorted(axes))) if keepdims else found


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norms of matrices `[..., m, n]`; see `norm` for the kinds."""
    return _norm("jnp.linalg.matrix_norm", x, ord, (-2, -1), keepdims)


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """The norms of vectors, which may lie along several axes; all of them by default.

    Args:
        x: array.
        axis: the axis or axes along which the vectors lie.
        keepdims: whether they stay, with size 1.
        ord: any number, `inf` or `-inf`; see `norm`.
    """
    function = "jnp.linalg.vector_norm"
    [x] = inexact(function, default_floating(array_like(x, function)))
    axes = many_axes(axis, x.ndim, function)
    ord = static_value(ord, function, "ord")
    if isinstance(ord, str):
        raise ArgumentValueError(says=f"`{function}` was given ord={ord!r}.",
                                 why="of vectors there are the numbers, inf and -inf")
    if len(axes) == 1:
        return fused_call(_norm_of, (x,), ord=ord, axes=axes, keepdims=bool(keepdims))
    others = tuple([i for i in range(x.ndim) if i not in axes])
    flat = jnp.transpose(x, (*others, *axes)).reshape(*[x.shape[i] for i in others], -1)
    found = fused_call(_norm_of, (flat,), ord=ord, axes=(flat.ndim - 1,), keepdims=False)
    return jnp.expand_dims(found, axes) if keepdims else found


def cond(x: Any, p: Any = None) -> Array:
    """Condition numbers of matrices: the norm times that of the inverse.

    Args:
        x: matrices `[..., m, n]`, square unless `p` is None, 2 or -2.
        p: the kind of norm; None means 2.

    Returns:
        Real array `[...]`; infinite, where a matrix is singular.

    Raises:
        MatrixShapeError: there are less than two axes, or no entries.
        SquareMatrixError: the matrices are not square, and the norm needs their inverse.
    """
    function = "jnp.linalg.cond"
    [x] = inexact(function, x)
    check_matrix(function, x.aval)
    if not x.size:
        raise MatrixShapeError(function=function, avals=(x.aval,), why="a matrix without entries has no condition number")
    if p in (None, 2, -2):
        s = lax_linalg.svd(x, full_matrices=False, compute_uv=False)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    check_square(function, x.aval)
    found = _norm(function, x, p, (-2, -1), False) * _norm(function, inv(x), p, (-2, -1), False)
    return jnp.where(jnp.isnan(found) & ~jnp.any(jnp.isnan(x), axis=(-2, -1)), jnp.inf, found)


def matrix_rank(M: Any, rtol: Any = None, *, hermitian: bool = False, tol: Any = None) -> Array:
    """How many singular values of a matrix are not small.

    Args:
        M: matrices `[..., m, n]`; of anything with less axes it is told whether an entry is not 0.
        rtol: singular values up to `rtol` times the largest count as zero; by default the larger size times the dtype's
            resolution.
        hermitian: promises that the matrices are Hermitian: a faster way is taken.
        tol: the same as a number that is not relative.

    Returns:
        Integer array `[...]`.

    Raises:
        ArgumentValueError: both `rtol` and `tol` were given.
    """
    if rtol is not None and tol is not None:
        raise ArgumentValueError(says="`jnp.linalg.matrix_rank` was given both `rtol` and `tol`.",
                                 why="one is relative to the largest singular value, the other is not")
    [x] = inexact("jnp.linalg.matrix_rank", M)
    if x.ndim < 2:
        return jnp.any(x != 0).astype(jnp.int32)
    if hermitian:
        check_square("jnp.linalg.matrix_rank", x.aval)
    real = jnp.finfo(x.dtype).dtype
    limit = rtol if rtol is not None else tol
    if limit is None:
        limit = max(x.shape[-2:]) * float(jnp.finfo(x.dtype).eps)
    return fused_call(_rank, (x, jnp.asarray(limit, real)), hermitian=bool(hermitian), relative=tol is None)


def _rank(x: Any, limit: Any, *, hermitian: bool, relative: bool) -> Any:
    if hermitian:
        s = jnp.abs(lax_linalg.eigh(x)[1])
    else:
        s = lax_linalg.svd(x, full_matrices=False, compute_uv=False)
    limit = limit[..., None]
    if relative:
        limit = limit * jnp.max(s, axis=-1, keepdims=True)
    return jnp.sum(s > limit, axis=-1)


__all__ = ["cond", "matrix_norm", "matrix_rank", "norm", "vector_norm"]
