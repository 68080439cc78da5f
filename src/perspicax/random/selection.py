"""Entries of arrays at random places: what `choice` and `permutation` need of indexing, sorting and searching."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import get_aval
from perspicax.lax.bitwise import shift_right_logical
from perspicax.lax.compare import eq, le_to_p, ne, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import add, sub
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather
from perspicax.lax.loops import scan
from perspicax.lax.random_bits import host_place
from perspicax.lax.shape import broadcast_in_dim, reshape
from perspicax.random.bits import staged_here
from perspicax.xla.array import ArrayImpl

UINT32 = np.dtype(np.uint32)


def taken(x: Any, indices: Any, axis: int) -> Any:
    """Entries of `x` along `axis` at `indices`, whose axes take that axis's place; all indices exist."""
    shape: tuple[int, ...] = get_aval(x).shape  # type: ignore[attr-defined]
    places: tuple[int, ...] = get_aval(indices).shape  # type: ignore[attr-defined]
    offset = (*range(axis), *range(axis + len(places), len(shape) - 1 + len(places)))
    numbers = GatherDimensionNumbers(offset_dims=offset, collapsed_slice_dims=(axis,), start_index_map=(axis,),
                                     operand_batching_dims=(), start_indices_batching_dims=())
    return gather(x, reshape(indices, (*places, 1)), numbers, (*shape[:axis], 1, *shape[axis + 1:]),
                  mode=GatherScatterMode.PROMISE_IN_BOUNDS)


def search(increasing: Any, wanted: Any) -> Any:
    """For each wanted number the first place in an increasing array whose entry is not below it; all by bisection."""
    if type(increasing) is type(wanted) is ArrayImpl and not staged_here():
        place = host_place([increasing, wanted])
        if place is not None:
            found = _search_on_host(increasing.value(), wanted.value())
            index = dtypes.default_dtype("int")
            return ArrayImpl(ShapedArray(found.shape, index), None, found.astype(index), place.sharding, place.committed)
    return _search(increasing, wanted)


def steps(n: int) -> int:
    """How many halvings tell `n + 1` places apart."""
    return math.ceil(math.log2(n + 1))


def _search(increasing: Any, wanted: Any) -> Any:
    aval: Any = get_aval(wanted)
    n = get_aval(increasing).shape[0]  # type: ignore[attr-defined]

    def halve(state: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        low, high = state
        middle = add(low, shift_right_logical(sub(high, low), np.uint32(1)))
        left = le_to_p(_ordered(wanted), _ordered(taken(increasing, middle, 0)))
        return (select(left, low, middle), select(left, middle, high)), None

    start = [broadcast_in_dim(UINT32.type(at), aval.shape, ()) if aval.shape else UINT32.type(at) for at in (0, n)]
    return convert_element_type(scan(halve, tuple(start), None, length=steps(n))[0][1], dtypes.default_dtype("int"))


def _ordered(x: Any) -> Any:
    """Numbers as they are ordered: zeros of both signs as one, and all that is not a number as one."""
    aval: Any = get_aval(x)
    zero = np.broadcast_to(np.zeros((), aval.dtype), aval.shape)
    nan = np.broadcast_to(np.asarray(np.nan, aval.dtype), aval.shape)
    x = select(eq(x, np.zeros((), aval.dtype)[()]), zero, x)
    return select(ne(x, x), nan, x)


def _search_on_host(increasing: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """`_search` by NumPy; subnormal numbers count as 0, as XLA compares them."""
    increasing, wanted = _flushed(increasing), _flushed(wanted)
    low, high = np.zeros(wanted.shape, np.int64), np.full(wanted.shape, increasing.shape[0])
    for _ in range(steps(increasing.shape[0])):
        middle = low + (high - low) // 2
        entry = increasing[np.minimum(middle, increasing.shape[0] - 1)]
        left = (wanted <= entry) | np.isnan(entry)
        low, high = np.where(left, low, middle), np.where(left, middle, high)
    return high


def _flushed(x: np.ndarray) -> np.ndarray:
    tiny = float(dtypes.finfo(x.dtype).smallest_normal)
    wide = x.astype(np.float64)  # exact, and it has an order that NumPy knows
    return np.where(np.abs(wide) < tiny, 0.0, wide)
