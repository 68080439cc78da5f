"""Systems of linear equations whose matrix has three diagonals."""
from __future__ import annotations

from typing import Any

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.errors import RuleMissingError
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.lax import elementwise, shape
from perspicax.lax.families import zeros_like
from perspicax.lax.linalg.errors import MatrixShapeError
from perspicax.lax.linalg.kernels import (
    STACKED,
    GpuKernel,
    check_dtype,
    check_one_dtype,
    check_stacks,
    info_type,
    nan_where_failed,
    native_call,
    promoted,
    type_of,
)
from perspicax.lax.slicing import slice_in_dim
from perspicax.transform.hooks import add_tangents

FUNCTION = "lax.linalg.tridiagonal_solve"


def _type(dl: ShapedArray, d: ShapedArray, du: ShapedArray, b: ShapedArray, *, perturb_singular: bool) -> ShapedArray:
    avals = (dl, d, du, b)
    for x in avals:
        check_dtype(FUNCTION, x)
    check_one_dtype(FUNCTION, avals)
    if not dl.shape == d.shape == du.shape or not d.ndim:
        raise MatrixShapeError(function=FUNCTION, avals=avals,
                               why="the three diagonals have the same shape [..., n]; the first entry of the lower one and "
                                   "the last of the upper one are not used")
    if b.ndim != d.ndim + 1 or b.shape[:-1] != d.shape:
        raise MatrixShapeError(function=FUNCTION, avals=avals, index=3,
                               why=f"beside diagonals {list(d.shape)} the right sides are {[*d.shape, 'k']}".replace("'", ""))
    check_stacks(FUNCTION, avals, (1, 1, 1, 2))
    return ShapedArray(b.shape, b.dtype, all(x.weak_type for x in avals))


def _down(x: Any, axis: int) -> Any:
    """Entry `i` is entry `i - 1` of `x`, the first 0."""
    return _shifted(x, axis, 1)


def _up(x: Any, axis: int) -> Any:
    """Entry `i` is entry `i + 1` of `x`, the last 0."""
    return _shifted(x, axis, -1)


def _shifted(x: Any, axis: int, by: int) -> Any:
    if type_of(x).shape[axis] == 0:
        return x
    zero = zeros_like(slice_in_dim(x, 0, 1, axis=axis))
    if by > 0:
        return shape.concatenate([zero, slice_in_dim(x, 0, -1, axis=axis)], axis)
    return shape.concatenate([slice_in_dim(x, 1, None, axis=axis), zero], axis)


def _times(diagonal: Any, x: Any) -> Any:
    a = type_of(x)
    return elementwise.mul(shape.broadcast_in_dim(diagonal, a.shape, range(a.ndim - 1)), x)


def _jvp(primals: tuple, tangents: tuple, *, perturb_singular: bool) -> tuple[Any, Any]:
    """A X = B gives A Ẋ = Ḃ - Ȧ X."""
    *diagonals, b = primals
    x = tridiagonal_solve_p(*diagonals, b, perturb_singular=perturb_singular)
    right: Any = tangents[3]
    rows = type_of(x).ndim - 2
    for t, moved in zip(tangents, (lambda: _down(x, rows), lambda: x, lambda: _up(x, rows))):
        if type(t) is not Zero:
            right = add_tangents(right, elementwise.neg(_times(t, moved())))
    return x, tridiagonal_solve_p(*diagonals, right, perturb_singular=perturb_singular)


def _transpose(ct: Any, dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool) -> list[Any]:
    if type(b) is not Linear or any(type(x) is Linear for x in (dl, d, du)):
        raise RuleMissingError(primitive="tridiagonal_solve", rule="transpose",
                               reason="the solution is not linear in the diagonals")
    last = type_of(d).ndim - 1
    return [None, None, None, tridiagonal_solve_p(_down(du, last), d, _up(dl, last), ct, perturb_singular=perturb_singular)]


def _emit(b: Any, dl: Any, d: Any, du: Any, y: Any, *, perturb_singular: bool) -> Any:
    out = b.out[0]
    if not out.size:
        return y
    if perturb_singular:
        return native_call(b, FUNCTION, "tridiagonal_solve_perturbed_ffi", "", [dl, d, du, y], [out],
                           ranks=(1, 1, 1, 2, 2), aliases={}, gpu=GpuKernel("_tridiagonal_solve_perturbed_ffi"))[0]
    info = info_type(out.shape[:-2])
    if b.module.platform != "cpu":
        return native_call(b, FUNCTION, "gtsv", "", [dl, d, du, y], [out], ranks=(1, 1, 1, 2, 2), aliases={3: 0},
                           gpu=GpuKernel("sparse_gtsv2_ffi"))[0]
    found = native_call(b, FUNCTION, "gtsv", "", [dl, d, du, y], [dl.aval, d.aval, du.aval, out, info],
                        ranks=(1, 1, 1, 2, 1, 1, 1, 2, 0), aliases={0: 0, 1: 1, 2: 2, 3: 3})
    return nan_where_failed(b, found[4], [found[3]])[0]


tridiagonal_solve_p = Primitive(
    "tridiagonal_solve", params=("perturb_singular",), type_rule=_type, jvp=_jvp, transpose=_transpose, batch=STACKED,
    emit=_emit, source="LAPACK, `gtsv`")


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool = False) -> Array:
    """The solution of A X = B for a matrix A of three diagonals.

    Args:
        dl: lower diagonal `[..., n]`: `dl[i] = A[i, i - 1]`; its first entry is not used.
        d: main diagonal `[..., n]`.
        du: upper diagonal `[..., n]`: `du[i] = A[i, i + 1]`; its last entry is not used.
        b: right sides `[..., n, k]`.
        perturb_singular: whether to replace tiny pivots, so that the solution for a singular matrix is finite: as inverse
            iteration wants it.

    Returns:
        Array of the shape and dtype of `b`; NaN, where the matrix is singular.

    Raises:
        MatrixShapeError: the shapes do not go together.

    >>> tridiagonal_solve(jnp.zeros(2), jnp.array([2., 4.]), jnp.zeros(2), jnp.ones((2, 1))).ravel()
    Array([0.5 , 0.25], dtype=float32)
    """
    xs = tuple(promoted(FUNCTION, dl, d, du, b))
    return local.trace.process(tridiagonal_solve_p, xs, (bool(perturb_singular),))


__all__ = ["tridiagonal_solve", "tridiagonal_solve_p"]
