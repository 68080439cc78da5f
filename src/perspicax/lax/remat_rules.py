"""How loops and branches are taken apart by the policy of a checkpointed function that they stand in.

Loaded with `jax.checkpoint`: the rule `split` (see `transform.remat_split`) goes on inside the body.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import perspicax.lax as lax
from perspicax.core.jaxpr import ClosedJaxpr, JaxprEqn, Var, eval_jaxpr
from perspicax.core.trace import stage_flat
from perspicax.transform import hooks
from perspicax.transform.remat_split import Policy, Split, split_call, split_jaxpr

__all__ = ["split_cond", "split_scan"]


def split_scan(eqn: JaxprEqn, policy: Policy, wanted: tuple[bool, ...]) -> tuple[JaxprEqn, Sequence[Any], JaxprEqn | None]:
    """A loop that stacks what the policy keeps of each step, and one that computes the wanted results from that.

    The second loop carries what the first does: the carry of a step is not kept unless the policy says so.
    """
    params = eqn.params
    carries, length = params["num_carry"], params["length"]
    again_wanted = (*(True,) * carries, *wanted[carries:])
    split = split_jaxpr(params["jaxpr"], policy, again_wanted)
    return split_call(eqn, split, wanted=again_wanted, kept_type=lambda aval: aval.batched(length, 0))


def split_cond(eqn: JaxprEqn, policy: Policy, wanted: tuple[bool, ...]) -> tuple[JaxprEqn, Sequence[Any], JaxprEqn | None]:
    """Branches that give what the policy keeps of them besides their results, and branches that start from that.

    What the branches keep shares its places: only one of them runs. A branch gives zeros for a place that it does not
    need.
    """
    params = eqn.params
    splits = [split_jaxpr(branch, policy, wanted) for branch in params["branches"]]
    places: list[Any] = []
    taken = [_places(split, places) for split in splits]
    if not places or any(aval.extended for aval in places):  # there are no keys that are zero: computed again as a whole
        return eqn, (), eqn
    kept = [Var(aval) for aval in places]
    known = tuple([_known_branch(split, at, places) for split, at in zip(splits, taken)])
    again = tuple([_again_branch(split, at, places) for split, at in zip(splits, taken)])
    first = eqn.replace(outvars=(*eqn.outvars, *kept), params={**params, "branches": known})
    second = eqn.replace(invars=(*eqn.invars, *kept), outvars=tuple([v for v, w in zip(eqn.outvars, wanted) if w]),
                         params={**params, "branches": again})
    return first, kept, second


def _places(split: Split, places: list[Any]) -> list[int]:
    """The place of each value that a branch keeps, among `places`, which grows where there is none of its type left."""
    free = list(range(len(places)))
    found = []
    for aval in split.known.out_avals[len(split.known.out_avals) - split.kept:]:
        at = next((i for i in free if places[i] is aval), None)
        if at is None:
            at = len(places)
            places.append(aval)
        else:
            free.remove(at)
        found.append(at)
    return found


def _known_branch(split: Split, at: list[int], places: list[Any]) -> ClosedJaxpr:
    def branch(*args: Any) -> list[Any]:
        outs = eval_jaxpr(split.known.jaxpr, split.known.consts, *args)
        kept = dict(zip(at, outs[len(outs) - split.kept:]))
        values = [kept[i] if i in kept else hooks.lax().zeros(aval) for i, aval in enumerate(places)]
        return [*outs[:len(outs) - split.kept], *values]

    return stage_flat(branch, split.known.in_avals, split.known.debug_info)


def _again_branch(split: Split, at: list[int], places: list[Any]) -> ClosedJaxpr:
    def branch(*args: Any) -> list[Any]:
        operands, values = args[:len(args) - len(places)], args[len(args) - len(places):]
        return eval_jaxpr(split.again.jaxpr, split.again.consts, *operands, *[values[i] for i in at])

    return stage_flat(branch, [*split.known.in_avals, *places], split.again.debug_info)


lax.scan_p.extra["split"] = split_scan
lax.cond_p.extra["split"] = split_cond
