"""The polar decomposition, by dynamically weighted Halley iterations."""
from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from perspicax.core.dtypes import finfo
from perspicax.lax import elementwise, shape
from perspicax.lax.bitwise import bitwise_and, bitwise_not
from perspicax.lax.compare import eq, gt, lt, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.families import zeros_like
from perspicax.lax.linalg.cholesky_factor import cholesky
from perspicax.lax.linalg.errors import MatrixShapeError
from perspicax.lax.linalg.kernels import check_matrix, type_of
from perspicax.lax.linalg.matrices import adjoint, identity_like, product, symmetrized
from perspicax.lax.linalg.orthogonal import qr
from perspicax.lax.linalg.triangular import triangular_solve
from perspicax.lax.loops import scan
from perspicax.lax.operand import operand
from perspicax.lax.reductions import reduce_max, reduce_sum
from perspicax.lax.slicing import slice as sliced
from perspicax.lax.while_loops import while_loop

FUNCTION = "lax.linalg.qdwh"
MAX_ITERATIONS = 10


@functools.lru_cache(64)
def weights(eps: float) -> list[tuple[float, float, float]]:
    """The weights (a, b, c) of the iterations that take a smallest singular value of `eps` to 1.

    Nakatsukasa, Bai and Gygi, SIAM J. Matrix Anal. Appl. 31, 2010, equation 3.10.
    """
    found: list[tuple[float, float, float]] = []
    least = eps
    while abs(least - 1) > 5 * eps and len(found) < MAX_ITERATIONS:
        square = least * least
        d = math.cbrt(4 * (1 - square) / square ** 2)
        root = math.sqrt(1 + d)
        a = root + 0.5 * math.sqrt(8 - 4 * d + 8 * (2 - square) / (square * root))
        b = (a - 1) ** 2 / 4
        c = a + b - 1
        least = least * (a + b * square) / (1 + c * square)
        found.append((a, b, c))
    return found


def _scalar(value: float, like: Any) -> Any:
    return np.asarray(value, type_of(like).dtype)[()]


def _times(weight: Any, x: Any) -> Any:
    return elementwise.mul(convert_element_type(weight, type_of(x).dtype), x)


def _combined(u: Any, other: Any, a: Any, b: Any, c: Any, root: Any) -> Any:
    """(b / c) u + (a - b / c) / root · other."""
    ratio = elementwise.div(b, c)
    rest = elementwise.div(elementwise.sub(a, ratio), root)
    return elementwise.add(_times(ratio, u), _times(rest, other))


def _by_qr(u: Any, row: Any) -> Any:
    """One iteration by the QR decomposition of √c u upon the identity: it stays accurate for large weights."""
    a, b, c = _entries(row)
    m, n = type_of(u).shape
    root = elementwise.sqrt(c)
    one = identity_like(zeros_like(sliced(u, (0, 0), (n, n))))
    q, _ = qr(shape.concatenate([_times(root, u), one], 0), full_matrices=False)
    upper, lower = sliced(q, (0, 0), (m, n)), sliced(q, (m, 0), (m + n, n))
    return _combined(u, product(upper, adjoint(lower)), a, b, c, root)


def _by_cholesky(u: Any, row: Any) -> Any:
    """One iteration by the Cholesky factor of c uᴴ u + 1: it is the fastest where the weights are small."""
    a, b, c = _entries(row)
    gram = _times(c, product(adjoint(u), u))
    factor = cholesky(elementwise.add(gram, identity_like(gram)), symmetrize_input=False)
    inner = triangular_solve(factor, adjoint(u), left_side=True, lower=True)
    inner = triangular_solve(factor, inner, left_side=True, lower=True, transpose_a=True, conjugate_a=True)
    return _combined(u, adjoint(inner), a, b, c, np.ones((), type_of(a).dtype)[()])


def _entries(row: Any) -> list[Any]:
    return [shape.reshape(sliced(row, (i,), (i + 1,)), ()) for i in range(3)]


def _norm(x: Any) -> Any:
    size = elementwise.abs(x)
    return elementwise.sqrt(reduce_sum(elementwise.mul(size, size), (0, 1)))


def _masked(x: Any, rows: Any, columns: Any) -> Any:
    if rows is None:
        return x
    sizes = type_of(x).shape
    inside = bitwise_and(*[lt(shape.broadcasted_iota(np.dtype(np.int32), sizes, i),
                              shape.broadcast_in_dim(convert_element_type(limit, np.int32), sizes, ()))
                           for i, limit in enumerate((rows, columns))])
    return select(inside, x, zeros_like(x))


def qdwh(x: Any, *, is_hermitian: bool = False, max_iterations: int | None = None, eps: float | None = None,
         dynamic_shape: tuple[Any, Any] | None = None) -> tuple[Any, Any, Any, Any]:
    """The polar decomposition A = U H of a matrix of full rank: orthonormal columns of U, Hermitian H.

    Args:
        x: matrix `[m, n]` with m ≥ n, floating or complex.
        is_hermitian: has no effect.
        max_iterations: the most iterations; 10 by default.
        eps: iterations end when an iterate differs from the last one by less than (5 eps)^(1/3); the dtype's resolution by
            default.
        dynamic_shape: numbers of rows and columns that are meant, where `x` is larger; they may be traced.

    Returns:
        `(u, h, num_iters, is_converged)`: arrays `[m, n]` and `[n, n]`, an integer and a boolean scalar.

    Raises:
        MatrixShapeError: `x` has not two axes, or m < n.

    Nakatsukasa, Bai and Gygi, SIAM J. Matrix Anal. Appl. 31, 2010.
    """
    x = operand(x)
    aval = type_of(x)
    check_matrix(FUNCTION, aval)
    if aval.ndim != 2 or aval.shape[0] < aval.shape[1]:
        raise MatrixShapeError(function=FUNCTION, avals=(aval,),
                               why="it takes one matrix, with at least as many rows as columns")
    limit = MAX_ITERATIONS if max_iterations is None else operator.index(max_iterations)
    eps = float(finfo(aval.dtype).eps) if eps is None else float(eps)
    rows, columns = dynamic_shape if dynamic_shape is not None else (None, None)
    return _iterate(_masked(x, rows, columns), rows, columns, limit, eps)


def _iterate(x: Any, rows: Any, columns: Any, limit: int, eps: float) -> tuple[Any, Any, Any, Any]:
    table = weights(eps)[:limit]
    by_qr = [row for row in table if row[2] > 100]
    by_cholesky = table[len(by_qr):]
    real = finfo(type_of(x).dtype).dtype
    tolerance = np.asarray(np.cbrt(5 * eps), real)[()]

    def moved(u: Any, following: Any) -> tuple[Any, Any]:
        following = _masked(following, rows, columns)
        return following, gt(_norm(elementwise.sub(following, u)), tolerance)

    u = _scaled(x)
    going = np.bool_(True)
    if by_qr:
        u, _ = scan(lambda u, row: (_masked(_by_qr(u, row), rows, columns), None), u, np.asarray(by_qr, real))
    if by_cholesky:
        (u, going), _ = scan(lambda s, row: (moved(s[0], _by_cholesky(s[0], row)), None), (u, going),
                             np.asarray(by_cholesky, real))
    last = np.asarray((3, 1, 3), real)
    count, u, going = while_loop(
        lambda s: bitwise_and(s[2], lt(s[0], limit)),
        lambda s: (elementwise.add(s[0], 1), *moved(s[1], _by_cholesky(s[1], last))), (len(table), u, going))
    # One step of Newton and Schulz brings the columns of U from nearly orthonormal to orthonormal.
    u = elementwise.sub(elementwise.mul(_scalar(1.5, u), u),
                        product(elementwise.mul(_scalar(0.5, u), u), product(adjoint(u), u)))
    u = _masked(u, rows, columns)
    return u, symmetrized(product(adjoint(u), x)), count, bitwise_not(going)


def _scaled(x: Any) -> Any:
    """The matrix over the root of its largest sums of columns and of rows, a bound of its norm."""
    if not type_of(x).size:
        return x
    sizes = elementwise.abs(x)
    by_columns, by_rows = (reduce_max(reduce_sum(sizes, (axis,)), (0,)) for axis in (0, 1))
    factor = elementwise.mul(elementwise.rsqrt(by_columns), elementwise.rsqrt(by_rows))
    factor = select(eq(by_columns, zeros_like(by_columns)), _scalar(1, factor), factor)
    return _times(factor, x)


__all__ = ["qdwh", "weights"]
