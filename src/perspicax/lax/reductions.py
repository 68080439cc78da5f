"""Reductions: one family for those with a StableHLO operation of their own, and the index of the largest entry."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, OfPrimitive, Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.lax import compare, convert, elementwise, shape
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.families import ANY, BOOL, COMPLEX, INTEGER, NUMBER, REAL, kind, kinds_text
from perspicax.lax.host_order import extreme_index
from perspicax.lax.operand import integer, shape_of
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.reduce_errors import EmptyReductionError, IndexDTypeError, ReductionAxesError
from perspicax.lax.result_sharding import out_placed
from perspicax.transform.batch import BatchAxis
from perspicax.transform.jvp import FLAT, LINEAR
from perspicax.xla.emit import i64, i64_array


def _reduced(sizes: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple([n for i, n in enumerate(sizes) if i not in axes])


def _type_rule(name: str, over: frozenset) -> Callable[..., ShapedArray]:
    def type_rule(x: ShapedArray, *, axes: tuple, **_: Any) -> ShapedArray:
        if kind(x.dtype) not in over:
            raise OperandDtypeError(operation=name, type_text=x.str_short(), accepts=kinds_text(over), index=0)
        if len(set(axes)) != len(axes) or any(not 0 <= a < x.ndim for a in axes):
            raise ReductionAxesError(operation=name, operand=x, axes=axes)
        return ShapedArray(_reduced(x.shape, axes), x.dtype, x.weak_type)

    return type_rule


def _batch_of(primitive: Primitive) -> Callable[..., Any]:
    def batch(axis: BatchAxis, args: tuple, axes_: tuple, *, axes: tuple, **params: Any) -> tuple[Any, int]:
        a = axes_[0]
        moved = tuple([d + (d >= a) for d in axes])
        return primitive(args[0], axes=moved, **params), a - sum(d < a for d in moved)

    return batch


def emit_pair(b: Any, operation: str, x: Any, y: Any) -> Any:
    """Emit an operation on two scalars; the extremes of complex numbers, ordered by real, then by imaginary part."""
    if operation not in ("maximum", "minimum") or kind(x.dtype) not in COMPLEX:
        return b.op(operation, [x, y], x.aval)
    direction = "GT" if operation == "maximum" else "LT"
    part = ShapedArray((), dtypes.finfo(x.dtype).dtype)
    re_x, re_y, im_x, im_y = [b.hlo(name, [v], part) for name in ("real", "imag") for v in (x, y)]
    first = b.select(b.compare(re_x, re_y, "EQ", "FLOAT"), b.compare(im_x, im_y, direction, "FLOAT"),
                     b.compare(re_x, re_y, direction, "FLOAT"))
    return b.select(first, x, y)


def _emit(operation: str, identity: Callable[[Any], Any]) -> Callable[..., Any]:
    def emit(b: Any, x: Any, *, axes: tuple, **_: Any) -> Any:
        scalar = ShapedArray((), x.dtype)
        start = b.constant(np.asarray(identity(x.dtype)).astype(x.dtype), scalar)
        body = b.region([scalar, scalar], lambda inner, p, q: [emit_pair(inner, operation, p, q)])
        return b.hlo("reduce", [x, start], b.out[0], f"dimensions = {i64_array(axes)}", [body])

    return emit


def spread_back(ct: Any, sizes: Sequence[int], axes: Sequence[int]) -> Any:
    """A reduced array repeated along the axes that were reduced."""
    kept = tuple([i for i in range(len(sizes)) if i not in axes])
    return shape.broadcast_in_dim(ct, tuple(sizes), kept)


def _reduction(name: str, operation: str, over: frozenset, identity: Callable[[Any], Any], jvp: Any, transpose: Any = None,
               host: Any = None, params: Sequence[str] = ("axes",)) -> Primitive:
    return Primitive(name, params=params, type_rule=_type_rule(name, over), jvp=jvp, batch=OfPrimitive(_batch_of),
                     transpose=transpose or NotLinear(f"`{name}` is not linear"), emit=_emit(operation, identity),
                     host=host, source="StableHLO specification, `reduce`")


def lowest(dtype: Any) -> Any:
    """The identity of max: -inf, the smallest integer, or False."""
    return _extreme(dtype, -1)


def highest(dtype: Any) -> Any:
    """The identity of min."""
    return _extreme(dtype, 1)


def _extreme(dtype: Any, sign: int) -> Any:
    if dtype == np.dtype(bool):
        return sign > 0
    if not dtypes.issubdtype(dtype, np.inexact):
        return dtypes.iinfo(dtype).max if sign > 0 else dtypes.iinfo(dtype).min
    infinite = np.asarray(sign * np.inf).astype(dtype)
    if np.isinf(infinite.real):
        return sign * np.inf
    return dtypes.finfo(dtype).max if sign > 0 else dtypes.finfo(dtype).min  # small floats without an infinity


def _integers_only(f: Callable[..., np.ndarray]) -> Callable[..., Any]:
    def host(x: np.ndarray, *, axes: tuple, **_: Any) -> Any:
        if kind(x.dtype) not in "sub" or x.dtype.kind not in "iub":
            return NotImplemented
        return np.asarray(f(x, axes))

    return host


def _chooser_jvp(primitive: Primitive) -> Any:
    """Max and min: the tangent of the chosen entry; the mean over entries that tie."""
    def jvp(primals: tuple, tangents: tuple, *, axes: tuple, **params: Any) -> tuple[Any, Any]:
        x, t = primals[0], tangents[0]
        out = primitive(x, axes=axes, **params)
        if type(t) is Zero:
            return out, Zero.like(out)
        sizes = shape_of(x)
        chosen = compare.eq(x, spread_back(out, sizes, axes))
        mask = convert.convert(chosen, get_aval(t).dtype, False)  # type: ignore[attr-defined]
        count = reduce_sum_p(mask, axes=axes, out_sharding=None)
        return out, elementwise.div(reduce_sum_p(elementwise.mul(t, mask), axes=axes, out_sharding=None), count)

    return jvp


def _prod_jvp(primals: tuple, tangents: tuple, *, axes: tuple) -> tuple[Any, Any]:
    """The derivative of a product: the sum over entries of the product of all others times the tangent.

    The product of the others is that of the entries before and after, found by halving, so that zeros are no problem.
    """
    x, t = primals[0], tangents[0]
    out = reduce_prod_p(x, axes=axes)
    if type(t) is Zero:
        return out, Zero.like(out)
    sizes = shape_of(x)
    kept = [i for i in range(len(sizes)) if i not in axes]
    order = (*kept, *axes)
    n = int(np.prod([sizes[a] for a in axes], dtype=int))
    flat = lambda v: shape.reshape(shape.transpose(v, order), (*[sizes[i] for i in kept], n))
    value, tangent, last = flat(x), flat(t), len(kept)
    while n > 1:
        half = n // 2
        (v1, v2, v3), (t1, t2, t3) = [_parts(v, last, half, n) for v in (value, tangent)]
        value = elementwise.mul(v1, v2)
        tangent = elementwise.add(elementwise.mul(t1, v2), elementwise.mul(t2, v1))
        if n % 2:
            value, tangent = shape.concatenate([value, v3], last), shape.concatenate([tangent, t3], last)
        n = half + n % 2
    if n == 0:
        return out, Zero.like(out)
    return out, shape.squeeze(tangent, (last,))


def _parts(v: Any, axis: int, half: int, n: int) -> tuple[Any, Any, Any]:
    pieces = shape.split(v, [half, half, n - 2 * half] if n % 2 else [half, half], axis)
    return (*pieces, None) if n % 2 == 0 else tuple(pieces)  # type: ignore[return-value]


reduce_sum_p = _reduction(
    "reduce_sum", "add", NUMBER, lambda dtype: 0, LINEAR, params=("axes", "out_sharding"),
    transpose=lambda ct, x, *, axes, **_: [spread_back(ct, x.aval.shape, axes)],
    host=_integers_only(lambda x, axes: np.add.reduce(x, axes, dtype=x.dtype)))
reduce_prod_p = _reduction("reduce_prod", "multiply", NUMBER, lambda dtype: 1, _prod_jvp,
                           host=_integers_only(lambda x, axes: np.multiply.reduce(x, axes, dtype=x.dtype)))
reduce_max_p = _reduction("reduce_max", "maximum", ANY, lowest, OfPrimitive(_chooser_jvp),
                          host=_integers_only(lambda x, axes: np.maximum.reduce(x, axes, initial=lowest(x.dtype))))
reduce_min_p = _reduction("reduce_min", "minimum", ANY, highest, OfPrimitive(_chooser_jvp),
                          host=_integers_only(lambda x, axes: np.minimum.reduce(x, axes, initial=highest(x.dtype))))
reduce_or_p = _reduction("reduce_or", "or", BOOL | INTEGER, lambda dtype: 0, FLAT,
                         host=_integers_only(lambda x, axes: np.bitwise_or.reduce(x, axes)))
reduce_and_p = _reduction("reduce_and", "and", BOOL | INTEGER, lambda dtype: -1, FLAT,
                          host=_integers_only(lambda x, axes: np.bitwise_and.reduce(x, axes)))
reduce_xor_p = _reduction("reduce_xor", "xor", BOOL | INTEGER, lambda dtype: 0, FLAT,
                          host=_integers_only(lambda x, axes: np.bitwise_xor.reduce(x, axes)))


def _function(primitive: Primitive, doc: str) -> Callable[..., Any]:
    extra = (None,) * (len(primitive.param_names or ()) - 1)

    def reduce(operand: Any, axes: Sequence[int], *, out_sharding: Any = None) -> Any:
        if out_sharding is not None:
            return out_placed(primitive.name, out_sharding, lambda x: reduce(x, axes), operand)
        x = as_operand(operand)
        rank = len(shape_of(x))
        normal = tuple([shape.canonical_axis(a, rank) for a in axes])
        return local.trace.process(primitive, (x,), (normal, *extra))

    reduce.__name__ = reduce.__qualname__ = primitive.name
    reduce.__doc__ = f"{doc}\n\nArgs:\n    operand: array of any shape.\n    axes: the axes to reduce away.\n"
    return reduce


reduce_sum = _function(reduce_sum_p, "The sum over some axes.")
reduce_prod = _function(reduce_prod_p, "The product over some axes.")
reduce_max = _function(reduce_max_p, "The maximum over some axes; NaN where there is one.")
reduce_min = _function(reduce_min_p, "The minimum over some axes; NaN where there is one.")
reduce_or = _function(reduce_or_p, "The (bitwise) or over some axes.")
reduce_and = _function(reduce_and_p, "The (bitwise) and over some axes.")
reduce_xor = _function(reduce_xor_p, "The bitwise exclusive or over some axes.")


# -- the index of the largest or smallest entry

def _arg_type(name: str) -> Callable[..., ShapedArray]:
    def type_rule(x: ShapedArray, *, axes: tuple, index_dtype: Any) -> ShapedArray:
        if kind(x.dtype) not in REAL | BOOL:
            raise OperandDtypeError(operation=name, type_text=x.str_short(), accepts=kinds_text(REAL | BOOL), index=0)
        if len(axes) != 1 or not 0 <= axes[0] < x.ndim:
            raise ReductionAxesError(operation=name, operand=x, axes=axes)
        if kind(index_dtype) not in INTEGER:
            raise IndexDTypeError(operation=name, dtype=dtypes.name_of(index_dtype))
        if x.shape[axes[0]] == 0:
            raise EmptyReductionError(operation=name, operand=x, axes=axes)
        return ShapedArray(_reduced(x.shape, axes), index_dtype)

    return type_rule


def _arg_emit(direction: str, identity: Callable[[Any], Any]) -> Callable[..., Any]:
    def emit(b: Any, x: Any, *, axes: tuple, index_dtype: Any) -> Any:
        """A reduction of pairs (value, index): NaN wins over all, the lower index over others with equal value."""
        value, index = ShapedArray((), x.dtype), ShapedArray((), index_dtype)

        def better(inner: Any, v: Any, i: Any, w: Any, j: Any) -> list[Any]:
            truth = ShapedArray((), np.dtype(bool))
            holds = lambda p, q, how: compare.compare_values(inner, p, q, how)
            take = inner.op("or", [holds(v, w, direction), holds(v, v, "NE")], truth)
            tie = inner.op("and", [holds(v, w, "EQ"), holds(i, j, "LT")], truth)
            return [inner.select(take, v, w), inner.select(inner.op("or", [take, tie], truth), i, j)]

        places = b.hlo("iota", [], ShapedArray(x.shape, index_dtype), f"iota_dimension = {i64(axes[0])}")
        starts = [b.constant(np.asarray(identity(x.dtype)).astype(x.dtype), value),
                  b.constant(np.zeros((), index_dtype), index)]
        out = b.out[0]
        found = b.hlo("reduce", [x, places, *starts], [ShapedArray(out.shape, x.dtype), out],
                      f"dimensions = {i64_array(axes)}", [b.region([value, index, value, index], better)])
        return found[1]

    return emit


def _arg_host(largest: bool) -> Callable[..., Any]:
    def host(x: np.ndarray, *, axes: tuple, index_dtype: Any) -> Any:
        found = extreme_index(x, axes[0], largest)
        return found if found is NotImplemented else np.asarray(found).astype(index_dtype)

    return host


def _arg_primitive(name: str, direction: str, identity: Callable[[Any], Any]) -> Primitive:
    return Primitive(name, params=("axes", "index_dtype"), type_rule=_arg_type(name), jvp=FLAT,
                     transpose=NotLinear("an index is not linear"), batch=OfPrimitive(_batch_of),
                     emit=_arg_emit(direction, identity), host=_arg_host(direction == "GT"),
                     source="StableHLO specification, `reduce`")


argmax_p = _arg_primitive("argmax", "GT", lowest)
argmin_p = _arg_primitive("argmin", "LT", highest)


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the largest entry along an axis: of the first NaN, if there is one; of the first of equal ones.

    Args:
        operand: array of integers, real floating numbers or booleans.
        axis: the axis, from 0 up.
        index_dtype: integer dtype of the result.

    Raises:
        ReductionAxesError: there is no such axis.
        EmptyReductionError: the axis has no entries.
        IndexDTypeError: `index_dtype` is no integer type.
    """
    return _arg(argmax_p, operand, axis, index_dtype)


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The index of the smallest entry along an axis; see `argmax`."""
    return _arg(argmin_p, operand, axis, index_dtype)


def _arg(primitive: Primitive, x: Any, axis: int, index_dtype: Any) -> Any:
    values = ((integer(axis, primitive.name, "axis"),), dtypes.requested_dtype(index_dtype, primitive.name))
    return local.trace.process(primitive, (as_operand(x),), values)


__all__ = ["argmax", "argmax_p", "argmin", "argmin_p", "reduce_and", "reduce_and_p", "reduce_max", "reduce_max_p",
           "reduce_min", "reduce_min_p", "reduce_or", "reduce_or_p", "reduce_prod", "reduce_prod_p", "reduce_sum",
           "reduce_sum_p", "reduce_xor", "reduce_xor_p"]
