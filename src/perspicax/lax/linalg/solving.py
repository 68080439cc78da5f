"""Systems of linear equations, from the factors of their matrix."""
from __future__ import annotations

from typing import Any

from perspicax.lax import shape
from perspicax.lax.linalg.kernels import type_of
from perspicax.lax.linalg.lu_factor import lu
from perspicax.lax.linalg.matrices import permuted_rows
from perspicax.lax.linalg.triangular import triangular_solve
from perspicax.lax.sorting import sort_key_val


def solve_factored(factors: Any, permutation: Any, b: Any, trans: int = 0) -> Any:
    """The solution of A X = B (`trans` 0), Aᵀ X = B (1) or Aᴴ X = B (2) from P A = L U.

    Args:
        factors: L and U in one array `[..., n, n]`, as `lu` gives them.
        permutation: rows of A in the order of P A, `[..., n]`.
        b: right sides `[..., n, k]` with the same leading axes.
    """
    if trans == 0:
        inner = triangular_solve(factors, permuted_rows(b, permutation), left_side=True, lower=True, unit_diagonal=True)
        return triangular_solve(factors, inner, left_side=True, lower=False)
    hermitian = trans == 2
    inner = triangular_solve(factors, b, left_side=True, lower=False, transpose_a=True, conjugate_a=hermitian)
    inner = triangular_solve(factors, inner, left_side=True, lower=True, unit_diagonal=True, transpose_a=True,
                             conjugate_a=hermitian)
    return permuted_rows(inner, inverse_permutation(permutation))


def inverse_permutation(permutation: Any) -> Any:
    """The permutation that undoes another."""
    a = type_of(permutation)
    counted = shape.broadcasted_iota(a.dtype, a.shape, a.ndim - 1)
    return sort_key_val(permutation, counted, a.ndim - 1)[1]


def solve_general(a: Any, b: Any) -> Any:
    """The solution of A X = B; A and B have the same leading axes."""
    factors, _, permutation = lu(a)
    return solve_factored(factors, permutation, b)


__all__ = ["inverse_permutation", "solve_factored", "solve_general"]
