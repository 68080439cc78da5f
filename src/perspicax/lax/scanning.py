"""`scan_p`: a loop of known length over stacked inputs, and its rules.

The body is a jaxpr `consts, carry, x -> carry, y`. Reverse mode takes it apart once: residuals that are the same in every
step are computed once, before the loop; the others are stacked; the backward pass is a scan in the other direction.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.effects import ordered
from perspicax.core.errors import RuleMissingError
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, Literal, eval_jaxpr
from perspicax.core.primitive import Inner, Inside, Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import slicing
from perspicax.lax.bodies import axis_names, live_part, open_consts
from perspicax.lax.carry import carry_fixpoint, chosen, reordered, stacked
from perspicax.lax.compare import lt
from perspicax.lax.loop_emission import INDEX, emit_while, empty, put, run_body, take
from perspicax.lax.while_loops import bind_while
from perspicax.transform.batch import BatchAxis, batch_jaxpr, to_axis
from perspicax.transform.hooks import add_tangents, as_cotangent, flowing_to, instantiate, lax
from perspicax.transform.jit_primitive import run_jaxpr
from perspicax.transform.jvp import jvp_jaxpr, linearize_jaxpr
from perspicax.transform.transpose import transpose_linear
from perspicax.xla.dispatch import as_array


def _parts(items: Sequence[Any], num_consts: int, num_carry: int) -> tuple[list, list, list]:
    return (list(items[:num_consts]), list(items[num_consts:num_consts + num_carry]),
            list(items[num_consts + num_carry:]))


def bind_scan(consts: Sequence[Any], carry: Sequence[Any], xs: Sequence[Any], body: ClosedJaxpr, **params: Any) -> list:
    """A scan; constants that the body holds (of custom rules, say) become operands."""
    body, more = open_consts(body)
    return scan_p(*more, *consts, *carry, *xs, jaxpr=body, num_consts=len(more) + len(consts), num_carry=len(carry), **params)


def _scan_type(*avals: Any, jaxpr: ClosedJaxpr, length: int, num_consts: int, num_carry: int, **_: Any) -> list:
    outs = jaxpr.out_avals
    return [*outs[:num_carry], *[stacked(a, length) for a in outs[num_carry:]]]


# -- derivatives

def _moving(tangents: Sequence[Any]) -> list[bool]:
    return [type(t) is not Zero for t in tangents]


def _present(tangents: Sequence[Any]) -> list[Any]:
    return [t for t in tangents if type(t) is not Zero]


def _scan_jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int,
              **params: Any) -> tuple[list, list]:
    mc, mk, mx = _parts(_moving(tangents), num_consts, num_carry)
    mk = carry_fixpoint(lambda marks: jvp_jaxpr(jaxpr, (*mc, *marks, *mx))[1][:num_carry], mk)
    n_out = len(jaxpr.out_avals)
    derived, moves = jvp_jaxpr(jaxpr, (*mc, *mk, *mx), (*mk, *[False] * (n_out - num_carry)))
    derived, more = open_consts(derived)
    # the body's order is primals, tangents; scan wants consts, carry, xs
    c, k, x = _parts(primals, num_consts, num_carry)
    dc, dk, dx = _parts(tangents, num_consts, num_carry)
    dc, dx, dk = _present(dc), _present(dx), [instantiate(t) for t, m in zip(dk, mk) if m]
    sizes = [len(more), len(c), len(k), len(x), len(dc), len(dk), len(dx)]
    n_ys = n_out - num_carry
    body = reordered(derived, sizes, (0, 1, 4, 2, 5, 3, 6),
                     [num_carry, n_ys, sum(moves[:num_carry]), sum(moves[num_carry:])], (0, 2, 1, 3))
    outs = bind_scan([*more, *c, *dc], [*k, *dk], [*x, *dx], body, **params)
    nk = len(dk)
    results = [*outs[:num_carry], *outs[num_carry + nk:nk + n_out]]
    rest = iter([*outs[num_carry:num_carry + nk], *outs[nk + n_out:]])
    return results, [next(rest) if m else Zero.like(v) for v, m in zip(results, moves)]


def _scan_linearize(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int,
                    **params: Any) -> tuple[list, list]:
    mc, mk, mx = _parts(_moving(tangents), num_consts, num_carry)
    mk = carry_fixpoint(lambda marks: jvp_jaxpr(jaxpr, (*mc, *marks, *mx))[1][:num_carry], mk)
    n_out = len(jaxpr.out_avals)
    pattern, forced = (*mc, *mk, *mx), (*mk, *[False] * (n_out - num_carry))
    plan = jaxpr.derive(("scan linearize", num_consts, num_carry, pattern, forced),
                        lambda: _LinearPlan(jaxpr, num_consts, num_carry, pattern, forced))
    c, k, x = _parts(primals, num_consts, num_carry)
    forward_consts = [*plan.forward_consts, *c]
    outs = bind_scan(forward_consts, k, x, plan.forward, **params)
    results, extra = outs[:n_out], outs[n_out:]
    invariant: dict[int, Any] = {}
    if plan.hoisted is not None:
        before = plan.hoisted
        invariant = dict(enumerate(eval_jaxpr(before, plan.forward_consts, *[primals[i] for i in plan.hoisted_from])))
    found: dict[str, Any] = {"const": primals, "xs": primals, "ys": results, "extra": extra, "before": invariant}
    constant = [found[kind][i] for kind, i in plan.constant]
    stacks = [found[kind][i] for kind, i in plan.stacked]
    dc, dk, dx = _parts(tangents, num_consts, num_carry)
    dk = [instantiate(t) for t, m in zip(dk, mk) if m]
    moved = iter(bind_scan([*constant, *_present(dc)], dk, [*stacks, *_present(dx)], plan.linear, **params))
    return results, [next(moved) if m else Zero.like(v) for v, m in zip(results, plan.moves)]


class _LinearPlan:
    """How a scan is taken apart for reverse mode.

    Attributes:
        forward: the body that also gives the residuals that are stacked.
        forward_consts: values of constants that the forward body holds; they come first among its inputs.
        linear: constant residuals, constant tangents | carry tangents | stacked residuals, tangents of inputs.
        constant, stacked: where each residual is found: `const` and `xs` (operands of the scan), `ys` (results), `extra`
            (further results of `forward`) or `before` (results of `hoisted`).
        hoisted: the equations that give residuals which are the same in each step, or `None`; its inputs are the
            operands numbered by `hoisted_from`.
        moves: which results move.
    """

    __slots__ = ("constant", "forward", "forward_consts", "hoisted", "hoisted_from", "linear", "moves", "stacked")

    def __init__(self, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, pattern: tuple, forced: tuple) -> None:
        parts = linearize_jaxpr(jaxpr, pattern, forced)
        self.moves = parts.moves
        body = parts.forward.jaxpr
        self.forward_consts = parts.forward.consts
        n_out = len(jaxpr.out_avals)
        invariant = _invariant_variables(body, num_consts, num_carry)
        extra: list[Any] = []
        before: list[Any] = []
        sources: list[tuple[str, int]] = []
        for kind, i in parts.residuals:
            var = body.invars[i] if kind == "in" else body.outvars[i]
            if kind == "in" and (i < num_consts or var in invariant):
                sources.append(("const", i))
            elif kind == "in" and i >= num_consts + num_carry:
                sources.append(("xs", i))
            elif type(var) is Literal or var in invariant:
                sources.append(("before", len(before)))
                before.append(var)
            elif kind == "out" and num_carry <= i < n_out:
                sources.append(("ys", i))
            else:
                sources.append(("extra", len(extra)))
                extra.append(var)
        self.hoisted, self.hoisted_from = _hoisted(body, before)
        forward = body.replace(constvars=[], invars=[*body.constvars, *body.invars], outvars=[*body.outvars[:n_out], *extra])
        self.forward = ClosedJaxpr(forward)
        where = [i for i, (kind, _) in enumerate(sources) if kind in ("const", "before")]
        rest = [i for i, (kind, _) in enumerate(sources) if kind not in ("const", "before")]
        self.constant, self.stacked = [sources[i] for i in where], [sources[i] for i in rest]
        linear = parts.linear.jaxpr
        residuals, tangents = linear.invars[:len(sources)], linear.invars[len(sources):]
        split = sum(pattern[:num_consts + num_carry])
        invars = [*[residuals[i] for i in where], *tangents[:split], *[residuals[i] for i in rest], *tangents[split:]]
        self.linear = ClosedJaxpr(linear.replace(invars=invars), parts.linear.consts)


def _invariant_variables(body: Jaxpr, num_consts: int, num_carry: int) -> set:
    """Variables that are the same in every step: constants, carries that are handed on, and what depends on them alone."""
    found: set = {*body.constvars, *body.invars[:num_consts]}
    for i, v in enumerate(body.invars[num_consts:num_consts + num_carry]):
        if body.outvars[i] is v:
            found.add(v)
    for eqn in body.eqns:
        if not eqn.effects and all(type(a) is Literal or a in found for a in eqn.invars):
            found.update(eqn.outvars)
    return found


def _hoisted(body: Jaxpr, wanted: Sequence[Any]) -> tuple[Jaxpr | None, list[int]]:
    """The part of the body that computes `wanted`, and the numbers of the inputs that it needs."""
    if not wanted:
        return None, []
    needed = {a for a in wanted if type(a) is not Literal}
    eqns: list[Any] = []
    for eqn in reversed(body.eqns):
        if not needed.isdisjoint(eqn.outvars):
            eqns.append(eqn)
            needed.update([a for a in eqn.invars if type(a) is not Literal])
    numbers = [i for i, v in enumerate(body.invars) if v in needed]
    return Jaxpr(body.constvars, [body.invars[i] for i in numbers], wanted, eqns[::-1], debug_info=body.debug_info), numbers


def _scan_transpose(cts: list, *operands: Any, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, reverse: bool,
                    **params: Any) -> list:
    """The backward scan.

    Linear constants accumulate their cotangents in the carry; the carry's cotangent runs backwards; linear inputs give
    their cotangents as stacked results.
    """
    consts, carry, xs = _parts(operands, num_consts, num_carry)
    lc, lk, lx = ([type(v) is Linear for v in group] for group in (consts, carry, xs))
    # A carry that starts from a known value (mostly zeros, where only later steps move it) is linear all the same: its
    # cotangent is computed on the way and dropped at the end. A carry of integers cannot be.
    if any(not m and not dtypes.issubdtype(get_aval(v).dtype, np.inexact) for v, m in zip(carry, lk)):
        return _transpose_beside_known(cts, consts, carry, xs, jaxpr=jaxpr, reverse=reverse, **params)
    ct_carry = [flowing_to(a, instantiate(ct)) for a, ct in zip(jaxpr.out_avals, cts[:num_carry])]
    ct_ys = _present(cts[num_carry:])
    pattern = _Transposed(jaxpr, tuple(lc), tuple(lx), tuple(_moving(cts[num_carry:])), num_consts, num_carry)
    known_consts = [v for v, m in zip(consts, lc) if not m]
    known_xs = [v for v, m in zip(xs, lx) if not m]
    body = jaxpr.derive(("scan transpose", pattern.key, tuple([get_aval(ct) for ct in ct_carry])),
                        lambda: pattern.stage([get_aval(ct) for ct in ct_carry]))
    zeros = [lax().zeros(a) for a in pattern.const_avals]
    outs = iter(bind_scan(known_consts, [*zeros, *ct_carry], [*known_xs, *ct_ys], body, reverse=not reverse, **params))
    back_c = [next(outs) if m else None for m in lc]
    back_k = [ct if m else None for ct, m in zip([next(outs) for _ in carry], lk)]
    back_x = [next(outs) if m else None for m in lx]
    return [*back_c, *back_k, *back_x]


def _transpose_beside_known(cts: list, consts: list, carry: list, xs: list, *, jaxpr: ClosedJaxpr, reverse: bool,
                            **params: Any) -> list:
    """The backward scan of a loop that also carries what no linear operand reaches: counters, say.

    That part runs forwards first; what it was at the start of each step is an input of the other part.
    """
    nc, nk = len(consts), len(carry)
    linear = [type(v) is Linear for v in [*consts, *carry, *xs]]
    reads = [live_part(jaxpr, tuple([i == k for i in range(len(jaxpr.out_avals))]))[1] for k in range(nk)]

    def reached(marks: tuple) -> list[bool]:
        moved = [*linear[:nc], *marks, *linear[nc + nk:]]
        return [any(r and m for r, m in zip(row, moved)) for row in reads]

    moves = carry_fixpoint(reached, linear[nc:nc + nk])
    if any(m and not dtypes.issubdtype(a.dtype, np.inexact) for m, a in zip(moves, jaxpr.in_avals[nc:nc + nk])):
        raise RuleMissingError(primitive="scan", rule="transpose",
                               reason="the loop carries integers that are computed from what it is to be linear in")
    still = [i for i, m in enumerate(moves) if not m]
    going = [i for i, m in enumerate(moves) if m]
    known = [i for i in [*range(nc), *range(nc + nk, len(linear))] if not linear[i]]
    given = [*consts, *carry, *xs]
    outs = bind_scan([given[i] for i in known if i < nc], [carry[i] for i in still], [given[i] for i in known if i >= nc],
                     _known_carries(jaxpr, tuple(known), tuple(still), nc), reverse=reverse, **params)
    before = outs[len(still):]
    rest = chosen(jaxpr, [*range(nc), *[nc + i for i in [*going, *still]], *range(nc + nk, len(linear))],
                  [*going, *range(nk, len(jaxpr.out_avals))])
    found = _scan_transpose([*[cts[i] for i in going], *cts[nk:]], *consts, *[carry[i] for i in going], *before, *xs,
                            jaxpr=rest, num_consts=nc, num_carry=len(going), reverse=reverse, **params)
    back = dict(zip(going, found[nc:nc + len(going)]))
    return [*found[:nc], *[back.get(i) for i in range(nk)], *found[nc + nk:]]


def _known_carries(jaxpr: ClosedJaxpr, known: tuple, still: tuple, num_consts: int) -> ClosedJaxpr:
    """The part of a body that computes some carries: `known consts, carries, known xs -> carries | carries before`."""
    def make() -> ClosedJaxpr:
        live, _ = live_part(jaxpr, tuple([i in still for i in range(len(jaxpr.out_avals))]))
        carries = [live.invars[num_consts + i] for i in still]
        invars = [*[live.invars[i] for i in known if i < num_consts], *carries,
                  *[live.invars[i] for i in known if i >= num_consts]]
        return ClosedJaxpr(live.replace(invars=invars, outvars=[*[live.outvars[i] for i in still], *carries]), jaxpr.consts)

    return jaxpr.derive(("known carries", known, still, num_consts), make)


class _Transposed:
    """The backward body for one pattern of linear operands and cotangents."""

    def __init__(self, jaxpr: ClosedJaxpr, linear_consts: tuple, linear_xs: tuple, y_moves: tuple, num_consts: int,
                 num_carry: int) -> None:
        self.jaxpr, self.linear_consts, self.linear_xs, self.y_moves = jaxpr, linear_consts, linear_xs, y_moves
        self.key = (linear_consts, linear_xs, y_moves, num_consts, num_carry)
        self.num_carry = num_carry
        self.c_avals, self.k_avals, self.x_avals = _parts(jaxpr.in_avals, num_consts, num_carry)
        self.y_avals = jaxpr.out_avals[num_carry:]
        self.const_avals = [as_cotangent(a.to_tangent_aval()) for a, m in zip(self.c_avals, linear_consts) if m]

    def stage(self, ct_avals: list) -> ClosedJaxpr:
        """known consts | sums, carry cotangents | known xs, cotangents of ys -> sums, carry cotangents | xs cotangents"""
        known_c = [a for a, m in zip(self.c_avals, self.linear_consts) if not m]
        known_x = [a for a, m in zip(self.x_avals, self.linear_xs) if not m]
        in_avals = [*known_c, *self.const_avals, *ct_avals, *known_x,
                    *[as_cotangent(a) for a, m in zip(self.y_avals, self.y_moves) if m]]

        def backward(*args: Any) -> list:
            it = iter(args)
            consts = [next(it) for _ in known_c]
            sums = [next(it) for _ in self.const_avals]
            ct_carry = [next(it) for _ in ct_avals]
            xs = [next(it) for _ in known_x]
            ct_ys = [next(it) if m else Zero(a) for a, m in zip(self.y_avals, self.y_moves)]
            return self._step(iter(consts), sums, iter(xs), [*ct_carry, *ct_ys])

        return stage_flat(backward, in_avals, self.jaxpr.debug_info)

    def _step(self, consts: Any, sums: list, xs: Any, cts: list) -> list:
        values = [*[Linear(a) if m else next(consts) for a, m in zip(self.c_avals, self.linear_consts)],
                  *[Linear(a) for a in self.k_avals],
                  *[Linear(a) if m else next(xs) for a, m in zip(self.x_avals, self.linear_xs)]]
        found = transpose_linear(self.jaxpr.jaxpr, self.jaxpr.consts, values, cts)
        back_c, back_k, back_x = _parts(found, len(self.c_avals), self.num_carry)
        moved = [ct for ct, m in zip(back_c, self.linear_consts) if m]
        return [*[add_tangents(a, ct) for a, ct in zip(sums, moved)],
                *[flowing_to(a, instantiate(ct)) for a, ct in zip(self.k_avals, back_k)],
                *[instantiate(ct) for ct, m in zip(back_x, self.linear_xs) if m]]


# -- batching

def _scan_batch(axis: BatchAxis, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int,
                **params: Any) -> tuple[list, list]:
    bc, bk, bx = _parts([a is not None for a in axes], num_consts, num_carry)
    bk = carry_fixpoint(lambda marks: batch_jaxpr(jaxpr, axis, (*bc, *marks, *bx))[1][:num_carry], bk)
    forced = (*bk, *[False] * (len(jaxpr.out_avals) - num_carry))
    body, found = batch_jaxpr(jaxpr, axis, (*bc, *bk, *bx), forced)
    c, k, x = _parts(args, num_consts, num_carry)
    ac, ak, ax = _parts(axes, num_consts, num_carry)
    c = [to_axis(v, a, 0, axis.size) if a is not None else v for v, a in zip(c, ac)]
    k = [to_axis(v, a, 0, axis.size) if m else v for v, a, m in zip(k, ak, bk)]
    x = [to_axis(v, a, 1, axis.size) if a is not None else v for v, a in zip(x, ax)]
    outs = bind_scan(c, k, x, body, **params)
    return outs, [(0 if i < num_carry else 1) if m else None for i, m in enumerate(found)]


# -- running

def _scan_evaluate(*args: Any, jaxpr: ClosedJaxpr, **params: Any) -> list:
    arrays = [as_array(x) for x in args]
    search = lambda: _run_steps(arrays, jaxpr=jaxpr, **params)
    num_consts, num_carry, length = params["num_consts"], params["num_carry"], params["length"]
    if len(jaxpr.out_avals) == num_carry and len(arrays) == num_consts + num_carry and params["unroll"] == 1:
        operands = [*arrays[:num_consts], as_array(np.int32(length)), as_array(np.int32(0)), *arrays[num_consts:]]
        avals = tuple([x.aval for x in operands])
        whole = jaxpr.derive(("counted program", avals), lambda: _counted(jaxpr, avals, num_consts))
        return run_jaxpr(whole, operands, name="scan", search=search)[2:]
    avals = tuple([x.aval for x in arrays])
    whole = jaxpr.derive(("scan program", avals, *params.items()), lambda: stage_flat(
        lambda *xs: scan_p(*xs, jaxpr=jaxpr, **params), avals, jaxpr.debug_info))
    return run_jaxpr(whole, arrays, name="scan", search=search)


def _counted(jaxpr: ClosedJaxpr, avals: tuple, num_consts: int) -> ClosedJaxpr:
    """The program of a scan that only carries: its length is an operand, so that one program serves for all lengths."""
    count = get_aval(np.int32(0))
    carry = list(avals[num_consts + 2:])

    def body(*xs: Any) -> list:
        consts, (length, i, *carry) = xs[:num_consts], xs[num_consts:]
        return [length, lax().add(i, np.int32(1)), *eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *consts, *carry)]

    step = stage_flat(body, avals, jaxpr.debug_info)
    test = stage_flat(lambda length, i, *_: [lt(i, length)], [count, count, *carry], jaxpr.debug_info)
    return stage_flat(lambda *xs: bind_while(test, [], step, xs[:num_consts], xs[num_consts:]), avals, jaxpr.debug_info)


def _run_steps(args: Sequence[Any], *, jaxpr: ClosedJaxpr, length: int, reverse: bool, num_consts: int, num_carry: int,
               **_: Any) -> None:
    """The steps one by one, and their equations: with debug_nans, the one that makes a NaN is reported on the way."""
    consts, carry, xs = _parts(args, num_consts, num_carry)
    for i in reversed(range(length)) if reverse else range(length):
        here = [slicing.index_in_dim(x, i, keepdims=False) for x in xs]
        carry = eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *consts, *carry, *here)[:num_carry]


def _scan_emit(b: Any, *args: Any, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, length: int, reverse: bool,
               unroll: int) -> list:
    """A while loop over a counter, which does `unroll` steps a round; what is left over is written out behind it."""
    consts, carry, xs = _parts(args, num_consts, num_carry)
    stack = [empty(b, stacked(a, length)) for a in jaxpr.out_avals[num_carry:]]
    known = type(length) is int
    unroll = unroll if known else 1
    rounds = length // max(unroll, 1)
    looped = not known or rounds > 1

    def one(inner: Any, k: Sequence[Any], ys: Sequence[Any], at: Any) -> tuple[list, list]:
        place = at
        if reverse:
            place = length - 1 - at if isinstance(at, int) else inner.op(
                "subtract", [inner.constant(length - 1, INDEX), at], INDEX)
        outs = run_body(inner, jaxpr, [*consts, *k, *[take(inner, x, place) for x in xs]], "scan_body")
        to = inner.constant(place, INDEX) if isinstance(place, int) else place
        return outs[:num_carry], [put(inner, s, y, to) for s, y in zip(ys, outs[num_carry:])]

    def step(inner: Any, at: Any, *state: Any) -> list:
        k, ys = list(state[:num_carry]), list(state[num_carry:])
        for i in range(unroll):
            here = at if i == 0 else inner.op("add", [at, inner.constant(i, INDEX)], INDEX)
            k, ys = one(inner, k, ys, here)
        return [inner.op("add", [at, inner.constant(unroll, INDEX)], INDEX), *k, *ys]

    if looped:
        bound = rounds * unroll
        test = lambda inner, at, *_: inner.compare(at, inner.constant(bound, INDEX), "LT", "SIGNED")
        _, *state = emit_while(b, [b.constant(0, INDEX), *carry, *stack], test, step, ordered(jaxpr.effects))
        carry, stack = state[:num_carry], state[num_carry:]
    for i in range(rounds * unroll if looped else 0, length) if known else ():
        carry, stack = one(b, carry, stack, i)
    return [*carry, *stack]


def _scan_prune(used: Sequence[bool], params: dict) -> tuple[dict, list[bool], list[bool]]:
    """The scan without results that nobody reads: its parameters, which operands and which results are left."""
    jaxpr, num_consts, num_carry = params["jaxpr"], params["num_consts"], params["num_carry"]
    uk, uy = list(used[:num_carry]), list(used[num_carry:])

    def needs(marks: Sequence[bool]) -> tuple:
        return live_part(jaxpr, (*marks, *uy))

    uk = carry_fixpoint(lambda marks: needs(marks)[1][num_consts:num_consts + num_carry], uk)
    body, reads = needs(uk)
    reads = [*reads[:num_consts], *uk, *reads[num_consts + num_carry:]]
    if all(reads) and all(uk) and all(uy):
        return params, reads, [*uk, *uy]  # a carry that only the next step reads is a result all the same
    key = ("pruned", num_consts, num_carry, tuple(uk), tuple(uy))
    made = jaxpr.derive(key, lambda: ClosedJaxpr(body.replace(
        invars=[v for v, r in zip(body.invars, reads) if r],
        outvars=[v for v, u in zip(body.outvars, [*uk, *uy]) if u]), jaxpr.consts))
    return {**params, "jaxpr": made, "num_consts": sum(reads[:num_consts]), "num_carry": sum(uk)}, reads, [*uk, *uy]


def _scan_inside(jaxpr: ClosedJaxpr, length: int, reverse: bool, num_consts: int, num_carry: int, **_: Any) -> Inside:
    kinds = ["operand"] * num_consts + ["carry"] * num_carry + ["row"] * (len(jaxpr.in_avals) - num_consts - num_carry)
    inputs: Any = tuple(zip(kinds, range(len(kinds))))
    return Inside("loop", (Inner(jaxpr, inputs),), length, reverse, word="scan")


scan_p = Primitive(
    "scan",
    params=("jaxpr", "length", "reverse", "unroll", "num_consts", "num_carry"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_scan_type, jvp=_scan_jvp, linearize=_scan_linearize, transpose=_scan_transpose, batch=_scan_batch,
    emit=_scan_emit, evaluate=_scan_evaluate,
    effects=lambda jaxpr, **_: jaxpr.effects,
    inside=_scan_inside,
    source="StableHLO specification, `while`",
)

scan_p.extra["axis_names"] = lambda jaxpr, **_: axis_names([jaxpr])
scan_p.extra["prune"] = _scan_prune

__all__ = ["bind_scan", "scan_p"]
