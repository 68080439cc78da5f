"""Programs with references, staged to be looked at or compiled: `jit(f).trace(ref)` and what follows.

The jaxpr shows references; what is lowered is that jaxpr applied to their values, which returns the new ones behind the
results. A compiled program reads the references that it is called with, and those that were closed over, and writes to them.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo, eval_jaxpr
from perspicax.core.refs import AbstractRef, RefCell, recording_rules
from perspicax.core.trace import stage_flat
from perspicax.transform.ahead import RefUse, Traced


def without_refs(traced: Traced) -> Traced:
    """The program on values of references, in place of one that has some; any other as it is."""
    closed = traced.closed
    held = [c for c in closed.consts if isinstance(c, RefCell)]
    passed = [i for i, a in enumerate(traced.avals) if type(a) is AbstractRef]
    if not held and not passed and not any(type(v.aval) is AbstractRef for eqn in closed.jaxpr.eqns for v in eqn.outvars):
        return traced
    pure = closed.derive("without references", lambda: _on_values(closed, held))
    more = len(held)
    found = Traced(pure, traced.out_tree, traced.name, traced.in_tree, pure.in_avals, (*traced.donated, *[False] * more))
    found.refs = RefUse(tuple(passed), tuple(held), traced.avals)
    return found


def _on_values(closed: ClosedJaxpr, held: Sequence[RefCell]) -> ClosedJaxpr:
    """A jaxpr of values, those of references that were closed over last; it returns the results and the new values."""
    avals = [a.inner_aval if type(a) is AbstractRef else a for a in closed.in_avals]
    count = len(avals)

    def run(*flat: Any) -> list[Any]:
        cell = recording_rules().cell
        args = [cell(x) if type(a) is AbstractRef else x for x, a in zip(flat[:count], closed.in_avals)]
        rest = iter(flat[count:])
        consts = [cell(next(rest)) if isinstance(c, RefCell) else c for c in closed.consts]
        outs = eval_jaxpr(closed.jaxpr, consts, *args)
        return [*outs, *[x.read() for x in (*args, *consts) if isinstance(x, RefCell)]]

    about = closed.debug_info
    if about is not None and held:
        about = DebugInfo(about.transform, about.name, about.place, lambda: _names(closed.debug_info, len(held)))
    return stage_flat(run, [*avals, *[c.inner_aval() for c in held]], about)


def _names(about: Any, more: int) -> list[str]:
    return [*(about.arg_names or ()), *["a reference that it closes over"] * more]


__all__ = ["without_refs"]
