"""Eigenvalues of Hermitian matrices, and their reduction to tridiagonal form."""
from __future__ import annotations

import enum
import operator
from typing import Any

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.lax import convert, elementwise
from perspicax.lax.linalg.cholesky_factor import as_inexact
from perspicax.lax.linalg.errors import (
    DecompositionOptionError,
    NoKernelError,
    NotDifferentiableError,
    SquareMatrixError,
    UnsupportedOptionError,
)
from perspicax.lax.linalg.kernels import (
    STACKED,
    GpuKernel,
    check_square,
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
    identity_like,
    product,
    real_part,
    symmetrized,
)
from perspicax.lax.linalg.singular import real_dtype
from perspicax.lax.operand import operand
from perspicax.xla.emit import boolean

FUNCTION = "lax.linalg.eigh"


class EighImplementation(enum.Enum):
    """How eigenvalues of Hermitian matrices are computed."""

    QR = "qr"
    JACOBI = "jacobi"
    QDWH = "qdwh"


# -- eigh

def _type(a: ShapedArray, *, lower: bool, sort_eigenvalues: bool, subset_by_index: Any,
          algorithm: Any) -> list[ShapedArray]:
    check_square(FUNCTION, a)
    n = a.shape[-1]
    count = n
    if subset_by_index is not None:
        start, end = subset_by_index
        if not 0 <= start <= end:
            raise DecompositionOptionError(function=FUNCTION, option=f"subset_by_index={subset_by_index}",
                                           why="it is (start, end) with 0 ≤ start ≤ end")
        count = end - start
    return [ShapedArray((*a.shape[:-1], count), a.dtype, a.weak_type),
            ShapedArray((*a.shape[:-2], count), real_dtype(a.dtype), a.weak_type)]


def _jvp(primals: tuple, tangents: tuple, *, subset_by_index: Any, **more: Any) -> tuple[list, list]:
    """With M = Vᴴ Ȧ V: ẇ is its real diagonal, V̇ = V (F ∘ M), F_ij = 1 / (w_j - w_i).

    Giles, An extended collection of matrix derivative results, 2008. Vectors of equal eigenvalues have no derivative:
    it is infinite or NaN there.
    """
    a, da = primals[0], tangents[0]
    if subset_by_index is not None and subset_by_index != (0, type_of(a).shape[-1]):
        raise NotDifferentiableError(function=FUNCTION, what="a subset of the eigenvalues", why="JAX defines none",
                                     use="{f}({a})", use_why="compute all, and select afterwards")
    v, w = eigh_p(a, subset_by_index=subset_by_index, **more)
    inner = product(product(adjoint(v), da), v)
    wide = convert.convert_element_type(w, type_of(v).dtype)
    gaps = elementwise.sub(as_rows(wide), as_columns(wide))
    one = identity_like(gaps)
    inverse = elementwise.sub(elementwise.reciprocal(elementwise.add(one, gaps)), one)
    return [v, w], [product(v, elementwise.mul(inverse, inner)), real_part(diagonal(inner))]


def _emit(b: Any, a: Any, *, lower: bool, sort_eigenvalues: bool, subset_by_index: Any, algorithm: Any) -> list[Any]:
    vectors, values = b.out
    if subset_by_index is not None and subset_by_index != (0, a.shape[-1]):
        raise UnsupportedOptionError(function=FUNCTION, option=f"subset_by_index={subset_by_index}", position=b.place,
                                     why=f"the platform `{b.module.platform}` computes all eigenvalues",
                                     use="compute all, and select afterwards")
    platform = b.module.platform
    if algorithm is EighImplementation.QDWH or (algorithm is EighImplementation.JACOBI and platform == "cpu"):
        raise NoKernelError(function=FUNCTION, platform=platform, missing=f"no implementation {algorithm.name}",
                            position=b.place, why="the CPU has EighImplementation.QR")
    if not a.aval.size:
        return empty_results(b, b.out)
    which = 2 if algorithm is EighImplementation.JACOBI else 0
    outs = [vectors, values, info_type(a.shape[:-2])]
    found = native_call(b, FUNCTION, "syevd", f"mode = {u8('V')}, uplo = {u8('L' if lower else 'U')}", [a], outs,
                        ranks=(2, 2, 1, 0), aliases={0: 0},
                        gpu=GpuKernel("solver_syevd_ffi", f"algorithm = {which} : ui8, lower = {boolean(lower)}"))
    return nan_where_failed(b, found[2], found[:2])


eigh_p = Primitive(
    "eigh", params=("lower", "sort_eigenvalues", "subset_by_index", "algorithm"), multiple_results=True,
    type_rule=_type, jvp=_jvp, transpose=NotLinear("eigenvalues of a sum are not sums of eigenvalues"), batch=STACKED,
    emit=_emit, source="LAPACK, `syevd` and `heevd`")


def eigh(x: Any, *, lower: bool = True, symmetrize_input: bool = True, sort_eigenvalues: bool = True,
         subset_by_index: tuple[int, int] | None = None,
         implementation: EighImplementation | None = None) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of Hermitian matrices: A = V diag(w) Vᴴ.

    Args:
        x: matrices `[..., n, n]`.
        lower: which triangle is read, where `symmetrize_input` is false.
        symmetrize_input: whether to take (A + Aᴴ)/2 for A.
        sort_eigenvalues: whether the eigenvalues must increase; on the CPU they always do.
        subset_by_index: `(start, end)`, the eigenvalues that are wanted; on the CPU only all of them.
        implementation: an `EighImplementation`; the CPU has `QR`.

    Returns:
        `(v, w)`: the eigenvectors as columns, of the shape and dtype of `x`, and the eigenvalues `[..., n]`, real. NaN,
        where the algorithm did not converge.

    Raises:
        SquareMatrixError: `x` has less than two axes, or its matrices are not square.
        NoKernelError: the platform does not have the implementation.
    """
    x = as_inexact(x)
    if symmetrize_input:
        check_square(FUNCTION, type_of(x))
        x = symmetrized(x)
    subset = None if subset_by_index is None else (operator.index(subset_by_index[0]), operator.index(subset_by_index[1]))
    v, w = local.trace.process(eigh_p, (x,), (bool(lower), bool(sort_eigenvalues), subset, implementation))
    return v, w


# -- tridiagonal

def _tridiagonal_type(a: ShapedArray, *, lower: bool) -> list[ShapedArray]:
    check_square("lax.linalg.tridiagonal", a)
    if not a.shape[-1]:
        raise SquareMatrixError(function="lax.linalg.tridiagonal", aval=a)
    *stack, n, _ = a.shape
    real = real_dtype(a.dtype)
    return [ShapedArray(a.shape, a.dtype, a.weak_type), ShapedArray((*stack, n), real, a.weak_type),
            ShapedArray((*stack, n - 1), real, a.weak_type), ShapedArray((*stack, n - 1), a.dtype, a.weak_type)]


def _tridiagonal_jvp(*_: Any, **__: Any) -> Any:
    raise NotDifferentiableError(function="lax.linalg.tridiagonal", what="the tridiagonal form", why="JAX defines none",
                                 use="jnp.linalg.eigh({a})", use_why="eigenvalues and eigenvectors have derivatives")


def _tridiagonal_emit(b: Any, a: Any, *, lower: bool) -> list[Any]:
    if not a.aval.size:
        return empty_results(b, b.out)
    *stack, n, _ = a.shape
    if n == 1:  # nothing to reduce, and no kernel takes arrays without elements
        real = _real(b, a)
        whole = a if real is a else b.hlo("complex", [real, b.constant(0, real.aval)], a.aval)
        return [whole, b.reshape(real, b.out[1].shape), b.constant(0, b.out[2]), b.constant(0, b.out[3])]
    found = native_call(b, "lax.linalg.tridiagonal", "sytrd", f"uplo = {u8('L' if lower else 'U')}", [a],
                        [*b.out, info_type(stack)], ranks=(2, 2, 1, 1, 1, 0), aliases={0: 0},
                        gpu=GpuKernel("solver_sytrd_ffi", f"lower = {boolean(lower)}"))
    return nan_where_failed(b, found[4], found[:4])


def _real(b: Any, x: Any) -> Any:
    real = real_dtype(x.dtype)
    return x if real == x.dtype else b.hlo("real", [x], ShapedArray(x.shape, real))


tridiagonal_p = Primitive(
    "tridiagonal", params=("lower",), multiple_results=True, type_rule=_tridiagonal_type, jvp=_tridiagonal_jvp,
    transpose=NotLinear("the reduction of a sum is not the sum of the reductions"), batch=STACKED,
    emit=_tridiagonal_emit, source="LAPACK, `sytrd` and `hetrd`")


def tridiagonal(a: Any, *, lower: bool = True) -> tuple[Array, Array, Array, Array]:
    """Hermitian matrices brought to tridiagonal form by reflections.

    Args:
        a: matrices `[..., n, n]`, n ≥ 1.
        lower: which triangle is read.

    Returns:
        `(a, d, e, taus)`: the tridiagonal form with the reflectors beyond it, `[..., n, n]`; its diagonal `[..., n]` and
        the diagonal beside it `[..., n - 1]`, both real; and the factors of the reflectors `[..., n - 1]`.

    Raises:
        SquareMatrixError: the matrices are not square, or have no rows.
    """
    return tuple(local.trace.process(tridiagonal_p, (operand(a),), (bool(lower),)))


__all__ = ["EighImplementation", "eigh", "eigh_p", "tridiagonal", "tridiagonal_p"]
