"""`scan`: a loop of fixed length over stacked inputs.

The body is a jaxpr `consts, carry, x -> carry, y`. Reverse mode linearises the body once: residuals that are loop
constants stay constants, the others are stacked; the backward pass is a scan in the other direction.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import config
from perspicax.core.context import eager
from perspicax.core.errors import RuleMissingError
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import shape, slicing
from perspicax.lax.control_errors import CarryTypeError, ScanLengthError
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_jaxpr, to_axis
from perspicax.transform.hooks import add_tangents, instantiate, lax
from perspicax.transform.jit_primitive import jit_p, run_jaxpr
from perspicax.transform.jvp import jvp_jaxpr, linearize_jaxpr
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name
from perspicax.transform.transpose import transpose_linear
from perspicax.xla.dispatch import as_array


def stacked(aval: Any, length: int) -> Any:
    """The type of `length` values of type `aval`, one behind the other."""
    return aval.batched(length, 0)


def _scan_type(*avals: Any, jaxpr: ClosedJaxpr, length: int, num_consts: int, num_carry: int, **_: Any) -> list:
    outs = jaxpr.out_avals
    return [*outs[:num_carry], *[stacked(a, length) for a in outs[num_carry:]]]


def _parts(items: Sequence[Any], num_consts: int, num_carry: int) -> tuple[list, list, list]:
    return (list(items[:num_consts]), list(items[num_consts:num_consts + num_carry]),
            list(items[num_consts + num_carry:]))


def _carry_fixpoint(step: Callable[[tuple], tuple], start: list[bool], num_carry: int) -> list[bool]:
    """The smallest set of marked carries that contains `start` and is closed under the body."""
    marked = list(start)
    for _ in range(num_carry + 1):
        out = step(tuple(marked))[:num_carry]
        joined = [a or b for a, b in zip(marked, out)]
        if joined == marked:
            return marked
        marked = joined
    return marked


def _scan_jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int,
              **params: Any) -> tuple[list, list]:
    moving = [type(t) is not Zero for t in tangents]
    mc, mk, mx = _parts(moving, num_consts, num_carry)
    mk = _carry_fixpoint(lambda marks: jvp_jaxpr(jaxpr, (*mc, *marks, *mx))[1], mk, num_carry)
    n_out = len(jaxpr.out_avals)
    forced = (*mk, *[False] * (n_out - num_carry))
    derived, moves = jvp_jaxpr(jaxpr, (*mc, *mk, *mx), forced)
    # the body's order is primals, tangents; scan wants consts, carry, xs
    c, k, x = _parts(primals, num_consts, num_carry)
    dc, dk, dx = _parts(tangents, num_consts, num_carry)
    dc, dx = [t for t in dc if type(t) is not Zero], [t for t in dx if type(t) is not Zero]
    dk = [instantiate(t) for t, m in zip(dk, mk) if m]
    sizes = [len(c), len(k), len(x), len(dc), len(dk), len(dx)]
    body = reordered(derived, sizes, (0, 3, 1, 4, 2, 5), out_sizes=[num_carry, n_out - num_carry, sum(moves[:num_carry]),
                                                                   sum(moves[num_carry:])], out_order=(0, 2, 1, 3))
    outs = scan_p(*c, *dc, *k, *dk, *x, *dx, jaxpr=body, num_consts=num_consts + len(dc), num_carry=num_carry + len(dk),
                  **params)
    nk = len(dk)
    results = [*outs[:num_carry], *outs[num_carry + nk:num_carry + nk + n_out - num_carry]]
    rest = iter([*outs[num_carry:num_carry + nk], *outs[nk + n_out:]])
    return results, [next(rest) if m else Zero.like(v) for v, m in zip(results, moves)]


def reordered(closed: ClosedJaxpr, sizes: Sequence[int], order: Sequence[int], out_sizes: Sequence[int] = (),
              out_order: Sequence[int] = ()) -> ClosedJaxpr:
    """The same jaxpr with groups of inputs (and of results) in another order; one object for each order."""
    def make() -> ClosedJaxpr:
        body = closed.jaxpr
        return ClosedJaxpr(body.replace(invars=_regroup(body.invars, sizes, order),
                                        outvars=_regroup(body.outvars, out_sizes, out_order) if out_sizes else body.outvars),
                           closed.consts)

    return closed.derive(("reordered", tuple(sizes), tuple(order), tuple(out_sizes), tuple(out_order)), make)


def _regroup(items: Sequence[Any], sizes: Sequence[int], order: Sequence[int]) -> list:
    groups, start = [], 0
    for n in sizes:
        groups.append(items[start:start + n])
        start += n
    return [v for i in order for v in groups[i]]


def _scan_linearize(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int,
                    reverse: bool, length: int, unroll: int, **params: Any) -> tuple[list, list]:
    moving = [type(t) is not Zero for t in tangents]
    mc, mk, mx = _parts(moving, num_consts, num_carry)
    mk = _carry_fixpoint(lambda marks: jvp_jaxpr(jaxpr, (*mc, *marks, *mx))[1], mk, num_carry)
    n_out = len(jaxpr.out_avals)
    pattern, forced = (*mc, *mk, *mx), (*mk, *[False] * (n_out - num_carry))
    parts = linearize_jaxpr(jaxpr, pattern, forced)
    forward, residual_from = _with_stacked_residuals(jaxpr, parts, num_consts, num_carry, (pattern, forced))
    outs = scan_p(*primals, jaxpr=forward, num_consts=num_consts, num_carry=num_carry, reverse=reverse, length=length,
                  unroll=unroll, **params)
    results, extra = outs[:n_out], outs[n_out:]
    constant, stacked_residuals = [], []
    for kind, i in residual_from:
        if kind == "const":
            constant.append(primals[i])
        elif kind == "xs":
            stacked_residuals.append(primals[i])
        else:
            stacked_residuals.append(results[i] if kind == "ys" else extra[i])
    # body of the linear scan: constant residuals, const tangents | carry tangents | stacked residuals, xs tangents
    n_res = len(residual_from)
    where = [i for i, (kind, _) in enumerate(residual_from) if kind == "const"]
    rest = [i for i in range(n_res) if i not in where]
    linear = _linear_body(parts.linear, where, rest, n_res, sum(mc), sum(mk), sum(mx), (pattern, forced))
    dc, dk, dx = _parts(tangents, num_consts, num_carry)
    dc, dx = [t for t in dc if type(t) is not Zero], [t for t in dx if type(t) is not Zero]
    dk = [instantiate(t) for t, m in zip(dk, mk) if m]
    moved = scan_p(*constant, *dc, *dk, *stacked_residuals, *dx, jaxpr=linear, num_consts=len(constant) + len(dc),
                   num_carry=len(dk), reverse=reverse, length=length, unroll=unroll, **params)
    rest_ = iter(moved)
    return results, [next(rest_) if m else Zero.like(v) for v, m in zip(results, parts.moves)]


def _with_stacked_residuals(jaxpr: ClosedJaxpr, parts: Any, num_consts: int, num_carry: int,
                            key: tuple) -> tuple[ClosedJaxpr, tuple]:
    """The forward body that also gives the residuals that have to be stacked, and where each residual is found."""
    def make() -> tuple[ClosedJaxpr, tuple]:
        body = parts.forward.jaxpr
        n_out = len(jaxpr.out_avals)
        extra: list[Any] = []
        sources = []
        for kind, i in parts.residuals:
            if kind == "in" and i < num_consts:
                sources.append(("const", i))
            elif kind == "in" and i >= num_consts + num_carry:
                sources.append(("xs", i))
            elif kind == "out" and num_carry <= i < n_out:
                sources.append(("ys", i))
            else:
                var = body.invars[i] if kind == "in" else body.outvars[i]
                sources.append(("extra", len(extra)))
                extra.append(var)
        forward = ClosedJaxpr(body.replace(outvars=[*body.outvars[:n_out], *extra]), parts.forward.consts)
        return forward, tuple(sources)

    return jaxpr.derive(("scan forward", num_consts, num_carry, key), make)


def _linear_body(linear: ClosedJaxpr, where: list, rest: list, n_res: int, nc: int, nk: int, nx: int,
                 key: tuple) -> ClosedJaxpr:
    def make() -> ClosedJaxpr:
        body = linear.jaxpr
        residuals, tangents = body.invars[:n_res], body.invars[n_res:]
        invars = [*[residuals[i] for i in where], *tangents[:nc + nk], *[residuals[i] for i in rest], *tangents[nc + nk:]]
        return ClosedJaxpr(body.replace(invars=invars), linear.consts)

    return linear.derive(("scan linear", tuple(where), nc, nk, key), make)


def _scan_transpose(cts: list, *operands: Any, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, reverse: bool,
                    length: int, unroll: int, **params: Any) -> list:
    """The backward scan.

    Linear constants accumulate their cotangents in the carry; the carry's cotangent runs backwards; linear inputs give
    their cotangents as stacked results.
    """
    consts, carry, xs = _parts(operands, num_consts, num_carry)
    lc, lk, lx = ([type(v) is Linear for v in group] for group in (consts, carry, xs))
    ct_carry = [instantiate(ct) for ct in cts[:num_carry]]
    ct_ys = cts[num_carry:]
    y_moves = [type(ct) is not Zero for ct in ct_ys]
    known_consts = [v for v, is_linear in zip(consts, lc) if not is_linear]
    known_xs = [v for v, is_linear in zip(xs, lx) if not is_linear]
    # A carry that starts from a known value (mostly zeros, where only later steps move it) is linear all the same: its
    # cotangent is computed on the way and dropped at the end. A carry of integers cannot be.
    if any(not m and not dtypes.issubdtype(get_aval(v).dtype, np.inexact) for v, m in zip(carry, lk)):
        raise RuleMissingError(primitive="scan", rule="transpose",
                               reason="its carry holds integers, which nothing is linear in; `jax.vjp` and `jax.grad` "
                                      "take the loop apart first")
    avals = jaxpr.in_avals
    ac, ak, ax = _parts(avals, num_consts, num_carry)
    linear_const_avals = [a.to_tangent_aval() for a, m in zip(ac, lc) if m]
    key = ("scan transpose", tuple(lc), tuple(lk), tuple(lx), tuple(y_moves))

    def make() -> ClosedJaxpr:
        def backward_body(*args: Any) -> list:
            it = iter(args)
            kc = [next(it) for _ in known_consts]
            acc = [next(it) for _ in linear_const_avals]
            ctk = [next(it) for _ in ct_carry]
            kx = [next(it) for _ in known_xs]
            cty = [next(it) if m else Zero(a) for m, a in zip(y_moves, jaxpr.out_avals[num_carry:])]
            kci, kxi = iter(kc), iter(kx)
            values = [*[Linear(a) if m else next(kci) for a, m in zip(ac, lc)], *[Linear(a) for a in ak],
                      *[Linear(a) if m else next(kxi) for a, m in zip(ax, lx)]]
            found = transpose_linear(jaxpr.jaxpr, jaxpr.consts, values, [*ctk, *cty])
            fc, fk, fx = _parts(found, num_consts, num_carry)
            acc = [add_tangents(a, ct) for a, ct in zip(acc, [ct for ct, m in zip(fc, lc) if m])]
            return [*acc, *[instantiate(ct) for ct in fk], *[instantiate(ct) for ct, m in zip(fx, lx) if m]]

        x_avals = [get_aval(v).unbatched(0) for v in known_xs]  # type: ignore[attr-defined]
        y_avals = [a for a, m in zip(jaxpr.out_avals[num_carry:], y_moves) if m]
        in_avals = [*[get_aval(v) for v in known_consts], *linear_const_avals, *[get_aval(v) for v in ct_carry], *x_avals,
                    *y_avals]
        return stage_flat(backward_body, in_avals, jaxpr.debug_info)

    body = jaxpr.derive(key, make)
    zeros = [lax().zeros(a) for a in linear_const_avals]
    outs = scan_p(*known_consts, *zeros, *ct_carry, *known_xs, *[ct for ct, m in zip(ct_ys, y_moves) if m], jaxpr=body,
                  num_consts=len(known_consts), num_carry=len(zeros) + len(ct_carry), reverse=not reverse, length=length,
                  unroll=unroll, **params)
    it = iter(outs)
    back_c = [next(it) if m else None for m in lc]
    back_k = [ct if m else None for ct, m in zip([next(it) for _ in carry], lk)]
    back_x = [next(it) if m else None for m in lx]
    return [*back_c, *back_k, *back_x]


def _scan_batch(axis: BatchAxis, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int,
                **params: Any) -> tuple[list, list]:
    bc, bk, bx = _parts([a is not None for a in axes], num_consts, num_carry)
    bk = _carry_fixpoint(lambda marks: batch_jaxpr(jaxpr, axis, (*bc, *marks, *bx))[1], bk, num_carry)
    n_out = len(jaxpr.out_avals)
    forced = (*bk, *[False] * (n_out - num_carry))
    body, found = batch_jaxpr(jaxpr, axis, (*bc, *bk, *bx), forced)
    c, k, x = _parts(args, num_consts, num_carry)
    ac, ak, ax = _parts(axes, num_consts, num_carry)
    c = [to_axis(v, a, 0, axis.size) if a is not None else v for v, a in zip(c, ac)]
    k = [to_axis(v, a, 0, axis.size) if m else v for v, a, m in zip(k, ak, bk)]
    x = [to_axis(v, a, 1, axis.size) if a is not None else v for v, a in zip(x, ax)]
    outs = scan_p(*c, *k, *x, jaxpr=body, num_consts=num_consts, num_carry=num_carry, **params)
    return outs, [(0 if i < num_carry else 1) if m else None for i, m in enumerate(found)]


def _scan_evaluate(*args: Any, **params: Any) -> list:
    arrays = [as_array(x) for x in args]
    key = ("scan program", tuple((k, v) for k, v in params.items() if k != "jaxpr"))
    inner: ClosedJaxpr = params["jaxpr"]
    whole = inner.derive(key, lambda: stage_flat(lambda *xs: scan_p(*xs, **params), [x.aval for x in arrays],
                                                 inner.debug_info))
    return run_jaxpr(whole, arrays, name="scan")


def _scan_emit(b: Any, *args: Any, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, length: int, reverse: bool,
               unroll: int, **_: Any) -> list:
    """A while loop over a counter; results are written into stacked arrays."""
    consts, carry, xs = _parts(args, num_consts, num_carry)
    index_aval = ShapedArray((), np.dtype(np.int32))
    body_outs = jaxpr.out_avals
    ys_avals = [stacked(a, length) for a in body_outs[num_carry:]]
    ys = [empty(b, a) for a in ys_avals]
    start = b.constant(0, index_aval)
    from perspicax.core.effects import ordered

    effects = ordered(jaxpr.effects)
    tokens = [b.token(e) for e in effects]
    state_avals = [index_aval, *[v.aval for v in carry], *ys_avals]

    def condition(inner: Any, *state: Any) -> list:
        return [inner.compare(state[0], inner.constant(length, index_aval), "LT", "SIGNED")]

    def step(inner: Any, *state: Any) -> list:
        i, k, stack = state[0], list(state[1:1 + num_carry]), list(state[1 + num_carry:])
        at = i
        if reverse:
            at = inner.op("subtract", [inner.constant(length - 1, index_aval), i], index_aval)
        here = [take(inner, x, at) for x in xs]
        outs = inner.call(jaxpr, [*consts, *k, *here], "scan_body")
        stack = [put(inner, s, y, at) for s, y in zip(stack, outs[num_carry:])]
        following = inner.op("add", [i, inner.constant(1, index_aval)], index_aval)
        return [following, *outs[:num_carry], *stack]

    results = emit_while(b, [start, *carry, *ys], state_avals, condition, step, effects, tokens)
    return results[1:]


def emit_while(b: Any, state: Sequence[Any], avals: Sequence[Any], condition: Callable[..., list],
               step: Callable[..., list], effects: Sequence[Any] = (), tokens: Sequence[Any] = ()) -> list:
    """A StableHLO while loop whose state is led by the tokens of its ordered effects."""
    test = b.region([*[t.aval for t in tokens], *avals], lambda inner, *s: condition(inner, *s[len(tokens):]))
    body = b.region(avals, step, tokens=effects)
    outs = b.hlo("while", [*tokens, *state], [*[t.aval for t in tokens], *avals], "", [test, body])
    for effect, token in zip(effects, outs):
        b.tokens[effect] = token
    return outs[len(tokens):]


def _physical(aval: Any) -> Any:
    from perspicax.xla.emit import physical_aval

    return physical_aval(aval)


def empty(b: Any, aval: Any) -> Any:
    """An array that will be written over."""
    from perspicax.xla.emit import Value

    physical = _physical(aval)
    made = b.constant(np.zeros((), physical.dtype), physical)
    return Value(made.name, aval)


def take(b: Any, x: Any, index: Any) -> Any:
    """Entry `index` of the leading axis."""
    from perspicax.xla.emit import Value, i64_array

    whole, entry = _physical(x.aval), _physical(x.aval.unbatched(0))
    zero = b.constant(0, index.aval)
    starts = [index, *[zero] * (len(whole.shape) - 1)]
    slab = b.hlo("dynamic_slice", [Value(x.name, whole), *starts], ShapedArray((1, *entry.shape), whole.dtype),
                 f"slice_sizes = {i64_array((1, *entry.shape))}")
    return Value(b.reshape(slab, entry.shape).name, x.aval.unbatched(0))


def put(b: Any, x: Any, entry: Any, index: Any) -> Any:
    """`x` with entry `index` of the leading axis replaced."""
    from perspicax.xla.emit import Value

    whole, part = _physical(x.aval), _physical(entry.aval)
    zero = b.constant(0, index.aval)
    slab = b.reshape(Value(entry.name, part), (1, *part.shape))
    made = b.hlo("dynamic_update_slice", [Value(x.name, whole), slab, index, *[zero] * (len(whole.shape) - 1)], whole)
    return Value(made.name, x.aval)


scan_p = Primitive(
    "scan",
    params=("jaxpr", "length", "reverse", "unroll", "num_consts", "num_carry", "linear", "_split_transpose"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_scan_type, jvp=_scan_jvp, linearize=_scan_linearize, transpose=_scan_transpose, batch=_scan_batch,
    emit=_scan_emit, evaluate=_scan_evaluate,
    effects=lambda jaxpr, **_: jaxpr.effects,
    source="StableHLO specification, `while`",
)


def scan(f: Callable[..., Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False,
         unroll: int | bool = 1, _split_transpose: bool = False) -> tuple[Any, Any]:
    """A loop over the leading axis of `xs` that carries a value along.

    Args:
        f: `f(carry, x) -> (carry, y)`; the carry keeps its structure, shapes and dtypes.
        init: the first carry, any pytree of arrays.
        xs: pytree of arrays with one leading axis of the same size, or `None`.
        length: number of steps, where `xs` does not tell it.
        reverse: go from the last entry to the first.
        unroll: how many steps one iteration of the compiled loop does.

    Returns:
        The last carry, and the `y` of all steps stacked along a new leading axis.

    Raises:
        CarryTypeError: the carry that `f` returns has another type than the one it got.
        ScanLengthError: the leading axes disagree with each other or with `length`.
    """
    name = function_name(f)
    init_leaves, init_tree = tree.flatten(init)
    xs_leaves, xs_tree = tree.flatten(xs)
    init_leaves = [operand(x) for x in init_leaves]
    xs_leaves = [operand(x) for x in xs_leaves]
    n = _scan_length(name, xs_leaves, xs_tree, length)
    if config.jax_disable_jit:
        return _scan_in_python(f, init, xs, n, reverse)
    carry_avals = check_arguments(init_leaves, init_tree, f, "scan")
    x_avals = [get_aval(x).unbatched(0) for x in xs_leaves]  # type: ignore[attr-defined]
    in_tree = tree.flatten(((init, xs), {}))[1]
    closed, out_tree, carry_avals = _stage_body(f, in_tree, carry_avals, x_avals, init_tree, name)
    init_leaves = [x if get_aval(x) is a else lax().convert(x, a) for x, a in zip(init_leaves, carry_avals)]
    consts = closed.consts
    body = closed.jaxpr
    opened = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
    count = len(consts) + len(init_leaves) + len(xs_leaves)
    outs = scan_p(*consts, *init_leaves, *xs_leaves, jaxpr=opened, length=n, reverse=bool(reverse),
                  unroll=int(unroll) if not isinstance(unroll, bool) else (max(n, 1) if unroll else 1),
                  num_consts=len(consts), num_carry=len(init_leaves), linear=(False,) * count, _split_transpose=False)
    carry = init_tree.unflatten(outs[:len(init_leaves)])
    return carry, out_tree.unflatten(outs[len(init_leaves):])


def _stage_body(f: Callable[..., Any], in_tree: Any, carry_avals: list, x_avals: list, init_tree: Any,
                name: str) -> tuple[ClosedJaxpr, Any, list]:
    """The body's jaxpr; a weak carry becomes strong where the body makes it so."""
    for attempt in range(2):
        flat = FlatFunction(f, in_tree, "scan")
        closed = stage_flat(flat, [*carry_avals, *x_avals], debug_info("scan", f, in_tree))
        pair = flat.out_tree.unflatten([*closed.out_avals])
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CarryTypeError(function=name, kind="pair", got=type(pair).__name__)
        new_avals, new_tree = tree.flatten(pair[0])
        y_tree = tree.flatten(pair[1])[1]
        if new_tree != init_tree:
            raise CarryTypeError(function=name, kind="structure", expected=str(init_tree), got=str(new_tree))
        if all(a is b for a, b in zip(carry_avals, new_avals)):
            return closed, y_tree, carry_avals
        wrong = [(i, a, b) for i, (a, b) in enumerate(zip(carry_avals, new_avals)) if a.strong is not b.strong]
        if wrong and not all(a.weak_type and a.shape == b.shape for _, a, b in wrong):
            raise CarryTypeError(function=name, kind="type", rows=_carry_rows(init_tree, wrong))
        if attempt:
            break
        carry_avals = [a if a is b else (b if a.weak_type else a) for a, b in zip(carry_avals, new_avals)]
    # the body returns a weaker type than it got: bring its results to the carry's type
    return _strengthen(closed, carry_avals), y_tree, carry_avals


def _strengthen(closed: ClosedJaxpr, carry_avals: list) -> ClosedJaxpr:
    n = len(carry_avals)

    def body(*xs: Any) -> list:
        outs = eval_jaxpr(closed.jaxpr, closed.consts, *xs)
        return [*[x if get_aval(x) is a else lax().convert(x, a) for x, a in zip(outs, carry_avals)], *outs[n:]]

    return stage_flat(body, closed.in_avals, closed.debug_info)


def _carry_rows(init_tree: Any, wrong: list) -> tuple:
    paths = [path for path, _ in tree.flatten_with_path(init_tree.unflatten(list(range(init_tree.num_leaves))))[0]]
    return tuple((f"carry{tree.keystr(paths[i])}", a.str_short(), b.str_short()) for i, a, b in wrong)


def _scan_length(name: str, leaves: list, xs_tree: Any, length: int | None) -> int:
    sizes = []
    for i, x in enumerate(leaves):
        aval: Any = get_aval(x)
        if not aval.shape:
            raise ScanLengthError(function=name, kind="scalar", rows=((f"xs leaf {i}", aval.str_short()),))
        sizes.append(aval.shape[0])
    distinct = set(sizes) | ({int(length)} if length is not None else set())
    if len(distinct) > 1:
        paths = [tree.keystr(path) for path, _ in tree.flatten_with_path(xs_tree.unflatten(leaves))[0]]
        rows = tuple((f"xs{p}", get_aval(x).str_short()) for p, x in zip(paths, leaves))
        raise ScanLengthError(function=name, kind="differ", rows=rows, length=length)
    if not distinct:
        raise ScanLengthError(function=name, kind="unknown", rows=())
    return distinct.pop()


def _scan_in_python(f: Callable[..., Any], init: Any, xs: Any, n: int, reverse: bool) -> tuple[Any, Any]:
    """The loop itself, with `jax_disable_jit`: the body sees concrete values."""
    carry, ys = init, []
    for i in reversed(range(n)) if reverse else range(n):
        x = tree.tree_map(lambda leaf: slicing.index_in_dim(leaf, i, keepdims=False), xs)
        carry, y = f(carry, x)
        ys.append(y)
    if reverse:
        ys.reverse()
    if not ys:
        return carry, None
    stack = lambda *leaves: shape.concatenate([shape.expand_dims(v, (0,)) for v in leaves], 0)
    return carry, tree.tree_map(stack, *ys)


__all__ = ["eager", "emit_while", "jit_p", "scan", "scan_p"]
