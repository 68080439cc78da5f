"""The functions that loops and branches are given, as jaxprs.

A function is staged once for each combination of argument types, and what was staged is kept as long as the function
lives: a loop that is run again with the same function object is neither traced nor compiled again.
"""
from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from inspect import ismethod
from typing import Any

from perspicax.core.array import Array
from perspicax.core.config import state_key
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo, Jaxpr
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer
from perspicax.diagnose.place import Position
from perspicax.lax.control_errors import LoopEffectError, NotAFunctionError
from perspicax.lax.parameters import check_parameters
from perspicax.transform import trees as tree
from perspicax.transform.batch import axes_key
from perspicax.transform.jit import also_cleared
from perspicax.transform.jit_primitive import jit_p
from perspicax.transform.stage import FlatFunction, debug_info, function_name, positional_names
from perspicax.xla.compile import without_dead_equations

Wrap = Callable[[FlatFunction], Callable[..., Sequence[Any]]]


class Body:
    """A staged function.

    Attributes:
        closed: its jaxpr; what the function closes over are its first inputs.
        consts: the values of these.
        out_tree: the structure of the function's result.
        found: what else is derived from it; kept with it.
    """

    __slots__ = ("closed", "consts", "found", "out_tree")

    def __init__(self, closed: ClosedJaxpr, consts: list[Any], out_tree: Any) -> None:
        self.closed, self.consts, self.out_tree = closed, consts, out_tree
        self.found: dict[Any, Any] = {}


_bodies: weakref.WeakKeyDictionary[Any, dict[Any, Body]] = weakref.WeakKeyDictionary()


also_cleared.append(_bodies.clear)


def open_consts(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, list[Any]]:
    """The jaxpr with its constants as leading inputs, and their values; one object for each jaxpr."""
    if not closed.consts:
        return closed, []
    body = closed.jaxpr
    made = closed.derive("opened", lambda: ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars])))
    return made, closed.consts


def stage_body(fun: Callable[..., Any], transform: str, in_tree: Any, in_avals: Sequence[Any], *, wrap: Wrap | None = None,
               wrap_key: Any = None, names: Callable[[], Sequence[str]] | None = None, parameter: str = "f") -> Body:
    """The jaxpr of `fun`.

    Args:
        fun: the user's function.
        transform: what it is given to, for reports: `scan`.
        in_tree: structure of `(args, kwargs)`.
        in_avals: types of the jaxpr's inputs; those of `fun`'s flat arguments, unless `wrap` says otherwise.
        wrap: makes the flat function that is staged from that of `fun`.
        wrap_key: what the result of `wrap` depends on.
        names: makes the names of the inputs, where they are not those of `fun`.
        parameter: the parameter of `transform` that `fun` is, for reports.

    Raises:
        ParameterCountError: the function does not take as many arguments.
        LoopEffectError: the function has an effect that may not happen in a loop or branch.
    """
    key = (transform, in_tree, tuple(in_avals), wrap_key, state_key(), axes_key())
    try:
        kept = None if ismethod(fun) else _bodies.setdefault(fun, {})  # a method is a new object at each access
        found = None if kept is None else kept.get(key)
    except TypeError:  # a callable that cannot be hashed or weakly referenced, or axes that cannot be hashed
        kept = found = None
    if found is not None:
        return found
    debug = debug_info(transform, fun, in_tree)
    if names is not None:
        debug = DebugInfo(transform, debug.name, debug.place, arg_names=names, fun=fun)
    flat = FlatFunction(fun, in_tree, transform)
    try:
        closed = stage_flat(flat if wrap is None else wrap(flat), in_avals, debug)
    except TypeError as error:
        if type(error) is TypeError:
            check_parameters(fun, transform, parameter, in_tree.unflatten(range(in_tree.num_leaves))[0])
        raise
    for effect in closed.effects:
        if not effect.in_loops:
            raise LoopEffectError(function=function_name(fun), transform=transform, effect=repr(effect))
    opened, consts = open_consts(closed)
    body = Body(opened, consts, flat.out_tree)
    if kept is not None and not any(isinstance(c, Tracer) for c in consts):
        kept[key] = body
    return body


def live_part(closed: ClosedJaxpr, used: tuple) -> tuple[Jaxpr, list[bool]]:
    """A jaxpr without the equations that only unused results need, and which inputs are read."""
    return closed.derive(("live", used), lambda: _live_part(closed.jaxpr, used))


def _live_part(jaxpr: Jaxpr, used: tuple) -> tuple[Jaxpr, list[bool]]:
    kept = jaxpr.replace(outvars=[v for v, u in zip(jaxpr.outvars, used) if u])
    live, reads = without_dead_equations(kept)
    return live.replace(outvars=jaxpr.outvars), reads


def check_callable(fun: Any, transform: str, parameter: str) -> None:
    """Raise when what should be a function is none.

    Raises:
        NotAFunctionError: it cannot be called.
    """
    if not callable(fun):
        got = "Array" if isinstance(fun, Array) else type(fun).__name__  # users know no other class of arrays
        raise NotAFunctionError(transform=transform, parameter=parameter, got=got)


def parameter_name(fun: Any, index: int, otherwise: str) -> str:
    """What the user calls a parameter of his function; `otherwise` where that cannot be told."""
    name = positional_names(fun, index + 1)[index] if callable(fun) else ""
    return otherwise if not name or name.startswith("args[") else name


def leaf_paths(structure: Any) -> list[str]:
    """The path of each leaf below a tree's root: `['w']`, `[0]`."""
    return [tree.keystr(path) for path, _ in tree.flatten_with_path(structure.unflatten(range(structure.num_leaves)))[0]]


def axis_names(jaxprs: Iterable[ClosedJaxpr | None]) -> frozenset:
    """The named axes that collectives within some jaxprs mention: a loop's batching rule is asked for these axes, though
    no operand is batched."""
    return frozenset().union(*[jit_p.extra["axis_names"](jaxpr=closed) for closed in jaxprs if closed is not None])


def definition_of(fun: Any) -> Position | None:
    """A place in a user's function, for reports; `None` for functions of our own."""
    from perspicax.diagnose import definitions  # only an error needs it

    return definitions.definition_of(fun)


__all__ = ["Body", "axis_names", "check_callable", "definition_of", "leaf_paths", "live_part", "open_consts", "parameter_name",
           "stage_body"]
