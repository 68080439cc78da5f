"""Decompositions with NumPy's signatures."""
from __future__ import annotations

from typing import Any, NamedTuple

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax import linalg as lax_linalg
from perspicax.lax.linalg.errors import DecompositionOptionError
from perspicax.lax.linalg.matrices import adjoint, symmetrized
from perspicax.lax.linalg.orthogonal import geqrf
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.linalg.arguments import matrix, square

LIMITS = "it is None, 'L' (the lower triangle is read) or 'U' (the upper one)"


class EigResult(NamedTuple):
    """Eigenvalues and eigenvectors of general matrices."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """Eigenvalues and eigenvectors of Hermitian matrices."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """Factors with orthonormal columns, and upper triangular."""

    Q: Array
    R: Array


class SVDResult(NamedTuple):
    """Left singular vectors, singular values, adjoint right singular vectors."""

    U: Array
    S: Array
    Vh: Array


def cholesky(a: Any, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """The Cholesky factor of positive definite matrices: the lower triangular L with A = L Lᴴ.

    Args:
        a: matrices `[..., n, n]`.
        upper: whether to give Lᴴ.
        symmetrize_input: whether to take (A + Aᴴ)/2 for A; otherwise one triangle is read.

    Returns:
        Array of the shape of `a`; NaN, where a matrix is not positive definite.

    Raises:
        SquareMatrixError: the matrices are not square.

    >>> cholesky(jnp.array([[4., 2.], [2., 5.]]))
    Array([[2., 0.],
           [1., 2.]], dtype=float32)
    """
    x = square("jnp.linalg.cholesky", a)
    return fused_call(_cholesky, (x,), upper=bool(upper), symmetrize_input=bool(symmetrize_input))


def _cholesky(x: Any, *, upper: bool, symmetrize_input: bool) -> Any:
    factor = lax_linalg.cholesky(adjoint(x) if upper else x, symmetrize_input=symmetrize_input)
    return adjoint(factor) if upper else factor


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False,
        subset_by_index: tuple[int, int] | None = None) -> Any:
    """The singular value decomposition: A = U diag(s) Vᴴ.

    Args:
        a: matrices `[..., m, n]`.
        full_matrices: whether U and V are square; otherwise they have k = min(m, n) columns.
        compute_uv: whether to compute U and V.
        hermitian: promises that the matrices are Hermitian: a faster way is taken.
        subset_by_index: `(start, end)`, the singular values that are wanted; on the CPU only all of them.

    Returns:
        `SVDResult(U, S, Vh)` of shapes `[..., m, k]`, `[..., k]`, `[..., k, n]`; S decreases. Or S alone.

    Raises:
        MatrixShapeError: `a` has less than two axes.
        SquareMatrixError: `hermitian` was given, and the matrices are not square.
    """
    if hermitian:
        found = fused_call(_hermitian_svd, (square("jnp.linalg.svd", a),), compute_uv=bool(compute_uv),
                           subset_by_index=subset_by_index)
        return SVDResult(*found) if compute_uv else found
    x = matrix("jnp.linalg.svd", a)
    found = lax_linalg.svd(x, full_matrices=full_matrices, compute_uv=compute_uv, subset_by_index=subset_by_index)
    return SVDResult(*found) if compute_uv else found


def _hermitian_svd(x: Any, *, compute_uv: bool, subset_by_index: Any) -> Any:
    """Singular values are sizes of eigenvalues; their signs go to one side's vectors."""
    v, w = lax_linalg.eigh(x, subset_by_index=subset_by_index)
    size = jnp.abs(w)
    if not compute_uv:
        return -jnp.sort(-size, axis=-1)
    order = jnp.argsort(-size, axis=-1)
    size, w = (jnp.take_along_axis(y, order, axis=-1) for y in (size, w))
    v = jnp.take_along_axis(v, order[..., None, :], axis=-1)
    sign = jnp.where(w < 0, -1, 1).astype(v.dtype)
    return v * sign[..., None, :], size, adjoint(v)


def svdvals(x: Any, /) -> Array:
    """The singular values of matrices, decreasing.

    Args:
        x: matrices `[..., m, n]`.

    Returns:
        Real array `[..., min(m, n)]`.
    """
    return lax_linalg.svd(matrix("jnp.linalg.svdvals", x), full_matrices=False, compute_uv=False)


def qr(a: Any, mode: str = "reduced") -> Any:
    """The QR decomposition: A = Q R with orthonormal columns of Q and upper triangular R.

    Args:
        a: matrices `[..., m, n]`.
        mode: `"reduced"` (Q has min(m, n) columns), `"complete"` (it is square), `"r"` (R alone), or `"raw"` (the transposed
            reflectors with R, and their factors, as LAPACK keeps them).

    Returns:
        `QRResult(Q, R)`, or R alone.

    Raises:
        MatrixShapeError: `a` has less than two axes.
        DecompositionOptionError: there is no such mode.
    """
    x = matrix("jnp.linalg.qr", a)
    if mode == "raw":
        factors, taus = geqrf(x)
        return QRResult(jnp.matrix_transpose(factors), taus)
    if mode not in ("reduced", "r", "full", "complete"):
        raise DecompositionOptionError(function="jnp.linalg.qr", option=f"mode={mode!r}",
                                       why="the modes are 'reduced', 'complete', 'r' and 'raw'")
    q, r = lax_linalg.qr(x, full_matrices=mode == "complete")
    return r if mode == "r" else QRResult(q, r)


def eig(a: Any) -> EigResult:
    """Eigenvalues and right eigenvectors of square matrices: A V = V diag(w).

    Args:
        a: matrices `[..., n, n]`.

    Returns:
        `EigResult(eigenvalues, eigenvectors)`, complex, `[..., n]` and `[..., n, n]`; the eigenvectors are columns.

    Raises:
        SquareMatrixError: the matrices are not square.
    """
    w, v = lax_linalg.eig(square("jnp.linalg.eig", a), compute_left_eigenvectors=False)
    return EigResult(w, v)


def eigvals(a: Any) -> Array:
    """The eigenvalues of square matrices, complex, in no order.

    Args:
        a: matrices `[..., n, n]`.

    Raises:
        SquareMatrixError: the matrices are not square.
    """
    x = square("jnp.linalg.eigvals", a)
    return lax_linalg.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)[0]


def eigh(a: Any, UPLO: str | None = None, symmetrize_input: bool = True) -> EighResult:
    """Eigenvalues and eigenvectors of Hermitian matrices: A = V diag(w) Vᴴ.

    Args:
        a: matrices `[..., n, n]`.
        UPLO: which triangle is read, where `symmetrize_input` is false: `"L"`, the default, or `"U"`.
        symmetrize_input: whether to take (A + Aᴴ)/2 for A.

    Returns:
        `EighResult(eigenvalues, eigenvectors)`: real eigenvalues `[..., n]`, increasing, and eigenvectors as columns.

    Raises:
        SquareMatrixError: the matrices are not square.
        DecompositionOptionError: `UPLO` is neither of these.
    """
    v, w = _eigh("jnp.linalg.eigh", a, UPLO, symmetrize_input)
    return EighResult(w, v)


def eigvalsh(a: Any, UPLO: str | None = "L", *, symmetrize_input: bool = True) -> Array:
    """The eigenvalues of Hermitian matrices, real and increasing; see `eigh`."""
    return _eigh("jnp.linalg.eigvalsh", a, UPLO, symmetrize_input)[1]


def _eigh(function: str, a: Any, UPLO: Any, symmetrize_input: bool) -> Any:
    if UPLO not in (None, "L", "U"):
        raise DecompositionOptionError(function=function, option=f"UPLO={UPLO!r}", why=LIMITS)
    return fused_call(_eigh_of, (square(function, a),), lower=UPLO != "U", symmetrize_input=bool(symmetrize_input))


def _eigh_of(x: Any, *, lower: bool, symmetrize_input: bool) -> Any:
    return lax_linalg.eigh(symmetrized(x) if symmetrize_input else x, lower=lower, symmetrize_input=False)


__all__ = ["EigResult", "EighResult", "QRResult", "SVDResult", "cholesky", "eig", "eigh", "eigvals", "eigvalsh", "qr", "svd",
           "svdvals"]
