"""Linear algebra with NumPy's signatures: `jax.numpy.linalg`."""
from perspicax.diagnose.facade import publish as _publish
from perspicax.numpy.linalg.equations import det, inv, lstsq, pinv, slogdet, solve, tensorinv, tensorsolve
from perspicax.numpy.linalg.factors import cholesky, eig, eigh, eigvals, eigvalsh, qr, svd, svdvals
from perspicax.numpy.linalg.norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from perspicax.numpy.linalg.products import (
    cross,
    diagonal,
    matmul,
    matrix_power,
    matrix_transpose,
    multi_dot,
    outer,
    tensordot,
    trace,
    vecdot,
)

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr",
    "slogdet", "solve", "svd", "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]

_publish(__name__)
