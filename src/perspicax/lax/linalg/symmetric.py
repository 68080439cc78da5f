"""Products of a matrix with its transpose."""
from __future__ import annotations

from typing import Any

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.lax import elementwise
from perspicax.lax.linalg.errors import MatrixShapeError, NotDifferentiableError
from perspicax.lax.linalg.kernels import STACKED, check_dtype, check_one_dtype, check_stacks, promoted
from perspicax.lax.linalg.matrices import lower, transposed

FUNCTION = "lax.linalg.symmetric_product"


def _type(a: ShapedArray, c: ShapedArray, *, alpha: float, beta: float) -> ShapedArray:
    for x in (a, c):
        check_dtype(FUNCTION, x, "f")
    check_one_dtype(FUNCTION, (a, c))
    check_stacks(FUNCTION, (a, c), (2, 2))
    m = a.shape[-2]
    if c.shape[-2:] != (m, m):
        raise MatrixShapeError(function=FUNCTION, avals=(a, c),
                               why=f"A Aᵀ is [..., {m}, {m}], and what is added to it has the same shape")
    return ShapedArray(c.shape, c.dtype, a.weak_type and c.weak_type)


def _jvp(*_: Any, **__: Any) -> Any:
    raise NotDifferentiableError(function=FUNCTION, what="the product", why="JAX defines none",
                                 use="alpha * a @ a.mT + beta * c", use_why="the same written out has a derivative")


def _emit(b: Any, a: Any, c: Any, *, alpha: float, beta: float) -> Any:
    out = b.out[0]
    stack = list(range(a.ndim - 2))
    last = a.ndim - 1
    product = b.hlo("dot_general", [a, a], out,
                    f"dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = {stack}, rhs_batching_dimensions = "
                    f"{stack}, lhs_contracting_dimensions = [{last}], rhs_contracting_dimensions = [{last}]>, "
                    "precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]")
    scaled = b.op("multiply", [b.constant(alpha, out), product], out)
    return b.op("add", [scaled, b.op("multiply", [b.constant(beta, out), c], out)], out)


symmetric_product_p = Primitive(
    "symmetric_product", params=("alpha", "beta"), type_rule=_type, jvp=_jvp,
    transpose=NotLinear("the product of a sum with itself is not the sum of the products"), batch=STACKED, emit=_emit,
    source="BLAS, `syrk`")


def symmetric_product(a_matrix: Any, c_matrix: Any, *, alpha: float = 1., beta: float = 0.,
                      symmetrize_output: bool = False) -> Array:
    """alpha A Aᵀ + beta C for symmetric C.

    Args:
        a_matrix: matrices `[..., m, n]`; real.
        c_matrix: symmetric matrices `[..., m, m]`.
        alpha: factor of the product.
        beta: factor of `c_matrix`.
        symmetrize_output: whether to fill the upper triangle from the lower one, which alone is promised to hold the
            result.

    Raises:
        MatrixShapeError: the sizes do not go together.
    """
    a, c = promoted(FUNCTION, a_matrix, c_matrix)
    found = local.trace.process(symmetric_product_p, (a, c), (float(alpha), float(beta)))
    if symmetrize_output:
        found = elementwise.add(lower(found), transposed(lower(found, -1)))
    return found


__all__ = ["symmetric_product", "symmetric_product_p"]
