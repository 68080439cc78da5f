"""The largest entries found approximately, at a given rate: exact on the CPU, faster on accelerators that have it.

The algorithm is that of Chern et al., "TPU-KNN: K nearest neighbor search at peak FLOP/s" (arXiv:2206.14286).
"""
from __future__ import annotations

import operator
from typing import Any

import numpy as np

from perspicax.binding.runtime import approximate_output_size
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.lax import shape
from perspicax.lax.errors import OperandDtypeError, OperationShapeError
from perspicax.lax.families import FLOATING, kind, kinds_text
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.sorting import take_along
from perspicax.transform.batch import BatchAxis
from perspicax.xla.emit import Value, boolean, i64


def _type_rule(x: ShapedArray, *, k: int, reduction_dimension: int, recall_target: float, is_max_k: bool,
               reduction_input_size_override: int, aggregate_to_topk: bool) -> list[ShapedArray]:
    name = "approx_max_k" if is_max_k else "approx_min_k"
    if kind(x.dtype) not in FLOATING:
        raise OperandDtypeError(operation=name, type_text=x.str_short(), accepts=kinds_text(FLOATING), index=0)
    size = x.shape[reduction_dimension]
    if not 0 < k <= size:
        raise OperationShapeError(says=f"`{name}` was asked for {k} entries along axis {reduction_dimension} of "
                                        f"{x.str_short()}.", why=f"k lies between 1 and the size of the axis, {size}")
    if not 0 < recall_target <= 1:
        raise OperationShapeError(says=f"`{name}` was given recall_target={recall_target}.",
                                   why="it is the part of the entries that shall be found: more than 0, at most 1")
    n = approximate_output_size(size, x.ndim, k, recall_target, aggregate_to_topk, reduction_input_size_override)
    sizes = (*x.shape[:reduction_dimension], n, *x.shape[reduction_dimension + 1:])
    return [ShapedArray(sizes, x.dtype, x.weak_type), ShapedArray(sizes, dtypes.int32)]


def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    values, indices = approx_top_k_p(*primals, **params)
    t = tangents[0]
    moved = Zero.like(values) if type(t) is Zero else take_along(t, indices, params["reduction_dimension"])
    return [values, indices], [moved, Zero.like(indices)]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, reduction_dimension: int, **params: Any) -> tuple[list, list]:
    place = axes[0]
    outs = approx_top_k_p(args[0], reduction_dimension=reduction_dimension + (place <= reduction_dimension), **params)
    return outs, [place, place]


def _comparator(b: Any, element: ShapedArray, is_max_k: bool) -> str:
    """The name of a function of the module that says which of two entries comes first; the indices take no part."""
    direction = "GT" if is_max_k else "LT"
    name, scalar = b.module.fresh_name(f"approximate_{direction}"), element.mlir
    b.module.functions.append(
        f"func.func private @{name}(%x: {scalar}, %y: {scalar}, %i: tensor<i32>, %j: tensor<i32>) -> tensor<i1> {{\n"
        f"%first = stablehlo.compare {direction}, %x, %y : ({scalar}, {scalar}) -> tensor<i1>\n"
        f"return %first : tensor<i1>\n}}\n")
    return name


def _emit(b: Any, x: Any, *, k: int, reduction_dimension: int, recall_target: float, is_max_k: bool,
          reduction_input_size_override: int, aggregate_to_topk: bool) -> list[Any]:
    element = ShapedArray((), x.dtype)
    iota = b.hlo("iota", [], ShapedArray(x.shape, dtypes.int32), f"iota_dimension = {i64(reduction_dimension)}")
    worst = b.constant(np.asarray(-np.inf if is_max_k else np.inf, x.dtype), element)
    nowhere = b.constant(np.int32(-1), ShapedArray((), dtypes.int32))
    config = (f"aggregate_to_topk = {boolean(aggregate_to_topk)}, is_fallback = true, "
              f"recall_target = {float(recall_target):.9e} : f32, reduction_dim = {i64(reduction_dimension)}, "
              f"reduction_input_size_override = {i64(reduction_input_size_override)}, top_k = {i64(k)}")
    operands = [x, iota, worst, nowhere]
    names, types = ", ".join([v.name for v in operands]), ", ".join([v.mlir for v in operands])
    n = b.fresh(b.out[0]).name
    b.line(f'{n}:2 = stablehlo.custom_call @ApproxTopK({names}) {{backend_config = "", called_computations = '
           f"[@{_comparator(b, element, is_max_k)}], mhlo.backend_config = {{{config}}}}} : "
           f"({types}) -> ({', '.join([a.mlir for a in b.out])})")
    return [Value(f"{n}#{i}", a) for i, a in enumerate(b.out)]


approx_top_k_p: Primitive = Primitive(
    "approx_top_k", multiple_results=True, type_rule=_type_rule, jvp=_jvp, batch=_batch, emit=_emit,
    params=("k", "reduction_dimension", "recall_target", "is_max_k", "reduction_input_size_override",
            "aggregate_to_topk"),
    transpose=NotLinear("the largest of a sum are not the sum of the largest"),
    source="XLA, the custom call `ApproxTopK`")


def _search(operand: Any, k: int, reduction_dimension: int, recall_target: float, override: int, aggregate: bool,
            is_max_k: bool) -> list[Any]:
    x = as_operand(operand)
    axis = shape.canonical_axis(reduction_dimension, len(get_aval(x).shape), "reduction dimension")  # type: ignore
    return local.trace.process(approx_top_k_p, (x,), (operator.index(k), axis, float(recall_target), is_max_k,
                                                      operator.index(override), bool(aggregate)))


def approx_max_k(operand: Any, k: int, reduction_dimension: int = -1, recall_target: float = 0.95,
                 reduction_input_size_override: int = -1, aggregate_to_topk: bool = True) -> list[Any]:
    """The `k` largest entries along an axis and their indices, most of them found.

    Args:
        operand: floating array.
        k: how many, from 1 to the size of the axis.
        reduction_dimension: the axis.
        recall_target: the part of the `k` largest that shall be among those found, above 0 and up to 1.
        reduction_input_size_override: the size of the axis for which the part is computed, where `operand` is a piece of
            it; that of `operand` when not positive.
        aggregate_to_topk: whether to sort what was found and keep `k`; if not, more are returned, in some order.

    Returns:
        `[values, indices]`, indices of dtype int32. On the CPU the search is exact.

    Raises:
        OperationShapeError: `k` or `recall_target` is out of range.
        OperandDtypeError: the operand is not floating.
    """
    return _search(operand, k, reduction_dimension, recall_target, reduction_input_size_override, aggregate_to_topk, True)


def approx_min_k(operand: Any, k: int, reduction_dimension: int = -1, recall_target: float = 0.95,
                 reduction_input_size_override: int = -1, aggregate_to_topk: bool = True) -> list[Any]:
    """The `k` smallest entries along an axis and their indices, most of them found; as `approx_max_k` otherwise."""
    return _search(operand, k, reduction_dimension, recall_target, reduction_input_size_override, aggregate_to_topk, False)


__all__ = ["approx_max_k", "approx_min_k", "approx_top_k_p"]
