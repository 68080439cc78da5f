"""Functions that only move data, done by NumPy in one step where nothing is traced and the array is small.

Each would be several primitives, every one with a kernel of its own on the host: the results are the same bits, and the time
is that of one.
"""
from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.xla.array import ArrayImpl, beyond_numpy
from perspicax.xla.dispatch import HOST_LIMIT, checking

_EVALUATOR = evaluator()
MAX_TYPES = 4096


def host_value(x: Any, times: int = 1) -> np.ndarray | None:
    """The value of a small array that lies where arrays lie by themselves; None for others, and while something is traced.

    Args:
        x: an array.
        times: how many times as large the result will be.
    """
    if type(x) is not ArrayImpl or local.trace is not _EVALUATOR or x._place is not None or checking.careful:
        return None
    aval = x.aval
    if aval.size * times > HOST_LIMIT or aval.extended or beyond_numpy(aval):
        return None
    value = x._np
    return x.value() if value is None else value


def moved(x: Any, value: np.ndarray) -> ArrayImpl:
    """An array with what NumPy made of the entries of `x`, in its dtype and weak type."""
    aval = x.aval
    if type(value) is not np.ndarray:  # one entry is a scalar of NumPy
        value = np.asarray(value)
    return ArrayImpl(aval if value.shape == aval.shape else type_at(aval, value.shape), None, value)


def computed(value: np.ndarray) -> ArrayImpl:
    """An array of what NumPy computed, in its dtype."""
    return ArrayImpl(_array_type(value.shape, value.dtype), None, value)


@lru_cache(MAX_TYPES)
def type_at(aval: ShapedArray, shape: tuple[int, ...]) -> ShapedArray:
    """`aval` at another shape; kept, since making a type that nobody holds costs more than to move a few entries."""
    return aval.at_shape(shape)


@lru_cache(MAX_TYPES)
def _array_type(shape: tuple[int, ...], dtype: Any) -> ShapedArray:
    return ShapedArray(shape, dtype)


__all__ = ["computed", "host_value", "moved", "type_at"]
