"""`cond_p`: one of several jaxprs is run, by a value that only the running program knows; and its rules.

Its first operand is an index (int32, within range). Reverse mode lets each branch hand out
its residuals; branches share places for residuals of one type. Under vmap with an index that differs between the entries,
all branches run, and each entry takes its own result.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.config import debug_key_reuse, sanitize
from perspicax.core.effects import Effects, ordered
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, Literal, Var, eval_jaxpr
from perspicax.core.primitive import Inner, Inside, Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import compare, shape
from perspicax.lax.bodies import axis_names, live_part
from perspicax.lax.branch_errors import PlatformError
from perspicax.lax.control_errors import LoopEffectError
from perspicax.lax.loop_emission import emit_case, run_body
from perspicax.lax.markers import stop_gradient_p
from perspicax.lax.random_bits import generators, random_clone_p, random_unwrap_p, random_wrap_p
from perspicax.transform.batch import BatchAxis, batch_jaxpr, to_axis
from perspicax.transform.hooks import as_cotangent, filled, lax
from perspicax.transform.jit_primitive import run_jaxpr
from perspicax.transform.jvp import LinearizedJaxpr, jvp_jaxpr, linearize_jaxpr
from perspicax.transform.transpose import transpose_jaxpr
from perspicax.xla.dispatch import as_array
from perspicax.xla.emit import physical_aval

Branches = tuple[ClosedJaxpr, ...]


def bind_cond(index: Any, operands: Sequence[Any], branches: Sequence[ClosedJaxpr], platforms: Any = None) -> list:
    """A branch; constants that the jaxprs hold become operands of all of them."""
    if any(b.consts for b in branches):
        counts = [len(b.consts) for b in branches]
        operands = [*[c for b in branches for c in b.consts], *operands]
        branches = [_with_consts(b, i, counts, branches) for i, b in enumerate(branches)]
    return cond_p(index, *operands, branches=tuple(branches), **by_platform(platforms))


def by_platform(platforms: Any) -> dict[str, Any]:
    """The parameter that only branches by platform have: the index is known when the program is compiled."""
    return {} if platforms is None else {"branches_platforms": platforms}


def _with_consts(closed: ClosedJaxpr, place: int, counts: Sequence[int], branches: Sequence[ClosedJaxpr]) -> ClosedJaxpr:
    """A branch that takes the constants of all branches in front of its operands."""
    avals = [[v.aval for v in b.jaxpr.constvars] for b in branches]

    def make() -> ClosedJaxpr:
        body = closed.jaxpr
        before = [Var(a) for group in avals[:place] for a in group]
        behind = [Var(a) for group in avals[place + 1:] for a in group]
        return ClosedJaxpr(body.replace(constvars=[], invars=[*before, *body.constvars, *behind, *body.invars]))

    return closed.derive(("with constants", place, tuple(map(tuple, avals))), make)


# -- derivatives

def _cond_jvp(primals: tuple, tangents: tuple, *, branches: Branches, branches_platforms: Any = None) -> tuple[list, list]:
    index, *operands = primals
    moving = tuple(type(t) is not Zero for t in tangents[1:])
    moves = [any(column) for column in zip(*[jvp_jaxpr(b, moving)[1] for b in branches])]
    derived = [jvp_jaxpr(b, moving, tuple(moves))[0] for b in branches]
    outs = bind_cond(index, [*operands, *[t for t in tangents[1:] if type(t) is not Zero]], derived, branches_platforms)
    return _with_zeros(outs, len(moves), moves)


def _with_zeros(outs: list, n: int, moves: Sequence[bool]) -> tuple[list, list]:
    rest = iter(outs[n:])
    return outs[:n], [next(rest) if m else Zero.like(x) for x, m in zip(outs, moves)]


def _cond_linearize(primals: tuple, tangents: tuple, *, branches: Branches,
                    branches_platforms: Any = None) -> tuple[list, list]:
    index, *operands = primals
    moving = tuple(type(t) is not Zero for t in tangents[1:])
    moves = tuple([any(column) for column in zip(*[linearize_jaxpr(b, moving).moves for b in branches])])
    plan = branches[0].derive(("cond linearize", branches, moving, moves), lambda: _LinearPlan(branches, moving, moves))
    n = len(moves)
    outs = bind_cond(index, operands, plan.forward, branches_platforms)
    if not any(moves):
        return outs[:n], [Zero.like(x) for x in outs[:n]]
    handed_on = [(operands if kind == "in" else outs)[i] for kind, i in plan.shared]
    moved = iter(bind_cond(index, [*handed_on, *outs[n:], *[t for t in tangents[1:] if type(t) is not Zero]], plan.linear,
                           branches_platforms))
    return outs[:n], [next(moved) if m else Zero.like(x) for x, m in zip(outs, moves)]


class _LinearPlan:
    """How a branch is taken apart for reverse mode.

    A residual that is an operand or a result of the branch needs no place of its own. The others are further results:
    those of one type, from different branches, share a place; a branch that has none for it fills it with zeros.

    Attributes:
        forward: the branches with residuals behind their results.
        linear: shared residuals, places, moving tangents, to the tangents of the results that move.
        shared: where the shared residuals are found: `("in", i)` or `("out", i)`.
    """

    __slots__ = ("forward", "linear", "shared")

    def __init__(self, branches: Branches, moving: tuple, moves: tuple) -> None:
        parts = [linearize_jaxpr(b, moving, moves) for b in branches]
        n = len(moves)
        self.shared: list[tuple[str, int]] = []
        places: list[Any] = []  # the type of each
        takes = [self._places_of(p, n, places) for p in parts]
        self.forward = [_with_places(p, n, take, places) for p, take in zip(parts, takes)]
        shared_avals = [branches[0].in_avals[i] if kind == "in" else branches[0].out_avals[i] for kind, i in self.shared]
        self.linear = [self._linear(p, take, shared_avals, places) for p, take in zip(parts, takes)]

    def _places_of(self, parts: LinearizedJaxpr, n: int, places: list[Any]) -> list[tuple[str, int]]:
        """For each residual of a branch `("shared", i)` or `("place", i)`."""
        by_result: dict[int, int] = {}
        found = []
        for source in parts.residuals:
            kind, i = source
            if kind == "in" or i < n:
                if source not in self.shared:
                    self.shared.append(source)
                found.append(("shared", self.shared.index(source)))
                continue
            if i not in by_result:
                aval = parts.forward.out_avals[i]
                free = [p for p, a in enumerate(places) if a.strong is aval.strong and p not in by_result.values()]
                if not free:
                    free = [len(places)]
                    places.append(aval)
                by_result[i] = free[0]
            found.append(("place", by_result[i]))
        return found

    def _linear(self, parts: LinearizedJaxpr, take: list, shared_avals: list, places: list) -> ClosedJaxpr:
        body = parts.linear.jaxpr
        residuals, tangents = body.invars[:len(take)], body.invars[len(take):]
        given = dict(zip(take, residuals))
        invars = [*[given.get(("shared", i)) or Var(a) for i, a in enumerate(shared_avals)],
                  *[given.get(("place", i)) or Var(a) for i, a in enumerate(places)], *tangents]
        if len(given) == len(residuals):
            return ClosedJaxpr(body.replace(invars=invars), parts.linear.consts)
        # one value is a residual twice: the second name stands for the first
        same = {r: given[t] for t, r in zip(take, residuals) if given[t] is not r}
        return ClosedJaxpr(_renamed(body, same).replace(invars=invars), parts.linear.consts)


def _renamed(body: Jaxpr, names: dict) -> Jaxpr:
    eqns = [e.replace(invars=[names.get(a, a) if type(a) is not Literal else a for a in e.invars]) for e in body.eqns]
    return body.replace(eqns=eqns, outvars=[names.get(a, a) if type(a) is not Literal else a for a in body.outvars])


def _with_places(parts: LinearizedJaxpr, n: int, take: list[tuple[str, int]], places: list[Any]) -> ClosedJaxpr:
    """A branch that gives its residuals in the places that all branches agreed on."""
    forward = parts.forward
    by_place = {p: i for (kind, p), (_, i) in zip(take, parts.residuals) if kind == "place"}
    if [by_place.get(p) for p in range(len(places))] == list(range(n, len(forward.out_avals))):
        return forward

    def branch(*args: Any) -> list:
        outs = eval_jaxpr(forward.jaxpr, forward.consts, *args)
        return [*outs[:n], *[outs[by_place[p]] if p in by_place else zeros_of(a) for p, a in enumerate(places)]]

    return stage_flat(branch, forward.in_avals, forward.debug_info)


def zeros_of(aval: Any) -> Any:
    """An array of any type that nobody reads."""
    if not aval.extended:
        return filled(aval, 0)
    return empty_p(aval=aval)


empty_p = Primitive(
    "empty", params=("aval",), type_rule=lambda *, aval: aval, jvp=None, transpose=None, batch=None, handles_extended=True,
    emit=lambda b, *, aval: _zeros_emit(b, aval), source="an array that nobody reads")


def _zeros_emit(b: Any, aval: Any) -> Any:
    physical = physical_aval(aval)
    made = b.constant(np.zeros((), physical.dtype), physical)
    return type(made)(made.name, aval)


def _cond_transpose(cts: Sequence[Any], index: Any, *operands: Any, branches: Branches, branches_platforms: Any = None) -> list:
    linear = tuple([type(x) is Linear for x in operands])
    moving = tuple([type(ct) is not Zero for ct in cts])
    pairs = [transpose_jaxpr(b, linear, moving) for b in branches]
    reached = tuple([any(column) for column in zip(*[found for _, found in pairs])])
    avals = [as_cotangent(a.to_tangent_aval()) for a, is_linear in zip(branches[0].in_avals, linear) if is_linear]
    backward = [_reaching(closed, found, reached, avals) for closed, found in pairs]
    known = [x for x in operands if type(x) is not Linear]
    outs = iter(bind_cond(index, [*known, *[ct for ct in cts if type(ct) is not Zero]], backward, branches_platforms)
                if any(reached) else ())
    reach = iter(reached)
    return [None, *[(next(outs) if next(reach) else None) if is_linear else None for is_linear in linear]]


def _reaching(closed: ClosedJaxpr, found: tuple, wanted: tuple, avals: list) -> ClosedJaxpr:
    """A transposed branch that gives zeros for operands that only other branches reach."""
    if found == wanted:
        return closed

    def branch(*args: Any) -> list:
        outs = iter(eval_jaxpr(closed.jaxpr, closed.consts, *args))
        given = [next(outs) if f else None for f in found]
        return [zeros_of(a) if ct is None else ct for ct, w, a in zip(given, wanted, avals) if w]

    return closed.derive(("reaching", wanted), lambda: stage_flat(branch, closed.in_avals, closed.debug_info))


# -- batching

def _cond_batch(axis: BatchAxis, args: tuple, axes: tuple, *, branches: Branches,
                branches_platforms: Any = None) -> tuple[list, list]:
    (index, *operands), (index_axis, *operand_axes) = args, axes
    if index_axis is not None:
        return _select_branch(axis, index, index_axis, operands, operand_axes, branches)
    batched = tuple([a is not None for a in operand_axes])
    found = [any(column) for column in zip(*[batch_jaxpr(b, axis, batched)[1] for b in branches])]
    derived = [batch_jaxpr(b, axis, batched, tuple(found))[0] for b in branches]
    operands = [to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(operands, operand_axes)]
    return bind_cond(index, operands, derived, branches_platforms), [0 if m else None for m in found]


def _select_branch(axis: BatchAxis, index: Any, index_axis: int, operands: list, axes: list,
                   branches: Branches) -> tuple[list, list]:
    """All branches run on the whole batch; each entry takes its own result.

    In a branch that an entry did not choose, its operands count as constants: a derivative that is infinite there must
    not become NaN in the sum (0 times infinity).
    """
    for b in branches:
        for effect in [e for e in b.effects if not e.in_batched_branches]:
            info = b.debug_info
            raise LoopEffectError(function=info.name if info is not None else "", transform="cond", effect=repr(effect),
                                  kind="vmap")
    index = to_axis(index, index_axis, 0, axis.size)
    operands = [to_axis(x, a, 0, axis.size) for x, a in zip(operands, axes)]
    n = len(branches[0].out_avals)
    every = (True,) * n
    results = []
    for i, b in enumerate(branches):
        closed, _ = batch_jaxpr(b, axis, (True,) * len(operands), every)
        chosen = compare.eq(index, np.int32(i))
        guarded = [_guarded(chosen, x, first=i == 0) for x in operands]
        results.append(eval_jaxpr(closed.jaxpr, closed.consts, *guarded))
    outs = []
    for column in zip(*results):
        rank = len(get_aval(column[0]).shape)
        wide = index if rank == 1 else shape.broadcast_in_dim(index, get_aval(column[0]).shape, (0,))
        wanted = get_aval(column[0])  # the weak type of a branch's result is that of the first
        outs.append(compare.select_n(wide, *[x if get_aval(x) is wanted else lax().convert(x, wanted) for x in column]))
    return outs, [0] * n


def _guarded(chosen: Any, x: Any, first: bool) -> Any:
    """An operand as a branch of which the batch runs all takes it.

    Of the branches that use a key up, each entry runs one: the key itself is used up by the first branch, and clones of it
    by the others.
    """
    aval: Any = get_aval(x)
    if dtypes.issubdtype(aval.dtype, dtypes.prng_key):
        return x if first else random_clone_p(x)
    if not first and aval.dtype == np.dtype(np.uint32) and len(aval.shape) > 1 and _keys_are_followed():
        for generator in generators.values():
            if generator.key_shape == aval.shape[-1:]:
                return random_unwrap_p(random_clone_p(random_wrap_p(x, impl=generator)))
    if aval.extended or not dtypes.issubdtype(aval.dtype, np.inexact):
        return x
    wide = chosen if len(aval.shape) == 1 else shape.broadcast_in_dim(chosen, aval.shape, (0,))
    return compare.select_n(wide, stop_gradient_p(x), x)


def _keys_are_followed() -> bool:
    """Whether somebody asks for keys that are used twice; words that are none may pass for keys then."""
    return bool(debug_key_reuse.value) or any(name in (sanitize.value or "") for name in ("keys", "all"))


# -- running

def _cond_effects(branches: Branches, **_: Any) -> Effects:
    return frozenset().union(*[b.effects for b in branches])


def _cond_evaluate(index: Any, *operands: Any, branches: Branches, branches_platforms: Any = None) -> list:
    """The branch that the index names, alone: the others need not be compiled."""
    chosen = branches[min(max(int(as_array(index).value()), 0), len(branches) - 1)]
    outs = run_jaxpr(chosen, [as_array(x) for x in operands], name="cond")
    return [x if x.aval is a else lax().convert(x, a) for x, a in zip(outs, branches[0].out_avals)]


def _cond_emit(b: Any, index: Any, *operands: Any, branches: Branches, branches_platforms: Any = None) -> list:
    if branches_platforms is not None:
        known = platform_place(b.module.platform, branches_platforms)
        return run_body(b, branches[known], operands, "branch")
    emitters = [lambda inner, closed=closed: run_body(inner, closed, operands, "branch") for closed in branches]
    return emit_case(b, index, list(b.out), emitters, ordered(_cond_effects(branches)))


def platform_place(platform: str, platforms: tuple) -> int:
    """The number of the branch for a platform; entries are tuples of names, `None` stands for all others.

    Raises:
        PlatformError: there is none.
    """
    for i, names in enumerate(platforms):
        if names is None or platform in names:
            return i
    raise PlatformError(platform=platform, known=tuple([name for names in platforms for name in names or ()]))


def _cond_prune(used: Sequence[bool], params: dict) -> tuple[dict, list[bool], list[bool]]:
    """The branch without results that nobody reads."""
    branches = params["branches"]
    parts = [live_part(b, tuple(used)) for b in branches]
    reads = [any(column) for column in zip(*[r for _, r in parts])]
    if all(reads) and all(used):
        return params, [True, *reads], list(used)
    key = ("pruned", tuple(used), tuple(reads))
    made = [b.derive(key, lambda b=b, live=live: ClosedJaxpr(live.replace(
        invars=[v for v, r in zip(live.invars, reads) if r], outvars=[v for v, u in zip(live.outvars, used) if u]), b.consts))
        for b, (live, _) in zip(branches, parts)]
    return {**params, "branches": tuple(made)}, [True, *reads], list(used)


def _cond_type(index: Any, *avals: Any, branches: Branches, **_: Any) -> list:
    """The types of the results; they vary along all axes of a mesh along which the choice or that of any branch does."""
    return [outs[0].varying(index.vma.union(*[a.vma for a in outs])) for outs in zip(*[b.out_avals for b in branches])]


def _cond_inside(branches: tuple, **_: Any) -> Inside:
    return Inside("branch", tuple([Inner(b, tuple([("operand", 1 + i) for i in range(len(b.in_avals))])) for b in branches]))


cond_p = Primitive(
    "cond", params=None, multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_cond_type, jvp=_cond_jvp, linearize=_cond_linearize,
    transpose=_cond_transpose, batch=_cond_batch,
    emit=_cond_emit, evaluate=_cond_evaluate, effects=_cond_effects, inside=_cond_inside,
    source="StableHLO specification, `case`")
cond_p.extra["axis_names"] = lambda branches, **_: axis_names(branches)
cond_p.extra["prune"] = _cond_prune

__all__ = ["Branches", "bind_cond", "by_platform", "cond_p", "platform_place"]
