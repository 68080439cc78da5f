"""The named axes that a collective is called with: `vmap(f, axis_name="i")` gives an axis a name inside of `f`."""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.primitive import Missing, Primitive
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet, PartialSumError, UnboundAxisError
from perspicax.lax.marks import marks_of, with_marks_of
from perspicax.transform.batch import axis_frames
from perspicax.transform.mesh_scope import checked_axes

Names = tuple[Any, ...]
NOWHERE: frozenset = frozenset()


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


def groups_within(function: str, names: Names, axis_index_groups: Any, *, uneven: bool = False,
                  over_vmap: bool = False) -> tuple[tuple[int, ...], ...] | None:
    """The groups of places along the axes of a mesh (counted as one) within which a collective works; `None`: it is one.

    Args:
        uneven: whether they may be of several sizes.
        over_vmap: whether an axis may be of `vmap`.

    Raises:
        CollectiveNotThereYet: there are groups, and an axis is of `vmap`.
        CollectiveError: the groups do not name each place once, or are of several sizes.
    """
    if axis_index_groups is None:
        return None
    size = size_of(function, names)
    if not over_vmap:
        refuse_vmap(function, names)
    try:
        groups = tuple([tuple(map(operator.index, group)) for group in axis_index_groups])
    except TypeError:
        raise CollectiveError(says=f"`{function}` was given axis_index_groups={axis_index_groups!r}.",
                              why="it is a list of lists of places along the axis") from None
    if sorted([i for group in groups for i in group]) != list(range(size)):
        raise CollectiveError(says=f"`{function}` was given axis_index_groups={axis_index_groups!r}, along an axis of size "
                                   f"{size}.", why=f"the groups name each of 0 to {size - 1} once, together")
    if not all(groups) or (not uneven and len({len(group) for group in groups}) != 1):
        raise CollectiveError(says=f"`{function}` was given groups of several sizes: {axis_index_groups!r}.",
                              why="a program has one shape on all devices, so the groups have one size")
    return groups


def refuse_vmap(function: str, names: Names) -> None:
    """Raise where there are groups of places along an axis of `vmap`.

    Raises:
        CollectiveNotThereYet: an axis is of `vmap`.
    """
    frames = {f.name: f for f in reversed(axis_frames())}
    if any(frames[n].mesh is None for n in names):
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


def unbound(name: str, parameter: str) -> Callable[..., Any]:
    """Evaluation: what is left for it has axes that nothing maps."""
    def evaluate(*args: Any, **params: Any) -> Any:
        raise UnboundAxisError(function=name, axis=listed(params[parameter])[0])

    return evaluate


def gained(parameter: str) -> Callable[..., frozenset]:
    """Along which axes of a mesh a result varies: the named ones, and those along which its operands do."""
    return lambda avals, **params: frozenset().union(*[a.vma for a in avals]) | checked_axes(listed(params[parameter]))


def collective(name: str, *, params: Sequence[str], over: str, emit: Callable[..., Any], function: str = "",
               varying: Callable[..., frozenset] | None = None, takes_marks: bool = False, **rules: Any) -> Primitive:
    """A primitive over named axes.

    Args:
        over: the parameter that names them.
        emit: over axes of a mesh; axes of `vmap` are gone by then.
        function: the public function, where it has another name.
        varying: along which axes of a mesh the result may differ, by the types of the operands and parameters; as for `gained`
            where that is not told. It looks at the axes in scope, so types are not kept.
        takes_marks: whether its type rule knows of parts of sums that are not made yet (`lax/marks.py`).
    """
    if not takes_marks:
        rules["type_rule"] = _keeping_marks(function or name, over, rules["type_rule"], not isinstance(rules["jvp"], Missing))
    primitive = Primitive(name, params=params, emit=emit, evaluate=unbound(function or name, over), cache_types=False, **rules)
    primitive.extra["axis_names"] = names_of(over)
    primitive.extra["varying"] = varying or gained(over)
    return primitive


def _keeping_marks(function: str, over: str, type_rule: Callable[..., Any], linear: bool) -> Callable[..., Any]:
    """The type rule of a collective, of which parts of a sum along other axes than the named ones give parts of a sum."""
    def rule(*avals: Any, **params: Any) -> Any:
        found = type_rule(*avals, **params)
        for aval in avals:
            if aval.explicit is not None:
                unreduced, reduced = marks_of(aval)
                wrong = (unreduced | reduced).intersection(listed(params[over])) or (NOWHERE if linear else unreduced)
                if wrong:
                    raise PartialSumError(function=function, type_text=aval.str_short(), axes=tuple(sorted(wrong, key=str)),
                                          kind="reduced" if wrong & reduced else "unreduced")
                found = with_marks_of(aval, found)
        return found

    return rule


def without(names: Names, name: Any) -> Names:
    """The names that are left when one of them has been dealt with."""
    return tuple([n for n in names if n != name])


__all__ = ["array_axis", "collective", "gained", "groups_within", "listed", "names_of", "refuse_vmap", "size_of",
           "sizes_of", "without"]
