"""`pad`: an array with a border, filled in one of many ways."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.tracer_errors import static_value
from perspicax.lax import elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.elementwise import RoundingMethod
from perspicax.lax.slicing import slice_in_dim
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import broadcast_to, linspace
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.indexing import at
from perspicax.numpy.logic import kind
from perspicax.numpy.plans import planned
from perspicax.numpy.promote import array_like
from perspicax.numpy.quantiles import median
from perspicax.numpy.reductions import max as max_
from perspicax.numpy.reductions import mean
from perspicax.numpy.reductions import min as min_
from perspicax.numpy.shapes import moveaxis
from perspicax.xla.dispatch import HOST_LIMIT

Widths = list[tuple[int, int]]

_STATISTICS: dict[str, Callable[..., Any]] = {"maximum": max_, "minimum": min_, "mean": mean, "median": median}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "constant": ("constant_values",), "edge": (), "empty": (), "linear_ramp": ("end_values",), "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",), "wrap": (), **dict.fromkeys(_STATISTICS, ("stat_length",))}


class PadOptionError(ArgumentValueError, ArgumentKindError):
    """The widths of a border are not what they should be."""


def _bordered(array: Any, pad_width: Any, mode: Any = "constant") -> Any:
    if mode != "constant" or not array.ndim:
        return None
    if type(pad_width) is int:
        pairs: tuple = ((pad_width, pad_width),) * array.ndim
    elif isinstance(pad_width, (tuple, list)) and len(pad_width) == array.ndim and {type(p) for p in pad_width} == {tuple}:
        pairs = tuple(pad_width)
    else:
        return None
    if any(len(p) != 2 or any(type(n) is not int or n < 0 for n in p) for p in pairs):
        return None
    shape = tuple([n + before + behind for n, (before, behind) in zip(array.shape, pairs)])
    inside = tuple([slice(before, before + n) for n, (before, _) in zip(array.shape, pairs)])
    if math.prod(shape) > HOST_LIMIT:
        return None

    def act(x: np.ndarray) -> np.ndarray:
        found = np.zeros(shape, x.dtype)
        found[inside] = x
        return found

    return act


@planned(_bordered)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    """An array with a border.

    Args:
        array: array.
        pad_width: how many entries to put before and behind along each axis: `(before, behind)` for each, one such pair
            for all, a single number, or a dict of them by axis.
        mode: "constant" (`constant_values`), "edge", "reflect" and "symmetric" (`reflect_type`, "even" or "odd"), "wrap",
            "linear_ramp" (`end_values`), "maximum", "minimum", "mean" and "median" (`stat_length`), "empty"; or a function
            `f(vector, (before, behind), axis, kwargs)` that returns the vector with its border filled.
        kwargs: options of the mode.

    Raises:
        ArgumentValueError: widths are negative, or do not fit the array.
        UnsupportedArgumentError: there is no such mode.
    """
    x = asarray(array_like(array, "pad"))
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _OPTIONS:
        raise UnsupportedArgumentError(function="pad", argument=f"mode={mode!r}",
                                       why=f"the modes are {', '.join(map(repr, _OPTIONS))}")
    surplus = set(kwargs) - set(_OPTIONS[mode])
    if surplus:
        raise ArgumentValueError(says=f"`pad` with mode={mode!r} was given `{sorted(surplus)[0]}`.",
                                 why=f"its options are {', '.join(_OPTIONS[mode]) or 'none'}")
    match mode:
        case "constant":
            return _constant(x, widths, kwargs.get("constant_values", 0))
        case "empty":
            return _constant(x, widths, 0)
        case "wrap":
            return _repeated(x, widths, _wrapped)
        case "edge":
            return _repeated(x, widths, _edges)
        case "linear_ramp":
            return _ramp(x, widths, kwargs.get("end_values", 0))
        case "reflect" | "symmetric":
            odd = kwargs.get("reflect_type", "even") == "odd"
            return _repeated(x, widths, lambda v, axis, before, behind: _mirrored(v, axis, before, behind, mode, odd))
        case _:
            return _statistic(x, widths, mode, kwargs.get("stat_length"))


def _pairs(value: Any, ndim: int, name: str, as_index: bool) -> list[tuple[Any, Any]]:
    """A value for each side of each axis, from what NumPy takes for that."""
    if isinstance(value, dict):
        found: list[tuple[Any, Any]] = [(0, 0)] * ndim
        for axis, v in value.items():
            found[axis] = (v, v) if not isinstance(v, (tuple, list)) else tuple(v)  # type: ignore[assignment]
        return found
    if isinstance(value, Array) and not as_index:
        shape: tuple = value.shape
        spread = broadcast_to(value, (ndim, 2), "pad") if shape in ((), (1,), (2,), (1, 2), (ndim, 2), (ndim, 1)) else None
        if spread is not None:
            return [(spread[i, 0], spread[i, 1]) for i in range(ndim)]
    else:
        given = np.asarray(static_value(value, "jnp.pad", name) if as_index else value)
        shape = given.shape
        if shape in ((), (1,), (2,), (1, 2), (ndim, 2), (ndim, 1)):
            spread = np.broadcast_to(given, (ndim, 2))
            return [(a, b) for a, b in spread.tolist()] if as_index else [(spread[i, 0], spread[i, 1]) for i in range(ndim)]
    raise PadOptionError(says=f"`pad` was given {name} of shape {shape} for an array of {ndim} axes.",
                         why="it has the shape (), (1,), (2,), (1, 2) or (number of axes, 2)")


def _widths(pad_width: Any, ndim: int) -> Widths:
    pairs = _pairs(pad_width, ndim, "pad_width", True)
    for pair in pairs:
        for n in pair:
            if not isinstance(n, int) or isinstance(n, bool):
                raise PadOptionError(says=f"`pad` was given the width {n!r}.", why="widths are integers")
            if n < 0:
                raise ArgumentValueError(says=f"`pad` was given the width {n}.", why="widths are at least 0")
    return pairs


def _constant(x: Any, widths: Widths, values: Any) -> Any:
    values = values if isinstance(values, (int, float, complex, np.ndarray, np.generic, Array)) else asarray(values)
    if np.ndim(values) == 0:
        fill = convert(values, x.dtype, x.weak_type)
        return lax_shape.pad(x, fill, [(a, b, 0) for a, b in widths])
    for axis, ((before, behind), (first, last)) in enumerate(zip(widths, _pairs(values, x.ndim, "constant_values", False))):
        for low, high, v in ((before, 0, first), (0, behind, last)):
            config = [(low, high, 0) if i == axis else (0, 0, 0) for i in range(x.ndim)]
            x = lax_shape.pad(x, convert(v, x.dtype, x.weak_type), config)
    return x


def _part(x: Any, axis: int, start: int, stop: int) -> Any:
    return slice_in_dim(x, start, stop, 1, axis)


def _repeated(x: Any, widths: Widths, extend: Callable[[Any, int, int, int], Any]) -> Any:
    for axis, (before, behind) in enumerate(widths):
        if before or behind:
            if not x.shape[axis]:
                raise ArgumentValueError(says=f"`pad` cannot extend axis {axis} of {x.aval.str_short()}.",
                                         why="it has no entries that could be repeated")
            x = extend(x, axis, before, behind)
    return x


def _joined(parts: list[Any], axis: int) -> Any:
    return lax_shape.concatenate([p for p in parts if p.shape[axis]] or parts, axis)


def _edges(x: Any, axis: int, before: int, behind: int) -> Any:
    def spread(v: Any, n: int) -> Any:
        return broadcast_to(v, (*x.shape[:axis], n, *x.shape[axis + 1:]), "pad")

    n = x.shape[axis]
    return _joined([spread(_part(x, axis, 0, 1), before), x, spread(_part(x, axis, n - 1, n), behind)], axis)


def _wrapped(x: Any, axis: int, before: int, behind: int) -> Any:
    n = x.shape[axis]
    parts = [_part(x, axis, n - before % n, n), *[x] * (before // n + 1 + behind // n), _part(x, axis, 0, behind % n)]
    return _joined(parts, axis)


def _mirrored(x: Any, axis: int, before: int, behind: int, mode: str, odd: bool) -> Any:
    """The array mirrored at its ends, again and again until the border is filled.

    `reflect` leaves the end itself out; with `odd` the mirror image is subtracted from twice the end.
    """
    skip = 1 if mode == "reflect" else 0
    if x.shape[axis] == 1 and skip:
        return _edges(x, axis, before, behind)
    while before > 0 or behind > 0:
        n = x.shape[axis]
        low, high = min(before, n - skip), min(behind, n - skip)
        first, last = _part(x, axis, 0, 1), _part(x, axis, n - 1, n)
        head = lax_shape.rev(_part(x, axis, skip, skip + low), (axis,))
        tail = lax_shape.rev(_part(x, axis, n - skip - high, n - skip), (axis,))
        if odd:
            two = np.asarray(2, x.dtype)
            head = elementwise.sub(elementwise.mul(broadcast_to(first, head.shape, "pad"), two), head)
            tail = elementwise.sub(elementwise.mul(broadcast_to(last, tail.shape, "pad"), two), tail)
        x = _joined([head, x, tail], axis)
        before, behind = before - low, behind - high
    return x


def _ramp(x: Any, widths: Widths, end_values: Any) -> Any:
    for axis, ((before, behind), (first, last)) in enumerate(zip(widths, _pairs(end_values, x.ndim, "end_values", False))):
        n = x.shape[axis]
        parts = [x]
        for count, edge, end, at_start in ((before, _part(x, axis, 0, 1), first, True),
                                           (behind, _part(x, axis, n - 1, n), last, False)):
            if not count:
                continue
            inner = lax_shape.squeeze(edge, (axis,))
            ramp = linspace(convert(end, x.dtype, False), inner, count, endpoint=False, dtype=x.dtype, axis=axis)
            parts = [ramp, *parts] if at_start else [*parts, lax_shape.rev(ramp, (axis,))]
        x = _joined(parts, axis)
    return x


def _statistic(x: Any, widths: Widths, mode: str, stat_length: Any) -> Any:
    f = _STATISTICS[mode]
    lengths = [(None, None)] * x.ndim if stat_length is None else _pairs(stat_length, x.ndim, "stat_length", True)
    for length in {n for pair in lengths for n in pair if n is not None and n < 1}:
        raise ArgumentValueError(says=f"`pad` with mode={mode!r} was given stat_length={length}.",
                                 why="the border is made of at least one entry")
    for axis, ((before, behind), (head, tail)) in enumerate(zip(widths, lengths)):
        n = x.shape[axis]
        first = f(_part(x, axis, 0, n if head is None else min(head, n)), axis, keepdims=True)
        last = f(_part(x, axis, 0 if tail is None else n - min(tail, n), n), axis, keepdims=True)
        parts = []
        for v, count in ((first, before), (last, behind)):
            if kind(x) in ("int", "uint") and kind(v) == "float":
                v = elementwise.round(v, RoundingMethod.TO_NEAREST_EVEN)
            parts.append(broadcast_to(convert(v, x.dtype, False), (*x.shape[:axis], count, *x.shape[axis + 1:]), "pad"))
        x = _joined([parts[0], x, parts[1]], axis)
    return x


def _by_function(x: Any, widths: Widths, f: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
    """NumPy's protocol: the function gets each vector of the widened array, and returns it with its border filled."""
    x = _constant(x, widths, 0)
    for axis, pair in enumerate(widths):
        rows = moveaxis(x, axis, -1)
        shape = rows.shape
        for place in np.ndindex(shape[:-1]):
            vector = rows[place]
            made = f(vector, pair, axis, kwargs)
            rows = at(rows)[place].set(vector if made is None else made)
        x = moveaxis(rows, -1, axis)
    return x


__all__ = ["pad"]
