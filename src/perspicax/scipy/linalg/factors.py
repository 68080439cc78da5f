"""Decompositions with SciPy's signatures.

Arguments such as `overwrite_a` and `check_finite` are taken for the sake of the signatures, and have no effect: arrays
never change, and what is not finite gives NaN.
"""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax import linalg as lax_linalg
from perspicax.lax.linalg.errors import (
    DecompositionOptionError,
    MatrixShapeError,
    UnsupportedOptionError,
)
from perspicax.lax.linalg.general_eigen import complex_dtype
from perspicax.lax.linalg.matrices import adjoint, product, symmetrized
from perspicax.lax.linalg.matrices import lower as lower_part
from perspicax.lax.linalg.matrices import upper as upper_part
from perspicax.lax.linalg.orthogonal import geqp3, geqrf
from perspicax.lax.loops import fori_loop
from perspicax.lax.slicing import dynamic_slice, dynamic_update_slice
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.linalg.arguments import check_matrix, check_square
from perspicax.numpy.promote import to_inexact


def prepared(function: str, a: Any, square: bool = False) -> Any:
    """A matrix, or a stack of them, of a floating or complex dtype; nested lists are taken too.

    Raises:
        SquareMatrixError: `square` was given, and it is not.
        MatrixShapeError: there are less than two axes.
    """
    x = jnp.asarray(a)
    if not jnp.issubdtype(x.dtype, np.inexact):
        x = x.astype(to_inexact(x.dtype))
    (check_square if square else check_matrix)(function, x.aval)
    return x


# -- Cholesky

def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The Cholesky factor of positive definite matrices: upper triangular R with A = Rᴴ R, or lower L with A = L Lᴴ.

    Args:
        a: matrices `[..., n, n]`, of which one triangle is read.
        lower: whether to give L, from the lower triangle.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Returns:
        Array of the shape of `a`; NaN, where a matrix is not positive definite.
    """
    return fused_call(_cholesky, (prepared("jsp.linalg.cholesky", a, True),), lower=bool(lower))


def _cholesky(x: Any, *, lower: bool) -> Any:
    factor = lax_linalg.cholesky(x if lower else adjoint(x), symmetrize_input=False)
    return factor if lower else adjoint(factor)


def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, bool]:
    """The Cholesky factor for `cho_solve`: `(factor, lower)`; see `cholesky`."""
    return fused_call(_cholesky, (prepared("jsp.linalg.cho_factor", a, True),), lower=bool(lower)), lower


# -- LU

def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, Array]:
    """The factors of Gaussian elimination for `lu_solve`.

    Args:
        a: matrices `[..., m, n]`.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Returns:
        `(lu, piv)`: both factors in one array, and the rows that were exchanged, int32 `[..., min(m, n)]`.
    """
    factors, pivots, _ = lax_linalg.lu(prepared("jsp.linalg.lu_factor", a))
    return factors, pivots


def lu(a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The factors of Gaussian elimination: A = P L U.

    Args:
        a: matrices `[..., m, n]`.
        permute_l: whether to give P L as one matrix.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Returns:
        `(p, l, u)` or `(pl, u)`; `p` is a real matrix `[..., m, m]`.

    Differs: takes stacks of matrices.
    """
    return fused_call(_lu, (prepared("jsp.linalg.lu", a),), permute_l=bool(permute_l))


def _lu(x: Any, *, permute_l: bool) -> Any:
    factors, _, permutation = lax_linalg.lu(x)
    m, n = x.shape[-2:]
    k = min(m, n)
    left = lower_part(factors[..., :k], -1) + jnp.eye(m, k, dtype=x.dtype)
    right = upper_part(factors[..., :k, :])
    places = (jnp.arange(m, dtype=permutation.dtype)[:, None] == permutation[..., None, :]).astype(jnp.finfo(x.dtype).dtype)
    return (product(places.astype(x.dtype), left), right) if permute_l else (places, left, right)


# -- QR

def qr(a: Any, overwrite_a: bool = False, lwork: Any = None, mode: str = "full", pivoting: bool = False,
       check_finite: bool = True) -> Any:
    """The QR decomposition: A = Q R with orthonormal columns of Q and upper triangular R.

    Args:
        a: matrices `[..., m, n]`.
        overwrite_a: has no effect.
        lwork: has no effect.
        mode: `"full"` (Q is square), `"economic"` (it has min(m, n) columns), or `"r"` (R alone, in a tuple).
        pivoting: whether to exchange columns so that the diagonal of R does not grow: A[:, p] = Q R.
        check_finite: has no effect.

    Returns:
        `(q, r)`, with `pivoting` `(q, r, p)`; without `q` for `"r"`.
    """
    x = prepared("jsp.linalg.qr", a)
    if mode not in ("full", "economic", "r"):
        raise DecompositionOptionError(function="jsp.linalg.qr", option=f"mode={mode!r}",
                                       why="the modes are 'full', 'economic' and 'r'")
    found = lax_linalg.qr(x, pivoting=pivoting, full_matrices=mode != "economic")
    return found[1:] if mode == "r" else found


def qr_multiply(a: Any, c: Any, mode: str = "right", pivoting: bool = False, conjugate: bool = False,
                overwrite_a: bool = False, overwrite_c: bool = False) -> Any:
    """The product of a matrix with the Q of a QR decomposition, and R; Q is not made.

    Args:
        a: matrices `[..., m, n]`; their Q has k = min(m, n) columns.
        c: for `"right"` matrices `[..., p, m]`, for `"left"` `[..., k, p]`; or a vector.
        mode: whether to give C Q (`"right"`) or Q C (`"left"`).
        pivoting: whether to exchange columns, see `qr`.
        conjugate: whether to take the complex conjugate of Q.
        overwrite_a: has no effect.
        overwrite_c: has no effect.

    Returns:
        `(product, r)`, with `pivoting` `(product, r, p)`.

    Raises:
        MatrixShapeError: the sizes do not go together.
    """
    function = "jsp.linalg.qr_multiply"
    x, y = jnp.asarray(a), jnp.asarray(c)
    dtype = jnp.result_type(x, y)
    dtype = dtype if jnp.issubdtype(dtype, np.inexact) else jnp.result_type(float)
    x, y = x.astype(dtype), y.astype(dtype)
    check_matrix(function, x.aval)
    if mode not in ("left", "right"):
        raise DecompositionOptionError(function=function, option=f"mode={mode!r}", why="it is 'left' or 'right'")
    m, k = x.shape[-2], min(x.shape[-2:])
    wanted, axis = (k, max(-2, -y.ndim)) if mode == "left" else (m, -1)
    if y.ndim == 0 or y.shape[axis] != wanted:
        what = f"Q C needs {k} rows of C" if mode == "left" else f"C Q needs {m} columns of C"
        raise MatrixShapeError(function=function, avals=(x.aval, y.aval), why=f"{what}: Q is [..., {m}, {k}]")
    return fused_call(_qr_multiply, (x, y), left=mode == "left", pivoting=bool(pivoting), conjugate=bool(conjugate))


def _qr_multiply(x: Any, y: Any, *, left: bool, pivoting: bool, conjugate: bool) -> Any:
    m, n = x.shape[-2:]
    k = min(m, n)
    more: tuple[Any, ...] = ()
    if pivoting:
        factors, places, taus = geqp3(x, jnp.zeros((*x.shape[:-2], n), jnp.int32))
        more = (places - 1,)
    else:
        factors, taus = geqrf(x)
    vector = y.ndim == 1
    y = (y[:, None] if left else y[None, :]) if vector else y
    y = jnp.conj(y) if conjugate else y
    if left:  # Q is the first k columns of the product of the reflectors
        y = jnp.concatenate([y, jnp.zeros((*y.shape[:-2], m - k, y.shape[-1]), y.dtype)], axis=-2)
    found = lax_linalg.ormqr(factors[..., :k], taus, y, left=left)
    found = found if left else found[..., :k]
    found = jnp.conj(found) if conjugate else found
    found = (found[..., 0] if left else found[..., 0, :]) if vector else found
    return found, upper_part(factors[..., :k, :]), *more


# -- singular values, eigenvalues

def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, overwrite_a: bool = False, check_finite: bool = True,
        lapack_driver: str = "gesdd") -> Any:
    """The singular value decomposition: A = U diag(s) Vᴴ.

    Args:
        a: matrices `[..., m, n]`.
        full_matrices: whether U and V are square; otherwise they have min(m, n) columns.
        compute_uv: whether to compute U and V.
        overwrite_a: has no effect.
        check_finite: has no effect.
        lapack_driver: has no effect.

    Returns:
        `(u, s, vh)`, or `s`.
    """
    return lax_linalg.svd(prepared("jsp.linalg.svd", a), full_matrices=full_matrices, compute_uv=compute_uv)


def eigh(a: Any, b: Any = None, lower: bool = True, eigvals_only: bool = False, overwrite_a: bool = False,
         overwrite_b: bool = False, turbo: bool = True, eigvals: None = None, type: int = 1,
         check_finite: bool = True) -> Any:
    """Eigenvalues and eigenvectors of Hermitian matrices: A = V diag(w) Vᴴ.

    Args:
        a: matrices `[..., n, n]`.
        b: is not supported.
        lower: has no effect: (A + Aᴴ)/2 is taken for A.
        eigvals_only: whether to give the eigenvalues alone.
        overwrite_a: has no effect.
        overwrite_b: has no effect.
        turbo: has no effect.
        eigvals: is not supported.
        type: only 1.
        check_finite: has no effect.

    Returns:
        `(w, v)`, or `w`: real eigenvalues `[..., n]`, increasing, and eigenvectors as columns.

    Raises:
        UnsupportedOptionError: `b`, `eigvals` or another `type` was given.
    """
    function = "jsp.linalg.eigh"
    if b is not None:
        raise UnsupportedOptionError(function=function, option="a second matrix `b`",
                                     why="generalised eigenvalues are not implemented",
                                     use="L = jnp.linalg.cholesky(b); a = solve(L, solve(L, a).T.conj())")
    if eigvals is not None:
        raise UnsupportedOptionError(function=function, option=f"eigvals={eigvals!r}", why="all eigenvalues are computed",
                                     use="eigh(a)[0][lo:hi + 1]")
    if type != 1:
        raise UnsupportedOptionError(function=function, option=f"type={type}",
                                     why="it says how `b` enters, and generalised eigenvalues are not implemented")
    found = fused_call(_eigh, (prepared(function, a, True),))
    return found[0] if eigvals_only else found


def _eigh(x: Any) -> Any:
    v, w = lax_linalg.eigh(symmetrized(x), symmetrize_input=False)
    return w, v


def schur(a: Any, output: str = "real") -> Any:
    """Schur's form: A = Q T Qᴴ with unitary Q and T upper triangular; for real A with blocks of 2 on the diagonal.

    Args:
        a: matrices `[..., n, n]`.
        output: `"real"` (the form that belongs to the dtype of `a`) or `"complex"`.

    Returns:
        `[T, Q]`.
    """
    if output not in ("real", "complex"):
        raise DecompositionOptionError(function="jsp.linalg.schur", option=f"output={output!r}",
                                       why="it is 'real' or 'complex'")
    x = prepared("jsp.linalg.schur", a, True)
    return lax_linalg.schur(x.astype(complex_dtype(x.dtype)) if output == "complex" else x)


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Array, Array]:
    """The complex Schur form from the real one, by rotations.

    Args:
        T: matrix `[n, n]` in real Schur form.
        Z: its Schur vectors `[n, n]`.
        check_finite: has no effect.

    Returns:
        `(T, Z)`, complex, T upper triangular.

    Raises:
        SquareMatrixError: `T` is not square.
        MatrixShapeError: the shapes differ.

    Golub and Van Loan, Matrix Computations, 4th edition, 7.4.
    """
    function = "jsp.linalg.rsf2csf"
    t, z = jnp.asarray(T), jnp.asarray(Z)
    check_square(function, t.aval, 0, 2)
    if t.ndim != 2 or z.shape != t.shape:
        raise MatrixShapeError(function=function, avals=(t.aval, z.aval), why="both are matrices [n, n]")
    dtype = complex_dtype(jnp.result_type(t, z, float if not jnp.issubdtype(t.dtype, np.inexact) else t.dtype))
    return fused_call(_rsf2csf, (t.astype(dtype), z.astype(dtype)))


def _rsf2csf(t: Any, z: Any) -> Any:
    n = t.shape[-1]
    if n < 2:
        return t, z
    eps = jnp.finfo(t.dtype).eps

    def step(i: Any, state: Any) -> Any:
        t, z = state
        m = n - 1 - i
        block = dynamic_slice(t, (m - 1, m - 1), (2, 2))
        apart = jnp.abs(block[1, 0]) > eps * (jnp.abs(block[0, 0]) + jnp.abs(block[1, 1]))
        half = (block[0, 0] - block[1, 1]) / 2
        mu = half + jnp.sqrt(half * half + block[0, 1] * block[1, 0])  # an eigenvalue less the last entry
        low = jnp.where(apart, block[1, 0], 0)
        mu = jnp.where(apart, mu, 1)
        r = jnp.sqrt(jnp.abs(mu) ** 2 + jnp.abs(low) ** 2)
        c, s = mu / r, low / r
        turn = jnp.stack([jnp.stack([jnp.conj(c), s]), jnp.stack([-s, c])])
        t = dynamic_update_slice(t, product(turn, dynamic_slice(t, (m - 1, 0), (2, n))), (m - 1, 0))
        back = adjoint(turn)
        t = dynamic_update_slice(t, product(dynamic_slice(t, (0, m - 1), (n, 2)), back), (0, m - 1))
        z = dynamic_update_slice(z, product(dynamic_slice(z, (0, m - 1), (n, 2)), back), (0, m - 1))
        return t, z

    t, z = fori_loop(0, n - 1, step, (t, z))
    return upper_part(t), z


def hessenberg(a: Any, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Hessenberg's form: A = Q H Qᴴ with unitary Q, and H zero below the diagonal beside the main one.

    Args:
        a: matrices `[..., n, n]`.
        calc_q: whether to give Q.
        overwrite_a: has no effect.
        check_finite: has no effect.

    Returns:
        `h`, or `(h, q)`.
    """
    return fused_call(_hessenberg, (prepared("jsp.linalg.hessenberg", a, True),), calc_q=bool(calc_q))


def _hessenberg(x: Any, *, calc_q: bool) -> Any:
    n = x.shape[-1]
    if not n:
        return (x, x) if calc_q else x
    form, taus = lax_linalg.hessenberg(x)
    h = upper_part(form, -1)
    if not calc_q:
        return h
    inner = lax_linalg.householder_product(form[..., 1:, :-1], taus)  # the first row and column do not move
    q = jnp.pad(inner, [(0, 0)] * (x.ndim - 2) + [(1, 0), (1, 0)])
    first = jnp.asarray(np.arange(n) == 0)
    return h, jnp.where(first[:, None] & first, jnp.ones((), x.dtype), q)


# -- polar

def polar(a: Any, side: str = "right", *, method: str = "qdwh", eps: float | None = None,
          max_iterations: int | None = None) -> tuple[Array, Array]:
    """The polar decomposition: A = U P (`"right"`) or A = P U (`"left"`), with unitary U and positive semidefinite P.

    Args:
        a: matrices `[..., m, n]`.
        side: where P stands.
        method: `"qdwh"` (for m ≥ n and P on the right, or m < n and P on the left) or `"svd"`.
        eps: of `"qdwh"`, see `jax.lax.linalg.qdwh`.
        max_iterations: likewise.

    Returns:
        `(u, p)`: arrays `[..., m, n]`, and `[..., n, n]` or `[..., m, m]`.

    Raises:
        DecompositionOptionError: there is no such side or method.
        UnsupportedOptionError: `"qdwh"` does not go with the shape and the side.
    """
    function = "jsp.linalg.polar"
    x = prepared(function, a)
    if side not in ("right", "left"):
        raise DecompositionOptionError(function=function, option=f"side={side!r}", why="it is 'right' or 'left'")
    if method not in ("qdwh", "svd"):
        raise DecompositionOptionError(function=function, option=f"method={method!r}", why="it is 'qdwh' or 'svd'")
    m, n = x.shape[-2:]
    if method == "svd":
        return fused_call(_polar_by_svd, (x,), right=side == "right")
    if (m >= n) != (side == "right"):
        raise UnsupportedOptionError(function=function, option=f"method='qdwh' with side={side!r} for matrices {m} × {n}",
                                     why="the iteration needs P on the smaller side: the right for m ≥ n, else the left",
                                     use=f'polar(a, side={side!r}, method="svd")')
    return fused_call(_polar_by_qdwh, (x,), right=side == "right", eps=eps, max_iterations=max_iterations)


def _polar_by_svd(x: Any, *, right: bool) -> Any:
    u, s, vh = lax_linalg.svd(x, full_matrices=False)
    s = s.astype(x.dtype)
    half = product(adjoint(vh) * s[..., None, :], vh) if right else product(u * s[..., None, :], adjoint(u))
    return product(u, vh), half


def _polar_by_qdwh(x: Any, *, right: bool, eps: float | None, max_iterations: int | None) -> Any:
    one = lambda y: lax_linalg.qdwh(y, eps=eps, max_iterations=max_iterations)[:2]
    for _ in range(x.ndim - 2):
        one = _mapped(one)
    u, half = one(x if right else adjoint(x))
    return (u, half) if right else (adjoint(u), half)


def _mapped(f: Any) -> Any:
    from perspicax.transform.vmap import vmap  # here: for weight

    return vmap(f)


__all__ = ["cho_factor", "cholesky", "eigh", "hessenberg", "lu", "lu_factor", "polar", "prepared", "qr", "qr_multiply",
           "rsf2csf", "schur", "svd"]
