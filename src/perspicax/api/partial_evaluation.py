"""Parts of jaxprs: what is needed for some results, and what is not known yet. `jax.interpreters.partial_eval`."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.api.partial_errors import PartialValueError, UsedOutputsError
from perspicax.api.wrapped_functions import WrappedFun
from perspicax.api.wrapping import public
from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal
from perspicax.core.primitive import Primitive
from perspicax.core.trace import JaxprTracer, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform.jit_primitive import jit_p
from perspicax.transform.jvp import TapeTrace

__all__ = [
    "PartialVal", "dce_jaxpr", "dce_jaxpr_call_rule", "dce_jaxpr_closed_call_rule", "dce_jaxpr_consts", "dce_rules",
    "trace_to_jaxpr_dynamic", "trace_to_jaxpr_nounits",
]

Rule = Callable[[list[bool], JaxprEqn], tuple[list[bool], JaxprEqn | None]]

dce_rules: dict[Primitive, Rule] = {}
"""`rule(used_outputs, eqn)` returns which operands are needed, and the equation that is left of it, or None."""


# -- without what nobody reads

@public
def dce_jaxpr(jaxpr: Jaxpr, used_outputs: bool | Sequence[bool],
              instantiate: bool | Sequence[bool] = False) -> tuple[Jaxpr, list[bool]]:
    """A jaxpr without the results that are not used, and without what only they need.

    Args:
        jaxpr: an open jaxpr.
        used_outputs: which results are used, or a bool for all.
        instantiate: which inputs stay although nothing reads them, or a bool for all.

    Returns:
        The jaxpr, and which inputs it still has. Equations with effects stay.

    Raises:
        UsedOutputsError: there are more or fewer results.
    """
    outputs = _flags(used_outputs, len(jaxpr.outvars), "used_outputs")
    kept = _flags(instantiate, len(jaxpr.invars), "instantiate")
    outvars = [v for v, u in zip(jaxpr.outvars, outputs) if u]
    used: set[Any] = {a for a in outvars if type(a) is not Literal}
    live: list[JaxprEqn] = []
    for eqn in reversed(jaxpr.eqns):
        marks = [v in used for v in eqn.outvars]
        if not eqn.effects and not any(marks):
            continue
        rule = dce_rules.get(eqn.primitive)
        left = _pruned(marks, eqn) if rule is None else rule(marks, eqn)[1]
        if left is not None:
            live.append(left)
            used.update([a for a in left.invars if type(a) is not Literal])
    inputs = [v in used or k for v, k in zip(jaxpr.invars, kept)]
    live.reverse()
    made = jaxpr.replace(eqns=live, outvars=outvars, invars=[v for v, u in zip(jaxpr.invars, inputs) if u])
    return made, inputs


def _pruned(marks: list[bool], eqn: JaxprEqn) -> JaxprEqn:
    """What is left of an equation by its primitive's own account: loops and branches can do without some results."""
    prune = eqn.primitive.extra.get("prune")
    if prune is None:
        return eqn
    params, operands, results = prune(marks, eqn.params)
    return eqn.replace(params=params, invars=[a for a, k in zip(eqn.invars, operands) if k],
                       outvars=[v for v, k in zip(eqn.outvars, results) if k])


def _flags(given: bool | Sequence[bool], count: int, option: str) -> list[bool]:
    if isinstance(given, bool):
        return [given] * count
    if len(given) != count:
        raise UsedOutputsError(option=option, expected=count, got=len(given))
    return list(given)


@public
def dce_jaxpr_consts(jaxpr: Jaxpr, used_outputs: Sequence[bool],
                     instantiate: bool | Sequence[bool] = False) -> tuple[Jaxpr, list[bool], list[bool]]:
    """As `dce_jaxpr`, for constants too.

    Returns:
        The jaxpr, which constants it still has, and which inputs.
    """
    open_jaxpr = jaxpr.replace(constvars=[], invars=[*jaxpr.constvars, *jaxpr.invars])
    count = len(jaxpr.constvars)
    keep = [*[False] * count, *_flags(instantiate, len(jaxpr.invars), "instantiate")]
    made, used = dce_jaxpr(open_jaxpr, used_outputs, keep)
    consts = sum(used[:count])
    return made.replace(constvars=made.invars[:consts], invars=made.invars[consts:]), used[:count], used[count:]


def dce_jaxpr_call_rule(used_outputs: list[bool], eqn: JaxprEqn) -> tuple[list[bool], JaxprEqn | None]:
    """The rule of a primitive that calls the open jaxpr in its parameter `call_jaxpr`."""
    return _called(used_outputs, eqn, "call_jaxpr", {})


def dce_jaxpr_closed_call_rule(used_outputs: list[bool], eqn: JaxprEqn) -> tuple[list[bool], JaxprEqn | None]:
    """The rule of a primitive that calls the closed jaxpr in its parameter `call_jaxpr`."""
    return _called(used_outputs, eqn, "call_jaxpr", {})


def _called(used: list[bool], eqn: JaxprEqn, name: str, changes: dict[str, Any]) -> tuple[list[bool], JaxprEqn | None]:
    given = eqn.params[name]
    if not any(used) and not eqn.effects:
        return [False] * len(eqn.invars), None
    closed = isinstance(given, ClosedJaxpr)
    made, inputs = dce_jaxpr(given.jaxpr if closed else given, used)
    body: Any = ClosedJaxpr(made, given.consts) if closed else made
    return inputs, eqn.replace(params={**eqn.params, **changes, name: body},
                               invars=[a for a, u in zip(eqn.invars, inputs) if u],
                               outvars=[v for v, u in zip(eqn.outvars, used) if u])


def _jit_rule(used: list[bool], eqn: JaxprEqn) -> tuple[list[bool], JaxprEqn | None]:
    inputs, left = _called(used, eqn, "jaxpr", {})
    if left is None:
        return inputs, None
    params = eqn.params
    chosen = {"donated_invars": inputs, "in_shardings": inputs, "out_shardings": used}
    changes = {name: None if params[name] is None else tuple([x for x, u in zip(params[name], marks) if u])
               for name, marks in chosen.items()}
    return inputs, left.replace(params={**left.params, **changes})


dce_rules[jit_p] = _jit_rule


# -- staging

@public
def trace_to_jaxpr_dynamic(fun: WrappedFun, in_avals: Sequence[Any], *, keep_inputs: list[bool] | None = None,
                           lower: bool = False, auto_dce: bool = False) -> tuple[Jaxpr, list[Any], list[Any]]:
    """The jaxpr of a wrapped function of flat operands that returns a list.

    Args:
        fun: a wrapped function (`jax.extend.linear_util.wrap_init`).
        in_avals: the operands' types.
        keep_inputs: which operands the jaxpr has as inputs; the function gets no others.
        lower: not used.
        auto_dce: whether equations that nothing reads are left out.

    Returns:
        The jaxpr, the types of its results, and the values of its constants.
    """
    avals = [a for a, k in zip(in_avals, keep_inputs or [True] * len(in_avals)) if k]
    closed = stage_flat(fun.call_wrapped, avals, fun.debug_info)
    jaxpr, consts = closed.jaxpr, closed.consts
    if auto_dce:
        jaxpr, kept, _ = dce_jaxpr_consts(jaxpr, [True] * len(jaxpr.outvars), True)
        consts = [c for c, k in zip(consts, kept) if k]
    return jaxpr, list(closed.out_avals), list(consts)


class PartialVal(tuple):
    """A value that is known, `(None, value)`, or of which only the type is, `(type, None)`."""

    __slots__ = ()

    @classmethod
    def known(cls, const: Any) -> PartialVal:
        """A known value."""
        return cls((None, const))

    @classmethod
    def unknown(cls, aval: Any) -> PartialVal:
        """A value of a type."""
        return cls((aval, None))

    def is_known(self) -> bool:
        """Whether the value is known."""
        return self[0] is None

    def get_known(self) -> Any:
        """The value, or None where it is not known."""
        return self[1] if self.is_known() else None

    def get_aval(self) -> Any:
        """The type of the value."""
        return get_aval(self[1]) if self.is_known() else self[0]


@public
def trace_to_jaxpr_nounits(fun: WrappedFun, pvals: Sequence[PartialVal],
                           instantiate: bool | Sequence[bool] = False) -> tuple[Jaxpr, list[PartialVal], tuple]:
    """Run what depends on known operands only, and stage the rest.

    Args:
        fun: a wrapped function of flat operands that returns a list.
        pvals: the operands.
        instantiate: which known results become results of the jaxpr all the same, or a bool for all.

    Returns:
        The jaxpr of what is not known (its inputs are the unknown operands, its results the unknown results), the
        results, and the values of its constants.

    Raises:
        PartialValueError: an operand is no `PartialVal`.
    """
    for i, value in enumerate(pvals):
        if not isinstance(value, PartialVal):
            raise PartialValueError(function=fun.__name__, index=i, value_type=type(value).__name__)
    parent = local.trace
    tape = TapeTrace(parent, fun.debug_info)
    args = [v.get_known() if v.is_known() else tape.new_arg(v.get_aval()) for v in pvals]
    local.trace = tape
    try:
        outs = list(fun.call_wrapped(*args))
        wanted = _flags(instantiate, len(outs), "instantiate")
        unknown = [(type(x) is JaxprTracer and tape.mine(x)) or w for x, w in zip(outs, wanted)]
        closed = tape.close([x for x, u in zip(outs, unknown) if u])
    finally:
        local.trace = parent
        tape.dead = True
    results = [PartialVal.unknown(get_aval(x)) if u else PartialVal.known(x) for x, u in zip(outs, unknown)]
    return closed.jaxpr, results, tuple(closed.consts)
