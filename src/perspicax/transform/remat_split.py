"""Partial evaluation by policy: which values of a jaxpr are kept, and the jaxpr that computes the others again.

A policy is asked about one equation at a time: `policy(primitive, *operand_types, **params)`. Primitives with
sub-jaxprs may have a rule `extra["split"]`, which goes on inside: `split(eqn, policy, wanted) -> (known, kept, again)`.
`known` takes the place of the equation and computes what is kept as well, `kept` are the variables of that, and `again`
is the equation (or `None`) that computes the `wanted` results from the operands and what was kept.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from perspicax.core.effects import NO_EFFECTS
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from perspicax.transform.remat_errors import RematPolicyError

Policy = Callable[..., Any]


class _Answer:
    """What a policy may answer besides `True` and `False`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name


Saveable = _Answer("Saveable")
Recompute = _Answer("Recompute")


class Offloadable(NamedTuple):
    """A policy's answer: keep the value, in another memory until it is needed.

    On the CPU both kinds of memory are the same, and the value is kept where it is.

    Attributes:
        src: the kind of memory it is computed in (`"device"`).
        dst: the kind of memory it waits in (`"pinned_host"`).
    """

    src: str
    dst: str


def nothing(*_: Any, **__: Any) -> bool:
    """The policy that keeps nothing."""
    return False


def saves(policy: Policy, eqn: JaxprEqn) -> bool:
    """Whether `policy` keeps the results of an equation.

    Raises:
        RematPolicyError: it answers something that is no answer.
    """
    answer = policy(eqn.primitive, *[a.aval for a in eqn.invars], **eqn.params)
    if answer is True or answer is Saveable or type(answer) is Offloadable:
        return True
    if answer is False or answer is Recompute:
        return False
    raise RematPolicyError(policy=getattr(policy, "__name__", type(policy).__name__), primitive=eqn.primitive.name,
                           answer=repr(answer), answer_type=type(answer).__name__)


class Either:
    """The policy of a checkpointed function within another one: what either of the two policies keeps is kept.

    Attributes:
        inner, outer: the policies.
    """

    __slots__ = ("inner", "outer")

    def __init__(self, inner: Policy | None, outer: Policy) -> None:
        self.inner, self.outer = inner, outer

    def __call__(self, primitive: Any, *avals: Any, **params: Any) -> Any:
        answer = self.outer(primitive, *avals, **params)
        if (answer is False or answer is Recompute) and self.inner is not None:
            return self.inner(primitive, *avals, **params)
        return answer

    def __eq__(self, other: object) -> bool:
        return type(other) is Either and (self.inner, self.outer) == (other.inner, other.outer)

    def __hash__(self) -> int:
        return hash((Either, self.inner, self.outer))


class Split(NamedTuple):
    """A jaxpr taken apart by a policy.

    Attributes:
        known: inputs to all results, then what is kept.
        again: inputs, then what is kept, to the results that are wanted.
        kept: how many values are kept.
    """

    known: ClosedJaxpr
    again: ClosedJaxpr
    kept: int


def split_jaxpr(closed: ClosedJaxpr, policy: Policy, wanted: tuple[bool, ...]) -> Split:
    """Take `closed` apart, so that the `wanted` results can be computed again; once for each policy."""
    return closed.derive(("split", policy, wanted), lambda: _split(closed, policy, wanted))


def _split(closed: ClosedJaxpr, policy: Policy, wanted: tuple[bool, ...]) -> Split:
    body = closed.jaxpr
    results = [v for v, w in zip(body.outvars, wanted) if w]
    missing: set[Any] = {v for v in results if type(v) is not Literal}
    known: list[JaxprEqn] = []
    again: list[JaxprEqn] = []
    kept: list[Var] = []
    for eqn in reversed(body.eqns):
        marks = tuple([v in missing for v in eqn.outvars])
        first, found, second = _split_equation(eqn, policy, marks)
        known.append(first)
        kept[:0] = found
        if second is not None:
            again.append(second)
            missing.update(a for a in second.invars if type(a) is not Literal)
    known.reverse()
    again.reverse()
    effects = NO_EFFECTS.union(*[eqn.effects for eqn in again])
    forward = body.replace(eqns=known, outvars=[*body.outvars, *kept])
    rest = Jaxpr(body.constvars, [*body.invars, *kept], results, again, effects, body.debug_info)
    return Split(ClosedJaxpr(forward, closed.consts), ClosedJaxpr(rest, closed.consts), len(kept))


def _split_equation(eqn: JaxprEqn, policy: Policy,
                    wanted: tuple[bool, ...]) -> tuple[JaxprEqn, Sequence[Var], JaxprEqn | None]:
    """What is computed at first, what of it is kept, and what is computed again."""
    if not any(wanted):
        return eqn, (), eqn if eqn.effects else None
    rule = eqn.primitive.extra.get("split")
    if rule is not None:
        return rule(eqn, policy, wanted)
    if saves(policy, eqn):
        return eqn, [v for v, w in zip(eqn.outvars, wanted) if w], None
    return eqn, (), eqn


def split_call(eqn: JaxprEqn, split: Split, again: Callable[[dict], dict] = lambda params: params,
               known: Callable[[dict], dict] = lambda params: params,
               kept_type: Callable[[Any], Any] = lambda aval: aval,
               wanted: Sequence[bool] = ()) -> tuple[JaxprEqn, Sequence[Var], JaxprEqn]:
    """The equations of a call whose jaxpr was taken apart; what is kept comes behind all operands and results.

    Args:
        again, known: change the parameters for what was added.
        kept_type: the type outside of the call of what is kept.
        wanted: results that are computed again.
    """
    count = len(split.known.out_avals) - split.kept
    kept = [Var(kept_type(a)) for a in split.known.out_avals[count:]]
    first = eqn if not kept else eqn.replace(outvars=(*eqn.outvars, *kept),
                                             params=known({**eqn.params, "jaxpr": split.known}))
    second = eqn.replace(invars=(*eqn.invars, *kept), outvars=tuple([v for v, w in zip(eqn.outvars, wanted) if w]),
                         params=again({**eqn.params, "jaxpr": split.again}),
                         effects=split.again.effects if eqn.effects else eqn.effects)
    return first, kept, second


__all__ = ["Either", "Offloadable", "Policy", "Recompute", "Saveable", "Split", "nothing", "saves", "split_call",
           "split_jaxpr"]
