"""The order of numbers on the host, to XLA's bits: where NumPy's comparisons are XLA's.

XLA takes subnormal numbers for 0 where it compares, NumPy does not; and so arrays that hold one are left to XLA. Otherwise
both agree: -0.0 and 0.0 are equal, NaN of either sign and any payload comes last, and counts as the largest and as the
smallest entry.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["compared", "extreme_index", "ordered", "sorting_order"]

_SMALLEST = {np.dtype(d): np.asarray(np.finfo(d).smallest_normal)  # arrays, since NumPy compares these fastest
             for d in (np.float16, np.float32, np.float64)}
_EXACT = frozenset("iub")

FEW = 1024  # numbers; of more it takes XLA less time to compare them than NumPy to look for subnormal ones
MIXED, TWINS, DISTINCT = 0, 1, 2
"""Subnormals among them; zeros or NaN, which are equal and may differ in bits; or neither."""


def _entries(x: np.ndarray) -> int:
    """What is among the entries: `MIXED`, `TWINS` or `DISTINCT`; `MIXED` too for numbers that NumPy does not compare."""
    if x.dtype.kind in _EXACT or not x.size:
        return DISTINCT
    smallest = _SMALLEST.get(x.dtype)
    if smallest is None:
        return MIXED
    size = np.abs(x)
    if 0 not in (size >= smallest).tobytes():  # none of NaN is; in bytes, since these are looked through in no time
        return DISTINCT
    return TWINS if np.count_nonzero(size < smallest) == x.size - np.count_nonzero(x) else MIXED


def _holds_subnormals(x: np.ndarray, smallest: Any) -> bool:
    if x.size == 1:
        return bool(0 < abs(x.item()) < smallest)
    small = (np.abs(x) < smallest).tobytes()
    return 1 in small and small.count(1) != x.size - np.count_nonzero(x)


def compared(f: Callable[..., Any]) -> Callable[..., Any]:
    """A `host` rule of the comparison that NumPy's `f` is; of few floating numbers, none of which is subnormal."""
    def host(x: np.ndarray, y: np.ndarray) -> Any:
        if x.dtype.kind not in _EXACT or y.dtype.kind not in _EXACT:
            smallest = _SMALLEST.get(x.dtype)
            if smallest is None or max(x.size, y.size) > FEW:
                return NotImplemented
            if _holds_subnormals(x, smallest) or _holds_subnormals(y, smallest):
                return NotImplemented
        return f(x, y)

    return host


def ordered(x: np.ndarray, axis: int) -> Any:
    """The entries in increasing order, equal ones in the order that they had; `NotImplemented` where XLA's is another."""
    entries = _entries(x)
    if entries == DISTINCT:
        found = x.copy()
        found.sort(axis)
        return found
    if entries == MIXED:
        return NotImplemented
    order = x.argsort(axis, "stable")
    return x.take(order) if x.ndim == 1 else np.take_along_axis(x, order, axis)


def sorting_order(x: np.ndarray, axis: int, descending: bool) -> Any:
    """The indices that put the entries in order, those of equal ones increasing; `NotImplemented` where XLA's are others."""
    if _entries(x) == MIXED:
        return NotImplemented
    if not descending:
        return x.argsort(axis, "stable")
    found = np.flip(np.flip(x, axis).argsort(axis, "stable"), axis)  # reversed, so that equal entries keep their order
    return np.subtract(x.shape[axis] - 1, found, out=found)


def extreme_index(x: np.ndarray, axis: int, largest: bool) -> Any:
    """The index of the largest or smallest entry along an axis; `NotImplemented` where XLA finds another entry."""
    smallest = _SMALLEST.get(x.dtype)
    if smallest is None and x.dtype.kind not in _EXACT:
        return NotImplemented
    found = x.argmax(axis) if largest else x.argmin(axis)
    if smallest is None:
        return found
    if x.ndim == 1:
        value = x[found]
        if abs(value) >= smallest or value != value:  # no subnormal number is equal to it
            return found
    return NotImplemented if _entries(x) == MIXED else found
