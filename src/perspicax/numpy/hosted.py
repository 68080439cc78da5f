"""Functions that only move data, done by NumPy in one step where nothing is traced and the array is small.

Each would be several primitives, every one with a kernel of its own on the host: the results are the same bits, and the time
is that of one.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.xla.array import ArrayImpl, beyond_numpy
from perspicax.xla.dispatch import HOST_LIMIT

_EVALUATOR = evaluator()


def host_value(x: Any, times: int = 1) -> np.ndarray | None:
    """The value of a small array that lies where arrays lie by themselves; None for others, and while something is traced.

    Args:
        x: an array.
        times: how many times as large the result will be.
    """
    if type(x) is not ArrayImpl or local.trace is not _EVALUATOR or x._place is not None:
        return None
    aval = x.aval
    if aval.size * times > HOST_LIMIT or aval.extended or beyond_numpy(aval):
        return None
    value = x._np
    return x.value() if value is None else value


def moved(x: Any, value: np.ndarray) -> ArrayImpl:
    """An array with what NumPy made of the entries of `x`, in its dtype and weak type."""
    return ArrayImpl(x.aval.at_shape(value.shape), None, np.asarray(value))  # one entry is a scalar of NumPy


__all__ = ["host_value", "moved"]
