"""Values that lie on no mesh, though explicit axes split others: types without a split do not tell these from whole ones.

A number, a NumPy array or an array that was made where no mesh is set may stand for a split one: as the first carry of a loop,
or as the result of a branch. One that is whole on each device of a mesh may not, since it was laid so. Which of the two a value
is, the value itself tells, or the equations that it was computed by.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from perspicax.core.jaxpr import JaxprEqn, Literal, eval_jaxpr
from perspicax.core.trace import JaxprTracer, stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.lax.bodies import Body
from perspicax.lax.constraints import laid_as, released, reshard_p
from perspicax.xla.array import ArrayImpl
from perspicax.xla.mesh import get_abstract_mesh
from perspicax.xla.sharding import NamedSharding


def off_mesh(x: Any) -> bool:
    """Whether a value lies on no mesh. Of an argument of a function that is traced its type alone is known: it counts as one
    that does where no mesh is set."""
    if getattr(get_aval(x), "explicit", None) is not None:
        return False
    x = _within(x)
    if isinstance(x, JaxprTracer):
        return _off_in_trace(x)
    if isinstance(x, ArrayImpl):
        return not (x._committed or isinstance(x.sharding, NamedSharding))
    return not isinstance(x, Tracer)


def _within(x: Any) -> Any:
    """What a transformation that runs operations at once computes with: of a dual number the value, of an entry the batch."""
    while isinstance(x, Tracer) and not isinstance(x, JaxprTracer):
        inner = x.inner()
        if inner is None:
            found = x.concrete()
            return x if found is None else found
        x = inner
    return x


def _off_in_trace(x: JaxprTracer) -> bool:
    trace: Any = x._trace
    off = {var: off_mesh(trace.consts[key]) for key, var in trace.const_vars.items()}
    off.update({var: _unsplit(var) and get_abstract_mesh().empty for var in trace.invars})
    _spread(trace.eqns, off)
    return _read(off, x.variable)


def results_off_mesh(body: Body, operands: Sequence[Any]) -> list[bool]:
    """Which results of a staged function lie on no mesh; `operands` are those behind what it closes over."""
    jaxpr = body.closed.jaxpr
    off = {var: off_mesh(x) for var, x in zip(jaxpr.invars, [*body.consts, *operands])}
    _spread(jaxpr.eqns, off)
    return [_read(off, v) for v in jaxpr.outvars]


def _spread(eqns: Iterable[JaxprEqn], off: dict) -> None:
    """What is computed of values on a mesh lies on it; where a mesh is set, all that is computed does."""
    unset = get_abstract_mesh().empty
    for eqn in eqns:
        found = unset and all(_read(off, v) for v in eqn.invars) and not any(map(_on_some_mesh, eqn.values))
        off.update({v: found and _unsplit(v) for v in eqn.outvars})


def _on_some_mesh(value: Any) -> bool:
    """Whether a parameter says that a result lies on a mesh."""
    return any(map(_on_some_mesh, value)) if isinstance(value, (tuple, list)) else isinstance(value, NamedSharding)


def _read(off: dict, atom: Any) -> bool:
    return type(atom) is Literal or off.get(atom, False)


def _unsplit(var: Any) -> bool:
    return getattr(var.aval, "explicit", None) is None


# -- laying them as those that they stand for

def laid_among(x: Any, explicit: Any, others: Iterable[Any]) -> Any:
    """`x`, laid as a type says that has this part, on the devices of those among `others` that lie on this mesh."""
    for other in map(_within, others):
        sharding = other.sharding if isinstance(other, ArrayImpl) else None
        if isinstance(sharding, NamedSharding) and sharding.mesh.abstract_mesh == explicit.mesh:
            return reshard_p(x, dst_sharding=NamedSharding(sharding.mesh, explicit.spec), concrete_mesh=None)
    return laid_as(x, explicit)


def all_laid_alike(values: Sequence[Any]) -> list[Any]:
    """Values of one shape, of which those that lie on no mesh are laid as the first that is split."""
    part = next((p for x in values if (p := get_aval(x).explicit) is not None), None)  # type: ignore[attr-defined]
    return list(values) if part is None else [laid_among(x, part, values) if off_mesh(x) else x for x in values]


def with_laid_results(body: Body, lays: tuple) -> Body:
    """A staged function whose results are laid as `lays` says: the part of a type for each, `None` where it stays."""
    return _restaged(body, ("laid", lays), body.closed.in_avals, lambda xs: xs,
                     lambda outs: [out if part is None else laid_as(out, part) for out, part in zip(outs, lays)])


def with_split_operands(body: Body, avals: Sequence[Any], start: int) -> Body:
    """A staged function that takes operands of these types from `start` on, and leaves the split of those that were not split
    to the compiler."""
    old = body.closed.in_avals
    new = [*old[:start], *avals, *old[start + len(avals):]]
    return _restaged(body, ("split", tuple(new)), new,
                     lambda xs: [x if a is b else released(x) for x, a, b in zip(xs, old, new)], lambda outs: outs)


def _restaged(body: Body, key: tuple, in_avals: Sequence[Any], before: Callable[[Sequence[Any]], Sequence[Any]],
              after: Callable[[list], list]) -> Body:
    closed = body.closed
    made = closed.derive(key, lambda: stage_flat(
        lambda *xs: after(eval_jaxpr(closed.jaxpr, closed.consts, *before(xs))), in_avals, closed.debug_info))
    found = Body(made, body.consts, body.out_tree)
    found.found.update({k: v for k, v in body.found.items() if k != "below"})
    return found


def laid_alike(bodies: Sequence[Body], operands: Sequence[Any]) -> list[Body]:
    """Branches of which results that lie on no mesh are laid as those of the first branch that splits them."""
    outs = list(zip(*[b.closed.out_avals for b in bodies]))
    wanted = [next((a.explicit for a in row if getattr(a, "explicit", None) is not None), None) for row in outs]
    if not any(w is not None for w in wanted):
        return list(bodies)
    made = []
    for body in bodies:
        avals = body.closed.out_avals
        asked = [w is not None and a.explicit is None and a.ndim == len(w.spec) for a, w in zip(avals, wanted)]
        off = results_off_mesh(body, operands) if any(asked) else asked
        lays = tuple([w if ask and free else None for w, ask, free in zip(wanted, asked, off)])
        made.append(with_laid_results(body, lays) if any(w is not None for w in lays) else body)
    return made


__all__ = ["all_laid_alike", "laid_alike", "laid_among", "off_mesh", "results_off_mesh", "with_laid_results",
           "with_split_operands"]
