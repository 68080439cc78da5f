"""Traces: what happens when a primitive is applied. Here the interface, and the trace that records a jaxpr.

The current trace (`local.trace`) processes each application. A trace that differentiates or vectorises hands what is
left to its `parent`; the last parent is the evaluator, which runs, or a `JaxprTrace`, which records.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import AbstractValue, ShapedArray, abstract_token
from perspicax.core.config import local
from perspicax.core.effects import NO_EFFECTS, Effects
from perspicax.core.jaxpr import Atom, ClosedJaxpr, DebugInfo, Jaxpr, JaxprEqn, Literal, Var
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import Tracer, get_aval, wide_constants
from perspicax.diagnose.source import user_place


class Trace:
    """Processes primitives; a transformation is a subclass (docs/transformations.md builds two).

    A subclass sets the attributes in its own `__init__`, and defines `process`. What it applies itself (a rule, the same
    primitive to other operands) must reach its parent and not itself: `local.trace` is the parent meanwhile, as
    `hand_on` and `use_trace` see to. An operand that is a tracer of a trace that is dead is refused by `leak_error`;
    any other operand that is not its own, tracers of its parents included, is a constant to it.

    Attributes:
        parent: the trace that was current when this one began; `None` for the evaluator.
        dead: set when the transformed function has returned.
        debug: what reports say about the function.
        base: whether it stands below all transformations: the evaluator, and what watches it.
    """

    __slots__ = ("__weakref__", "dead", "debug", "parent")

    base = False

    frames: Sequence[Any] = ()
    """The named axes that it brings into scope, innermost first."""

    parent: Trace | None
    dead: bool
    debug: DebugInfo | None

    main = property(lambda self: self)  # JAX's name for what makes two traces the same; libraries compare by it

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        """Apply `primitive`; the result is one value, or a list when it has `multiple_results`."""
        raise NotImplementedError

    def ignores(self, closed: ClosedJaxpr) -> bool:
        """Asked of a base: whether a program may run without being shown to it."""
        return True

    def p1(self, primitive: Primitive, x: Any) -> Any:
        """`process` for one operand, one result, no parameters."""
        return self.process(primitive, (x,), ())

    def p2(self, primitive: Primitive, x: Any, y: Any) -> Any:
        """`process` for two operands, one result, no parameters."""
        return self.process(primitive, (x, y), ())

    def hand_on(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        """Let the parent process the primitive, as the current trace."""
        parent: Any = self.parent
        before = local.trace
        local.trace = parent
        try:
            return parent.process(primitive, args, values)
        finally:
            local.trace = before


class JaxprTracer(Tracer):
    """A value of a function that is being staged to a jaxpr."""

    __slots__ = ("aval", "variable")

    def __init__(self, trace: JaxprTrace, aval: AbstractValue, var: Var) -> None:
        self._trace = trace
        self.aval = aval
        self.variable = var

    def __repr__(self) -> str:
        return f"JitTracer({self.aval})"


class JaxprTrace(Trace):
    """Records the equations of a function."""

    __slots__ = ("const_vars", "consts", "effects", "eqns", "invars", "keeps_refs", "met_refs")

    def __init__(self, debug: DebugInfo | None = None, parent: Trace | None = None) -> None:
        self.parent = parent
        self.dead = False
        self.debug = debug
        self.eqns: list[JaxprEqn] = []
        self.invars: list[Var] = []
        self.consts: dict[int, Any] = {}
        self.const_vars: dict[int, Var] = {}
        self.effects: Effects = NO_EFFECTS
        self.keeps_refs = self.met_refs = False  # see `core/refs.py`

    # -- arguments and constants

    def new_arg(self, aval: AbstractValue) -> JaxprTracer:
        """A further argument of the function."""
        var = Var(aval)
        self.invars.append(var)
        return JaxprTracer(self, aval, var)

    def atom(self, x: Any) -> Atom:
        """The variable or literal that stands for `x` in this jaxpr."""
        if isinstance(x, Tracer):
            if x._trace is self:
                return x.variable  # type: ignore[attr-defined]
            if x._trace.dead:
                raise leak_error(x)
            return self.const(x, x.aval)
        aval = get_aval(x)
        if aval.shape == () and not aval.extended and aval is not abstract_token and aval.dtype is not dtypes.float0:
            return Literal(x, aval)
        return self.const(x, aval)

    def const(self, x: Any, aval: AbstractValue) -> Var:
        """The variable of a value that the function closes over; one for each object."""
        key = id(x)
        var = self.const_vars.get(key)
        if var is None:
            var = self.const_vars[key] = Var(aval)
            self.consts[key] = x  # keeps the object alive, and with it its id
        return var

    def tracer(self, x: Any) -> JaxprTracer:
        """`x` as a tracer of this trace."""
        if isinstance(x, Tracer) and x._trace is self:
            return x  # type: ignore[return-value]
        atom = self.atom(x)
        return JaxprTracer(self, atom.aval, atom)  # type: ignore[arg-type]

    # -- equations

    def p1(self, primitive: Primitive, x: Any) -> Any:
        if type(x) is JaxprTracer and x._trace is self:
            a: Any = x.variable
            aval = x.aval
        else:
            a = self.atom(x)
            aval = a.aval
        if primitive.stage is not None:
            return primitive.stage(self, (x,), {})
        out = primitive.types1.get(aval)
        if out is None:
            out = primitive.infer1(aval)
        var = Var(out)
        self.eqns.append(JaxprEqn(primitive, (a,), (), (var,), NO_EFFECTS, local.place or user_place()))
        return JaxprTracer(self, out, var)

    def p2(self, primitive: Primitive, x: Any, y: Any) -> Any:
        a = x.variable if type(x) is JaxprTracer and x._trace is self else self.atom(x)
        b = y.variable if type(y) is JaxprTracer and y._trace is self else self.atom(y)
        out = primitive.types2.get((a.aval, b.aval))
        if out is None:
            try:
                out = primitive.infer2(a.aval, b.aval)
            except TypeError:
                wide = wide_constants((x, y))
                if wide is None:
                    raise
                return self.record(primitive, self._widened((x, y), wide), ())
        var = Var(out)
        self.eqns.append(JaxprEqn(primitive, (a, b), (), (var,), NO_EFFECTS, local.place or user_place()))
        return JaxprTracer(self, out, var)

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        if primitive.stage is not None:
            return primitive.stage(self, args, primitive.unpack(values))
        return self.record(primitive, args, values)

    def record(self, primitive: Primitive, args: Sequence[Any], values: tuple) -> Any:
        """Append the equation, whatever `primitive.stage` says."""
        atoms = tuple([x.variable if type(x) is JaxprTracer and x._trace is self else self.atom(x) for x in args])
        try:
            out = primitive.infer(tuple([a.aval for a in atoms]), values)
        except TypeError:
            wide = wide_constants(args)
            if wide is None:
                raise
            return self.record(primitive, self._widened(args, wide), values)
        effects = NO_EFFECTS
        if primitive.effects is not None:
            effects = primitive.effects_of(values)
            if effects:
                self.effects = self.effects | effects
        place = local.place or user_place()
        if not primitive.multiple_results:
            var = Var(out)
            self.eqns.append(JaxprEqn(primitive, atoms, values, (var,), effects, place))
            return JaxprTracer(self, out, var)
        outvars = tuple([Var(aval) for aval in out])
        self.eqns.append(JaxprEqn(primitive, atoms, values, outvars, effects, place))
        return [JaxprTracer(self, var.aval, var) for var in outvars]

    def _widened(self, args: Sequence[Any], wide: Sequence[ShapedArray | None]) -> list[Any]:
        """Operands, constants of 64 bits among them as traced values of their own type."""
        found = []
        for x, aval in zip(args, wide):
            if aval is not None:
                var: Any = Literal(x, aval) if aval.shape == () else self.const(x, aval)
                x = JaxprTracer(self, aval, var)
            found.append(x)
        return found

    def close(self, outs: Sequence[Any], debug: DebugInfo | None = None) -> ClosedJaxpr:
        """The jaxpr of what was recorded, with the results `outs`."""
        outvars = [self.atom(x) for x in outs]
        jaxpr = Jaxpr(list(self.const_vars.values()), self.invars, outvars, self.eqns, self.effects,
                      debug or self.debug)
        return ClosedJaxpr(jaxpr, [self.consts[key] for key in self.const_vars])


# -- staging

REFS_MET = "references met"  # in `derived` of a jaxpr whose function made references


def stage_flat(fun: Callable[..., Sequence[Any]], in_avals: Sequence[AbstractValue],
               debug: DebugInfo | None = None, keeps_refs: bool = False) -> ClosedJaxpr:
    """The jaxpr of `fun`, a function of flat operands that returns flat results.

    Closed-over arrays and tracers of outer traces become constants of the jaxpr. References are in it with `keeps_refs`
    alone; without, their values are.
    """
    before = local.trace
    place_before = local.place
    trace = JaxprTrace(debug, before)
    trace.keeps_refs = keeps_refs
    local.trace = trace
    local.place = None
    args: Any = [trace.new_arg(aval) for aval in in_avals]
    try:
        outs: Any = fun(*args)
        closed = trace.close(outs)
        if trace.met_refs:
            closed.derived[REFS_MET] = True
    finally:
        local.trace = before
        local.place = place_before
        trace.dead = True
    args = outs = None
    # The one count that the default costs: nothing but a surviving tracer refers to the trace besides these two.
    if sys.getrefcount(trace) > 2:
        outlived(trace)
    return closed


_leak_errors: list[Callable[[Tracer], Exception]] = []
_survivors: list[Callable[[Trace], None]] = []


def set_leak_reports(on_use: Callable[[Tracer], Exception], at_end: Callable[[Trace], None]) -> None:
    """Install what makes the error for a dead tracer that is used, and what looks at a trace that tracers survive."""
    _leak_errors[:] = [on_use]
    _survivors[:] = [at_end]


def outlived(trace: Trace) -> None:
    """Report a trace that has ended while tracers of it survive, where that is asked for."""
    if _survivors:
        _survivors[0](trace)


def leak_error(tracer: Tracer) -> Exception:
    """The error for using a tracer whose trace has ended."""
    return _leak_errors[0](tracer)


def check_alive(args: Sequence[Any]) -> None:
    """Raise the report of the first dead tracer among `args`."""
    for x in args:
        if isinstance(x, Tracer):
            raise leak_error(x)


# -- zero tangents

class Zero:
    """A tangent or cotangent that is known to be zero: no array, no work."""

    __slots__ = ("aval",)

    def __init__(self, aval: AbstractValue) -> None:
        self.aval = aval

    def __repr__(self) -> str:
        return f"Zero({self.aval.str_short()})"

    @staticmethod
    def like(x: Any) -> Zero:
        """The zero tangent of the value `x`."""
        return Zero(get_aval(x).to_tangent_aval())  # type: ignore[attr-defined]


class Linear:
    """In a transposition rule: an operand that the result is linear in; only its type is known."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray) -> None:
        self.aval = aval

    shape = property(lambda self: self.aval.shape)
    dtype = property(lambda self: self.aval.dtype)
    ndim = property(lambda self: self.aval.ndim)


def is_linear(x: Any) -> bool:
    """Whether an operand of a transposition rule is the linear one."""
    return type(x) is Linear


__all__ = ["Trace", "JaxprTrace", "JaxprTracer", "stage_flat", "Zero", "Linear", "REFS_MET", "is_linear", "leak_error",
           "outlived", "check_alive", "set_leak_reports", "np"]
