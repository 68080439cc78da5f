"""Systems of linear equations with SciPy's signatures."""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax import linalg as lax_linalg
from perspicax.lax.linalg.errors import DecompositionOptionError, MatrixShapeError
from perspicax.lax.linalg.general_eigen import complex_dtype
from perspicax.lax.linalg.matrices import adjoint, product
from perspicax.lax.linalg.solving import solve_factored, solve_general
from perspicax.lax.loops import fori_loop
from perspicax.lax.markers import stop_gradient
from perspicax.lax.solving import custom_linear_solve
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.linalg.arguments import inexact, square
from perspicax.numpy.linalg.equations import _det, _inv, check_system, solve_system


def _stacked(a: Any, b: Any) -> tuple[Any, Any, bool]:
    """A system with the same leading axes on both sides, and whether the right side was a vector."""
    vector = b.ndim == 1
    b = b[:, None] if vector else b
    stack = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return jnp.broadcast_to(a, (*stack, *a.shape[-2:])), jnp.broadcast_to(b, (*stack, *b.shape[-2:])), vector


def solve(a: Any, b: Any, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False, debug: bool = False,
          check_finite: bool = True, assume_a: str = "gen") -> Array:
    """The solution of A X = B.

    Args:
        a: matrices `[..., n, n]`.
        b: a vector `[n]`, or right sides `[..., n, k]`.
        lower: which triangle is read for `"pos"`.
        overwrite_a: has no effect.
        overwrite_b: has no effect.
        debug: has no effect.
        check_finite: has no effect.
        assume_a: `"gen"` (nothing is known), `"sym"`, `"her"`, or `"pos"` (positive definite: half the work).

    Returns:
        Array `[..., n]` for a vector, else `[..., n, k]`.
    """
    function = "jsp.linalg.solve"
    if assume_a not in ("gen", "sym", "her", "pos"):
        raise DecompositionOptionError(function=function, option=f"assume_a={assume_a!r}",
                                       why="it is 'gen', 'sym', 'her' or 'pos'")
    x, y = inexact(function, a, b)
    check_system(function, x.aval, y.aval)
    if assume_a != "pos":
        return fused_call(solve_system, (x, y))
    return fused_call(_solve_positive, (x, y), lower=bool(lower))


def _solve_positive(a: Any, b: Any, *, lower: bool) -> Any:
    a, b, vector = _stacked(a, b)
    kept = jnp.tril(a, -1) if lower else jnp.triu(a, 1)
    diagonal = jnp.where(np.eye(a.shape[-1], dtype=bool), a, jnp.zeros((), a.dtype))
    whole = stop_gradient(kept + adjoint(kept) + diagonal)
    factor = lax_linalg.cholesky(whole, symmetrize_input=False)
    whole = whole + (a - stop_gradient(a))  # one triangle is read, but the derivative is that of the whole matrix, as in JAX
    found = custom_linear_solve(lambda x: product(whole, x), b, solve=lambda _, y: _by_factor(factor, y),
                                transpose_solve=lambda _, y: jnp.conj(_by_factor(factor, jnp.conj(y))))
    return found[..., 0] if vector else found


def _by_factor(factor: Any, b: Any) -> Any:
    inner = lax_linalg.triangular_solve(factor, b, left_side=True, lower=True)
    return lax_linalg.triangular_solve(factor, inner, left_side=True, lower=True, transpose_a=True, conjugate_a=True)


def solve_triangular(a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False,
                     overwrite_b: bool = False, debug: Any = None, check_finite: bool = True) -> Array:
    """The solution of A X = B for triangular A.

    Args:
        a: matrices `[..., n, n]`, of which one triangle is read.
        b: a vector `[n]`, or right sides `[..., n, k]`.
        trans: 0 or `"N"` for A, 1 or `"T"` for its transpose, 2 or `"C"` for its adjoint.
        lower: whether the lower triangle is meant.
        unit_diagonal: whether to take ones for the diagonal, which is not read then.
        overwrite_b: has no effect.
        debug: has no effect.
        check_finite: has no effect.

    Returns:
        Array `[..., n]` for a vector, else `[..., n, k]`.
    """
    function = "jsp.linalg.solve_triangular"
    how = {0: 0, "N": 0, 1: 1, "T": 1, 2: 2, "C": 2}.get(trans)
    if how is None:
        raise DecompositionOptionError(function=function, option=f"trans={trans!r}",
                                       why="it is 0 or 'N', 1 or 'T', 2 or 'C'")
    x, y = inexact(function, a, b)
    check_system(function, x.aval, y.aval)
    return fused_call(_solve_triangular, (x, y), trans=how, lower=bool(lower), unit_diagonal=bool(unit_diagonal))


def _solve_triangular(a: Any, b: Any, *, trans: int, lower: bool, unit_diagonal: bool) -> Any:
    a, b, vector = _stacked(a, b)
    found = lax_linalg.triangular_solve(a, b, left_side=True, lower=lower, transpose_a=trans > 0, conjugate_a=trans == 2,
                                        unit_diagonal=unit_diagonal)
    return found[..., 0] if vector else found


def cho_solve(c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Array:
    """The solution of A X = B from the Cholesky factor of A.

    Args:
        c_and_lower: what `cho_factor` returned.
        b: a vector `[n]`, or right sides `[..., n, k]`.
        overwrite_b: has no effect.
        check_finite: has no effect.
    """
    function = "jsp.linalg.cho_solve"
    c, lower = c_and_lower
    x, y = inexact(function, c, b)
    check_system(function, x.aval, y.aval)
    return fused_call(_cho_solve, (x, y), lower=bool(lower))


def _cho_solve(c: Any, b: Any, *, lower: bool) -> Any:
    c, b, vector = _stacked(c, b)
    inner = lax_linalg.triangular_solve(c, b, left_side=True, lower=lower, transpose_a=not lower, conjugate_a=not lower)
    found = lax_linalg.triangular_solve(c, inner, left_side=True, lower=lower, transpose_a=lower, conjugate_a=lower)
    return found[..., 0] if vector else found


def lu_solve(lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0, overwrite_b: bool = False,
             check_finite: bool = True) -> Array:
    """The solution of A X = B from the factors of A.

    Args:
        lu_and_piv: what `lu_factor` returned.
        b: a vector `[n]`, or right sides `[..., n, k]`.
        trans: 0 for A, 1 for its transpose, 2 for its adjoint.
        overwrite_b: has no effect.
        check_finite: has no effect.
    """
    function = "jsp.linalg.lu_solve"
    factors, pivots = lu_and_piv
    if trans not in (0, 1, 2):
        raise DecompositionOptionError(function=function, option=f"trans={trans!r}", why="it is 0, 1 or 2")
    x, y = inexact(function, factors, b)
    check_system(function, x.aval, y.aval)
    swaps = jnp.asarray(pivots).astype(np.int32)
    if swaps.ndim == 0 or swaps.shape[-1] != x.shape[-1]:
        raise MatrixShapeError(function=function, avals=(x.aval, swaps.aval),
                               why=f"there is one exchange for each row: {x.shape[-1]}")
    return fused_call(_lu_solve, (x, swaps, y), trans=int(trans))


def _lu_solve(factors: Any, pivots: Any, b: Any, *, trans: int) -> Any:
    factors, b, vector = _stacked(factors, b)
    permutation = lax_linalg.lu_pivots_to_permutation(pivots, factors.shape[-1])
    permutation = jnp.broadcast_to(permutation, factors.shape[:-1])
    found = solve_factored(factors, permutation, b, trans)
    return found[..., 0] if vector else found


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The inverses of square matrices; see `jax.numpy.linalg.inv`."""
    return fused_call(_inv, (square("jsp.linalg.inv", a),))


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The determinants of square matrices; see `jax.numpy.linalg.det`."""
    return fused_call(_det, (square("jsp.linalg.det", a),))


def solve_sylvester(A: Any, B: Any, C: Any, *, method: str = "schur", tol: float = 1e-8) -> Array:
    """The solution X of Sylvester's equation A X + X B = C.

    Args:
        A: matrix `[m, m]`.
        B: matrix `[n, n]`.
        C: matrix `[m, n]`.
        method: `"schur"` (Bartels and Stewart, Comm. ACM 15, 1972) or `"eigen"` (by eigenvectors, which must be
            independent).
        tol: sums of an eigenvalue of A and one of B below this size count as zero: the equation has no one solution, and
            the result is NaN.

    Returns:
        Array `[m, n]`, complex where an operand is.

    Raises:
        MatrixShapeError: the sizes do not go together.
    """
    function = "jsp.linalg.solve_sylvester"
    if method not in ("schur", "eigen"):
        raise DecompositionOptionError(function=function, option=f"method={method!r}", why="it is 'schur' or 'eigen'")
    a, b, c = inexact(function, A, B, C)
    if any(x.ndim != 2 for x in (a, b, c)) or a.shape[0] != a.shape[1] or b.shape[0] != b.shape[1] \
            or c.shape != (a.shape[0], b.shape[0]):
        raise MatrixShapeError(function=function, avals=(a.aval, b.aval, c.aval),
                               why="A is [m, m], B [n, n] and C [m, n]")
    return fused_call(_sylvester, (a, b, c), by_schur=method == "schur", tol=float(tol))


def _sylvester(a: Any, b: Any, c: Any, *, by_schur: bool, tol: float) -> Any:
    dtype = complex_dtype(a.dtype)
    by = _sylvester_by_schur if by_schur else _sylvester_by_eigen
    found = by(a.astype(dtype), b.astype(dtype), c.astype(dtype), tol)
    return found if jnp.iscomplexobj(a) else jnp.real(found)


def _unsolvable(sums: Any, tol: float) -> Any:
    return jnp.any(jnp.abs(sums) < tol)


def _sylvester_by_schur(a: Any, b: Any, c: Any, tol: float) -> Any:
    """With A = U R Uᴴ and B = V S Vᴴ, both upper triangular: R Y + Y S = Uᴴ C V, column by column."""
    (r, u), (s, v) = lax_linalg.schur(a), lax_linalg.schur(b)
    right = product(product(adjoint(u), c), v)
    one = jnp.eye(a.shape[0], dtype=a.dtype)

    def column(k: Any, y: Any) -> Any:
        rest = right[:, k] - product(y, s[:, k][:, None])[:, 0]
        new = lax_linalg.triangular_solve(r + s[k, k] * one, rest[:, None], left_side=True, lower=False)
        return y.at[:, k].set(new[:, 0])

    y = fori_loop(0, b.shape[0], column, jnp.zeros_like(c))
    sums = jnp.diagonal(r)[:, None] + jnp.diagonal(s)
    return jnp.where(_unsolvable(sums, tol), jnp.nan, product(product(u, y), adjoint(v)))


def _sylvester_by_eigen(a: Any, b: Any, c: Any, tol: float) -> Any:
    wa, va = lax_linalg.eig(a, compute_left_eigenvectors=False)
    wb, vb = lax_linalg.eig(b, compute_left_eigenvectors=False)
    sums = wa[:, None] + wb
    y = solve_general(va, product(c, vb)) / sums
    found = product(va, jnp.swapaxes(solve_general(jnp.swapaxes(vb, 0, 1), jnp.swapaxes(y, 0, 1)), 0, 1))
    return jnp.where(_unsolvable(sums, tol), jnp.nan, found)


__all__ = ["cho_solve", "det", "inv", "lu_solve", "solve", "solve_sylvester", "solve_triangular"]
