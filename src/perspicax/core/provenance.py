"""Where a traced value comes from: which trace, which equation, which arguments; facts only, never the tracer itself.

Found when an error is made, by one walk over the equations recorded so far. What needs the source text (names,
expressions) is left to the report.
"""
from __future__ import annotations

import sys
from collections.abc import Iterable
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from perspicax.core.jaxpr import DebugInfo, JaxprEqn
from perspicax.core.trace import JaxprTrace, JaxprTracer, Trace
from perspicax.core.tracer import Tracer
from perspicax.diagnose.frames import USER, kind_of, user_frame
from perspicax.diagnose.place import Position

__all__ = ["Argument", "Facts", "Provenance", "TracedName", "provenance", "traced_functions", "traced_names"]


class Argument(NamedTuple):
    """An argument of a traced function.

    Attributes:
        name: its path: `x`, `params['w']`.
        function: the traced function's name.
        type_text: `float32[4]`.
        setting: whether it looks like a setting rather than data: a truth value, or a Python integer.
        scalar: whether it has no axes.
    """

    name: str
    function: str
    type_text: str = ""
    setting: bool = False
    scalar: bool = False

    @property
    def root(self) -> str:
        """The parameter it belongs to: `params` of `params['w']`."""
        return self.name.split("[")[0].split(".")[0]


class Provenance(NamedTuple):
    """What is known of a traced value.

    Attributes:
        transform: the transformation that makes the value unknown: "jit", "vmap".
        function: the name of the function that it traces.
        definition: where that function is defined.
        type_text: the value's type, `bool[]`.
        shape: its shape.
        argument: the argument that the value is, if it is one.
        arguments: the arguments that it was computed from (of outer functions too, where it closes over them).
        place: where it was computed; None for an argument, or where that was not recorded.
        primitive: the operation that computed it.
        around: the transformations around it, the nearest first, as (transform, function).
        recorded: whether the trace records its equations, so that `arguments` is complete.
        parameters: names of all arguments of the traced function.
    """

    transform: str
    function: str
    definition: Position | None
    type_text: str
    shape: tuple[int, ...] = ()
    argument: Argument | None = None
    arguments: tuple[Argument, ...] = ()
    place: Position | None = None
    primitive: str = ""
    around: tuple[tuple[str, str], ...] = ()
    recorded: bool = False
    parameters: tuple[str, ...] = ()

    @property
    def tracing(self) -> str:
        """`jit traces `pick``, for sentences."""
        return f"{self.transform} traces `{self.function}`" if self.function else "it is being traced"

    def settings(self) -> tuple[str, ...]:
        """Parameters that can be made static, if the value depends on nothing else; else empty."""
        own = [a for a in self.arguments if a.function == self.function]
        if not own or len(own) != len(self.arguments) or not all(a.scalar and a.root == a.name for a in own):
            return ()
        return tuple(dict.fromkeys(a.root for a in own))


class TracedName(NamedTuple):
    """A variable of the user's frame that holds a traced value.

    Attributes:
        name: as the user wrote it.
        same: whether it holds the very value that was asked about.
        provenance: of its value.
    """

    name: str
    same: bool
    provenance: Provenance


def transparent(tracer: Tracer) -> Tracer:
    """The tracer whose trace makes the value unknown: differentiation alone does not."""
    while not tracer.hides and isinstance(inner := tracer.inner(), Tracer):
        tracer = inner
    return tracer


def _recorded(tracer: Tracer) -> JaxprTracer | None:
    """The tracer within that has an equation."""
    at: Any = tracer
    while isinstance(at, Tracer):
        if isinstance(at, JaxprTracer):
            return at
        at = at.inner()
    return None


def provenance(tracer: Tracer, facts: Facts | None = None) -> Provenance:
    """What is known of `tracer`; holds no reference to it.

    Args:
        tracer: any tracer.
        facts: shared between several questions about one moment, so that the equations are walked once.
    """
    return (facts or Facts()).of(transparent(tracer))


def _named(trace: Trace | None) -> DebugInfo | None:
    """The nearest debug info: traces of derived jaxprs have none of their own."""
    while trace is not None and trace.debug is None:
        trace = trace.parent
    return trace.debug if trace is not None else None


def _function(debug: DebugInfo | None) -> str:
    """What reports call a traced function."""
    return "" if debug is None else debug.name.strip("<>")


def _around(trace: Trace) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    at = trace.parent
    while at is not None:
        if at.debug is not None:
            found.append((at.debug.transform, at.debug.name))
        at = at.parent
    return tuple(dict.fromkeys(found))


class Facts:
    """Dependencies of the traces met so far, so that several values of one trace cost one walk.

    Refers to traces by id only, and is dropped when the question is answered.
    """

    def __init__(self) -> None:
        self.definitions: dict[int, dict[Any, JaxprEqn]] = {}
        self.masks: dict[int, dict[Any, int]] = {}
        self.arguments: dict[int, tuple[Argument, ...]] = {}

    def of(self, tracer: Tracer) -> Provenance:
        trace = tracer._trace
        found = _recorded(tracer)
        place, primitive = None, ""
        argument: Argument | None = None
        arguments: tuple[Argument, ...] = ()
        if found is not None:
            sources = self.dependencies(found)
            eqn = self.definitions[id(found._trace)].get(found.variable)
            if eqn is not None:
                place, primitive = eqn.position, eqn.primitive.name
            arguments = tuple(dict.fromkeys(source for source, _ in sources))
            owners = [owner for _, owner in sources]
            if found is tracer and owners and trace not in owners:
                trace = owners[0]  # closed over: it is the outer function whose argument is not known
            if not primitive and found.variable in found._trace.invars:  # type: ignore[attr-defined]
                argument = arguments[0] if len(arguments) == 1 else None
        aval = tracer.aval
        debug = _named(trace)
        return Provenance(
            debug.transform if debug is not None else "", _function(debug),
            Position(*debug.place) if debug is not None and debug.place is not None else None,
            aval.str_short(), tuple(getattr(aval, "shape", ())), argument, arguments, place, primitive,
            _around(trace), found is not None,
            tuple(debug.arg_names or ()) if debug is not None else ())

    def dependencies(self, tracer: JaxprTracer) -> list[tuple[Argument, Trace]]:
        """The arguments that a value was computed from, each with the trace it is an argument of."""
        trace: Any = tracer._trace
        mask = self._masks(trace).get(tracer.variable, 0)
        names = self.arguments[id(trace)]
        found: list[tuple[Argument, Trace]] = []
        for index, name in enumerate(names):
            if mask >> index & 1:
                found.append((name, trace))
        for index, value in enumerate(trace.consts.values()):
            if mask >> (len(names) + index) & 1 and isinstance(value, Tracer):
                outer = _recorded(value)
                if outer is not None:
                    found += self.dependencies(outer)
        return found

    def _masks(self, trace: JaxprTrace) -> dict[Any, int]:
        """For each variable the set of inputs that it depends on, as bits; one walk forwards."""
        known = self.masks.get(id(trace))
        if known is not None:
            return known
        self.arguments[id(trace)] = _arguments(trace)
        masks: dict[Any, int] = {var: 1 << i for i, var in enumerate(trace.invars)}
        masks.update((var, 1 << (len(trace.invars) + i)) for i, var in enumerate(trace.const_vars.values()))
        defined = self.definitions[id(trace)] = {}
        for eqn in trace.eqns:
            mask = 0
            for atom in eqn.invars:
                mask |= masks.get(atom, 0)
            for var in eqn.outvars:
                defined[var] = eqn
                if mask:
                    masks[var] = mask
        self.masks[id(trace)] = masks
        return masks


def _arguments(trace: JaxprTrace) -> tuple[Argument, ...]:
    debug = _named(trace)
    names = (debug.arg_names or ()) if debug is not None else ()
    function = _function(debug)
    fits = len(names) == len(trace.invars)
    return tuple(
        Argument(names[i] if fits else f"argument {i}", function, var.aval.str_short(), _is_setting(var.aval),
                 getattr(var.aval, "shape", None) == ())
        for i, var in enumerate(trace.invars))


def _is_setting(aval: Any) -> bool:
    if getattr(aval, "shape", None) != () or getattr(aval, "extended", True):
        return False
    return aval.dtype.kind == "b" or (aval.dtype.kind in "iu" and aval.weak_type)


def traced_names(tracer: Tracer, facts: Facts) -> tuple[TracedName, ...]:
    """The traced variables of the user's frame that asks about `tracer`."""
    from perspicax.diagnose.links import locals_of  # for weight

    frame = user_frame(2)
    if frame is None or kind_of(frame.f_code.co_filename) != USER:
        return ()
    found: list[TracedName] = []
    with locals_of(frame) as variables:
        for name, value in list(variables.items()):
            if isinstance(value, Tracer) and not value._trace.dead:
                found.append(TracedName(name, _is_same(value, tracer), facts.of(transparent(value))))
            if len(found) >= 64:
                break
        value = None
    return tuple(found)


def _is_same(one: Tracer, other: Tracer) -> bool:
    one, other = transparent(one), transparent(other)
    if one is other:
        return True
    return isinstance(one, JaxprTracer) and isinstance(other, JaxprTracer) and one.variable is other.variable


def traced_functions(trace: Trace | None) -> tuple[Any, ...]:
    """The user's functions that a trace and those around it are tracing: those that are alive, and what stands in for the
    others (a lambda that was written into the call of `jit`)."""
    found: list[Any] = []
    while trace is not None:
        debug = trace.debug
        fun = debug.fun() if debug is not None and debug.fun is not None else None
        if fun is None and debug is not None and isinstance(debug.place, tuple):
            fun = _stand_in(debug.place[0])
        if fun is not None and not any(fun is known for known in found):
            found.append(fun)
        trace = trace.parent
    return tuple(found)


def _stand_in(code: CodeType) -> FunctionType | None:
    """A function of this code, its names taken from the functions that run now; `None` where they do not tell.

    It is read, never called.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == code.co_filename:
            cells = [CellType(frame.f_locals[name]) for name in code.co_freevars if name in frame.f_locals]
            if len(cells) == len(code.co_freevars):
                return FunctionType(code, frame.f_globals, closure=tuple(cells))
        frame = frame.f_back
    return None


def listed(names: Iterable[str], last: str = "and") -> str:
    """`x`, `y` and `z`, each in backticks."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}" if quoted else ""
