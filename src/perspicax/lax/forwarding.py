"""Values that loops and branches only hand on: they go around the loop, not through it.

A carry that no step changes is a constant of the loop; a stacked result that is an input of each step is that input; a
result that all branches take from one operand is this operand.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.lax.bodies import Body
from perspicax.lax.carry import chosen, unchanged
from perspicax.lax.scanning import scan_p
from perspicax.transform.hooks import as_traced


class _ScanPlan:
    """How a scan is applied: which carries are constants, and which stacked results are inputs (their numbers)."""

    __slots__ = ("closed", "constant", "inputs")

    def __init__(self, closed: ClosedJaxpr, num_consts: int, num_carry: int) -> None:
        invars, outvars = closed.jaxpr.invars, closed.jaxpr.outvars
        first = num_consts + num_carry
        numbers = {v: i for i, v in enumerate(invars[first:])}
        self.constant = unchanged(closed, num_consts, num_carry)
        self.inputs = [None if hasattr(v, "val") else numbers.get(v) for v in outvars[num_carry:]]
        moved = [num_consts + i for i, c in enumerate(self.constant) if c]
        stay = [num_consts + i for i, c in enumerate(self.constant) if not c]
        self.closed = closed
        if moved or any(i is not None for i in self.inputs):
            results = [*[i for i, c in enumerate(self.constant) if not c],
                       *[num_carry + j for j, i in enumerate(self.inputs) if i is None]]
            self.closed = chosen(closed, [*moved, *range(num_consts), *stay, *range(first, len(invars))], results)


def scan_around(body: Body, carry: Sequence[Any], xs: Sequence[Any], **params: Any) -> list[Any]:
    """A scan of a staged body; the last carry and the stacked results."""
    plan = body.found.get("around")
    if plan is None:
        plan = body.found["around"] = _ScanPlan(body.closed, len(body.consts), len(carry))
    if plan.closed is body.closed:
        return scan_p(*body.consts, *carry, *xs, jaxpr=body.closed, num_consts=len(body.consts), num_carry=len(carry), **params)
    moved = [x for x, c in zip(carry, plan.constant) if c]
    outs = iter(scan_p(*moved, *body.consts, *[x for x, c in zip(carry, plan.constant) if not c], *xs, jaxpr=plan.closed,
                       num_consts=len(moved) + len(body.consts), num_carry=len(carry) - len(moved), **params))
    last = [as_traced(x) if c else next(outs) for x, c in zip(carry, plan.constant)]
    return [*last, *[next(outs) if i is None else as_traced(xs[i]) for i in plan.inputs]]


def branches_around(branches: Sequence[ClosedJaxpr]) -> tuple[tuple[ClosedJaxpr, ...], list[int | None]]:
    """The branches without the results that all of them take from one operand, and the number of that operand for each."""
    found: list[int | None] = []
    numbers = [{v: i for i, v in enumerate(b.jaxpr.invars)} for b in branches]
    for column in zip(*[b.jaxpr.outvars for b in branches]):
        places = {None if hasattr(v, "val") else n.get(v) for v, n in zip(column, numbers)}
        found.append(places.pop() if len(places) == 1 else None)
    if all(i is None for i in found):
        return tuple(branches), found
    kept = [j for j, i in enumerate(found) if i is None]
    return tuple([chosen(b, range(len(b.jaxpr.invars)), kept) for b in branches]), found


__all__ = ["branches_around", "scan_around"]
