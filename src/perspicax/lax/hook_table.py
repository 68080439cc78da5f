"""What the transformations need of lax, handed to them once, at import."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.dtypes import MeetingDType
from perspicax.core.jaxpr import SpreadPlace
from perspicax.core.primitive import common_memory, split_results
from perspicax.core.tracer import get_aval
from perspicax.diagnose.source import user_place
from perspicax.lax import compare, convert, elementwise, filling, shape
from perspicax.lax.reductions import reduce_sum
from perspicax.transform import hooks
from perspicax.transform.mesh_scope import checked_axes
from perspicax.xla.array import from_numpy
from perspicax.xla.explicit import in_use

UINT32 = np.dtype(np.uint32)


def _move_axis(x: Any, source: int, destination: int) -> Any:
    rank = len(get_aval(x).shape)  # type: ignore[attr-defined]
    order = [i for i in range(rank) if i != source]
    order.insert(destination, source)
    return shape.transpose(x, order)


def _broadcast(x: Any, size: int, axis: int) -> Any:
    aval: Any = get_aval(x)
    old = aval.shape
    if aval.extended or aval.dtype == UINT32:  # who follows keys is told that these are no copies of the user's making
        before = local.place
        place = before or user_place()
        local.place = None if place is None else SpreadPlace(place)
        try:
            return shape.broadcast_in_dim(x, (*old[:axis], size, *old[axis:]), [i + (i >= axis) for i in range(len(old))])
        finally:
            local.place = before
    return shape.broadcast_in_dim(x, (*old[:axis], size, *old[axis:]), [i + (i >= axis) for i in range(len(old))])


def _add(x: Any, y: Any) -> Any:
    aval: Any = x.aval if isinstance(x, Array) else get_aval(x)
    return aval.dtype.meet(x, y) if aval.extended else elementwise.add_any(x, y)


def _full(aval: ShapedArray, value: float) -> Any:
    if isinstance(aval.dtype, MeetingDType):
        return filling.full(aval.shape, value, aval.dtype)
    scalar: Any = np.asarray(value, aval.dtype)
    if get_aval(scalar).dtype != aval.dtype:  # type: ignore[attr-defined]  # 64 bits, while they are switched off
        scalar = from_numpy(scalar)
    return shape.broadcast_in_dim(scalar, aval.shape, ()) if aval.shape else convert.convert_element_type(scalar, aval.dtype)


def _expand(x: Any, rank: int, place: int) -> Any:
    sizes = [1] * rank
    sizes[place] = get_aval(x).shape[0]  # type: ignore[attr-defined]
    return shape.broadcast_in_dim(x, tuple(sizes), (place,))


def _broadcast_to(x: Any, sizes: tuple[int, ...]) -> Any:
    return shape.broadcast_in_dim(x, sizes, range(len(sizes)))


def _sum_all(x: Any) -> Any:
    return reduce_sum(x, range(len(get_aval(x).shape)))  # type: ignore[attr-defined]


def _stop_gradient(x: Any) -> Any:
    from perspicax.lax.markers import stop_gradient_p  # for its weight: few programs need it

    return stop_gradient_p(x)


def _psum_over(x: Any, axes: frozenset) -> Any:
    from perspicax.lax.collectives import psum_over  # for its weight: few programs need it

    return psum_over(x, axes)


def _vary_over(x: Any, axes: frozenset) -> Any:
    from perspicax.lax.collectives import vary_over  # for its weight: few programs need it

    return vary_over(x, axes)


def _laid_as(x: Any, explicit: Any, varying: frozenset | None = None) -> Any:
    from perspicax.lax.constraints import laid_as  # for its weight: few programs need it

    return laid_as(x, explicit, varying)


def _split_types(primitive: Any, avals: Any, found: Any, params: dict[str, Any]) -> Any:
    from perspicax.lax.explicit_rules import split_types  # for its weight: few programs need it

    return split_types(primitive, avals, found, params)


split_results[:] = [_split_types]


def _zeros(aval: ShapedArray) -> Any:
    return _of_type(_full(aval, aval.dtype.nothing if isinstance(aval.dtype, MeetingDType) else 0), aval)


def _ones(aval: ShapedArray) -> Any:
    return _of_type(_full(aval, 1), aval)


def _of_type(made: Any, aval: ShapedArray) -> Any:
    made = convert.convert_to(made, aval) if aval.weak_type else made
    made = made if aval.explicit is None else _laid_as(made, aval.explicit)
    if aval.vma and in_use:  # where types are marked, what varies goes with a mark, and what does not is refused
        axes = checked_axes(tuple(aval.vma)) - get_aval(made).vma  # type: ignore[attr-defined]
        made = _vary_over(made, axes) if axes else made
    return made if aval.memory is None else _in_memory(made, aval.memory)


def _in_memory(x: Any, memory: Any) -> Any:
    from perspicax.lax.placement import in_memory  # for its weight: few programs need it

    return in_memory(x, memory)


def _common_memory(primitive: Any, avals: Any) -> Any:
    from perspicax.lax.memory_spaces import memory_of_results  # for its weight: few programs need it

    return memory_of_results(primitive, avals)


common_memory[:] = [_common_memory]


hooks.fill(SimpleNamespace(  # type: ignore[arg-type]
    add=_add, zeros=_zeros, ones=_ones, broadcast=_broadcast, move_axis=_move_axis,
    convert=convert.convert_to, expand=_expand, broadcast_to=_broadcast_to, sum=lambda x, axis: reduce_sum(x, (axis,)),
    sum_all=_sum_all, reduce_sum=reduce_sum, reshape=shape.reshape, subtract=elementwise.sub,
    stop_gradient=_stop_gradient, psum_over=_psum_over, vary_over=_vary_over, laid_as=_laid_as, select=compare.select,
    in_memory=_in_memory,
    full_like=lambda x, value, dtype: _full(ShapedArray(get_aval(x).shape, dtype), value)))  # type: ignore[attr-defined]
