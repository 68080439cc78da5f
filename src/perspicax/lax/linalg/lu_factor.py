"""The factors of Gaussian elimination, and the permutation that its row exchanges make."""
from __future__ import annotations

import operator
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import Zero
from perspicax.lax import elementwise
from perspicax.lax.bitwise import bitwise_and
from perspicax.lax.compare import eq, ge, select
from perspicax.lax.linalg.errors import MatrixDtypeError, MatrixShapeError
from perspicax.lax.linalg.kernels import (
    GPUS,
    STACKED,
    GpuKernel,
    check_matrix,
    info_type,
    nan_where_failed,
    native_call,
    type_of,
)
from perspicax.lax.linalg.matrices import (
    block,
    identity_like,
    lower,
    mask,
    padded,
    permuted_rows,
    product,
    upper,
)
from perspicax.lax.linalg.triangular import triangular_solve
from perspicax.lax.operand import operand
from perspicax.lax.shape import broadcasted_iota
from perspicax.xla.emit import Value, i64_array

# -- lu

def _type(x: ShapedArray) -> list[ShapedArray]:
    check_matrix("lax.linalg.lu", x)
    *stack, m, n = x.shape
    return [ShapedArray(x.shape, x.dtype, x.weak_type), ShapedArray((*stack, min(m, n)), dtypes.int32),
            ShapedArray((*stack, m), dtypes.int32)]


def _with_unit_corner(x: Any, n: int) -> Any:
    """Square matrices with `x` at the top left, and ones on the rest of the diagonal."""
    size = min(type_of(x).shape[-2:])
    large = padded(x, n, n)
    return large if size == n else select(_corner(large, size), identity_like(large), large)


def _corner(x: Any, start: int) -> Any:
    """Where row and column are equal, and at least `start`."""
    sizes = type_of(x).shape
    rows = broadcasted_iota(dtypes.int32, sizes, len(sizes) - 2)
    return bitwise_and(ge(rows, np.int32(start)), mask(x, eq))


def _jvp(primals: tuple, tangents: tuple) -> tuple[list, list]:
    """With L⁻¹ P Ȧ U⁻¹ = M: L̇ = L · (M below the diagonal), U̇ = (M on and above it) · U.

    Factors that are not square are completed by ones on their diagonals.
    """
    found, pivots, permutation = lu_p(*primals)
    m, n = type_of(found).shape[-2:]
    k = min(m, n)
    left = lower(padded(block(found, m, k), m, m), -1)
    left = elementwise.add(left, identity_like(left))
    right = _with_unit_corner(upper(block(found, k, n)), n)
    moved = permuted_rows(tangents[0], permutation)
    inner = triangular_solve(left, moved, left_side=True, lower=True, unit_diagonal=True)
    inner = triangular_solve(right, inner, left_side=False, lower=False)
    change = elementwise.add(product(left, lower(inner, -1)), product(upper(inner), right))
    return [found, pivots, permutation], [change, Zero.like(pivots), Zero.like(permutation)]


def _emit(b: Any, x: Any) -> list[Any]:
    factors, pivots, permutation = b.out
    if not x.aval.size:
        return [x, b.constant(0, pivots), _counting(b, permutation)]
    info = info_type(x.shape[:-2])
    found, swaps, failed = native_call(b, "lax.linalg.lu", "getrf", "", [x], [factors, pivots, info],
                                       ranks=(2, 2, 1, 0), aliases={0: 0}, gpu=GpuKernel("solver_getrf_ffi"))
    found = nan_where_failed(b, failed, [found], "GE")[0]  # a positive word says that U is singular
    swaps = b.op("subtract", [swaps, b.constant(1, pivots)], pivots)
    return [found, swaps, _emit_permutation(b, swaps, permutation)]


lu_p = Primitive(
    "lu", multiple_results=True, type_rule=_type, jvp=_jvp,
    transpose=NotLinear("the factors of a sum are not the sums of the factors"), batch=STACKED, emit=_emit,
    source="LAPACK, `getrf`")


def lu(x: Any) -> tuple[Array, Array, Array]:
    """The factors of matrices by Gaussian elimination with row exchanges: P A = L U.

    Args:
        x: matrices `[..., m, n]`.

    Returns:
        `(lu, pivots, permutation)`: both factors in one array of the shape of `x` (U on and above the diagonal, L below
        it, whose own diagonal is ones); the rows that were exchanged, int32 `[..., min(m, n)]`; and the permutation they
        make, int32 `[..., m]`, with `x[permutation] == L @ U`.

    Raises:
        MatrixShapeError: `x` has less than two axes.
        MatrixDtypeError: `x` is neither floating nor complex.
    """
    return local.trace.process(lu_p, (operand(x),), ())


# -- lu_pivots_to_permutation

def _permutation_type(pivots: ShapedArray, *, permutation_size: int) -> ShapedArray:
    function = "lax.linalg.lu_pivots_to_permutation"
    if pivots.dtype != np.dtype(np.int32):
        raise MatrixDtypeError(function=function, type_text=pivots.str_short(), accepts="int32 arrays")
    if not pivots.ndim:
        raise MatrixShapeError(function=function, avals=(pivots,), why="pivots are a vector, or a stack of vectors")
    if permutation_size < pivots.shape[-1]:
        raise MatrixShapeError(function=function, avals=(pivots,),
                               why=f"a permutation of {permutation_size} rows has at most as many exchanges")
    return ShapedArray((*pivots.shape[:-1], permutation_size), dtypes.int32)


def _counting(b: Any, aval: ShapedArray) -> Any:
    return b.hlo("iota", [], aval, f"iota_dimension = {aval.ndim - 1} : i64")


def _emit_permutation(b: Any, pivots: Value, aval: ShapedArray) -> Any:
    """The exchanges, one after the other, done to 0, 1, 2, …; the loop stands in the compiled program."""
    k, stack = pivots.shape[-1], aval.shape[:-1]
    if b.module.platform in GPUS:
        return native_call(b, "lax.linalg.lu_pivots_to_permutation", "", "", [pivots], [aval], ranks=(1, 1), aliases={},
                           gpu=GpuKernel("_lu_pivots_to_permutation"))[0]
    start = _counting(b, aval)
    if not k or not aval.size:
        return start
    counter, entry = ShapedArray((), dtypes.int32), ShapedArray(stack, dtypes.int32)
    n = len(stack)
    state = [counter, aval, pivots.aval]

    def goes_on(c: Any, i: Any, *_: Any) -> list[Any]:
        return [c.compare(i, c.constant(k, counter), "LT", "SIGNED")]

    def exchange_one(c: Any, i: Any, order: Any, swaps: Any) -> list[Any]:
        """Entries `i` and `swaps[i]` of the one permutation change places."""
        entry = ShapedArray((1,), dtypes.int32)
        at = lambda x, place: c.hlo("dynamic_slice", [x, place], entry, f"slice_sizes = {i64_array((1,))}")
        put = lambda x, new, place: c.hlo("dynamic_update_slice", [x, new, place], aval)
        other = c.reshape(at(swaps, i), ())
        swapped = put(put(order, at(order, other), i), at(order, i), other)
        return [c.op("add", [i, c.constant(1, counter)], counter), swapped, swaps]

    def exchange(c: Any, i: Any, order: Any, swaps: Any) -> list[Any]:
        """The same for all permutations of a stack at once: found and put by comparing positions."""
        zero = c.constant(0, counter)
        places = _counting(c, aval)
        cut = c.hlo("dynamic_slice", [swaps, *[zero] * n, i], ShapedArray((*stack, 1), dtypes.int32),
                    f"slice_sizes = {i64_array((*stack, 1))}")
        other = c.broadcast(c.reshape(cut, stack), aval.shape, range(n))
        mine = c.broadcast(i, aval.shape, ())
        at_mine, at_other = c.compare(places, mine, "EQ", "SIGNED"), c.compare(places, other, "EQ", "SIGNED")
        pick = lambda where: c.broadcast(_sum_last(c, c.select(where, order, c.constant(0, aval)), entry), aval.shape,
                                         range(n))
        left, right = pick(at_mine), pick(at_other)
        swapped = c.select(at_mine, right, c.select(at_other, left, order))
        return [c.op("add", [i, c.constant(1, counter)], counter), swapped, swaps]

    regions = [b.region(state, goes_on), b.region(state, exchange if stack else exchange_one)]
    return b.hlo("while", [b.constant(0, counter), start, pivots], state, "", regions)[1]


def _sum_last(b: Any, x: Any, out: ShapedArray) -> Any:
    scalar = ShapedArray((), x.dtype)
    body = b.region([scalar, scalar], lambda inner, p, q: [inner.op("add", [p, q], scalar)])
    return b.hlo("reduce", [x, b.constant(0, scalar)], out, f"dimensions = array<i64: {x.ndim - 1}>", [body])


def _permutation_jvp(primals: tuple, tangents: tuple, *, permutation_size: int) -> tuple[Any, Any]:
    found = lu_pivots_to_permutation_p(*primals, permutation_size=permutation_size)
    return found, Zero.like(found)


lu_pivots_to_permutation_p = Primitive(
    "lu_pivots_to_permutation", params=("permutation_size",), type_rule=_permutation_type, jvp=_permutation_jvp,
    transpose=NotLinear("permutations are integers"), batch=STACKED,
    emit=lambda b, pivots, *, permutation_size: _emit_permutation(b, pivots, b.out[0]),
    source="LAPACK, `laswp`")


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Array:
    """The permutation that a sequence of row exchanges makes.

    Args:
        pivots: int32 `[..., k]`; exchange `i` is of rows `i` and `pivots[i]`.
        permutation_size: the number of rows, at least k.

    Returns:
        int32 `[..., permutation_size]`.

    Raises:
        MatrixShapeError: there are more exchanges than rows.
        MatrixDtypeError: `pivots` is not int32.
    """
    return local.trace.process(lu_pivots_to_permutation_p, (operand(pivots),), (operator.index(permutation_size),))


__all__ = ["lu", "lu_p", "lu_pivots_to_permutation", "lu_pivots_to_permutation_p"]
