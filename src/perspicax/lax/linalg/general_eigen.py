"""Eigenvalues of general square matrices, and their reductions: Schur's form and Hessenberg's."""
from __future__ import annotations

import enum
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.lax import compare, convert, elementwise, shape
from perspicax.lax.families import kind, zeros_like
from perspicax.lax.linalg.errors import NoKernelError, NotDifferentiableError, UnsupportedOptionError
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
    conjugate,
    diagonal,
    identity_like,
    product,
    scaled_columns,
)
from perspicax.lax.linalg.solving import solve_general
from perspicax.lax.operand import operand
from perspicax.lax.reductions import reduce_max, reduce_sum

FUNCTION = "lax.linalg.eig"


class EigImplementation(enum.Enum):
    """What computes eigenvalues of general matrices."""

    CUSOLVER = "cusolver"
    MAGMA = "magma"
    LAPACK = "lapack"


def complex_dtype(dtype: Any) -> Any:
    """The complex dtype of a precision; complex64 for those that have none."""
    return dtype if kind(dtype) == "c" else np.dtype(np.complex128 if dtype.itemsize == 8 else np.complex64)


# -- eig

def _type(a: ShapedArray, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool,
          enable_eigvec_derivs: bool, implementation: Any) -> list[ShapedArray]:
    check_square(FUNCTION, a)
    dtype = complex_dtype(a.dtype)
    vectors = ShapedArray(a.shape, dtype, a.weak_type)
    count = int(compute_left_eigenvectors) + int(compute_right_eigenvectors)
    return [ShapedArray(a.shape[:-1], dtype, a.weak_type), *[vectors] * count]


def _jvp(primals: tuple, tangents: tuple, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool,
         enable_eigvec_derivs: bool, implementation: Any) -> tuple[list, list]:
    """ẇ is the diagonal of V⁻¹ Ȧ V; the left eigenvectors are the right ones of Aᴴ."""
    if (compute_left_eigenvectors or compute_right_eigenvectors) and not enable_eigvec_derivs:
        raise NotDifferentiableError(
            function=FUNCTION, what="the eigenvectors",
            why="it exists only where all eigenvalues differ and each eigenvector has one largest entry, which cannot be "
                "checked ahead", use="jax.lax.linalg.eig({a}, enable_eigvec_derivs=True)", use_why="promise that it is so",
            rather=("differentiate the eigenvalues alone", "jnp.linalg.eigvals({a})"))
    a, da = primals[0], tangents[0]
    outs = eig_p(a, compute_left_eigenvectors=compute_left_eigenvectors, compute_right_eigenvectors=True,
                 enable_eigvec_derivs=enable_eigvec_derivs, implementation=implementation)
    w, v = outs[0], outs[-1]
    da = convert.convert_element_type(da, type_of(v).dtype)
    inner = solve_general(v, product(da, v))
    dw = diagonal(inner)
    changes = [dw]
    if compute_left_eigenvectors:
        u = outs[1]
        changes.append(_vectors_change(u, conjugate(w), solve_general(u, product(adjoint(da), u))))
    if compute_right_eigenvectors:
        changes.append(_vectors_change(v, w, inner))
    return outs[:len(changes)], changes


def _vectors_change(v: Any, w: Any, inner: Any) -> Any:
    """The tangent of eigenvectors of norm 1 whose largest entry is real.

    Each is V (F ∘ M), F_ij = 1 / (w_j - w_i), with a multiple of the vector that keeps its norm, and its largest entry
    real.
    """
    gaps = elementwise.sub(as_rows(w), as_columns(w))
    one = identity_like(gaps)
    factors = elementwise.sub(elementwise.reciprocal(elementwise.add(gaps, one)), one)
    free = product(v, elementwise.mul(factors, inner))
    rows = type_of(v).ndim - 2
    along = elementwise.neg(reduce_sum(convert.real(elementwise.mul(conjugate(v), free)), (rows,)))
    sizes = elementwise.abs(v)
    top = shape.expand_dims(reduce_max(sizes, (rows,)), (rows,))
    largest = compare.eq(sizes, shape.broadcast_in_dim(top, type_of(v).shape, range(rows + 2)))
    imaginary = _sum_where(largest, convert.imag(free), rows)
    real = _sum_where(largest, convert.real(v), rows)
    turn = elementwise.neg(elementwise.div(imaginary, real))
    return elementwise.add(free, scaled_columns(v, convert.complex(along, turn)))


def _sum_where(where: Any, x: Any, axis: int) -> Any:
    return reduce_sum(compare.select(where, x, zeros_like(x)), (axis,))


def _emit(b: Any, a: Any, *, compute_left_eigenvectors: bool, compute_right_eigenvectors: bool,
          enable_eigvec_derivs: bool, implementation: Any) -> list[Any]:
    platform = b.module.platform
    if platform == "cpu" and implementation not in (None, EigImplementation.LAPACK):
        raise NoKernelError(function=FUNCTION, platform=platform, missing=f"no implementation {implementation.name}",
                            position=b.place, why="the CPU has EigImplementation.LAPACK")
    if not a.aval.size:
        return empty_results(b, b.out)
    *stack, n, _ = a.shape
    dtype = complex_dtype(a.dtype)
    values, vectors = ShapedArray((*stack, n), dtype), ShapedArray(a.shape, dtype)
    parts = [values] if kind(a.dtype) == "c" else [ShapedArray((*stack, n), a.dtype)] * 2
    letters = ["V" if wanted else "N" for wanted in (compute_left_eigenvectors, compute_right_eigenvectors)]
    wanted = [str(x).lower() for x in (compute_left_eigenvectors, compute_right_eigenvectors)]
    found = native_call(
        b, FUNCTION, "geev", f"compute_left = {u8(letters[0])}, compute_right = {u8(letters[1])}", [a],
        [*parts, vectors, vectors, info_type(stack)], ranks=(2, *[1] * len(parts), 2, 2, 0), aliases={},
        gpu=GpuKernel(f"hybrid_eig_{'comp' if len(parts) == 1 else 'real'}",
                      f'left = {wanted[0]}, magma = "auto", right = {wanted[1]}'))
    w = found[0] if len(parts) == 1 else b.hlo("complex", found[:2], values)
    left, right, failed = found[len(parts):]
    results = [w, *[left] * compute_left_eigenvectors, *[right] * compute_right_eigenvectors]
    return nan_where_failed(b, failed, results)


eig_p = Primitive(
    "eig", params=("compute_left_eigenvectors", "compute_right_eigenvectors", "enable_eigvec_derivs", "implementation"),
    multiple_results=True, type_rule=_type, jvp=_jvp,
    transpose=NotLinear("eigenvalues of a sum are not sums of eigenvalues"), batch=STACKED, emit=_emit,
    source="LAPACK, `geev`")


def eig(x: Any, *, compute_left_eigenvectors: bool = True, compute_right_eigenvectors: bool = True,
        enable_eigvec_derivs: bool = False, implementation: EigImplementation | None = None,
        use_magma: bool | None = None) -> list[Array]:
    """Eigenvalues and eigenvectors of general square matrices.

    Args:
        x: matrices `[..., n, n]`.
        compute_left_eigenvectors: whether to give the left eigenvectors U, Uᴴ A = diag(w) Uᴴ.
        compute_right_eigenvectors: whether to give the right eigenvectors V, A V = V diag(w).
        enable_eigvec_derivs: promises that all eigenvalues differ and that each eigenvector has one largest entry: then
            the eigenvectors have derivatives.
        implementation: an `EigImplementation`; the CPU has `LAPACK`.
        use_magma: retired in favour of `implementation`.

    Returns:
        `[w, vl, vr]`, complex: eigenvalues `[..., n]` in no order, and those eigenvectors that were asked for, as columns
        of norm 1 whose largest entry is real. NaN, where the algorithm did not converge.

    Raises:
        SquareMatrixError: the matrices are not square.
        NoKernelError: the platform does not have the implementation.
        NotDifferentiableError: eigenvectors were differentiated without `enable_eigvec_derivs`.
    """
    if use_magma is not None:
        chosen = EigImplementation.MAGMA if use_magma else EigImplementation.LAPACK
        warnings.warn(f"`use_magma` of `lax.linalg.eig` is retired; use implementation=EigImplementation.{chosen.name}",
                      DeprecationWarning, stacklevel=2)
        implementation = implementation or chosen
    values = (bool(compute_left_eigenvectors), bool(compute_right_eigenvectors), bool(enable_eigvec_derivs), implementation)
    return list(local.trace.process(eig_p, (operand(x),), values))


# -- schur

def _no_derivative(function: str, what: str) -> Any:
    def jvp(*_: Any, **__: Any) -> Any:
        raise NotDifferentiableError(function=function, what=what, why="JAX defines none", use="jnp.linalg.eigvals({a})",
                                     use_why="the eigenvalues have a derivative")

    return jvp


_NO_SUM = NotLinear("the form of a sum is not the sum of the forms")


def _schur_type(a: ShapedArray, *, compute_schur_vectors: bool, sort_eig_vals: bool,
                select_callable: Any) -> list[ShapedArray]:
    check_square("lax.linalg.schur", a)
    return [ShapedArray(a.shape, a.dtype, a.weak_type)] * (2 if compute_schur_vectors else 1)


def _schur_emit(b: Any, a: Any, *, compute_schur_vectors: bool, sort_eig_vals: bool, select_callable: Any) -> list[Any]:
    if sort_eig_vals:
        raise UnsupportedOptionError(function="lax.linalg.schur", option="sort_eig_vals=True", position=b.place,
                                     why="the kernel cannot call a function that selects eigenvalues")
    if not a.aval.size:
        return empty_results(b, b.out)
    *stack, n, _ = a.shape
    values = [ShapedArray((*stack, n), a.dtype)] * (1 if kind(a.dtype) == "c" else 2)
    info = info_type(stack)
    found = native_call(
        b, "lax.linalg.schur", "gees", f"mode = {u8('V' if compute_schur_vectors else 'N')}, sort = {u8('N')}", [a],
        [a.aval, a.aval, *values, info, info], ranks=(2, 2, 2, *[1] * len(values), 0, 0), aliases={0: 0})
    return nan_where_failed(b, found[-1], found[:len(b.out)])


schur_p = Primitive(
    "schur", params=("compute_schur_vectors", "sort_eig_vals", "select_callable"), multiple_results=True,
    type_rule=_schur_type, jvp=_no_derivative("lax.linalg.schur", "Schur's form"), transpose=_NO_SUM, batch=STACKED,
    emit=_schur_emit, source="LAPACK, `gees`")


def schur(x: Any, *, compute_schur_vectors: bool = True, sort_eig_vals: bool = False,
          select_callable: Callable[..., Any] | None = None) -> Any:
    """Schur's form: A = Q T Qᴴ with unitary Q and T upper triangular; for real A with blocks of 2 on the diagonal.

    Args:
        x: matrices `[..., n, n]`.
        compute_schur_vectors: whether to give Q.
        sort_eig_vals: is not supported.
        select_callable: is not supported.

    Returns:
        `[T, Q]`, or `[T]`, of the shape and dtype of `x`. NaN, where the algorithm did not converge.

    Raises:
        SquareMatrixError: the matrices are not square.
        UnsupportedOptionError: `sort_eig_vals` was given.
    """
    values = (bool(compute_schur_vectors), bool(sort_eig_vals), select_callable)
    return list(local.trace.process(schur_p, (operand(x),), values))


# -- hessenberg

def _hessenberg_type(a: ShapedArray) -> list[ShapedArray]:
    check_square("lax.linalg.hessenberg", a)
    *stack, n, _ = a.shape
    return [ShapedArray(a.shape, a.dtype, a.weak_type),
            ShapedArray((*stack, max(n - 1, 0)), a.dtype, a.weak_type)]


def _hessenberg_emit(b: Any, a: Any) -> list[Any]:
    form, taus = b.out
    n = a.shape[-1]
    if not a.aval.size or n == 1:  # nothing to reduce, and no kernel takes arrays without elements
        return [a, b.constant(0, taus)]
    found = native_call(b, "lax.linalg.hessenberg", "gehrd", f"high = {n} : i32, low = 1 : i32", [a],
                        [form, taus, info_type(a.shape[:-2])], ranks=(2, 2, 1, 0), aliases={0: 0})
    return nan_where_failed(b, found[2], found[:2])


hessenberg_p = Primitive(
    "hessenberg", multiple_results=True, type_rule=_hessenberg_type,
    jvp=_no_derivative("lax.linalg.hessenberg", "Hessenberg's form"), transpose=_NO_SUM, batch=STACKED,
    emit=_hessenberg_emit, source="LAPACK, `gehrd`")


def hessenberg(a: Any) -> tuple[Array, Array]:
    """Hessenberg's form: zero below the diagonal beside the main one, made by reflections.

    Args:
        a: matrices `[..., n, n]`.

    Returns:
        `(a, taus)`: the form, with the vectors of the reflections below it, and their factors `[..., n - 1]`.

    Raises:
        SquareMatrixError: the matrices are not square.
    """
    return tuple(local.trace.process(hessenberg_p, (operand(a),), ()))


__all__ = ["EigImplementation", "complex_dtype", "eig", "eig_p", "hessenberg", "hessenberg_p", "schur",
           "schur_p"]
