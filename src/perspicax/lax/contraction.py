"""Matrix products: `dot_general`, from which all others are made."""
from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import get_aval
from perspicax.lax import convert, shape
from perspicax.lax.operand import operand
from perspicax.lax.precision import (
    DotAlgorithm,
    DotAlgorithmPreset,
    Precision,
    algorithm_plan,
    canonical_precision,
    canonical_preferred,
    precision_config,
    product_dtype,
)
from perspicax.lax.product_errors import BatchMatmulError, DotDimensionError, DotShapeError
from perspicax.lax.result_sharding import asked_sharding, with_batch_axis
from perspicax.transform.batch import BatchAxis
from perspicax.transform.hooks import add_tangents
from perspicax.xla.partition import PartitionSpec
from perspicax.xla.sharding import NamedSharding

DimensionNumbers = tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]


def others(rank: int, *taken: Sequence[int]) -> list[int]:
    """The axes that are in none of `taken`, in order."""
    used = {i for axes in taken for i in axes}
    return [i for i in range(rank) if i not in used]


def _check_dimensions(lhs: ShapedArray, rhs: ShapedArray, numbers: DimensionNumbers) -> None:
    (lc, rc), (lb, rb) = numbers
    for which, aval, axes in (("lhs", lhs, lb + lc), ("rhs", rhs, rb + rc)):
        in_range = all(0 <= i < aval.ndim for i in axes)
        if not in_range or len(set(axes)) != len(axes):
            kind = "repeated" if in_range else "range"
            raise DotDimensionError(lhs=lhs, rhs=rhs, dimension_numbers=numbers, kind=kind, which=which)
    if len(lc) != len(rc) or len(lb) != len(rb):
        raise DotDimensionError(lhs=lhs, rhs=rhs, dimension_numbers=numbers, kind="count")


def dot_type(lhs: ShapedArray, rhs: ShapedArray, *, dimension_numbers: DimensionNumbers, precision: Any,
             preferred_element_type: Any, out_sharding: Any) -> ShapedArray:
    _check_dimensions(lhs, rhs, dimension_numbers)
    (lc, rc), (lb, rb) = dimension_numbers
    if any(lhs.shape[i] != rhs.shape[j] for i, j in zip(lb + lc, rb + rc)):
        raise DotShapeError(operation="dot_general", lhs=lhs, rhs=rhs, contracting=(lc, rc), batch=(lb, rb))
    sizes = ([lhs.shape[i] for i in lb] + [lhs.shape[i] for i in others(lhs.ndim, lb, lc)]
             + [rhs.shape[j] for j in others(rhs.ndim, rb, rc)])
    dtype = product_dtype("dot_general", lhs, rhs, preferred_element_type)
    return ShapedArray(tuple(sizes), dtype, lhs.weak_type and rhs.weak_type)


def _dot_jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
    (x, y), (dx, dy) = primals, tangents
    out = dot_general_p(x, y, **params)
    tangent: Any = Zero.like(out)
    if tangent.aval.dtype == dtypes.float0:  # an integer result was asked for: it does not move
        return out, tangent
    if type(dx) is not Zero:
        tangent = dot_general_p(dx, y, **params)
    if type(dy) is not Zero:
        tangent = add_tangents(tangent, dot_general_p(x, dy, **params))
    return out, tangent


def _dot_transpose(ct: Any, x: Any, y: Any, *, dimension_numbers: DimensionNumbers, **params: Any) -> list[Any]:
    (lc, rc), (lb, rb) = dimension_numbers
    if type(x) is Linear:
        return [_cotangent_of(ct, x.aval, y, (lc, rc), (lb, rb), first=True, **params), None]
    return [None, _cotangent_of(ct, y.aval, x, (rc, lc), (rb, lb), first=False, **params)]


def _cotangent_of(ct: Any, mine: ShapedArray, other: Any, contracting: tuple, batch: tuple, *, first: bool,
                  **params: Any) -> Any:
    """The cotangent of one operand: the result's cotangent times the other operand, over the other's free axes.

    Args:
        contracting: contracted axes of this operand and of the other.
        batch: likewise the batch axes.
        first: whether this operand is the left one; it tells where the other's free axes stand in the result.
    """
    (mc, oc), (mb, ob) = contracting, batch
    theirs: Any = get_aval(other)
    free_mine, free_other = others(mine.ndim, mc, mb), others(len(theirs.shape), oc, ob)
    start = len(mb) + (len(free_mine) if first else 0)
    places = tuple(range(start, start + len(free_other)))
    kept = tuple(range(len(mb)))
    # The product has the batch axes, this operand's free axes, the contracted axes in the order of the other operand.
    order = [*mb, *free_mine, *[m for _, m in sorted(zip(oc, mc))]]
    split = mine.explicit or theirs.explicit or get_aval(ct).explicit  # type: ignore[attr-defined]
    if split is not None:  # the cotangent lies as the operand does
        from perspicax.lax.explicit_rules import summed_over  # for its weight: few programs need it

        parts = mine.explicit.spec.partitions if mine.explicit is not None else (None,) * mine.ndim
        sums = frozenset() if mine.explicit is None else mine.explicit.spec.reduced
        if sums != summed_over(get_aval(ct), theirs, places, free_other):
            sums = frozenset()  # it is made whole, and laid as parts of a sum where it arrives
        params["out_sharding"] = NamedSharding(split.mesh, PartitionSpec(*[parts[i] for i in order], unreduced=sums))
    product = dot_general_p(ct, other, dimension_numbers=((places, tuple(free_other)), (kept, tuple(ob))), **params)
    permutation = [0] * len(order)
    for place, axis in enumerate(order):
        permutation[axis] = place
    found = shape.transpose(product, permutation)
    if get_aval(found).dtype == mine.dtype:  # type: ignore[attr-defined]
        return found
    return convert.convert_element_type(found, mine.dtype)


def _dot_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimension_numbers: DimensionNumbers, out_sharding: Any,
               **params: Any) -> tuple[Any, int]:
    (lc, rc), (lb, rb) = dimension_numbers
    (x, y), (a, b) = args, axes
    past = lambda place, dims: dims if place is None else tuple([d + (d >= place) for d in dims])
    lc, lb, rc, rb = past(a, lc), past(a, lb), past(b, rc), past(b, rb)
    if a is not None and b is not None:
        lb, rb, out_axis = (a, *lb), (b, *rb), 0
    elif a is not None:  # a further free axis of the left operand
        out_axis = len(lb) + others(get_aval(x).ndim, lb, lc).index(a)  # type: ignore[attr-defined]
    else:
        free_left = get_aval(x).ndim - len(lb) - len(lc)  # type: ignore[attr-defined]
        out_axis = len(lb) + free_left + others(get_aval(y).ndim, rb, rc).index(b)  # type: ignore[attr-defined]
    asked = with_batch_axis(out_sharding, out_axis, axis)
    return dot_general_p(x, y, dimension_numbers=((lc, rc), (lb, rb)), out_sharding=asked, **params), out_axis


def _is_f8(dtype: Any) -> bool:
    return dtypes.issubdtype(dtype, np.floating) and dtypes.itemsize_bits(dtype) == 8


def _dot_emit(b: Any, x: Any, y: Any, *, dimension_numbers: DimensionNumbers, precision: Any,
              preferred_element_type: Any, out_sharding: Any) -> Any:
    out = b.out[0]
    if x.dtype != y.dtype and not (_is_f8(x.dtype) and _is_f8(y.dtype)):
        x, y = b.convert(x, out.dtype), b.convert(y, out.dtype)
    computed, algorithm = out, ""
    plan = algorithm_plan(precision, x.dtype, out.dtype)
    if plan is not None:
        dtype, result, text = plan
        x, y = b.convert(x, dtype), b.convert(y, dtype)
        computed, algorithm = ShapedArray(out.shape, result), f", algorithm = {text}"
    (lc, rc), (lb, rb) = dimension_numbers
    numbers = (f"lhs_batching_dimensions = {list(lb)}, rhs_batching_dimensions = {list(rb)}, "
               f"lhs_contracting_dimensions = {list(lc)}, rhs_contracting_dimensions = {list(rc)}")
    product = b.hlo("dot_general", [x, y], computed,
                    f"dot_dimension_numbers = #stablehlo.dot<{numbers}>, {precision_config(precision)}{algorithm}")
    return b.convert(product, out.dtype)


dot_general_p = Primitive(
    "dot_general", params=("dimension_numbers", "precision", "preferred_element_type", "out_sharding"),
    type_rule=dot_type, jvp=_dot_jvp, transpose=_dot_transpose, batch=_dot_batch, emit=_dot_emit,
    source="StableHLO specification, `dot_general`")
dot_general_p.extra["lays"] = "out_sharding"


def canonical_numbers(numbers: Any, x: Any, y: Any) -> DimensionNumbers:
    try:
        (lc, rc), (lb, rb) = numbers
        return ((_axes(lc), _axes(rc)), (_axes(lb), _axes(rb)))
    except (TypeError, ValueError):
        raise DotDimensionError(lhs=get_aval(x), rhs=get_aval(y), dimension_numbers=numbers, kind="form") from None


def _axes(axes: Sequence[Any]) -> tuple[int, ...]:
    return tuple([operator.index(i) for i in axes])


def dot_general(lhs: Any, rhs: Any, dimension_numbers: Any, precision: Any = None, preferred_element_type: Any = None,
                *, out_sharding: Any = None) -> Any:
    """The product of two arrays, summed over some pairs of axes, for each entry of other pairs.

    Args:
        lhs: array.
        rhs: array; where the dtypes differ, both are converted to the broader one.
        dimension_numbers: `((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))`, sequences of axes. The
            contracting axes are paired and summed over; the batch axes are paired and kept.
        precision: `None`, a `Precision`, a pair of these, a `DotAlgorithmPreset`, or a name of one; `None` means the
            option `jax_default_matmul_precision`.
        preferred_element_type: dtype of the result, in which sums are kept.

    Returns:
        Array with the batch axes first, then the other axes of `lhs`, then those of `rhs`.

    Raises:
        DotShapeError: paired axes differ in size.
        DotDimensionError: the dimension numbers do not fit the operands.
        PrecisionError: `precision` names none.

    >>> dot_general(jnp.ones((2, 3)), jnp.ones((3, 4)), (((1,), (0,)), ((), ()))).shape
    (2, 4)
    """
    x, y = operand(lhs), operand(rhs)
    numbers = canonical_numbers(dimension_numbers, x, y)
    if out_sharding is not None:
        rank = get_aval(x).ndim + get_aval(y).ndim - 2 * len(numbers[0][0]) - len(numbers[1][0])  # type: ignore[attr-defined]
        out_sharding = asked_sharding("dot_general", out_sharding, rank)
    values = (numbers, canonical_precision(precision), canonical_preferred(preferred_element_type), out_sharding)
    return local.trace.process(dot_general_p, (x, y), values)


def dot(lhs: Any, rhs: Any, *, dimension_numbers: Any = None, precision: Any = None,
        preferred_element_type: Any = None, out_sharding: Any = None) -> Any:
    """The product of vectors and matrices; with `dimension_numbers` that of any arrays, as `dot_general`.

    Args:
        lhs: array of one or two axes.
        rhs: array of one or two axes, whose first has the size of the last of `lhs`.

    Raises:
        DotDimensionError: there are more axes, and no `dimension_numbers` are given.
        DotShapeError: the sizes differ.
    """
    x, y = operand(lhs), operand(rhs)
    a: Any = get_aval(x)
    b: Any = get_aval(y)
    if dimension_numbers is None:
        if not (1 <= a.ndim <= 2 and 1 <= b.ndim <= 2 and a.shape[-1] == b.shape[0]):
            if 1 <= a.ndim <= 2 and 1 <= b.ndim <= 2:
                raise DotShapeError(operation="dot", lhs=a, rhs=b, contracting=((a.ndim - 1,), (0,)))
            raise DotDimensionError(lhs=a, rhs=b, dimension_numbers=None, kind="dot")
        dimension_numbers = (((a.ndim - 1,), (0,)), ((), ()))
    return dot_general(x, y, dimension_numbers, precision, preferred_element_type, out_sharding=out_sharding)


def batch_matmul(lhs: Any, rhs: Any, precision: Any = None) -> Any:
    """Products of matrices, one for each entry of the leading axes.

    Args:
        lhs: array `[..., m, k]` of at least two axes.
        rhs: array `[..., k, n]` with the same leading axes.

    Returns:
        Array `[..., m, n]`.

    Raises:
        BatchMatmulError: the numbers of axes differ, or are less than 2.
        DotShapeError: sizes differ.
    """
    x, y = operand(lhs), operand(rhs)
    a: Any = get_aval(x)
    b: Any = get_aval(y)
    if a.ndim != b.ndim or a.ndim < 2:
        raise BatchMatmulError(lhs=a, rhs=b)
    leading = tuple(range(a.ndim - 2))
    return dot_general(x, y, (((a.ndim - 1,), (b.ndim - 2,)), (leading, leading)), precision)


__all__ = ["DotAlgorithm", "DotAlgorithmPreset", "Precision", "batch_matmul", "dot", "dot_general", "dot_general_p"]
