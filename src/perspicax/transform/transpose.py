"""Reverse mode: a tape (or any linear jaxpr) is walked backwards, in the current trace.

There is no intermediate jaxpr: the transposition rules emit straight into whatever trace is current.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.config import enable_checks, local
from perspicax.core.errors import NotAnArrayError, RuleMissingError, cotangent_result
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from perspicax.core.primitive import Missing
from perspicax.core.trace import JaxprTrace, Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform.hooks import add_tangents, as_cotangent, flowing_to, instantiate
from perspicax.transform.jvp import TapeTrace
from perspicax.transform.rule_checks import same_type, watching


def backward(jaxpr: Jaxpr, consts: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    """Cotangents of the inputs of a jaxpr that is linear in its inputs, all of whose equations are.

    Args:
        jaxpr: inputs are the linear ones; constvars are known.
        consts: values of the constvars.
        cotangents: one for each result; `Zero` where nothing comes back.

    Returns:
        One for each input; `Zero` where nothing reaches it.
    """
    known = dict(zip(jaxpr.constvars, consts))
    flowing: dict[Var, Any] = {}
    for v, ct in zip(jaxpr.outvars, cotangents):
        if type(v) is not Literal and v not in known and type(ct) is not Zero:
            _accumulate(flowing, v, ct)  # type: ignore[arg-type]
    place_before = local.place
    try:
        for eqn in reversed(jaxpr.eqns):
            outvars = eqn.outvars
            if len(outvars) == 1:
                ct = flowing.pop(outvars[0], None)
                if ct is None:
                    continue
                cts: Any = [ct] if eqn.primitive.multiple_results else ct
            else:
                cts = [flowing.pop(v, None) for v in outvars]
                if all(ct is None for ct in cts):
                    continue
                cts = [Zero(as_cotangent(v.aval)) if ct is None else ct for v, ct in zip(outvars, cts)]  # type: ignore[attr-defined]
            local.place = eqn.place
            _transpose_equation(eqn, cts, known, flowing)
    finally:
        local.place = place_before
    return [_taken(flowing, v) for v in jaxpr.invars]


def _taken(flowing: dict[Var, Any], v: Var) -> Any:
    ct = flowing.get(v)
    return Zero(as_cotangent(v.aval)) if ct is None else ct


def _transpose_equation(eqn: JaxprEqn, cts: Any, known: dict[Var, Any], flowing: dict[Var, Any]) -> None:
    operands = tuple([a.val if type(a) is Literal else known[a] if a in known else Linear(a.aval)  # type: ignore
                      for a in eqn.invars])
    rule = eqn.primitive.transpose
    if rule is None or isinstance(rule, Missing):
        raise RuleMissingError(primitive=eqn.primitive.name, rule="transpose", reason=getattr(rule, "reason", ""),
                               position=eqn.place)
    try:
        results = rule(cts, *operands, **eqn.primitive.unpack(eqn.values))
    except NotAnArrayError as error:
        if error.value_type != Linear.__name__:
            raise
        # A rule that wants the value of an operand that is linear: `x * x`, which only `linear_transpose` gets to see.
        raise RuleMissingError(primitive=eqn.primitive.name, rule="transpose", reason=(
            "it is linear in each of its operands, but not in several of them together"), position=eqn.place) from None
    if not isinstance(results, list | tuple) or len(results) != len(operands):
        raise cotangent_result(eqn.primitive, results, [x.aval for x in eqn.invars], eqn.place)
    for a, operand, ct in zip(eqn.invars, operands, results):
        if type(operand) is Linear and ct is not None and type(ct) is not Zero:
            found = get_aval(ct)
            if found.shape != operand.aval.shape or (  # it would be a wrong gradient, in silence
                    watching.any and enable_checks.value and not same_type(found, operand.aval)):
                raise cotangent_result(eqn.primitive, results, [x.aval for x in eqn.invars], eqn.place)
            _accumulate(flowing, a, ct)  # type: ignore[arg-type]


def _accumulate(flowing: dict[Var, Any], v: Var, ct: Any) -> None:
    ct = flowing_to(v.aval, ct)
    before = flowing.get(v)
    flowing[v] = ct if before is None else add_tangents(before, ct)


def transpose_linear(jaxpr: Jaxpr, consts: Sequence[Any], operands: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    """Cotangents of the linear operands of any jaxpr.

    What does not depend on the linear operands is computed first; the rest is recorded on a tape and walked backwards.

    Args:
        operands: one for each input: `Linear` or a value.

    Returns:
        One for each input, `None` for those with values.
    """
    from perspicax.core.jaxpr import eval_jaxpr

    parent = local.trace
    tape = TapeTrace(parent, jaxpr.debug_info)
    args = [tape.new_arg(x.aval) if type(x) is Linear else x for x in operands]
    local.trace = tape
    try:
        outs = eval_jaxpr(jaxpr, consts, *args)
        closed = tape.close(outs)
    finally:
        local.trace = parent
        tape.dead = True
    found = iter(backward(closed.jaxpr, closed.consts, cotangents))
    return [next(found) if type(x) is Linear else None for x in operands]


def transpose_jaxpr(closed: ClosedJaxpr, linear: tuple[bool, ...],
                    moving_out: tuple[bool, ...]) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """The transposition of a jaxpr as a jaxpr, and which linear inputs get a cotangent.

    Its inputs are the operands that are not linear, then the cotangents of the results in `moving_out`; its results
    the cotangents of the linear inputs that get one.
    """
    return closed.derive(("transpose", linear, moving_out), lambda: _transpose_jaxpr(closed, linear, moving_out))


def _transpose_jaxpr(closed: ClosedJaxpr, linear: tuple[bool, ...],
                     moving_out: tuple[bool, ...]) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    reached: list[tuple[bool, ...]] = []
    known_avals = [a for a, is_linear in zip(closed.in_avals, linear) if not is_linear]
    ct_avals = [as_cotangent(a) for a, m in zip(closed.out_avals, moving_out) if m]

    def transposed(*args: Any) -> list[Any]:
        values, cts = iter(args[:len(known_avals)]), iter(args[len(known_avals):])
        operands = [Linear(a) if is_linear else next(values) for a, is_linear in zip(closed.in_avals, linear)]
        cotangents = [next(cts) if m else Zero(a) for a, m in zip(closed.out_avals, moving_out)]
        found = transpose_linear(closed.jaxpr, closed.consts, operands, cotangents)
        found = [ct for ct, is_linear in zip(found, linear) if is_linear]
        reached.append(tuple(type(ct) is not Zero for ct in found))
        return [ct for ct in found if type(ct) is not Zero]

    made = stage_flat(transposed, [*known_avals, *ct_avals], closed.debug_info)
    return made, reached[0]


__all__ = ["backward", "transpose_linear", "transpose_jaxpr", "instantiate", "JaxprTrace"]
