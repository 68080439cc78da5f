"""What transformations need of the lax room, filled in by it once, at import."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from perspicax.core.avals import ShapedArray
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval


class LaxHooks(Protocol):
    """The operations that the rules of transformations are written with."""

    add: Callable[[Any, Any], Any]  # cotangents of one type
    zeros: Callable[[Any], Any]  # of a type
    ones: Callable[[Any], Any]
    broadcast: Callable[[Any, int, int], Any]  # (x, size, axis): x repeated along a new axis
    move_axis: Callable[[Any, int, int], Any]  # (x, source, destination)
    convert: Callable[[Any, ShapedArray], Any]  # to a dtype and weak type
    expand: Callable[[Any, int, int], Any]  # (x, rank, place): a vector as an array of that rank, its axis at place
    broadcast_to: Callable[[Any, tuple[int, ...]], Any]  # axes of size 1 repeated


_filled: list[LaxHooks] = []


def fill(hooks: LaxHooks) -> None:
    """Install the operations."""
    _filled[:] = [hooks]


def lax() -> LaxHooks:
    """The operations of the lax room."""
    return _filled[0]


def add_tangents(x: Any, y: Any) -> Any:
    """The sum of two tangents or cotangents, either of which may be `Zero`."""
    if type(x) is Zero:
        return y
    if type(y) is Zero:
        return x
    return lax().add(x, y)


def instantiate(x: Any) -> Any:
    """An operand in place of a symbolic zero: an array, or a number where that has the type of a weak scalar."""
    if type(x) is not Zero:
        return x
    aval: Any = x.aval
    if aval.weak_type and aval.shape == ():
        number = 0j if aval.dtype.kind == "c" else 0.0
        if get_aval(number) is aval:
            return number
    return lax().zeros(aval)
