"""One entry of each window chosen by a function of the user's, and a value added there: XLA's `select_and_scatter`."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import NotDifferentiable, NotLinear, Primitive
from perspicax.core.tracer import get_aval
from perspicax.lax import shape, slicing
from perspicax.lax.conv_dimensions import window_sizes
from perspicax.lax.errors import OperandMismatchError, OperationShapeError
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.xla.emit import i64_array, i64_matrix


def _type_rule(x: ShapedArray, source: ShapedArray, start: ShapedArray, *, window_dimensions: tuple, window_strides: tuple,
               padding: tuple, **_: Any) -> ShapedArray:
    for i, a in enumerate((x, source, start)):
        if a.dtype != x.dtype:
            raise OperandMismatchError(operation="select_and_scatter", avals=(x, source, start), index=i)
    if any(len(v) != x.ndim for v in (window_dimensions, window_strides, padding)) or start.shape != ():
        raise OperationShapeError(says=f"select_and_scatter of {x.str_short()} was given window_dimensions="
                                       f"{window_dimensions}, window_strides={window_strides}, padding={padding} and the "
                                       f"initial value {start.str_short()}.",
                                  why="there is one entry for each axis, and the initial value is a scalar")
    ones = (1,) * x.ndim
    wanted = window_sizes(x.shape, window_dimensions, window_strides, padding, ones, ones)
    if source.shape != wanted:
        raise OperationShapeError(says=f"select_and_scatter of {x.str_short()} was given a source {source.str_short()}.",
                                  why=f"there is one entry for each place of the window: {wanted}")
    return ShapedArray(x.shape, x.dtype, x.weak_type)


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, window_dimensions: tuple, window_strides: tuple, padding: tuple,
           **params: Any) -> tuple[Any, int]:
    if axes[2] is not None:  # XLA takes one initial value for all: each example by itself
        outs = [select_and_scatter_p(*[_entry(x, a, i) for x, a in zip(args, axes)], window_dimensions=window_dimensions,
                                     window_strides=window_strides, padding=padding, **params) for i in range(axis.size)]
        rows = [shape.reshape(x, (1, *get_aval(x).shape)) for x in outs]  # type: ignore[attr-defined]
        return shape.concatenate(rows, 0), 0
    x, source = (to_axis(v, a, 0, axis.size) for v, a in zip(args[:2], axes[:2]))
    out = select_and_scatter_p(x, source, args[2], window_dimensions=(1, *window_dimensions),
                               window_strides=(1, *window_strides), padding=((0, 0), *padding), **params)
    return out, 0


def _entry(x: Any, axis: int | None, index: int) -> Any:
    return x if axis is None else shape.squeeze(slicing.slice_in_dim(x, index, index + 1, axis=axis), (axis,))


def _body(jaxpr: Any, consts: tuple) -> Callable[..., list[Any]]:
    """What emits a function of two scalars into a region; its jaxpr is closed already, or is closed by `consts`."""
    closed = jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, list(consts))

    def body(inner: Any, *args: Any) -> list[Any]:
        operands = [inner.constant(np.asarray(c), v.aval) for c, v in zip(closed.consts, closed.jaxpr.constvars)]
        return inner.inline(closed.jaxpr, operands, args)

    return body


def _emit(b: Any, x: Any, source: Any, start: Any, *, select_jaxpr: Any, select_consts: tuple, scatter_jaxpr: Any,
          scatter_consts: tuple, window_dimensions: tuple, window_strides: tuple, padding: tuple) -> Any:
    scalar = ShapedArray((), x.dtype)
    regions = [b.region([scalar, scalar], _body(jaxpr, consts))
               for jaxpr, consts in ((select_jaxpr, select_consts), (scatter_jaxpr, scatter_consts))]
    return b.hlo("select_and_scatter", [x, source, start], b.out[0], ", ".join([
        f"window_dimensions = {i64_array(window_dimensions)}", f"window_strides = {i64_array(window_strides)}",
        f"padding = {i64_matrix(padding)}"]), regions)


select_and_scatter_p: Primitive = Primitive(
    "select_and_scatter", params=("select_jaxpr", "select_consts", "scatter_jaxpr", "scatter_consts",
                                  "window_dimensions", "window_strides", "padding"),
    type_rule=_type_rule, emit=_emit, batch=_batch,
    jvp=NotDifferentiable("its functions may be any; maxima and minima over windows are differentiated by "
                          "`select_and_scatter_add`"),
    transpose=NotLinear("its functions may be any"), source="StableHLO specification, `select_and_scatter`")

__all__ = ["select_and_scatter_p"]
