"""Axes as functions take them: negative, several, `None` for all; normalised once and kept."""
from __future__ import annotations

import operator
from typing import Any

from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import static_value
from perspicax.numpy.errors import AxisError

_reduced: dict[tuple[Any, int], tuple[int, ...]] = {}
_single: dict[tuple[Any, int], int] = {}
_all: list[tuple[int, ...]] = [tuple(range(n)) for n in range(33)]


def all_axes(ndim: int) -> tuple[int, ...]:
    """Every axis of an array."""
    return _all[ndim] if ndim < 33 else tuple(range(ndim))


def one_axis(axis: Any, ndim: int, function: str) -> int:
    """An axis from 0 up.

    Raises:
        AxisError: there is no such axis, or it is no integer.
    """
    if type(axis) is int:
        found = _single.get((axis, ndim))
        if found is not None:
            return found
    index = _integer(axis, ndim, function)
    if not -ndim <= index < ndim:
        raise AxisError(function=function, axis=index, ndim=ndim)
    _single[index, ndim] = index % ndim
    return index % ndim


def _integer(axis: Any, ndim: int, function: str) -> int:
    if isinstance(axis, Tracer):
        axis = static_value(axis, f"jnp.{function}", "axis")
    try:
        return operator.index(axis)
    except TypeError:
        raise AxisError(function=function, axis=axis, ndim=ndim, kind="type") from None


def several(axis: Any) -> tuple | None:
    """Axes given as a tuple, list, range, set, array `[n]` or any other iterable; `None` if it is a single one."""
    if isinstance(axis, (tuple, list)):
        return tuple(axis)
    if isinstance(axis, (int, str)) or axis is None or getattr(axis, "ndim", 1) == 0:
        return None
    try:
        return tuple(axis)
    except TypeError:
        return None


def many_axes(axis: Any, ndim: int, function: str) -> tuple[int, ...]:
    """Axes from 0 up, in the order given; `None` stands for all.

    Raises:
        AxisError: one of them does not exist, or is named twice.
    """
    if axis is None:
        return all_axes(ndim)
    kind = type(axis)
    if kind is int or kind is tuple:
        try:
            found = _reduced.get((axis, ndim))
        except TypeError:  # a tuple of arrays
            found = None
        if found is not None and (kind is int or set(map(type, axis)) <= {int}):  # 1.0 and 1 are equal
            return found
    given = several(axis)
    if given is not None:
        found = tuple([one_axis(a, ndim, function) for a in given])
        if len(set(found)) != len(found):
            raise AxisError(function=function, axis=given, ndim=ndim, kind="repeated")
        if kind is tuple and all(type(a) is int for a in given):
            _reduced[given, ndim] = found
        return found
    found = (one_axis(axis, ndim, function),)
    if kind is int:
        _reduced[axis, ndim] = found
    return found


def reduced_axes(axis: Any, ndim: int, function: str) -> tuple[int, ...]:
    """As `many_axes`, in increasing order.

    Raises:
        AxisError: one of them does not exist, or is named twice.
    """
    found = many_axes(axis, ndim, function)
    return found if len(found) < 2 else tuple(sorted(found))


__all__ = ["all_axes", "many_axes", "one_axis", "reduced_axes", "several"]
