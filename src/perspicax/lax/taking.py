"""Slices of an array at places given for some of its axes."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.tracer import get_aval
from perspicax.lax import compare, elementwise, shape
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather, integers
from perspicax.lax.index_errors import GatherDimensionsError
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.operand import shape_of


def index_take(src: Any, idxs: Sequence[Any], axes: Sequence[int]) -> Any:
    """The slices of an array at places given for some axes; indices beyond an axis begin again.

    Args:
        src: array.
        idxs: for each of `axes` a vector of `n` integers.
        axes: the axes they index.

    Returns:
        Array `[n, ...]` with the other axes of `src` behind.

    Raises:
        GatherDimensionsError: there is not one vector for each axis, or their lengths differ.
    """
    x = as_operand(src)
    vectors = [as_operand(i) for i in idxs]
    sizes, chosen = shape_of(x), integers(axes)
    if not vectors or len(vectors) != len(chosen) or any(shape_of(v) != shape_of(vectors[0]) for v in vectors) \
            or len(shape_of(vectors[0])) != 1 or any(not 0 <= a < len(sizes) for a in chosen):
        raise GatherDimensionsError(
            says=f"index_take of an array of shape {sizes} along axes {chosen} was given indices of shapes "
                 f"{', '.join([str(shape_of(v)) for v in vectors]) or 'none'}.",
            why="there is one vector for each axis, all of one length, and the axes exist")
    wrapped = []
    for v, a in zip(vectors, chosen):
        dtype = get_aval(v).dtype  # type: ignore[attr-defined]
        size = shape.broadcast_in_dim(np.asarray(max(1, sizes[a]), dtype), shape_of(v), ())
        left = elementwise.rem(v, size)
        negative = compare.lt(left, shape.broadcast_in_dim(np.asarray(0, dtype), shape_of(v), ()))
        wrapped.append(shape.reshape(compare.select(negative, elementwise.add(left, size), left), (*shape_of(v), 1)))
    indices = shape.concatenate(wrapped, 1)
    kept = range(1, len(sizes) - len(chosen) + 1)
    numbers = GatherDimensionNumbers(tuple(kept), tuple(sorted(chosen)), chosen)
    window = [1 if i in chosen else n for i, n in enumerate(sizes)]
    return gather(x, indices, numbers, window, mode=GatherScatterMode.PROMISE_IN_BOUNDS)


__all__ = ["index_take"]
