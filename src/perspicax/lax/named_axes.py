"""The named axes that a collective is called with: `vmap(f, axis_name="i")` gives an axis a name inside of `f`."""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.primitive import Primitive
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet, UnboundAxisError
from perspicax.transform.batch import axis_frames

Names = tuple[Any, ...]


def listed(axis_name: Any) -> Names:
    """One name, or several, as a tuple."""
    return tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)


def sizes_of(function: str, names: Names) -> tuple[int, ...]:
    """The size of each named axis.

    Raises:
        UnboundAxisError: one of them does not exist here.
        CollectiveError: one is named twice.
    """
    frames = axis_frames()
    found = []
    for name in names:
        size = next((f.size for f in frames if f.name == name), None)
        if size is None:
            raise UnboundAxisError(function=function, axis=name, known=tuple([f.name for f in frames]))
        found.append(size)
    if len(set(names)) != len(names):
        raise CollectiveError(says=f"`{function}` was given the axes {names}.", why="each axis may be named once")
    return tuple(found)


def size_of(function: str, names: Names) -> int:
    """How many there are along all of the named axes; raises as `sizes_of`."""
    return math.prod(sizes_of(function, names))


def refuse_groups(function: str, axis_index_groups: Any) -> None:
    """Raise for collectives within groups.

    Raises:
        CollectiveNotThereYet: there are groups.
    """
    if axis_index_groups is not None:
        raise CollectiveNotThereYet(function=function, option="`axis_index_groups`")


def array_axis(function: str, parameter: str, axis: Any, rank: int, extra: int = 0) -> int:
    """An axis of the operand, from 0 up; of its result, where that has `extra` axes more.

    Raises:
        CollectiveError: there is no such axis.
    """
    try:
        index = operator.index(axis)
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise CollectiveError(says=f"`{function}` was given {parameter}={axis!r}.", why="it is an integer") from None
    n = rank + extra
    if not -n <= index < n:
        whose = "the result would have" if extra else "the operand has"
        raise CollectiveError(says=f"`{function}` was given {parameter}={index}.",
                              why=f"{whose} {n} {'axis' if n == 1 else 'axes'}" + (f", {-n} to {n - 1}" if n else ""))
    return index % n


# -- what the primitives have in common

def names_of(parameter: str) -> Callable[..., frozenset]:
    """The rule by which `vmap` learns which axes a collective names."""
    return lambda **params: frozenset(listed(params[parameter]))


def unbound(name: str, parameter: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Emission and evaluation: what is left for these has axes that nothing maps."""
    def evaluate(*args: Any, **params: Any) -> Any:
        raise UnboundAxisError(function=name, axis=listed(params[parameter])[0])

    return lambda b, *args, **params: evaluate(*args, **params), evaluate


def collective(name: str, *, params: Sequence[str], over: str, function: str = "", **rules: Any) -> Primitive:
    """A primitive over named axes.

    Args:
        over: the parameter that names them.
        function: the public function, where it has another name.
    """
    emit, evaluate = unbound(function or name, over)
    primitive = Primitive(name, params=params, emit=emit, evaluate=evaluate, **rules)
    primitive.extra["axis_names"] = names_of(over)
    return primitive


def without(names: Names, name: Any) -> Names:
    """The names that are left when one of them has been dealt with."""
    return tuple([n for n in names if n != name])


__all__ = ["array_axis", "collective", "listed", "names_of", "refuse_groups", "size_of", "sizes_of", "without"]
