"""Systems of linear equations, inverses and determinants."""
from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax import linalg as lax_linalg
from perspicax.lax.cumulative import cummin
from perspicax.lax.families import joined_shape
from perspicax.lax.linalg.errors import DecompositionOptionError, MatrixShapeError, UnsupportedOptionError
from perspicax.lax.linalg.kernels import type_of
from perspicax.lax.linalg.matrices import adjoint, diagonal, product
from perspicax.lax.linalg.orthogonal import geqrf
from perspicax.lax.linalg.solving import solve_factored
from perspicax.lax.markers import stop_gradient
from perspicax.lax.shape import broadcast_shapes
from perspicax.lax.solving import custom_linear_solve
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.linalg.arguments import check_square, inexact, matrix, square
from perspicax.numpy.linalg.factors import SVDResult, svd
from perspicax.transform.custom import custom_jvp


class SlogdetResult(NamedTuple):
    """A determinant by its sign and the logarithm of its size."""

    sign: Array
    logabsdet: Array


# -- solve, inv

def solve(a: Any, b: Any) -> Array:
    """The solution of A X = B.

    Args:
        a: matrices `[..., n, n]`.
        b: a vector `[n]`, or right sides `[..., n, k]`; the leading axes broadcast.

    Returns:
        Array `[..., n]` for a vector, else `[..., n, k]`.

    Raises:
        SquareMatrixError: the matrices are not square.
        MatrixShapeError: the sizes do not go together.

    >>> solve(jnp.array([[2., 0.], [0., 4.]]), jnp.array([2., 4.]))
    Array([1., 1.], dtype=float32)
    """
    x, y = inexact("jnp.linalg.solve", a, b)
    check_system("jnp.linalg.solve", x.aval, y.aval)
    return fused_call(solve_system, (x, y))


def check_system(function: str, a: Any, b: Any) -> None:
    """Refuse a system whose sizes do not go together."""
    check_square(function, a, 0, 2)
    n = a.shape[-1]
    if b.ndim == 0:
        raise MatrixShapeError(function=function, avals=(a, b), index=1, why="the right side is a vector or a matrix")
    if b.shape[-1 if b.ndim == 1 else -2] != n:
        why = f"the right side has as many rows as the matrix: {n}, not {b.shape[-1 if b.ndim == 1 else -2]}"
        stacked = b.ndim > 1 and b.shape[-1] == n and joined_shape(b.shape[:-1], a.shape[:-2]) is not None
        use = f"{function}({{0}}, {{1}}[..., None])[..., 0]" if stacked and function.endswith(".solve") else ""
        raise MatrixShapeError(function=function, avals=(a, b), why=why, use=use,
                               use_why="solve for each vector of the stack" if use else "")
    try:
        broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except (TypeError, ValueError):
        raise MatrixShapeError(function=function, avals=(a, b), why="the leading axes must broadcast: here "
                               f"{list(a.shape[:-2])} and {list(b.shape[:-2])}") from None


def solve_system(a: Any, b: Any) -> Any:
    """The solution of a system that was checked; its derivative does not go through the factors."""
    vector = type_of(b).ndim == 1
    b = b[:, None] if vector else b
    stack = broadcast_shapes(type_of(a).shape[:-2], type_of(b).shape[:-2])
    a = jnp.broadcast_to(a, (*stack, *type_of(a).shape[-2:]))
    b = jnp.broadcast_to(b, (*stack, *type_of(b).shape[-2:]))
    factors, _, permutation = lax_linalg.lu(stop_gradient(a))
    found = custom_linear_solve(
        lambda x: product(a, x), b, solve=lambda _, y: solve_factored(factors, permutation, y),
        transpose_solve=lambda _, y: solve_factored(factors, permutation, y, trans=1))
    return found[..., 0] if vector else found


def inv(a: Any) -> Array:
    """The inverses of square matrices.

    Args:
        a: matrices `[..., n, n]`.

    Returns:
        Array of the shape of `a`; infinite or NaN, where a matrix is singular.

    Raises:
        SquareMatrixError: the matrices are not square.
    """
    return fused_call(_inv, (square("jnp.linalg.inv", a),))


def _inv(x: Any) -> Any:
    return solve_system(x, jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape))


def tensorinv(a: Any, ind: int = 2) -> Array:
    """The inverse of an array as a linear map from its last axes to its first `ind`.

    Args:
        a: array whose first `ind` axes have together as many entries as the others.
        ind: number of the first axes.

    Raises:
        MatrixShapeError: they have not as many.
        ArgumentValueError: `ind` is not positive.
    """
    [x] = inexact("jnp.linalg.tensorinv", a)
    if ind <= 0:
        raise ArgumentValueError(says=f"`jnp.linalg.tensorinv` was given ind={ind}.", why="`ind` is at least 1")
    first, last = x.shape[:ind], x.shape[ind:]
    if math.prod(first) != math.prod(last):
        raise MatrixShapeError(function="jnp.linalg.tensorinv", avals=(x.aval,),
                               why=f"its first {ind} axes have {math.prod(first)} entries together, and the others "
                                   f"{math.prod(last)}; these must be equal")
    return inv(x.reshape(math.prod(first), -1)).reshape(*last, *first)


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Array:
    """The solution X of A X = B, where A maps its last axes to its first ones.

    Args:
        a: array `[*b.shape, ...]` with as many entries in its last axes as `b` has.
        b: array.
        axes: axes of `a` that are moved to the end first.

    Returns:
        Array of the shape of the last axes of `a`.

    Raises:
        MatrixShapeError: the sizes do not go together.
    """
    x, y = inexact("jnp.linalg.tensorsolve", a, b)
    if axes is not None:
        x = jnp.moveaxis(x, tuple(axes), tuple(range(x.ndim - len(axes), x.ndim)))
    last = x.shape[y.ndim:]
    if math.prod(x.shape[:y.ndim]) != math.prod(last) or math.prod(last) != y.size:
        raise MatrixShapeError(function="jnp.linalg.tensorsolve", avals=(x.aval, y.aval),
                               why="the first axes of A have as many entries as B, and its last axes as well: here "
                                   f"{math.prod(x.shape[:y.ndim])}, {y.size} and {math.prod(last)}")
    return solve(x.reshape(-1, math.prod(last)), y.ravel()).reshape(last)


# -- determinants

def det(a: Any) -> Array:
    """The determinants of square matrices.

    Args:
        a: matrices `[..., n, n]`.

    Returns:
        Array `[...]`.

    Raises:
        SquareMatrixError: the matrices are not square.
    """
    x = square("jnp.linalg.det", a)
    return fused_call(_det, (x,))


def _det(x: Any) -> Any:
    n = x.shape[-1]
    if n == 1:
        return x[..., 0, 0]
    if n == 2:
        return x[..., 0, 0] * x[..., 1, 1] - x[..., 0, 1] * x[..., 1, 0]
    if n == 3:
        return (x[..., 0, 0] * x[..., 1, 1] * x[..., 2, 2] + x[..., 0, 1] * x[..., 1, 2] * x[..., 2, 0]
                + x[..., 0, 2] * x[..., 1, 0] * x[..., 2, 1] - x[..., 0, 2] * x[..., 1, 1] * x[..., 2, 0]
                - x[..., 0, 0] * x[..., 1, 2] * x[..., 2, 1] - x[..., 0, 1] * x[..., 1, 0] * x[..., 2, 2])
    return _det_by_lu(x)


@custom_jvp
def _det_by_lu(x: Any) -> Any:
    factors, pivots, _ = lax_linalg.lu(x)
    return _parity(pivots, factors.dtype) * jnp.prod(diagonal(factors), axis=-1)


@_det_by_lu.defjvp
def _det_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """Jacobi's formula, tr(adj(A) Ȧ), also of singular matrices.

    The last pivot is never divided by, so that it may be 0. Where another one is, `_adjugate_trace` has the formula.
    """
    [x], [dx] = primals, tangents
    n = x.shape[-1]
    if n == 0:
        return _det_by_lu(x), jnp.zeros(x.shape[:-2], x.dtype)
    factors, pivots, permutation = lax_linalg.lu(x)
    partial = jnp.cumprod(diagonal(factors), axis=-1) * _parity(pivots, x.dtype)[..., None]
    whole = partial[..., -1]
    before = partial[..., -2] if n > 1 else _parity(pivots, x.dtype)
    right = lax_linalg.triangular_solve(factors, _rows(dx, permutation), left_side=True, lower=True, unit_diagonal=True)
    last = jnp.arange(n) == n - 1
    scales = jnp.where(last, before[..., None], whole[..., None])
    on_diagonal = jnp.eye(n, dtype=bool)
    zero = diagonal(factors) == 0
    # the last pivot is in `before` no more
    without = jnp.where(on_diagonal & (zero[..., None] | last), jnp.ones((), x.dtype), factors)
    regular = jnp.trace(lax_linalg.triangular_solve(without, right * scales[..., None], left_side=True, lower=False),
                        axis1=-2, axis2=-1)
    if n == 1:
        return whole, regular
    filled = jnp.where(on_diagonal & zero[..., None], jnp.ones((), x.dtype), factors)
    singular = _parity(pivots, x.dtype) * _adjugate_trace(filled, zero, right)
    return whole, jnp.where(jnp.any(zero[..., :-1], axis=-1), singular, regular)


def _adjugate_trace(filled: Any, zero: Any, dx: Any) -> Any:
    """tr(adj(U) dX) of an upper triangular matrix with zeros on its diagonal, at k_1 < … < k_c.

    With V the inverse of U that has ones there (`filled`), and F the columns of the identity at these places,
    det(U + X) = det(V^-1 + X) det(1 - F^T (V^-1 + X)^-1 F). The second matrix is strictly triangular at X = 0, so that its
    adjugate has one entry that is not 0, and the derivative is (V dX V)[k_c, k_1] prod_i V[k_i, k_(i+1)] / det(V).
    """
    n = zero.shape[-1]
    inverse = lax_linalg.triangular_solve(filled, jnp.broadcast_to(jnp.eye(n, dtype=filled.dtype), filled.shape),
                                          left_side=True, lower=False)
    places = jnp.where(zero, jnp.arange(n), n)
    following = cummin(places, places.ndim - 1, True)
    following = jnp.concatenate([following[..., 1:], jnp.full_like(following[..., :1], n)], -1)
    steps = jnp.take_along_axis(inverse, jnp.minimum(following, n - 1)[..., None], -1)[..., 0]
    chain = jnp.prod(jnp.where(zero & (following < n), steps, 1), axis=-1)
    first, last = jnp.argmax(zero, axis=-1), n - 1 - jnp.argmax(jnp.flip(zero, -1), axis=-1)
    row = jnp.take_along_axis(inverse, last[..., None, None], -2)
    column = jnp.take_along_axis(inverse, first[..., None, None], -1)
    return jnp.prod(diagonal(filled), axis=-1) * chain * (row @ dx @ column)[..., 0, 0]


def _rows(x: Any, permutation: Any) -> Any:
    return jnp.take_along_axis(x, permutation[..., None], axis=-2)


def _parity(pivots: Any, dtype: Any) -> Any:
    """1 or -1: whether the number of row exchanges is even."""
    swaps = jnp.count_nonzero(pivots != jnp.arange(pivots.shape[-1], dtype=pivots.dtype), axis=-1)
    return jnp.where(swaps % 2 == 1, -1, 1).astype(dtype)


def slogdet(a: Any, *, method: str | None = None) -> SlogdetResult:
    """Determinants by their sign and the logarithm of their size, safe against overflow.

    Args:
        a: matrices `[..., n, n]`.
        method: `"lu"`, the default, or `"qr"`, for real matrices.

    Returns:
        `SlogdetResult(sign, logabsdet)`, arrays `[...]`; the sign of a complex determinant is a number of size 1.

    Raises:
        SquareMatrixError: the matrices are not square.
        DecompositionOptionError: there is no such method.
        UnsupportedOptionError: `"qr"` was given with complex matrices.
    """
    x = square("jnp.linalg.slogdet", a)
    if method not in (None, "lu", "qr"):
        raise DecompositionOptionError(function="jnp.linalg.slogdet", option=f"method={method!r}",
                                       why="the methods are 'lu' and 'qr'")
    if method == "qr" and jnp.iscomplexobj(x):
        raise UnsupportedOptionError(function="jnp.linalg.slogdet", option="method='qr' for complex matrices",
                                     why="the phases of reflectors are not kept", use='slogdet(a, method="lu")')
    return SlogdetResult(*fused_call(_slogdet, (x,), method=method or "lu"))


@functools.partial(custom_jvp, nondiff_argnames=("method",))
def _slogdet(x: Any, method: str) -> Any:
    if method == "qr":
        factors, taus = geqrf(x)
        flips = jnp.prod(jnp.where(taus != 0, -1, 1).astype(x.dtype), axis=-1)
        pivots = diagonal(factors)
        sign = flips * jnp.prod(jnp.sign(pivots), axis=-1)
    elif x.shape[-1] == 1 or (x.shape[-1] == 2 and x.dtype.itemsize == 2):  # 16-bit numbers have no kernel
        pivots = _det(x)[..., None]
        sign = jnp.sign(pivots[..., 0])
    else:
        factors, swaps, _ = lax_linalg.lu(x)
        pivots = diagonal(factors)
        sign = _parity(swaps, x.dtype) * jnp.prod(jnp.sign(pivots), axis=-1)
    return sign, jnp.sum(jnp.log(jnp.abs(pivots)), axis=-1)


@_slogdet.defjvp
def _slogdet_jvp(method: str, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """d log|det A| is the real part of tr(A⁻¹ Ȧ), and the phase turns by its imaginary part."""
    [x], [dx] = primals, tangents
    sign, size = _slogdet(x, method=method)
    change = jnp.trace(solve_system(x, dx), axis1=-2, axis2=-1)
    if not jnp.iscomplexobj(x):
        return (sign, size), (jnp.zeros_like(sign), change)
    turn = (change - jnp.real(change).astype(sign.dtype)) * sign
    return (sign, size), (turn, jnp.real(change))


# -- least squares

def lstsq(a: Any, b: Any, rcond: Any = None, *, numpy_resid: bool = False) -> tuple[Array, Array, Array, Array]:
    """The least-squares solution of A X = B, of least norm.

    Args:
        a: matrix `[m, n]`.
        b: `[m]` or `[m, k]`.
        rcond: singular values below `rcond` times the largest count as zero; by default the resolution of the dtype times
            the larger size.
        numpy_resid: whether to leave the residuals empty where NumPy does, which needs to know the rank.

    Returns:
        `(x, residuals, rank, s)`: the solution `[n]` or `[n, k]`, sums of squares `[k]` (`[1]` for a vector), the rank, and the
        singular values.

    Raises:
        MatrixShapeError: `a` is no matrix, or the numbers of rows differ.
    """
    x, y = inexact("jnp.linalg.lstsq", a, b)
    if x.ndim != 2 or y.ndim not in (1, 2):
        raise MatrixShapeError(function="jnp.linalg.lstsq", avals=(x.aval, y.aval),
                               why="it takes one matrix [m, n] and right sides [m] or [m, k]")
    if x.shape[0] != y.shape[0]:
        raise MatrixShapeError(function="jnp.linalg.lstsq", avals=(x.aval, y.aval),
                               why=f"there are as many equations as right sides have rows: {x.shape[0]}, not {y.shape[0]}")
    eps = float(jnp.finfo(x.dtype).eps)
    limit = eps * max(x.shape) if rcond is None else jnp.where(rcond < 0, eps, rcond)
    found, residuals, rank, s = fused_call(_lstsq, (x, y, jnp.asarray(limit, jnp.finfo(x.dtype).dtype)))
    if numpy_resid and (x.shape[0] <= x.shape[1] or bool(rank < x.shape[1])):
        residuals = jnp.asarray([], dtype=residuals.dtype)
    return found, residuals, rank, s


def _lstsq(a: Any, b: Any, limit: Any) -> Any:
    vector = b.ndim == 1
    b = b[:, None] if vector else b
    u, s, vh = lax_linalg.svd(a, full_matrices=False)
    kept = (s > 0) & (s >= limit * s[:1])
    inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1), 0).astype(a.dtype)[:, None]
    found = product(adjoint(vh), inverse * product(adjoint(u), b))
    rest = b - product(a, found)
    residuals = jnp.sum(jnp.real(rest * jnp.conj(rest)), axis=0)
    return found[:, 0] if vector else found, residuals, jnp.sum(kept), s


def pinv(a: Any, rtol: Any = None, hermitian: bool = False, *, rcond: Any = None) -> Array:
    """The pseudo-inverses of matrices (Moore and Penrose).

    Args:
        a: matrices `[..., m, n]`.
        rtol: singular values up to `rtol` times the largest count as zero; by default ten times the larger size times the
            dtype's resolution.
        hermitian: promises that the matrices are Hermitian: a faster way is taken.
        rcond: older name of `rtol`.

    Returns:
        Array `[..., n, m]`.

    Raises:
        MatrixShapeError: `a` has less than two axes.
        ArgumentValueError: both `rtol` and `rcond` were given.
    """
    if rtol is not None and rcond is not None:
        raise ArgumentValueError(says="`jnp.linalg.pinv` was given both `rtol` and `rcond`.", why="they mean the same")
    x = square("jnp.linalg.pinv", a) if hermitian else matrix("jnp.linalg.pinv", a)
    limit = rtol if rtol is not None else rcond
    if limit is None:
        limit = 10. * max(x.shape[-2:]) * float(jnp.finfo(x.dtype).eps)
    real = jnp.finfo(x.dtype).dtype
    return fused_call(_pinv, (x, jnp.asarray(limit, real)), hermitian=bool(hermitian))


@functools.partial(custom_jvp, nondiff_argnames=("hermitian",))
def _pinv(x: Any, limit: Any, hermitian: bool) -> Any:
    if not x.size:
        return jnp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    u, s, vh = svd(x, full_matrices=False, hermitian=True) if hermitian else SVDResult(
        *lax_linalg.svd(x, full_matrices=False))
    kept = s > limit[..., None] * s[..., :1]
    inverse = (1 / jnp.where(kept, s, jnp.inf)).astype(x.dtype)
    return product(adjoint(vh), inverse[..., None] * adjoint(u))


@_pinv.defjvp
def _pinv_jvp(hermitian: bool, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973, for matrices of constant rank."""
    x, limit = primals
    dx = tangents[0]
    p = _pinv(x, limit, hermitian=hermitian)
    ph, dxh = adjoint(p), adjoint(dx)
    right = product(product(p, ph), dxh)  # P Pᴴ Ȧᴴ (1 - A P)
    right = right - product(product(right, x), p)
    left = product(product(dxh, ph), p)  # (1 - P A) Ȧᴴ Pᴴ P
    left = left - product(p, product(x, left))
    return p, right + left - product(product(p, dx), p)


__all__ = ["SlogdetResult", "check_system", "det", "inv", "lstsq", "pinv", "slogdet", "solve",
           "solve_system", "tensorinv", "tensorsolve"]
