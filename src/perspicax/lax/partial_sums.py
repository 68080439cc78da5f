"""From one kind of value along manual axes to another: "varying", the same for all, "unreduced", "reduced" (`lax/marks.py`).

| primitive | from | to | transposed |
|---|---|---|---|
| `preduced` | the same for all | reduced | `unreduced_psum` |
| `reduced_vary_cast_p` | reduced | varying | `vary_unreduced_cast_p` |
| `vary_unreduced_cast_p` | varying | unreduced | `reduced_vary_cast_p` |
| `unreduced_psum` | unreduced | the same for all | `preduced` |
| `all_gather_reduced` | varying | reduced | `unreduced_reduce_scatter` |
| `unreduced_reduce_scatter` | unreduced | varying | `all_gather_reduced` |

So the sums of a gradient are made where the user says, or in pieces, and not where each value is used.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core.primitive import Primitive
from perspicax.core.tracer import get_aval
from perspicax.lax import compare
from perspicax.lax.collectives import axis_index, psum_over, vary_over
from perspicax.lax.families import zeros_like
from perspicax.lax.marks import NOTHING, changed, marks_of
from perspicax.lax.mesh_collectives import emit_gather, emit_scatter, reducing
from perspicax.lax.named_axes import collective
from perspicax.lax.shape import broadcast_in_dim
from perspicax.transform.batch import BatchAxis
from perspicax.transform.jvp import LINEAR
from perspicax.transform.mesh_scope import manual_axes


def _same_place(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    """The batching rule of what works along axes of a mesh alone: the batch axis stays where it is."""
    def batch(axis: BatchAxis, args: tuple, axes: tuple, /, **params: Any) -> tuple[Any, int | None]:
        return primitive()(*args, **params), axes[0]

    return batch


def _cast(name: str, type_rule: Callable[..., Any], varying: Callable[..., frozenset], transposed: Callable[[], Primitive],
          source: str) -> Primitive:
    """A primitive whose result is its operand, in another type."""
    primitive: Primitive = collective(
        name, params=("axes",), over="axes", function="pcast", takes_marks=True, type_rule=type_rule, varying=varying,
        handles_extended=True, jvp=LINEAR, transpose=lambda ct, x, *, axes: [transposed()(ct, axes=axes)],
        batch=_same_place(lambda: primitive),
        emit=lambda b, x, **_: x, source=source)
    return primitive


def _as_before(avals: tuple, **_: Any) -> frozenset:
    return avals[0].vma


preduced_p: Primitive = _cast(
    "preduced", lambda x, *, axes: changed(x, reduced=frozenset(axes)), _as_before, lambda: unreduced_psum_p,
    "the same value, whose cotangent is a sum that is made later")

reduced_vary_cast_p: Primitive = _cast(
    "reduced_vary_cast_p", lambda x, *, axes: changed(x, neither=frozenset(axes)),
    lambda avals, *, axes: avals[0].vma.union(axes), lambda: vary_unreduced_cast_p,
    "a value whose cotangent is a sum that is made later, among values that vary")

vary_unreduced_cast_p: Primitive = _cast(
    "vary_unreduced_cast_p", lambda x, *, axes: changed(x, unreduced=frozenset(axes)),
    lambda avals, *, axes: avals[0].vma.difference(axes), lambda: reduced_vary_cast_p,
    "values of which the sum is meant, which is made later")

unreduced_psum_p: Primitive = collective(
    "unreduced_psum", params=("axes",), over="axes", function="psum", takes_marks=True,
    type_rule=lambda x, *, axes: changed(x, neither=frozenset(axes)), varying=_as_before, jvp=LINEAR,
    transpose=lambda ct, x, *, axes: [preduced_p(ct, axes=axes)], batch=_same_place(lambda: unreduced_psum_p),
    emit=reducing("psum", "add"), source="the sum of parts of it")


# -- gathered, and in pieces

def _gathered(x: Any, *, all_gather_dimension: int, axis_name: tuple, axis_size: int, tiled: bool) -> Any:
    d, shape = all_gather_dimension, x.shape
    grown = (*shape[:d], shape[d] * axis_size, *shape[d + 1:]) if tiled else (*shape[:d], axis_size, *shape[d:])
    return _at_shape(x, grown, reduced=frozenset(axis_name))


def _scattered(x: Any, *, scatter_dimension: int, axis_name: tuple, axis_size: int, tiled: bool) -> Any:
    d, shape = scatter_dimension, x.shape
    cut = (*shape[:d], shape[d] // axis_size, *shape[d + 1:]) if tiled else (*shape[:d], *shape[d + 1:])
    return _at_shape(x, cut, neither=frozenset(axis_name))


def _at_shape(x: Any, shape: tuple, **marks: frozenset) -> Any:
    own = marks_of(x)
    return changed(x.at_shape(shape), unreduced=own[0] - marks.get("neither", NOTHING),
                   reduced=own[1] | marks.get("reduced", NOTHING))


def _gather_batch(axis: BatchAxis, args: tuple, axes: tuple, *, all_gather_dimension: int, tiled: bool,
                  **params: Any) -> tuple[Any, int]:
    (x,), (at,), d = args, axes, all_gather_dimension
    before = at <= d
    found = all_gather_reduced_p(x, all_gather_dimension=d + before, tiled=tiled, **params)
    return found, at if before or tiled else at + 1


def _scatter_batch(axis: BatchAxis, args: tuple, axes: tuple, *, scatter_dimension: int, tiled: bool,
                   **params: Any) -> tuple[Any, int]:
    (x,), (at,), d = args, axes, scatter_dimension
    before = at <= d
    found = unreduced_reduce_scatter_p(x, scatter_dimension=d + before, tiled=tiled, **params)
    return found, at if before or tiled else at - 1


all_gather_reduced_p: Primitive = collective(
    "all_gather_reduced", params=("all_gather_dimension", "axis_name", "axis_size", "tiled"), over="axis_name",
    function="all_gather", takes_marks=True, handles_extended=True, type_rule=_gathered,
    varying=lambda avals, *, axis_name, **_: avals[0].vma.difference(axis_name), jvp=LINEAR,
    transpose=lambda ct, x, *, all_gather_dimension, **params: [
        unreduced_reduce_scatter_p(ct, scatter_dimension=all_gather_dimension, **params)],
    batch=_gather_batch, emit=emit_gather, source="`all_gather` over axes of a mesh, whose cotangent is summed in pieces")

unreduced_reduce_scatter_p: Primitive = collective(
    "unreduced_reduce_scatter", params=("axis_name", "axis_size", "scatter_dimension", "tiled"), over="axis_name",
    function="psum_scatter", takes_marks=True, type_rule=_scattered,
    varying=lambda avals, *, axis_name, **_: avals[0].vma.union(axis_name), jvp=LINEAR,
    transpose=lambda ct, x, *, scatter_dimension, **params: [
        all_gather_reduced_p(ct, all_gather_dimension=scatter_dimension, **params)],
    batch=_scatter_batch, emit=emit_scatter, source="the sum of parts of it, of which each device keeps a piece")


# -- where a value is to be of a type

def as_marked(x: Any, unreduced: frozenset, reduced: frozenset, varying: frozenset) -> Any:
    """A value, in a type with the given marks along manual axes.

    Args:
        varying: the axes along which the result may vary, where it has no marks.

    What is the same for all is as a sum that value on the first device, and zeros on the others.
    """
    here = manual_axes()
    aval: Any = get_aval(x)
    own = marks_of(aval)
    back = own[1] & here - reduced
    if back:
        x = _over(reduced_vary_cast_p, x, back)
        if back - varying:
            x = psum_over(_on_the_first(x, back - varying), back - varying)
    gone = own[0] & here - unreduced
    if gone:
        x = _over(unreduced_psum_p, x, gone)
    parts = unreduced & here - own[0]
    if parts:
        alike = parts - get_aval(x).vma  # type: ignore[attr-defined]
        x = _over(vary_unreduced_cast_p, _on_the_first(vary_over(x, alike), alike) if alike else x, parts)
    marked = reduced & here - own[1]
    if marked:
        summed = get_aval(x).vma & marked  # type: ignore[attr-defined]
        x = _over(preduced_p, psum_over(x, summed) if summed else x, marked)
    return x


def _over(primitive: Primitive, x: Any, axes: frozenset) -> Any:
    return primitive(x, axes=tuple(sorted(axes, key=str)))


def _on_the_first(x: Any, axes: frozenset) -> Any:
    """A value that varies along these axes, where the place along each of them is 0; zeros elsewhere."""
    shape = get_aval(x).shape  # type: ignore[attr-defined]
    first = compare.eq(axis_index(tuple(sorted(axes, key=str))), np.int32(0))
    return compare.select(broadcast_in_dim(first, shape, ()), x, zeros_like(x))


__all__ = ["all_gather_reduced_p", "as_marked", "preduced_p", "reduced_vary_cast_p", "unreduced_psum_p",
           "unreduced_reduce_scatter_p", "vary_unreduced_cast_p"]
