"""Arrays of which every process has its part: `make_array_from_process_local_data`."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.argument_errors import LocalShapeError
from perspicax.api.placement import device_put
from perspicax.api.wrapping import public
from perspicax.core import tree
from perspicax.core.tree_prefix import broadcast_prefix

__all__ = ["make_array_from_process_local_data"]


@public
def make_array_from_process_local_data(sharding: Any, local_data: Any, global_shape: Any = None) -> Any:
    """Arrays made of the part that this process has.

    With one process that part is the whole.

    Args:
        sharding: a sharding, or a pytree prefix of `local_data` of shardings.
        local_data: a pytree of NumPy arrays.
        global_shape: the shape of the whole array, or a pytree like `local_data` of shapes.

    Returns:
        A pytree like `local_data` of arrays.

    Raises:
        LocalShapeError: `global_shape` is not the shape of the data.

    Differs: several processes are not there yet.
    """
    leaves, structure = tree.tree_flatten(local_data)
    shapes = _shapes(global_shape, structure)
    for data, shape in zip(leaves, shapes):
        if shape is not None and tuple(shape) != np.shape(data):
            raise LocalShapeError(expected=np.shape(data), got=tuple(shape))
    places = broadcast_prefix(sharding, local_data)
    return structure.unflatten([device_put(np.asarray(data), place) for data, place in zip(leaves, places)])


def _shapes(given: Any, structure: Any) -> list[Sequence[int] | None]:
    is_shape = lambda x: x is None or (isinstance(x, (tuple, list)) and all(hasattr(n, "__index__") for n in x))
    if is_shape(given):
        return [given] * structure.num_leaves
    return tree.tree_leaves(given, is_leaf=is_shape)
