"""Forward-mode differentiation and linearisation, by one trace.

A `JVPTrace` pairs each value with a tangent and applies the primitives' `jvp` rules in its parent. `linearize` is the
same trace with a linear tape between it and the parent: operations on tangents are recorded on the tape, everything
else passes through to the parent. So a derivative rule is written once, and must build tangents by operations that are
linear in them.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

from perspicax.core.avals import AbstractValue, abstract_token
from perspicax.core.config import local
from perspicax.core.errors import PrimitiveDefinitionError, rule_result
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo, eval_jaxpr
from perspicax.core.primitive import Missing, OfPrimitive, Primitive
from perspicax.core.trace import JaxprTrace, JaxprTracer, Trace, Zero, leak_error, outlived, stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.transform.hooks import add_tangents, as_varying, instantiate
from perspicax.transform.rule_checks import check_tangents, watching


class JVPTracer(Tracer):
    """A value and its tangent."""

    __slots__ = ("primal", "tangent")
    hides = False

    def __init__(self, trace: JVPTrace, primal: Any, tangent: Any) -> None:
        self._trace = trace
        self.primal = primal
        self.tangent = tangent

    @property
    def aval(self) -> Any:  # type: ignore[override]
        return get_aval(self.primal)

    def number(self) -> Any:
        return None

    def concrete(self) -> Any:
        primal = self.primal
        if self._trace.dead:
            raise leak_error(self)
        return primal.concrete() if isinstance(primal, Tracer) else primal

    def inner(self) -> Any:
        return self.primal

    def __repr__(self) -> str:
        if self._trace.linear:  # type: ignore[attr-defined]  # the tangent is a variable of the tape
            return f"GradTracer(primal={self.primal}, typeof(tangent)={self.aval.to_tangent_aval().str_short(True)})"
        return f"JVPTracer(primal={self.primal}, tangent={self.tangent})"

    def _ask(self, kind: str) -> Any:
        primal = self.primal
        if isinstance(primal, Tracer):
            return primal._ask(kind)
        return super()._ask(kind)


class JVPTrace(Trace):
    """Applies derivative rules; `linear` when the tangents live on a tape."""

    __slots__ = ("linear",)

    def __init__(self, parent: Trace, debug: DebugInfo | None = None, linear: bool = False) -> None:
        self.parent: Trace = parent
        self.dead = False
        self.debug = debug
        self.linear = linear

    def split(self, x: Any) -> tuple[Any, Any]:
        """The primal and the tangent of an operand."""
        if isinstance(x, Tracer):
            if x._trace is self:
                return x.primal, x.tangent  # type: ignore[attr-defined]
            if x._trace.dead:
                raise leak_error(x)
        return x, None

    def p1(self, primitive: Primitive, x: Any) -> Any:
        if type(x) is JVPTracer and x._trace is self:
            return self.process(primitive, (x,), ())
        parent = self.parent
        before = local.trace
        local.trace = parent
        try:
            return parent.p1(primitive, x)
        finally:
            local.trace = before

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        primals, tangents, moving = [], [], False
        for x in args:
            if type(x) is JVPTracer and x._trace is self:
                primals.append(x.primal)
                t = x.tangent
                tangents.append(t)
                moving = moving or type(t) is not Zero
            else:
                primal, t = self.split(x)
                primals.append(primal)
                tangents.append(t)
        parent = self.parent
        before = local.trace
        local.trace = parent
        try:
            if not moving and primitive.jvp_call is None:
                return parent.process(primitive, tuple(primals), values)
            tangents = [Zero.like(p) if t is None else t for p, t in zip(primals, tangents)]
            if primitive.jvp_call is not None:
                out, tangent = primitive.jvp_call(self, tuple(primals), tuple(tangents), moving, **primitive.unpack(values))
                return [p if type(t) is Zero else JVPTracer(self, p, t) for p, t in zip(out, tangent)]
            rule = primitive.linearize if self.linear and primitive.linearize is not None else primitive.jvp
            if rule is None or isinstance(rule, Missing):
                rule = primitive.rule("jvp")
            found = rule(tuple(primals), tuple(tangents), **primitive.unpack(values))
        finally:
            local.trace = before
        try:
            out, tangent = found
            made = [p if type(t) is Zero else JVPTracer(self, p, t) for p, t in zip(out, tangent, strict=True)] \
                if primitive.multiple_results else None
        except (TypeError, ValueError):
            raise rule_result(primitive, "jvp", found) from None
        if watching.any:
            check_tangents(primitive, *([out], [tangent]) if made is None else (out, tangent))
        if made is not None:
            return made
        return out if type(tangent) is Zero else JVPTracer(self, out, tangent)

    def again(self, fun: Callable[..., Sequence[Any]], args: Sequence[Any]) -> Sequence[Any]:
        """Results of `fun`, which may close over values of this trace; what it does is processed here first.

        It is called while this trace is alive, from whatever trace is current by then.
        """
        current = at = local.trace
        last = self.parent if self.linear else self  # the tape stays between this trace and the others
        within = False
        while at is not None:
            if at is self:
                return fun(*args)
            within = within or at is last
            at = at.parent
        before = last.parent
        local.trace = self
        if not within:
            last.parent = current
        try:
            return fun(*args)
        finally:
            last.parent, local.trace = before, current


class TapeTrace(JaxprTrace):
    """Records the operations on tangents; hands all others to its parent.

    The tape is a jaxpr under construction: its inputs are the tangents, its constants the residuals.
    """

    __slots__ = ()

    def __init__(self, parent: Trace, debug: DebugInfo | None = None) -> None:
        super().__init__(debug, parent)

    def mine(self, x: Any) -> bool:
        """Whether `x` is a tangent on this tape."""
        return type(x) is JaxprTracer and x._trace is self

    def p1(self, primitive: Primitive, x: Any) -> Any:
        if type(x) is JaxprTracer and x._trace is self:
            return JaxprTrace.p1(self, primitive, x)
        return self.hand_on(primitive, (x,), ())

    def p2(self, primitive: Primitive, x: Any, y: Any) -> Any:
        if (type(x) is JaxprTracer and x._trace is self) or (type(y) is JaxprTracer and y._trace is self):
            return JaxprTrace.p2(self, primitive, x, y)
        parent: Any = self.parent
        before = local.trace
        local.trace = parent
        try:
            return parent.p2(primitive, x, y)
        finally:
            local.trace = before

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        for x in args:
            if type(x) is JaxprTracer and x._trace is self:
                return self.record_linear(primitive, args, values)
        return self.hand_on(primitive, args, values)

    def record_linear(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        """Put one operation on the tape."""
        if primitive.stage is not None:
            return primitive.stage(self, args, primitive.unpack(values))
        return self.record(primitive, args, values)


# -- functions of flat operands

def jvp_flat(fun: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any],
             debug: DebugInfo | None = None) -> tuple[list[Any], list[Any]]:
    """Results of `fun` and their tangents (`Zero` where nothing moves)."""
    parent = local.trace
    trace = JVPTrace(parent, debug)
    args: Any = [p if type(t) is Zero else JVPTracer(trace, p, t) for p, t in zip(primals, tangents)]
    local.trace = trace
    try:
        outs = fun(*args)
    finally:
        local.trace = parent
        trace.dead = True
    result = unzip(trace, outs)
    args = outs = ()
    if getrefcount(trace) > 2:
        outlived(trace)
    return result


def unzip(trace: JVPTrace, outs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Primals and tangents of the results of a function that was traced with `trace`."""
    primals, tangents = [], []
    for x in outs:
        if type(x) is JVPTracer and x._trace is trace:
            primals.append(x.primal)
            tangents.append(x.tangent)
        else:
            if isinstance(x, Tracer) and x._trace.dead:
                raise leak_error(x)
            primals.append(x)
            try:
                tangents.append(Zero.like(x))
            except TypeError:  # no array: something that is handed through with `has_aux`
                tangents.append(_NO_TANGENT)
    return primals, tangents


_NO_TANGENT = Zero(abstract_token)


def linearize_flat(fun: Callable[..., Sequence[Any]], primals: Sequence[Any], moving: Sequence[bool],
                   debug: DebugInfo | None = None) -> tuple[list[Any], list[Any], TapeTrace]:
    """Results of `fun`, their tangents on a tape (`Zero` where nothing moves), and the tape.

    The tape's arguments are the tangents of the operands that are `moving`, in order.
    """
    parent = local.trace
    tape = TapeTrace(parent, debug)
    trace = JVPTrace(tape, debug, linear=True)
    args: Any = [JVPTracer(trace, p, tape.new_arg(get_aval(p).to_tangent_aval())) if m else p  # type: ignore[attr-defined]
            for p, m in zip(primals, moving)]
    local.trace = trace
    try:
        outs = fun(*args)
    finally:
        local.trace = parent
        trace.dead = True
    outs, tangents = unzip(trace, outs)
    args = []
    if getrefcount(trace) > 2:
        outlived(trace)
    return outs, tangents, tape


# -- jaxprs

def jvp_jaxpr(closed: ClosedJaxpr, moving: tuple[bool, ...],
              instantiated: tuple[bool, ...] | bool = False) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """The derivative of a jaxpr as a jaxpr, and which results move.

    Its inputs are the primals, then the tangents of those that are `moving`; its results the primal results, then the
    tangents of those that move, or that `instantiated` asks for.
    """
    return closed.derive(("jvp", moving, instantiated), lambda: _jvp_jaxpr(closed, moving, instantiated))


def _jvp_jaxpr(closed: ClosedJaxpr, moving: tuple[bool, ...],
               instantiated: tuple[bool, ...] | bool) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    n = len(closed.in_avals)
    found: list[tuple[bool, ...]] = []

    def both(*args: Any) -> list[Any]:
        primals, rest = args[:n], iter(args[n:])
        tangents = [next(rest) if m else Zero(a.to_tangent_aval()) for a, m in zip(closed.in_avals, moving)]
        outs, douts = jvp_flat(lambda *xs: eval_jaxpr(closed.jaxpr, closed.consts, *xs), primals, tangents)
        wanted = _flags(instantiated, len(outs))
        found.append(tuple(type(t) is not Zero or w for t, w in zip(douts, wanted)))
        return outs + [as_varying(get_aval(x), instantiate(t)) for x, t, m in zip(outs, douts, found[0]) if m]

    avals = list(closed.in_avals) + [a.to_tangent_aval() for a, m in zip(closed.in_avals, moving) if m]
    derived = stage_flat(both, avals, closed.debug_info)
    return derived, found[0]


def _flags(value: tuple[bool, ...] | bool, n: int) -> tuple[bool, ...]:
    return (value,) * n if isinstance(value, bool) else value


class LinearizedJaxpr:
    """A jaxpr taken apart: what is computed once, and the linear rest.

    Attributes:
        forward: primals to results, then those residuals that are neither an input nor a result.
        linear: residuals, then moving tangents, to the tangents of the results that move.
        moves: which results move.
        residuals: where each residual is found: `("in", i)` or `("out", j)`, indices into the inputs and the results
            of `forward`.
    """

    __slots__ = ("forward", "linear", "moves", "residuals")

    def __init__(self, forward: ClosedJaxpr, linear: ClosedJaxpr, moves: tuple[bool, ...],
                 residuals: tuple[tuple[str, int], ...]) -> None:
        self.forward, self.linear, self.moves, self.residuals = forward, linear, moves, residuals

    def gather(self, primals: Sequence[Any], results: Sequence[Any]) -> list[Any]:
        """The residuals' values, from the inputs and results of a run of `forward`."""
        return [primals[i] if kind == "in" else results[i] for kind, i in self.residuals]


def linearize_jaxpr(closed: ClosedJaxpr, moving: tuple[bool, ...],
                    instantiated: tuple[bool, ...] | bool = False) -> LinearizedJaxpr:
    """Take `closed` apart at the operands that are `moving`; computed once for each jaxpr and pattern."""
    return closed.derive(("linearize", moving, instantiated), lambda: _linearize_jaxpr(closed, moving, instantiated))


def _linearize_jaxpr(closed: ClosedJaxpr, moving: tuple[bool, ...],
                     instantiated: tuple[bool, ...] | bool) -> LinearizedJaxpr:
    before, place = local.trace, local.place
    outer = JaxprTrace(closed.debug_info, before)
    args = [outer.new_arg(a) for a in closed.in_avals]
    local.trace, local.place = outer, None
    try:
        outs, douts, tape = linearize_flat(lambda *xs: eval_jaxpr(closed.jaxpr, closed.consts, *xs), args, moving,
                                           closed.debug_info)
        wanted = _flags(instantiated, len(outs))
        moves = tuple(type(t) is not Zero or w for t, w in zip(douts, wanted))
        local.trace = tape
        linear = tape.close([as_varying(get_aval(x), instantiate(t)) for x, t, m in zip(outs, douts, moves) if m])
        tape.dead = True
        outvars: list[Any] = [outer.atom(x) for x in outs]
        in_index = {a.variable: i for i, a in enumerate(args)}
        out_index = {v: j for j, v in enumerate(outvars) if not hasattr(v, "val")}
        sources: list[tuple[str, int]] = []
        extra: list[Any] = []
        for residual in linear.consts:
            var: Any = outer.atom(residual)
            if var in in_index:
                sources.append(("in", in_index[var]))
            elif var in out_index:
                sources.append(("out", out_index[var]))
            else:
                out_index[var] = len(outs) + len(extra)
                sources.append(("out", out_index[var]))
                extra.append(JaxprTracer(outer, var.aval, var))  # type: ignore[arg-type]
        forward = outer.close([*outs, *extra])
    finally:
        local.trace, local.place = before, place
        outer.dead = True
    body = linear.jaxpr
    open_linear = body.replace(constvars=[], invars=[*body.constvars, *body.invars])
    return LinearizedJaxpr(forward, ClosedJaxpr(open_linear), moves, tuple(sources))


# -- rules from the derivative in each operand

def per_operand(*rules: Callable[..., Any] | None) -> OfPrimitive:
    """A `jvp` rule from one function for each operand: `rule(tangent, out, *primals, **params)`, linear in `tangent`.

    `None` stands for an operand that has no derivative.

    Raises:
        PrimitiveDefinitionError: when it is applied to more operands than functions, or fewer.
    """
    def make(primitive: Primitive) -> Callable[..., Any]:
        def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
            if len(rules) != len(primals):
                raise _miscounted(primitive, len(rules), len(primals))
            out = primitive(*primals, **params)
            total: Any = None
            for rule, t in zip(rules, tangents):
                if rule is not None and type(t) is not Zero:
                    term = rule(t, out, *primals, **params)
                    total = term if total is None else add_tangents(total, term)
            return out, Zero.like(out) if total is None else total

        return jvp

    return OfPrimitive(make)


def _miscounted(primitive: Primitive, rules: int, operands: int) -> PrimitiveDefinitionError:
    """The error for a derivative that would silently be zero: an operand has no function, nor `None`."""
    return PrimitiveDefinitionError(
        primitive=primitive.name, what="derivative of operand", absent=tuple([str(i) for i in range(rules, operands)]),
        surplus=tuple([f"a derivative of operand {i}" for i in range(operands, rules)]))


def _linear_jvp(primitive: Primitive) -> Callable[..., Any]:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
        out = primitive(*primals, **params)
        if all(type(t) is Zero for t in tangents):
            return out, Zero.like(out)
        return out, primitive(*[instantiate(t) for t in tangents], **params)

    return jvp


LINEAR = OfPrimitive(_linear_jvp)
"""The `jvp` rule of a primitive that is linear in all its operands together: it is applied to the tangents."""


def _flat_jvp(primitive: Primitive) -> Callable[..., Any]:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[Any, Any]:
        out = primitive(*primals, **params)
        if primitive.multiple_results:
            return out, [Zero.like(x) for x in out]
        return out, Zero.like(out)

    return jvp


FLAT = OfPrimitive(_flat_jvp)
"""The `jvp` rule of a primitive whose derivative is zero wherever it exists (comparisons, rounding, integers)."""


def tangent_aval(x: Any) -> AbstractValue:
    """The type of a tangent of the value `x`."""
    return get_aval(x).to_tangent_aval()  # type: ignore[attr-defined]
