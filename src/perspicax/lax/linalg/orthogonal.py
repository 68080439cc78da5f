"""The QR decomposition, and products with the reflectors that LAPACK keeps of it."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import Zero
from perspicax.lax import convert, elementwise
from perspicax.lax.families import kind
from perspicax.lax.linalg.errors import MatrixShapeError, NotDifferentiableError
from perspicax.lax.linalg.kernels import (
    STACKED,
    GpuKernel,
    check_dtype,
    check_matrix,
    check_one_dtype,
    check_stacks,
    empty_results,
    identity,
    native_call,
    promoted,
    triangle_mask,
    type_of,
)
from perspicax.lax.linalg.matrices import (
    adjoint,
    block,
    diagonal,
    identity_like,
    lower,
    on_diagonal,
    padded,
    permuted_columns,
    product,
)
from perspicax.lax.linalg.solving import solve_general
from perspicax.lax.linalg.triangular import triangular_solve
from perspicax.lax.operand import operand
from perspicax.lax.shape import concatenate
from perspicax.lax.slicing import slice_in_dim
from perspicax.xla.emit import boolean

# -- the decomposition as LAPACK keeps it: R and reflectors in one array

def _geqrf_type(a: ShapedArray) -> list[ShapedArray]:
    check_matrix("lax.linalg.geqrf", a)
    *stack, m, n = a.shape
    return [ShapedArray(a.shape, a.dtype, a.weak_type), ShapedArray((*stack, min(m, n)), a.dtype, a.weak_type)]


def emit_geqrf(b: Any, a: Any) -> list[Any]:
    """The reflectors with R, and their factors."""
    outs = [a.aval, ShapedArray((*a.shape[:-2], min(a.shape[-2:])), a.dtype)]
    if not a.aval.size:
        return [a, b.constant(0, outs[1])]
    return native_call(b, "lax.linalg.qr", "geqrf", "", [a], outs, ranks=(2, 2, 1), aliases={0: 0},
                       gpu=GpuKernel("solver_geqrf_ffi"))


def _no_derivative(function: str, what: str, use: str = "", use_why: str = "") -> Any:
    def jvp(*_: Any, **__: Any) -> Any:
        raise NotDifferentiableError(function=function, what=what, why="JAX defines none", use=use, use_why=use_why)

    return jvp


_NO_SUM = NotLinear("the factors of a sum are not the sums of the factors")

geqrf_p = Primitive(
    "geqrf", multiple_results=True, type_rule=_geqrf_type,
    jvp=_no_derivative("lax.linalg.geqrf", "the reflectors", "jnp.linalg.qr({a})", "Q and R have derivatives"),
    transpose=_NO_SUM, batch=STACKED, emit=emit_geqrf, source="LAPACK, `geqrf`")


def geqrf(a: Any) -> tuple[Array, Array]:
    """R, with the reflectors of Q below its diagonal, and their factors.

    Args:
        a: matrices `[..., m, n]`.

    Returns:
        `(a, taus)` of shapes `[..., m, n]` and `[..., min(m, n)]`.
    """
    return local.trace.process(geqrf_p, (operand(a),), ())


def _geqp3_type(a: ShapedArray, jpvt: ShapedArray) -> list[ShapedArray]:
    check_matrix("lax.linalg.geqp3", a)
    *stack, m, n = a.shape
    return [ShapedArray(a.shape, a.dtype, a.weak_type), ShapedArray(jpvt.shape, jpvt.dtype),
            ShapedArray((*stack, min(m, n)), a.dtype, a.weak_type)]


def emit_geqp3(b: Any, a: Any, jpvt: Any) -> list[Any]:
    """The same with columns exchanged: the reflectors with R, the order of the columns from 1, the factors."""
    outs = [a.aval, jpvt.aval, ShapedArray((*a.shape[:-2], min(a.shape[-2:])), a.dtype)]
    if not a.aval.size:
        counted = b.hlo("iota", [], jpvt.aval, f"iota_dimension = {jpvt.ndim - 1} : i64")
        return [a, b.op("add", [counted, b.constant(1, jpvt.aval)], jpvt.aval), b.constant(0, outs[2])]
    return native_call(b, "lax.linalg.qr", "geqp3", "", [a, jpvt], outs, ranks=(2, 1, 2, 1, 1), aliases={0: 0, 1: 1},
                       gpu=GpuKernel("hybrid_geqp3", 'magma = "auto"'))


geqp3_p = Primitive(
    "geqp3", multiple_results=True, type_rule=_geqp3_type,
    jvp=_no_derivative("lax.linalg.geqp3", "the reflectors", "jsp.linalg.qr({a}, pivoting=True)",
                       "Q and R have derivatives"),
    transpose=_NO_SUM, batch=STACKED, emit=emit_geqp3, source="LAPACK, `geqp3`")


def geqp3(a: Any, jpvt: Any) -> tuple[Array, Array, Array]:
    """As `geqrf`, with columns exchanged so that the diagonal of R does not grow.

    Args:
        a: matrices `[..., m, n]`.
        jpvt: int32 `[..., n]`; columns whose entry is not 0 stay in front.

    Returns:
        `(a, jpvt, taus)`; `jpvt` numbers the columns from 1.
    """
    return local.trace.process(geqp3_p, (operand(a), operand(jpvt)), ())


# -- products with reflectors

def _householder_type(a: ShapedArray, taus: ShapedArray) -> ShapedArray:
    function = "lax.linalg.householder_product"
    for x in (a, taus):
        check_dtype(function, x)
    check_one_dtype(function, (a, taus))
    check_stacks(function, (a, taus), (2, 1))
    m, n = a.shape[-2:]
    if m < n:
        raise MatrixShapeError(function=function, avals=(a, taus), index=0,
                               why=f"its columns are orthogonal: it has no more of them than rows, and {n} > {m}")
    if taus.shape[-1] > n:
        raise MatrixShapeError(function=function, avals=(a, taus),
                               why=f"there are as many reflectors as columns at most: {taus.shape[-1]} > {n}")
    return ShapedArray(a.shape, a.dtype, a.weak_type and taus.weak_type)


def emit_householder(b: Any, a: Any, taus: Any) -> Any:
    """The product of the reflectors."""
    if not a.aval.size:
        return a
    if not taus.aval.size:
        return identity(b, a.aval)
    return native_call(b, "lax.linalg.householder_product", "orgqr", "", [a, taus], [a.aval], ranks=(2, 1, 2),
                       aliases={0: 0}, gpu=GpuKernel("solver_orgqr_ffi"))[0]


householder_product_p = Primitive(
    "householder_product", type_rule=_householder_type,
    jvp=_no_derivative("lax.linalg.householder_product", "the product", "jnp.linalg.qr({a})[0]", "Q has a derivative"),
    transpose=NotLinear("a product is not linear in its factors together"), batch=STACKED, emit=emit_householder,
    source="LAPACK, `orgqr`")


def householder_product(a: Any, taus: Any) -> Array:
    """The product of reflectors I - tau v vᴴ: the first columns of a unitary matrix.

    Args:
        a: matrices `[..., m, n]`, m ≥ n, with the vectors v below the diagonal.
        taus: `[..., k]`, k ≤ n.

    Returns:
        Array of the shape and dtype of `a`, whose columns are orthonormal.

    Raises:
        MatrixShapeError: m < n, or there are more reflectors than columns.
    """
    return local.trace.process(householder_product_p, tuple(promoted("lax.linalg.householder_product", a, taus)), ())


def _ormqr_type(a: ShapedArray, taus: ShapedArray, c: ShapedArray, *, left: bool, transpose: bool) -> ShapedArray:
    function = "lax.linalg.ormqr"
    avals = (a, taus, c)
    for x in avals:
        check_dtype(function, x)
    check_one_dtype(function, avals)
    check_stacks(function, avals, (2, 1, 2))
    m, size = a.shape[-2], c.shape[-2 if left else -1]
    if m != size:
        what = "rows" if left else "columns"
        raise MatrixShapeError(function=function, avals=avals,
                               why=f"with left={left} the matrix has as many {what} as Q, which are those of the "
                                   f"reflectors: {m}, not {size}")
    if taus.shape[-1] > min(a.shape[-2:]):
        raise MatrixShapeError(function=function, avals=avals,
                               why=f"there are {min(a.shape[-2:])} reflectors at most, not {taus.shape[-1]}")
    return ShapedArray(c.shape, c.dtype, all(x.weak_type for x in avals))


def _ormqr_emit(b: Any, a: Any, taus: Any, c: Any, *, left: bool, transpose: bool) -> Any:
    if not c.aval.size or not a.aval.size or not taus.aval.size:
        return c
    k = taus.shape[-1]
    if k < a.shape[-1]:  # the kernel has one reflector for each column
        a = b.slice(a, (0,) * a.ndim, (*a.shape[:-1], k))
    config = f"left = {boolean(left)}, transpose = {boolean(transpose)}"
    return native_call(b, "lax.linalg.ormqr", "ormqr", config, [a, taus, c], [c.aval], ranks=(2, 1, 2, 2), aliases={2: 0},
                       gpu=GpuKernel("solver_ormqr_ffi", config))[0]


ormqr_p = Primitive(
    "ormqr", params=("left", "transpose"), type_rule=_ormqr_type,
    jvp=_no_derivative("lax.linalg.ormqr", "the product", "jnp.linalg.qr(a)[0] @ c", "Q has a derivative:"),
    transpose=NotLinear("a product is not linear in its factors together"), batch=STACKED, emit=_ormqr_emit,
    source="LAPACK, `ormqr`")


def ormqr(a: Any, taus: Any, c: Any, *, left: bool = True, transpose: bool = False) -> Array:
    """The product of a matrix with Q, without making Q.

    Args:
        a: reflectors `[..., m, n]`, below the diagonal, as `qr` keeps them (`jnp.linalg.qr(x, mode="raw")[0].mT`).
        taus: their factors `[..., k]`.
        c: matrices, with m rows when Q stands on the left, else with m columns.
        left: whether to give Q C; otherwise C Q.
        transpose: whether to take Qᴴ for Q.

    Returns:
        Array of the shape and dtype of `c`.

    Raises:
        MatrixShapeError: the sizes do not go together.
    """
    values = (bool(left), bool(transpose))
    return local.trace.process(ormqr_p, tuple(promoted("lax.linalg.ormqr", a, taus, c)), values)


# -- qr

def _type(a: ShapedArray, *, pivoting: bool, full_matrices: bool, use_magma: bool | None) -> list[ShapedArray]:
    check_matrix("lax.linalg.qr", a)
    *stack, m, n = a.shape
    k = m if full_matrices else min(m, n)
    found = [ShapedArray((*stack, m, k), a.dtype, a.weak_type), ShapedArray((*stack, k, n), a.dtype, a.weak_type)]
    return [*found, ShapedArray((*stack, n), dtypes.int32)] if pivoting else found


def _jvp(primals: tuple, tangents: tuple, *, pivoting: bool, full_matrices: bool, **more: Any) -> tuple[list, list]:
    """Q̇ = Q Ω with Ω skew-Hermitian, and Ṙ = Qᴴ Ȧ - Ω R (Walter and Lehmann, arXiv:1001.1654).

    Ω's lower triangle is that of Qᴴ Ȧ₁ R₁⁻¹, 1 meaning the first columns, as many as R₁ has rows; the diagonal of R
    stays real. The columns of Q beyond those of A follow from the others, see `_complement_change`.
    """
    outs = qr_p(*primals, pivoting=pivoting, full_matrices=full_matrices, **more)
    q, r = outs[0], outs[1]
    da = permuted_columns(tangents[0], outs[2]) if pivoting else tangents[0]
    m, k = type_of(q).shape[-2:]
    n = type_of(r).shape[-1]
    size = min(m, n)
    first = triangular_solve(block(r, size, size), block(da, m, size), left_side=False, lower=False)
    inner = product(adjoint(q), first)  # [..., k, size]
    below = padded(lower(inner, -1), k, k)
    turn = elementwise.sub(below, adjoint(below))
    if kind(type_of(q).dtype) == "c":
        imaginary = convert.imag(diagonal(block(inner, size, size)))
        dtype = type_of(q).dtype
        imaginary = elementwise.mul(convert.convert_element_type(imaginary, dtype), np.asarray(1j, dtype)[()])
        turn = elementwise.add(turn, padded(on_diagonal(imaginary), k, k))
    dq = product(q, turn)
    if k < m:  # what leaves the span of the columns
        dq = elementwise.add(dq, elementwise.sub(first, product(q, inner)))
    if n < k:
        dq = concatenate([block(dq, m, n), _complement_change(block(q, m, n), block(dq, m, n))], type_of(q).ndim - 1)
    dr = elementwise.sub(product(adjoint(q), da), product(turn, r))
    return list(outs), [dq, dr, Zero.like(outs[2])] if pivoting else [dq, dr]


def _complement_change(q: Any, dq: Any) -> Any:
    """The tangent of the columns of a product of reflectors beyond the first, from the first and their tangent.

    With M = Q₁ - 1 = (M₁ over M₂), the reflectors give Q₂ = (0 over 1) + M Wᴴ, W = M₂ M₁⁻¹. M₁ is singular, and the
    result NaN, where a column needs no reflector: there the sign of LAPACK's R jumps.
    """
    n = type_of(q).shape[-1]
    change = elementwise.sub(q, identity_like(q))
    top, below = block(change, n, n), _rows_below(change, n)
    dtop, dbelow = block(dq, n, n), _rows_below(dq, n)
    ratio = _over(below, top)
    dratio = _over(elementwise.sub(dbelow, product(ratio, dtop)), top)
    return elementwise.add(product(dq, adjoint(ratio)), product(change, adjoint(dratio)))


def _rows_below(x: Any, start: int) -> Any:
    return slice_in_dim(x, start, None, axis=type_of(x).ndim - 2)


def _over(x: Any, y: Any) -> Any:
    """X Y⁻¹."""
    return adjoint(solve_general(adjoint(y), adjoint(x)))


def _emit(b: Any, a: Any, *, pivoting: bool, full_matrices: bool, use_magma: bool | None) -> list[Any]:
    q, r, *rest = b.out
    m, n = a.shape[-2:]
    if pivoting:
        order = ShapedArray(rest[0].shape, np.dtype(np.int32))
        found, places, taus = emit_geqp3(b, a, b.constant(0, order))
        more = [b.op("subtract", [places, b.constant(1, order)], order)]
    else:
        (found, taus), more = emit_geqrf(b, a), []
    k = q.shape[-1]
    if not q.size or not a.aval.size:
        return [*empty_results(b, [q]), b.constant(0, r), *more]
    columns = _resized(b, found, m, k)
    top = b.slice(found, (0,) * a.ndim, (*a.shape[:-2], k, n)) if k < m else found
    zero = b.constant(0, r)
    return [emit_householder(b, columns, taus), b.select(triangle_mask(b, r, "LE", 0), top, zero), *more]


def _resized(b: Any, x: Any, m: int, k: int) -> Any:
    """The columns with the reflectors: the first `k`, or zeros added up to `k`."""
    stack, n = x.shape[:-2], x.shape[-1]
    if k <= n:
        return x if k == n else b.slice(x, (0,) * x.ndim, (*stack, m, k))
    out = ShapedArray((*stack, m, k), x.dtype)
    added = b.constant(0, ShapedArray((*stack, m, k - n), x.dtype))
    return b.hlo("concatenate", [x, added], out, f"dimension = {x.ndim - 1} : i64")


qr_p = Primitive(
    "qr", params=("pivoting", "full_matrices", "use_magma"), multiple_results=True, type_rule=_type, jvp=_jvp,
    transpose=_NO_SUM, batch=STACKED, emit=_emit, source="LAPACK, `geqrf`, `geqp3` and `orgqr`")


def qr(x: Any, *, pivoting: bool = False, full_matrices: bool = True, use_magma: bool | None = None) -> Any:
    """The QR decomposition: A = Q R with orthonormal columns of Q and upper triangular R.

    Args:
        x: matrices `[..., m, n]`.
        pivoting: whether to exchange columns so that the diagonal of R does not grow: A[:, p] = Q R.
        full_matrices: whether Q is square; otherwise it has min(m, n) columns.
        use_magma: whether to use the MAGMA library on GPUs; it has no effect on the CPU.

    Returns:
        `(q, r)` of shapes `[..., m, k]` and `[..., k, n]`, and with `pivoting` the order of the columns, int32 `[..., n]`.

    Raises:
        MatrixShapeError: `x` has less than two axes.
        MatrixDtypeError: `x` is neither floating nor complex.
    """
    return tuple(local.trace.process(qr_p, (operand(x),), (bool(pivoting), bool(full_matrices), use_magma)))


__all__ = ["emit_geqp3", "emit_geqrf", "emit_householder", "geqp3", "geqp3_p", "geqrf", "geqrf_p", "householder_product",
           "householder_product_p", "ormqr", "ormqr_p", "qr", "qr_p"]
