"""Linear algebra with SciPy's signatures: `jax.scipy.linalg`."""
from perspicax.diagnose.facade import publish as _publish
from perspicax.scipy.linalg.equations import cho_solve, det, inv, lu_solve, solve, solve_sylvester, solve_triangular
from perspicax.scipy.linalg.factors import (
    cho_factor,
    cholesky,
    eigh,
    hessenberg,
    lu,
    lu_factor,
    polar,
    qr,
    qr_multiply,
    rsf2csf,
    schur,
    svd,
)
from perspicax.scipy.linalg.matrix_functions import expm, expm_frechet, funm, sqrtm
from perspicax.scipy.linalg.special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dft,
    fiedler,
    fiedler_companion,
    hadamard,
    hankel,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    leslie,
    pascal,
    toeplitz,
)
from perspicax.scipy.linalg.tridiagonal_eigen import eigh_tridiagonal

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "companion", "convolution_matrix", "det", "dft",
    "eigh", "eigh_tridiagonal", "expm", "expm_frechet", "fiedler", "fiedler_companion", "funm", "hadamard", "hankel",
    "helmert", "hessenberg", "hilbert", "inv", "invhilbert", "invpascal", "leslie", "lu", "lu_factor", "lu_solve", "pascal",
    "polar", "qr", "qr_multiply", "rsf2csf", "schur", "solve", "solve_sylvester", "solve_triangular", "sqrtm", "svd",
    "toeplitz",
]

_publish(__name__)
