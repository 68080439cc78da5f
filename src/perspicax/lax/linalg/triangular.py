"""Systems of linear equations whose matrix is triangular."""
from __future__ import annotations

from typing import Any

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.errors import RuleMissingError
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.lax import elementwise, shape
from perspicax.lax.families import kind
from perspicax.lax.linalg.errors import MatrixShapeError
from perspicax.lax.linalg.kernels import (
    LETTERS,
    check_dtype,
    check_one_dtype,
    check_square,
    check_stacks,
    native_call,
    promoted,
    type_of,
    u8,
)
from perspicax.lax.linalg.matrices import adjoint, conjugate, lower, product, transposed, upper
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.hooks import add_tangents
from perspicax.xla.emit import boolean

FUNCTION = "lax.linalg.triangular_solve"


def _type(a: ShapedArray, b: ShapedArray, *, left_side: bool, **_: Any) -> ShapedArray:
    for x in (a, b):
        check_dtype(FUNCTION, x)
    check_one_dtype(FUNCTION, (a, b))
    check_square(FUNCTION, a, 0, 2)
    check_stacks(FUNCTION, (a, b), (2, 2))
    axis = -2 if left_side else -1
    if b.shape[axis] != a.shape[-1]:
        side, what = ("A X = B", "rows") if left_side else ("X A = B", "columns")
        raise MatrixShapeError(function=FUNCTION, avals=(a, b),
                               why=f"in {side} the right side has as many {what} as the matrix: {a.shape[-1]}, "
                                   f"not {b.shape[axis]}")
    return ShapedArray(b.shape, b.dtype, a.weak_type and b.weak_type)


def _jvp(primals: tuple, tangents: tuple, *, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool,
         unit_diagonal: bool) -> tuple[Any, Any]:
    """A X = B gives A Ẋ = Ḃ - Ȧ X."""
    (a, b), (da, db) = primals, tangents
    params = dict(left_side=left_side, lower=lower, transpose_a=transpose_a, conjugate_a=conjugate_a,
                  unit_diagonal=unit_diagonal)
    x = triangular_solve_p(a, b, **params)
    right: Any = db
    if type(da) is not Zero:
        change = elementwise.neg(_part(da, lower, unit_diagonal))
        change = adjoint(change) if transpose_a and conjugate_a else transposed(change) if transpose_a else \
            conjugate(change) if conjugate_a else change
        right = add_tangents(right, product(change, x) if left_side else product(x, change))
    return x, triangular_solve_p(a, right, **params)


def _part(x: Any, below: bool, unit_diagonal: bool) -> Any:
    """The triangle that is read."""
    return lower(x, -1 if unit_diagonal else 0) if below else upper(x, 1 if unit_diagonal else 0)


def _transpose(ct: Any, a: Any, b: Any, *, transpose_a: bool, **params: Any) -> list[Any]:
    """The right side is what it is linear in: X = A⁻¹ B, so its cotangent is A⁻ᵀ times that of X."""
    if type(b) is not Linear:
        raise RuleMissingError(primitive="triangular_solve", rule="transpose",
                               reason="the solution is not linear in the matrix")
    return [None, triangular_solve_p(a, ct, transpose_a=not transpose_a, **params)]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, left_side: bool, **params: Any) -> tuple[Any, int]:
    (a, b), (i, j) = args, axes
    if i is None:  # one matrix for all: the right sides stand side by side
        b = to_axis(b, j, 0, axis.size)
        n = type_of(b).ndim
        place = n - 1 if left_side else n - 2  # the batch axis becomes the first of two that are joined
        order = list(range(1, n))
        order.insert(place - 1, 0)
        moved = shape.transpose(b, order)
        sizes = type_of(moved).shape
        joined = shape.reshape(moved, (*sizes[:place - 1], sizes[place - 1] * sizes[place], *sizes[place + 1:]))
        out = shape.reshape(triangular_solve_p(a, joined, left_side=left_side, **params), sizes)
        return out, place - 1
    moved_a, moved_b = to_axis(a, i, 0, axis.size), to_axis(b, j, 0, axis.size)
    return triangular_solve_p(moved_a, moved_b, left_side=left_side, **params), 0


def _emit(b: Any, a: Any, y: Any, *, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool,
          unit_diagonal: bool) -> Any:
    out = b.out[0]
    if not out.size:
        return y
    if conjugate_a and not transpose_a and kind(a.dtype) == "c":
        a, conjugate_a = _conjugated(b, a), False
    if b.module.platform == "cpu" and a.dtype.name in LETTERS:
        how = "N" if not transpose_a else "C" if conjugate_a else "T"
        config = (f"diag = {u8('U' if unit_diagonal else 'N')}, side = {u8('L' if left_side else 'R')}, "
                  f"trans_x = {u8(how)}, uplo = {u8('L' if lower else 'U')}")
        return native_call(b, FUNCTION, "trsm", config, [a, y], [out], ranks=(2, 2, 2), aliases={1: 0})[0]
    how = "NO_TRANSPOSE" if not transpose_a else "ADJOINT" if conjugate_a else "TRANSPOSE"
    return b.hlo("triangular_solve", [a, y], out,
                 f"left_side = {boolean(left_side)}, lower = {boolean(lower)}, "
                 f"unit_diagonal = {boolean(unit_diagonal)}, transpose_a = #stablehlo<transpose {how}>")


def _conjugated(b: Any, a: Any) -> Any:
    part = ShapedArray(a.shape, "f4" if a.dtype.itemsize == 8 else "f8")
    real, imaginary = b.hlo("real", [a], part), b.hlo("imag", [a], part)
    return b.hlo("complex", [real, b.op("negate", [imaginary], part)], a.aval)


triangular_solve_p = Primitive(
    "triangular_solve", params=("left_side", "lower", "transpose_a", "conjugate_a", "unit_diagonal"),
    type_rule=_type, jvp=_jvp, transpose=_transpose, batch=_batch, emit=_emit,
    source="BLAS, `trsm`; StableHLO specification, `triangular_solve`")


def triangular_solve(a: Any, b: Any, *, left_side: bool = False, lower: bool = False, transpose_a: bool = False,
                     conjugate_a: bool = False, unit_diagonal: bool = False) -> Array:
    """The solution of A X = B or X A = B for triangular A.

    Args:
        a: matrices `[..., n, n]`, of which one triangle is read.
        b: right sides `[..., n, k]`, or `[..., k, n]` when the matrix stands on the right; or vectors, with one axis
            less than `a`.
        left_side: whether the matrix stands on the left.
        lower: whether the lower triangle is meant.
        transpose_a: whether to take the transpose of the matrix.
        conjugate_a: whether to take its complex conjugate.
        unit_diagonal: whether to take ones for its diagonal, which is not read then.

    Returns:
        Array of the shape and dtype of `b`.

    Raises:
        SquareMatrixError: the matrices are not square.
        MatrixShapeError: the sizes do not go together.

    >>> triangular_solve(jnp.array([[2., 0.], [1., 1.]]), jnp.array([2., 3.]), left_side=True, lower=True)
    Array([1., 2.], dtype=float32)
    """
    x, y = promoted(FUNCTION, a, b)
    conjugate_a = bool(conjugate_a) and kind(type_of(x).dtype) == "c"
    rank = type_of(y).ndim
    vector = rank == type_of(x).ndim - 1 and rank > 0
    if vector:
        y = shape.expand_dims(y, (rank if left_side else rank - 1,))
    values = (bool(left_side), bool(lower), bool(transpose_a), conjugate_a, bool(unit_diagonal))
    found = local.trace.process(triangular_solve_p, (x, y), values)
    return shape.squeeze(found, (rank if left_side else rank - 1,)) if vector else found


__all__ = ["triangular_solve", "triangular_solve_p"]
