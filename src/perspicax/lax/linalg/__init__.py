"""Decompositions of matrices, and the equations they solve: `jax.lax.linalg`."""
from perspicax.diagnose.facade import publish as _publish
from perspicax.lax.linalg.cholesky_factor import cholesky, cholesky_p, cholesky_update, cholesky_update_p
from perspicax.lax.linalg.general_eigen import (
    EigImplementation,
    eig,
    eig_p,
    hessenberg,
    hessenberg_p,
    schur,
    schur_p,
)
from perspicax.lax.linalg.lu_factor import lu, lu_p, lu_pivots_to_permutation, lu_pivots_to_permutation_p
from perspicax.lax.linalg.orthogonal import (
    householder_product,
    householder_product_p,
    ormqr,
    ormqr_p,
    qr,
    qr_p,
)
from perspicax.lax.linalg.polar import qdwh
from perspicax.lax.linalg.singular import SvdAlgorithm, svd, svd_p
from perspicax.lax.linalg.symmetric import symmetric_product, symmetric_product_p
from perspicax.lax.linalg.symmetric_eigen import EighImplementation, eigh, eigh_p, tridiagonal, tridiagonal_p
from perspicax.lax.linalg.triangular import triangular_solve, triangular_solve_p
from perspicax.lax.linalg.tridiagonal_system import tridiagonal_solve, tridiagonal_solve_p

__all__ = [
    "EigImplementation", "EighImplementation", "SvdAlgorithm", "cholesky", "cholesky_p", "cholesky_update",
    "cholesky_update_p", "eig", "eig_p", "eigh", "eigh_p", "hessenberg", "hessenberg_p", "householder_product",
    "householder_product_p", "lu", "lu_p", "lu_pivots_to_permutation", "lu_pivots_to_permutation_p", "ormqr", "ormqr_p",
    "qdwh", "qr", "qr_p", "schur", "schur_p", "svd", "svd_p", "symmetric_product", "symmetric_product_p",
    "triangular_solve", "triangular_solve_p", "tridiagonal", "tridiagonal_p", "tridiagonal_solve", "tridiagonal_solve_p",
]

_publish(__name__)
