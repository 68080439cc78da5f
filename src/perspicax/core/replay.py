"""A jaxpr that is recorded again and again, into other traces: its equations with new variables, at another place.

To record a function of the library flat means to run its Python, and the rules of each operation, for every call. What
came of it at these types is the same each time, so it can be copied.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.config import local
from perspicax.core.effects import NO_EFFECTS
from perspicax.core.jaxpr import ClosedJaxpr, JaxprEqn, Literal, Var
from perspicax.core.trace import JaxprTrace, JaxprTracer
from perspicax.core.tracer import Tracer
from perspicax.diagnose.source import user_place

__all__ = ["Recording"]


class Recording:
    """The equations of a jaxpr without effects, with numbers in place of variables.

    Atoms are counted in the order: constants, arguments, literals, results of the equations.
    """

    __slots__ = ("_consts", "_equations", "_literals", "_outs")

    def __init__(self, closed: ClosedJaxpr) -> None:
        jaxpr = closed.jaxpr
        self._consts = list(zip(closed.consts, [v.aval for v in jaxpr.constvars]))
        literals = {a: None for eqn in jaxpr.eqns for a in eqn.invars if isinstance(a, Literal)}
        literals.update({a: None for a in jaxpr.outvars if isinstance(a, Literal)})
        self._literals = list(literals)
        number: dict[Any, int] = {}
        for atom in (*jaxpr.constvars, *jaxpr.invars, *self._literals):
            number[atom] = len(number)
        self._equations = []
        for eqn in jaxpr.eqns:
            operands = tuple([number[a] for a in eqn.invars])
            for v in eqn.outvars:
                number[v] = len(number)
            self._equations.append((eqn.primitive, operands, eqn.values, tuple([v.aval for v in eqn.outvars])))
        self._outs = [(number[a], a.aval) for a in jaxpr.outvars]

    @staticmethod
    def of(closed: ClosedJaxpr) -> Recording | None:
        """The recording of a jaxpr that may be copied: it has no effects, and holds nothing of another trace."""
        if closed.jaxpr.effects or any(isinstance(c, Tracer) for c in closed.consts):
            return None
        return Recording(closed)

    def replay(self, trace: JaxprTrace, args: Sequence[JaxprTracer]) -> list[Any]:
        """Append the equations to `trace`, the current one, with its tracers as arguments; the results."""
        atoms: list[Any] = [trace.const(x, aval) for x, aval in self._consts]
        first = len(atoms)
        atoms += [x.variable for x in args]
        known = len(atoms)
        atoms += self._literals
        computed = len(atoms)
        place = local.place or user_place()
        append = trace.eqns.append
        for primitive, operands, values, avals in self._equations:
            invars = tuple([atoms[i] for i in operands])
            if len(avals) == 1:
                var = Var(avals[0])
                atoms.append(var)
                append(JaxprEqn(primitive, invars, values, (var,), NO_EFFECTS, place))
            else:
                outvars = tuple([Var(aval) for aval in avals])
                atoms += outvars
                append(JaxprEqn(primitive, invars, values, outvars, NO_EFFECTS, place))
        outs: list[Any] = []
        for i, aval in self._outs:
            if i >= computed:
                outs.append(JaxprTracer(trace, aval, atoms[i]))
            elif i >= known:  # constants are returned as they are, with their values
                outs.append(atoms[i].val)
            else:
                outs.append(args[i - first] if i >= first else self._consts[i][0])
        return outs
