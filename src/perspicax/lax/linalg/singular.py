"""The singular value decomposition."""
from __future__ import annotations

import enum
import operator
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.dtypes import finfo
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.lax import compare, convert, elementwise
from perspicax.lax.families import kind, zeros_like
from perspicax.lax.linalg.errors import (
    DecompositionOptionError,
    NoKernelError,
    NotDifferentiableError,
    UnsupportedOptionError,
)
from perspicax.lax.linalg.kernels import (
    STACKED,
    GpuKernel,
    check_matrix,
    empty_results,
    info_type,
    nan_where_failed,
    native_call,
    type_of,
    u8,
)
from perspicax.lax.linalg.matrices import (
    adjoint,
    as_columns,
    as_rows,
    diagonal,
    on_diagonal,
    product,
    real_part,
    scaled_columns,
    scaled_rows,
)
from perspicax.lax.operand import operand
from perspicax.xla.emit import boolean

FUNCTION = "lax.linalg.svd"


class SvdAlgorithm(enum.Enum):
    """How singular values are computed."""

    DEFAULT = "default"
    QR = "QR"
    JACOBI = "Jacobi"
    POLAR = "polar"
    DIVIDE_AND_CONQUER = "divide_and_conquer"


def real_dtype(dtype: Any) -> Any:
    """The dtype of the real part."""
    return np.dtype(finfo(dtype).dtype) if kind(dtype) == "c" else dtype


def _type(a: ShapedArray, *, full_matrices: bool, compute_uv: bool, subset_by_index: Any,
          algorithm: Any) -> list[ShapedArray]:
    check_matrix(FUNCTION, a)
    *stack, m, n = a.shape
    k = count = min(m, n)
    if subset_by_index is not None:
        if full_matrices and subset_by_index != (0, k):
            raise DecompositionOptionError(function=FUNCTION, option=f"subset_by_index={subset_by_index}",
                                           why="of square U and V no subset can be meant; it goes with "
                                               "full_matrices=False")
        count = subset_by_index[1] - subset_by_index[0]
    values = ShapedArray((*stack, count), real_dtype(a.dtype), a.weak_type)
    if not compute_uv:
        return [values]
    rows, columns = (m, n) if full_matrices else (count, count)
    return [values, ShapedArray((*stack, m, rows), a.dtype, a.weak_type),
            ShapedArray((*stack, columns, n), a.dtype, a.weak_type)]


def _jvp(primals: tuple, tangents: tuple, *, full_matrices: bool, compute_uv: bool, subset_by_index: Any,
         algorithm: Any) -> tuple[list, list]:
    """With M = Uᴴ Ȧ V: ṡ is its real diagonal; U̇ and V̇ follow from its other entries over differences of squares.

    Townsend, Differentiating the Singular Value Decomposition, 2016. Equal singular values take no part: their vectors
    are not determined.
    """
    a, da = primals[0], tangents[0]
    m, n = type_of(a).shape[-2:]
    if compute_uv and full_matrices and m != n:
        raise NotDifferentiableError(
            function=FUNCTION, what="square U and V", why="the matrix does not determine their last columns",
            use="{f}({a}, full_matrices=False)", use_why="ask for the columns that it determines")
    if subset_by_index is not None:
        raise NotDifferentiableError(function=FUNCTION, what="a subset of the singular values", why="JAX defines none",
                                     use="{f}({a}, full_matrices=False)", use_why="compute all, and select afterwards")
    s, u, vh = svd_p(a, full_matrices=False, compute_uv=True, subset_by_index=None, algorithm=algorithm)
    v = adjoint(vh)
    inner = product(product(adjoint(u), da), v)
    ds = real_part(diagonal(inner))
    if not compute_uv:
        return [s], [ds]
    gaps, inverse = _inverse_gaps(s), _inverse(s)
    by_columns, by_rows = scaled_columns(inner, s), scaled_rows(s, inner)
    complex_dtype = type_of(a).dtype
    gaps = convert.convert_element_type(gaps, complex_dtype)
    turn_u = elementwise.mul(gaps, elementwise.add(by_columns, adjoint(by_columns)))
    turn_v = elementwise.mul(gaps, elementwise.add(by_rows, adjoint(by_rows)))
    if kind(complex_dtype) == "c":  # the phase that the diagonal of M leaves over, given to U
        half = elementwise.mul(inverse, np.asarray(0.5, type_of(s).dtype)[()])
        phase = diagonal(elementwise.sub(inner, adjoint(inner)))
        turn_u = elementwise.add(turn_u, on_diagonal(elementwise.mul(
            phase, convert.convert_element_type(half, complex_dtype))))
    du, dv = product(u, turn_u), product(v, turn_v)
    if m > n:
        outside = product(da, v)
        du = elementwise.add(du, scaled_columns(
            elementwise.sub(outside, product(u, product(adjoint(u), outside))), inverse))
    if n > m:
        outside = product(adjoint(da), u)
        dv = elementwise.add(dv, scaled_columns(
            elementwise.sub(outside, product(v, product(adjoint(v), outside))), inverse))
    return [s, u, vh], [ds, du, adjoint(dv)]


def _inverse_gaps(s: Any) -> Any:
    """1 / (s_j² - s_i²) at (i, j); 0 where they are equal."""
    rows, columns = as_rows(s), as_columns(s)
    gaps = elementwise.mul(elementwise.sub(rows, columns), elementwise.add(rows, columns))
    return _inverse(gaps)


def _inverse(x: Any) -> Any:
    """1 / x, and 0 for 0."""
    zero = zeros_like(x)
    nothing = compare.eq(x, zero)
    safe = compare.select(nothing, elementwise.add(zero, np.ones((), type_of(x).dtype)[()]), x)
    return compare.select(nothing, zero, elementwise.reciprocal(safe))


def _emit(b: Any, a: Any, *, full_matrices: bool, compute_uv: bool, subset_by_index: Any, algorithm: Any) -> list[Any]:
    *stack, m, n = a.shape
    k = min(m, n)
    if subset_by_index is not None and subset_by_index != (0, k):
        raise UnsupportedOptionError(function=FUNCTION, option=f"subset_by_index={subset_by_index}", position=b.place,
                                     why=f"the platform `{b.module.platform}` computes all singular values",
                                     use="compute all, and select afterwards")
    if not a.aval.size:
        return empty_results(b, b.out)
    values = b.out[0]
    rows, columns = (m, n) if full_matrices else (k, k)
    left, right = ShapedArray((*stack, m, rows), a.dtype), ShapedArray((*stack, columns, n), a.dtype)
    values = ShapedArray(values.shape, values.dtype)
    routine = _routine(b, algorithm)
    if b.module.platform == "cpu":
        mode = "N" if not compute_uv else "A" if full_matrices else "S"
        outs = [a.aval, values, left, right, info_type(stack)]
        found = native_call(b, FUNCTION, routine, f"mode = {u8(mode)}", [a], outs, ranks=(2, 2, 1, 2, 2, 0), aliases={0: 0})
        results = found[1:4]
    else:
        results, found = _on_gpu(b, a, [values, left, right], routine, full_matrices, compute_uv)
    return nan_where_failed(b, found[4], results if compute_uv else results[:1])


def _on_gpu(b: Any, a: Any, outs: list[Any], routine: str, full_matrices: bool, compute_uv: bool) -> tuple[list, list]:
    """The kernel wants at least as many rows as columns: others are given by rows, which makes them their transposes."""
    values, left, right = outs
    wide = a.shape[-2] < a.shape[-1]
    nothing = ShapedArray((), a.dtype)
    vectors = [nothing, nothing] if not compute_uv else [right, left] if wide else [left, right]
    rank = 1 if wide else 2
    kernel = GpuKernel("solver_gesvd_ffi", f"compute_uv = {boolean(compute_uv)}, full_matrices = {boolean(full_matrices)}, "
                                           f"transposed = {boolean(wide)}")
    found = native_call(b, FUNCTION, routine, "", [a], [a.aval, values, *vectors, info_type(a.shape[:-2])],
                        ranks=(rank, rank, 1, *([rank, rank] if compute_uv else [0, 0]), 0), aliases={0: 0}, gpu=kernel)
    return [found[1], found[3], found[2]] if wide else list(found[1:4]), found


def _routine(b: Any, algorithm: Any) -> str:
    if algorithm in (None, SvdAlgorithm.DEFAULT, SvdAlgorithm.DIVIDE_AND_CONQUER):
        return "gesdd"
    if algorithm is SvdAlgorithm.QR:
        return "gesvd"
    raise NoKernelError(function=FUNCTION, platform=b.module.platform, missing=f"no algorithm {algorithm}",
                        position=b.place, why="there are SvdAlgorithm.DEFAULT, DIVIDE_AND_CONQUER and QR")


svd_p = Primitive(
    "svd", params=("full_matrices", "compute_uv", "subset_by_index", "algorithm"), multiple_results=True,
    type_rule=_type, jvp=_jvp, transpose=NotLinear("singular values of a sum are not sums of singular values"),
    batch=STACKED, emit=_emit, source="LAPACK, `gesdd` and `gesvd`")


def svd(x: Any, *, full_matrices: bool = True, compute_uv: bool = True, subset_by_index: tuple[int, int] | None = None,
        algorithm: SvdAlgorithm | None = None) -> Any:
    """The singular value decomposition: A = U diag(s) Vᴴ.

    Args:
        x: matrices `[..., m, n]`.
        full_matrices: whether U and V are square; otherwise they have k = min(m, n) columns.
        compute_uv: whether to compute U and V.
        subset_by_index: `(start, end)`, the singular values that are wanted, counted from the largest; on the CPU only all
            of them.
        algorithm: a `SvdAlgorithm`; the CPU has `DEFAULT`, `DIVIDE_AND_CONQUER` and `QR`.

    Returns:
        `(u, s, vh)` of shapes `[..., m, k]`, `[..., k]` and `[..., k, n]`, `s` real and decreasing; or `s` alone. NaN,
        where the algorithm did not converge.

    Raises:
        MatrixShapeError: `x` has less than two axes.
        MatrixDtypeError: `x` is neither floating nor complex.
        DecompositionOptionError: `subset_by_index` was given with `full_matrices`.
        NoKernelError: the platform does not have the algorithm.
        NotDifferentiableError: square U and V of matrices that are not square were differentiated.
    """
    subset = None if subset_by_index is None else (operator.index(subset_by_index[0]), operator.index(subset_by_index[1]))
    found = local.trace.process(svd_p, (operand(x),), (bool(full_matrices), bool(compute_uv), subset, algorithm))
    if not compute_uv:
        return found[0]
    s, u, vh = found
    return u, s, vh


__all__ = ["SvdAlgorithm", "real_dtype", "svd", "svd_p"]
