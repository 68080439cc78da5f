"""The product of matrices whose blocks have scales of their own, as low-precision formats store them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import convert, elementwise, shape
from perspicax.lax.composites import emit_composite
from perspicax.lax.contraction import canonical_numbers, dot_general
from perspicax.lax.contraction import dot_type as product_type
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.operand import operand
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.jvp import jvp_flat


def _check_scale(which: str, aval: ShapedArray, scale: ShapedArray, contracting: Sequence[int]) -> None:
    if scale.ndim != aval.ndim:
        raise OperationShapeError(says=f"scaled_dot was given `{which}` {aval.str_short()} and its scale "
                                       f"{scale.str_short()}.", why="a scale has the axes of its operand")
    for i, (n, m) in enumerate(zip(aval.shape, scale.shape)):
        if i not in contracting and n != m:
            why = f"axis {i} is not summed over, so both have one size there"
        elif i in contracting and (m == 0 or n % m):
            why = f"axis {i} is summed over: its size is a multiple of that of the scale, whose entries belong to blocks"
        else:
            continue
        raise OperationShapeError(says=f"scaled_dot was given `{which}` {aval.str_short()} and its scale "
                                       f"{scale.str_short()}.", why=why)
    if all(aval.shape[i] // scale.shape[i] < 2 for i in contracting):
        raise OperationShapeError(says=f"scaled_dot was given `{which}` {aval.str_short()} and its scale "
                                       f"{scale.str_short()}.",
                                  why="a block along the axes that are summed over has at least 2 entries")


def _type_rule(lhs: ShapedArray, rhs: ShapedArray, lhs_scale: ShapedArray, rhs_scale: ShapedArray, *,
               dimension_numbers: Any, preferred_element_type: Any) -> ShapedArray:
    out = product_type(ShapedArray(lhs.shape, dtypes.float32), ShapedArray(rhs.shape, dtypes.float32),
                       dimension_numbers=dimension_numbers, precision=None,
                       preferred_element_type=preferred_element_type, out_sharding=None)
    (lc, rc), _ = dimension_numbers
    _check_scale("lhs", lhs, lhs_scale, lc)
    _check_scale("rhs", rhs, rhs_scale, rc)
    return out


def _scaled(x: Any, scale: Any) -> Any:
    """Each entry times the scale of its block, in bfloat16, as hardware does it."""
    sizes, blocks = get_aval(x).shape, get_aval(scale).shape  # type: ignore[attr-defined]
    pairs = tuple([k for n, m in zip(sizes, blocks) for k in (m, n // m if m else 1)])
    spread = shape.reshape(shape.broadcast_in_dim(scale, pairs, range(0, 2 * len(blocks), 2)), sizes)
    return elementwise.mul(*[convert.convert_element_type(v, dtypes.bfloat16) for v in (x, spread)])


def _decomposed(lhs: Any, rhs: Any, lhs_scale: Any, rhs_scale: Any, *, dimension_numbers: Any,
                preferred_element_type: Any) -> Any:
    return dot_general(_scaled(lhs, lhs_scale), _scaled(rhs, rhs_scale), dimension_numbers,
                       preferred_element_type=preferred_element_type)


def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
    outs, moved = jvp_flat(lambda *xs: [_decomposed(*xs, **params)], primals, tangents)
    return outs[0], moved[0]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, dimension_numbers: Any, **params: Any) -> tuple[Any, int]:
    moved = [to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)]
    past = lambda dims: tuple([d + 1 for d in dims])
    (lc, rc), (lb, rb) = dimension_numbers
    numbers = ((past(lc), past(rc)), ((0, *past(lb)), (0, *past(rb))))
    return scaled_dot_p(*moved, dimension_numbers=numbers, **params), 0


def _emit(b: Any, *operands: Any, dimension_numbers: Any, preferred_element_type: Any) -> Any:
    closed = stage_flat(lambda *xs: [_decomposed(*xs, dimension_numbers=dimension_numbers,
                                                 preferred_element_type=preferred_element_type)],
                        [v.aval for v in operands])
    rows = str([[list(axes) for axes in pair] for pair in dimension_numbers])
    attributes = f"dimension_numbers = {rows}, preferred_element_type = {b.out[0].mlir_element}"
    return emit_composite(b, "xla.scaled_dot", closed, operands, attributes)[0]


scaled_dot_p: Primitive = Primitive(
    "scaled_dot", params=("dimension_numbers", "preferred_element_type"), type_rule=_type_rule, jvp=_jvp,
    transpose=NotLinear("it is differentiated by its decomposition"), batch=_batch, emit=_emit,
    source="XLA, the composite `xla.scaled_dot`")


def scaled_dot(lhs: Any, rhs: Any, *, lhs_scale: Any = None, rhs_scale: Any = None, dimension_numbers: Any = None,
               preferred_element_type: Any = None) -> Any:
    """The product of two arrays, each multiplied by its scales first.

    Args:
        lhs: array of at least two axes.
        rhs: likewise.
        lhs_scale: array with the axes of `lhs`, all of its size but those that are summed over: there each entry of the
            scale belongs to a block of entries of `lhs`, of equal length. 1 by default.
        rhs_scale: likewise of `rhs`.
        dimension_numbers: as for `dot_general`. By default the leading axes but two are batch axes, and the last axis of
            `lhs` and the last but one of `rhs` are summed over.
        preferred_element_type: dtype in which products are summed, and of the result; bfloat16 by default. Entries and
            scales are rounded to bfloat16 in any case.

    Raises:
        OperationShapeError: a scale does not fit its operand, or an operand has less than two axes.
        DotShapeError: paired axes differ in size.

    Differs: JAX has no derivative of it; here it is that of the product computed step by step.
    """
    x, y = operand(lhs), operand(rhs)
    a: Any = get_aval(x)
    c: Any = get_aval(y)
    if a.ndim < 2 or c.ndim < 2:
        raise OperationShapeError(says=f"scaled_dot was given {a.str_short()} and {c.str_short()}.",
                                  why="both operands have at least two axes")
    if dimension_numbers is None:
        leading = tuple(range(a.ndim - 2))
        dimension_numbers = (((a.ndim - 1,), (c.ndim - 2,)), (leading, leading))
    numbers = canonical_numbers(dimension_numbers, x, y)
    (lc, rc), _ = numbers
    wanted = dtypes.bfloat16 if preferred_element_type is None else dtypes.requested_dtype(preferred_element_type, "dot")
    scales = [_ones(v, axes) if s is None else operand(s) for s, v, axes in ((lhs_scale, a, lc), (rhs_scale, c, rc))]
    return local.trace.process(scaled_dot_p, (x, y, *scales), (numbers, wanted))


def _ones(aval: ShapedArray, contracting: Sequence[int]) -> Any:
    sizes = tuple([1 if i in contracting else n for i, n in enumerate(aval.shape)])
    return shape.broadcast_in_dim(np.ones((), dtypes.to_dtype("float8_e8m0fnu")), sizes, ())


__all__ = ["scaled_dot", "scaled_dot_p"]
