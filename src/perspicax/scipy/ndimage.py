"""Images with SciPy's signatures: `jax.scipy.ndimage`."""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.lax.elementwise import round as lax_round
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like


def _mirror(index: Any, size: int) -> Any:
    """d c b | a b c d | c b a: the edge stands once."""
    period = max(2 * (size - 1), 1)
    return jnp.abs((index + size - 1) % period - (size - 1))


def _reflect(index: Any, size: int) -> Any:
    """b a | a b c d | d c: the edge stands twice."""
    place = index % (2 * size)
    return jnp.minimum(place, 2 * size - 1 - place)


# the place in the array of an index beyond it
_MODES: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda index, size: index,
    "nearest": lambda index, size: jnp.clip(index, 0, size - 1),
    "wrap": lambda index, size: index % size,
    "mirror": _mirror,
    "reflect": _reflect,
}


def map_coordinates(input: Any, coordinates: Sequence[Any], order: int, mode: str = "constant", cval: Any = 0.0) -> Array:
    """Values of an array between its entries.

    Args:
        input: array of any shape.
        coordinates: one array for each axis of `input`, all of one shape: where to look, 0 is the first entry.
        order: 0 for the nearest entry, 1 for linear interpolation.
        mode: what stands beyond the edges: `"constant"` (`cval`), `"nearest"`, `"wrap"`, `"mirror"`, `"reflect"`.
        cval: for `"constant"`.

    Returns:
        Array of the shape of the coordinates and the dtype of `input`; rounded for integers.

    Raises:
        ArgumentValueError: the number of coordinates is not the number of axes.
        UnsupportedArgumentError: another order or mode.

    >>> map_coordinates(jnp.array([1., 3.]), [jnp.array([0.5])], 1)
    Array([2.], dtype=float32)
    """
    function = "jsp.ndimage.map_coordinates"
    x = asarray(array_like(input, function))
    places = [asarray(c) for c in coordinates]
    if len(places) != x.ndim:
        raise ArgumentValueError(says=f"`map_coordinates` was given {len(places)} coordinates for {x.aval.str_short()}.",
                                 why="there is one array of coordinates for each axis")
    if order not in (0, 1):
        raise UnsupportedArgumentError(function=function, argument=f"order={order!r}",
                                       why="the orders 0 (nearest) and 1 (linear) are there, as in JAX")
    if mode not in _MODES:
        raise UnsupportedArgumentError(function=function, argument=f"mode={mode!r}",
                                       why="it is one of " + ", ".join(repr(m) for m in _MODES))
    return fused_call(_map_coordinates, (x, tuple(places), asarray(cval).astype(x.dtype)), order=order, mode=mode)


def _map_coordinates(x: Any, places: tuple, fill: Any, *, order: int, mode: str) -> Any:
    neighbours = []
    for place, size in zip(places, x.shape):
        if place.dtype.kind != "f":
            found: list[Any] = [(place.astype(np.int32), None)]
        elif order == 0:
            found = [(lax_round(place).astype(np.int32), None)]
        else:
            below = jnp.floor(place)
            weight = place - below
            found = [(below.astype(np.int32), 1 - weight), (below.astype(np.int32) + 1, weight)]
        neighbours.append([(_MODES[mode](i, size), (i >= 0) & (i < size), w) for i, w in found])
    total: Any = None
    for corner in itertools.product(*neighbours):
        value = x[tuple([i for i, _, _ in corner])] if corner else x
        for _, valid, _ in corner if mode == "constant" else ():
            value = jnp.where(valid, value, fill)
        for _, _, weight in corner:
            value = value if weight is None else value * weight
        total = value if total is None else total + value
    if x.dtype.kind in "iu" and total.dtype.kind == "f":
        total = lax_round(total)
    return total.astype(x.dtype)


__all__ = ["map_coordinates"]

publish(__name__)
