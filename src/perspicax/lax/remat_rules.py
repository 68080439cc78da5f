"""How loops are taken apart by the policy of a checkpointed function that they stand in.

Loaded with `jax.checkpoint`: the rule `split` (see `transform.remat_split`) goes on inside the body.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import perspicax.lax as lax
from perspicax.core.jaxpr import JaxprEqn
from perspicax.transform.remat_split import Policy, split_call, split_jaxpr

__all__ = ["split_scan"]


def split_scan(eqn: JaxprEqn, policy: Policy, wanted: tuple[bool, ...]) -> tuple[JaxprEqn, Sequence[Any], JaxprEqn | None]:
    """A loop that stacks what the policy keeps of each step, and one that computes the wanted results from that.

    The second loop carries what the first does: the carry of a step is not kept unless the policy says so.
    """
    params = eqn.params
    carries, length = params["num_carry"], params["length"]
    again_wanted = (*(True,) * carries, *wanted[carries:])
    split = split_jaxpr(params["jaxpr"], policy, again_wanted)

    return split_call(eqn, split, wanted=again_wanted, kept_type=lambda aval: aval.batched(length, 0))


lax.scan_p.extra["split"] = split_scan
