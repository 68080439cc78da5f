"""Arrays of which every process has its part: `make_array_from_process_local_data`."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.argument_errors import LocalShapeError
from perspicax.api.placement import device_put, make_array_from_callback
from perspicax.api.wrapping import public
from perspicax.core import tree
from perspicax.core.tree_prefix import broadcast_prefix

__all__ = ["make_array_from_process_local_data"]


@public
def make_array_from_process_local_data(sharding: Any, local_data: Any, global_shape: Any = None) -> Any:
    """Arrays made of the part that this process has.

    Args:
        sharding: a sharding, or a pytree prefix of `local_data` of shardings.
        local_data: a pytree of NumPy arrays: what the devices of this process shall hold. With one process that is the whole.
        global_shape: the shape of the whole array, or a pytree like `local_data` of shapes; `None`, also for single axes,
            for what follows from the parts when all processes have parts of one size. Along an axis where the data is as
            long as the whole, each device takes its part of that.

    Returns:
        A pytree like `local_data` of arrays.

    Raises:
        LocalShapeError: the data is neither the whole nor this process's part.
        ShardingError: an axis cannot be split evenly.
    """
    leaves, structure = tree.tree_flatten(local_data)
    shapes = _shapes(global_shape, structure)
    places = broadcast_prefix(sharding, local_data)
    return structure.unflatten([_made(np.asarray(data), place, shape) for data, place, shape in zip(leaves, places, shapes)])


def _made(data: np.ndarray, place: Any, shape: Sequence[int | None] | None) -> Any:
    wanted = tuple(shape) if shape is not None else (None,) * data.ndim
    if len(wanted) != data.ndim:
        raise LocalShapeError(expected=data.shape, got=wanted)
    if place.is_fully_addressable:
        if any(n is not None and n != m for n, m in zip(wanted, data.shape)):
            raise LocalShapeError(expected=data.shape, got=wanted)
        return device_put(data, place)
    parts = _parts(place, data.ndim)
    whole = tuple([n if n is not None else m * all_ // here for n, m, (all_, here) in zip(wanted, data.shape, parts)])
    local = tuple([n * here // all_ for n, (all_, here) in zip(whole, parts)])
    if any(m not in (n, p) for m, n, p in zip(data.shape, whole, local)):
        raise LocalShapeError(expected=data.shape, got=whole, local=local)
    starts = _starts(place, whole)

    def part(index: tuple[slice, ...]) -> np.ndarray:
        box = [s.indices(n)[:2] for s, n in zip(index, whole)]
        moved = [slice(a, b) if m == n else slice(at[a], at[a] + b - a)
                 for (a, b), m, n, at in zip(box, data.shape, whole, starts)]
        return data[tuple(moved)]

    return make_array_from_callback(whole, place, part)


def _parts(place: Any, ndim: int) -> list[tuple[int, int]]:
    """For each axis the length that this process has of so many: of an array that every sharding splits evenly."""
    length = len(place.devices)
    boxes = [_box(index, (length,) * ndim) for index in place.addressable_devices_indices_map((length,) * ndim).values()]
    return [(length, sum(stop - start for start, stop in {box[i] for box in boxes})) for i in range(ndim)]


def _starts(place: Any, shape: tuple[int, ...]) -> list[dict[int, int]]:
    """For each axis where the pieces of this process begin in its own data, by where they begin in the whole."""
    boxes = [_box(index, shape) for index in place.addressable_devices_indices_map(shape).values()]
    found = []
    for i in range(len(shape)):
        at, offsets = 0, {}
        for start, stop in sorted({box[i] for box in boxes}):
            offsets[start] = at
            at += stop - start
        found.append(offsets)
    return found


def _box(index: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple([s.indices(n)[:2] for s, n in zip(index, shape)])


def _shapes(given: Any, structure: Any) -> list[Sequence[int | None] | None]:
    is_shape = lambda x: x is None or (isinstance(x, (tuple, list)) and (
        all(hasattr(n, "__index__") for n in x)
        or (all(n is None or hasattr(n, "__index__") for n in x) and any(n is not None for n in x))))
    if is_shape(given):
        return [given] * structure.num_leaves
    return tree.tree_leaves(given, is_leaf=is_shape)
