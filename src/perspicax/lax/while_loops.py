"""`while_loop`: a loop that goes on as long as a test says so.

Forward mode carries tangents along. Reverse mode would need the values of every step, of which nobody knows how many there
are: its report says so. Under vmap with a test that differs between the entries, the loop goes on as long as any entry
says so, and those that are done keep their values.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import config, local
from perspicax.core.effects import Effects, ordered
from perspicax.core.jaxpr import ClosedJaxpr, Var, eval_jaxpr
from perspicax.core.primitive import Inner, Inside, Primitive
from perspicax.core.trace import Zero, stage_flat
from perspicax.diagnose.boundary import public
from perspicax.lax.bodies import (
    Body,
    axis_names,
    check_callable,
    definition_of,
    live_part,
    open_consts,
    parameter_name,
    stage_body,
)
from perspicax.lax.branch_errors import PredicateError
from perspicax.lax.carry import (
    as_typed,
    carry_fixpoint,
    carry_type_error,
    check_carry_structure,
    chosen,
    reordered,
    settle_carry,
    unchanged,
)
from perspicax.lax.control_errors import LoopEffectError, WhileTransposeError
from perspicax.lax.loop_emission import emit_while, run_body
from perspicax.lax.marks import refuse_parts_of_sums
from perspicax.lax.operand import operand
from perspicax.lax.parameters import calling
from perspicax.lax.ref_threads import while_with_refs
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_jaxpr, to_axis
from perspicax.transform.hooks import as_traced, instantiate
from perspicax.transform.jit_primitive import run_jaxpr
from perspicax.transform.jvp import jvp_jaxpr
from perspicax.transform.stage import check_arguments, function_name
from perspicax.xla.dispatch import as_array
from perspicax.xla.emit import Value, physical_aval

_TRUTH = np.dtype(bool)


def bind_while(cond: ClosedJaxpr, cond_consts: Sequence[Any], body: ClosedJaxpr, body_consts: Sequence[Any],
               carry: Sequence[Any]) -> list:
    """A while loop; constants that the jaxprs hold become operands."""
    cond, more = open_consts(cond)
    body, others = open_consts(body)
    return while_p(*more, *cond_consts, *others, *body_consts, *carry, cond_nconsts=len(more) + len(cond_consts),
                   cond_jaxpr=cond, body_nconsts=len(others) + len(body_consts), body_jaxpr=body)


def while_around(cond: ClosedJaxpr, cond_consts: Sequence[Any], body: ClosedJaxpr, body_consts: Sequence[Any],
                 carry: Sequence[Any]) -> list[Any]:
    """A while loop; carries that no round changes and that the test does not read are constants of its body."""
    nc, nb = len(cond_consts), len(body_consts)
    constant = unchanged(body, nb, len(carry))
    if any(constant):
        reads = live_part(cond, (True,))[1][nc:]
        constant = [c and not r for c, r in zip(constant, reads)]
    if not any(constant) or all(constant):
        return bind_while(cond, cond_consts, body, body_consts, carry)
    stay = [i for i, c in enumerate(constant) if not c]
    moved = [i for i, c in enumerate(constant) if c]
    test = chosen(cond, [*range(nc), *[nc + i for i in stay]], [0])
    step = chosen(body, [*[nb + i for i in moved], *range(nb), *[nb + i for i in stay]], stay)
    outs = iter(bind_while(test, cond_consts, step, [*[carry[i] for i in moved], *body_consts], [carry[i] for i in stay]))
    return [as_traced(x) if c else next(outs) for x, c in zip(carry, constant)]


def _parts(items: Sequence[Any], cond_nconsts: int, body_nconsts: int) -> tuple[list, list, list]:
    split = cond_nconsts + body_nconsts
    return list(items[:cond_nconsts]), list(items[cond_nconsts:split]), list(items[split:])


# -- derivatives

def _while_jvp(primals: tuple, tangents: tuple, *, cond_nconsts: int, cond_jaxpr: ClosedJaxpr, body_nconsts: int,
               body_jaxpr: ClosedJaxpr) -> tuple[list, list]:
    """The loop of values and tangents; the test looks at the values alone."""
    moving = [type(t) is not Zero for t in tangents]
    _, mb, mk = _parts(moving, cond_nconsts, body_nconsts)
    mk = carry_fixpoint(lambda marks: jvp_jaxpr(body_jaxpr, (*mb, *marks))[1], mk)
    derived, _ = jvp_jaxpr(body_jaxpr, (*mb, *mk), tuple(mk))
    derived, more = open_consts(derived)
    cc, bc, k = _parts(primals, cond_nconsts, body_nconsts)
    _, db, dk = _parts(tangents, cond_nconsts, body_nconsts)
    db, dk = [t for t in db if type(t) is not Zero], [instantiate(t) for t, m in zip(dk, mk) if m]
    body = reordered(derived, [len(more), len(bc), len(k), len(db), len(dk)], (0, 1, 3, 2, 4))
    cond = with_unread(cond_jaxpr, [v.aval for v in body.jaxpr.invars[len(body.jaxpr.invars) - len(dk):]])
    outs = bind_while(cond, cc, body, [*more, *bc, *db], [*k, *dk])
    rest = iter(outs[len(k):])
    return outs[:len(k)], [next(rest) if m else Zero.like(v) for v, m in zip(outs, mk)]


def with_unread(cond: ClosedJaxpr, avals: Sequence[Any]) -> ClosedJaxpr:
    """The test of a loop whose carry has more to it, which the test does not read."""
    def make() -> ClosedJaxpr:
        body = cond.jaxpr
        return ClosedJaxpr(body.replace(invars=[*body.invars, *[Var(a) for a in avals]]), cond.consts)

    return cond.derive(("with unread", tuple(avals)), make)


def _while_linearize(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    """Values by the loop itself; tangents by the loop of both, since what it would need of each step is not kept."""
    outs = while_p(*primals, **params)
    _, moved = _while_jvp(primals, tangents, **params)
    return outs, moved


def _while_transpose(cts: Sequence[Any], *operands: Any, body_jaxpr: ClosedJaxpr, **_: Any) -> list:
    info = body_jaxpr.debug_info
    raise WhileTransposeError(function=info.name if info is not None and info.name != "<lambda>" else "",
                              position=local.place)


# -- batching

def _while_batch(axis: BatchAxis, args: tuple, axes: tuple, *, cond_nconsts: int, cond_jaxpr: ClosedJaxpr,
                 body_nconsts: int, body_jaxpr: ClosedJaxpr) -> tuple[list, list]:
    ac, ab, ak = _parts(axes, cond_nconsts, body_nconsts)
    bc, bb = [a is not None for a in ac], [a is not None for a in ab]
    nested = bool(cond_jaxpr.out_avals[0].shape)  # its axes lead those of all carries, which therefore stay together

    def spread(marks: tuple) -> Sequence[bool]:
        moved = batch_jaxpr(body_jaxpr, axis, (*bb, *marks))[1]
        every = nested or batch_jaxpr(cond_jaxpr, axis, (*bc, *marks))[1][0]
        return [True] * len(moved) if every else moved

    def vary(marks: tuple) -> Sequence[bool]:
        moved = batch_jaxpr(body_jaxpr, axis, (*bb, *marks))[1]
        return [True] * len(moved) if batch_jaxpr(cond_jaxpr, axis, (*bc, *marks))[1][0] else moved

    marks = carry_fixpoint(spread, [a is not None for a in ak])
    own = carry_fixpoint(vary, [a is not None for a in ak]) if nested and axis.size else marks
    cond, (by_entry,) = batch_jaxpr(cond_jaxpr, axis, (*bc, *marks), nested)
    body, _ = batch_jaxpr(body_jaxpr, axis, (*bb, *marks), tuple(marks))
    if by_entry:
        _check_effects(cond_jaxpr, body_jaxpr)
    front = [to_axis(x, a, 0, axis.size) if a is not None or m else x
             for x, a, m in zip(args, axes, [*bc, *bb, *marks])]
    c, b, k = _parts(front, cond_nconsts, body_nconsts)
    outs = bind_while(cond, c, body, b, k)
    # Who reads a result that does not vary must not be told that it does: all its entries are the same.
    outs = [x[0] if m and not v else x for x, m, v in zip(outs, marks, own)]
    return outs, [0 if v else None for v in own]


def _check_effects(cond_jaxpr: ClosedJaxpr, body_jaxpr: ClosedJaxpr) -> None:
    for closed in (cond_jaxpr, body_jaxpr):
        for effect in [e for e in closed.effects if not e.in_batched_branches]:
            info = closed.debug_info
            raise LoopEffectError(function=info.name if info is not None else "", transform="while_loop",
                                  effect=repr(effect), kind="vmap")


# -- running

def _while_effects(cond_jaxpr: ClosedJaxpr, body_jaxpr: ClosedJaxpr, **_: Any) -> Effects:
    return cond_jaxpr.effects | body_jaxpr.effects


def _while_evaluate(*args: Any, body_jaxpr: ClosedJaxpr, **params: Any) -> list:
    arrays = [as_array(x) for x in args]
    avals = tuple([x.aval for x in arrays])
    whole = body_jaxpr.derive(("while program", avals, *params.items()), lambda: stage_flat(
        lambda *xs: while_p(*xs, body_jaxpr=body_jaxpr, **params), avals, body_jaxpr.debug_info))
    return run_jaxpr(whole, arrays, name="while", search=lambda: _run_rounds(arrays, body_jaxpr=body_jaxpr, **params))


def _run_rounds(args: Sequence[Any], *, cond_nconsts: int, cond_jaxpr: ClosedJaxpr, body_nconsts: int,
                body_jaxpr: ClosedJaxpr) -> None:
    """The rounds one by one, and their equations: with debug_nans, the one that makes a NaN is reported on the way.

    Of a batch, entries that are done may go on to anything: there the loop as a whole is reported.
    """
    cc, bc, carry = _parts(args, cond_nconsts, body_nconsts)
    while not cond_jaxpr.out_avals[0].shape and eval_jaxpr(cond_jaxpr.jaxpr, cond_jaxpr.consts, *cc, *carry)[0]:
        carry = eval_jaxpr(body_jaxpr.jaxpr, body_jaxpr.consts, *bc, *carry)


def _while_emit(b: Any, *args: Any, cond_nconsts: int, cond_jaxpr: ClosedJaxpr, body_nconsts: int,
                body_jaxpr: ClosedJaxpr) -> list:
    cc, bc, carry = _parts(args, cond_nconsts, body_nconsts)
    test_aval = cond_jaxpr.out_avals[0]

    def test(inner: Any, *k: Value) -> Value:
        return run_body(inner, cond_jaxpr, [*cc, *k], "while_cond")[0]

    def step(inner: Any, *k: Value) -> list[Value]:
        new = run_body(inner, body_jaxpr, [*bc, *k], "while_body")
        return new if not test_aval.shape else _kept(inner, test(inner, *k), new, k)

    effects = ordered(_while_effects(cond_jaxpr, body_jaxpr))
    if not ordered(cond_jaxpr.effects):
        return emit_while(b, carry, lambda inner, *k: _any(inner, test(inner, *k)), step, effects)

    # The test's region hands no tokens on. So the test is made before the loop and at the end of each round.
    def round(inner: Any, _: Value, *k: Value) -> list[Value]:
        new = step(inner, *k)
        return [test(inner, *new), *new]

    return emit_while(b, [test(b, *carry), *carry], lambda inner, go_on, *_: _any(inner, go_on), round, effects)[1:]


def _any(b: Any, x: Value) -> Value:
    if not x.shape:
        return x
    scalar = ShapedArray((), _TRUTH)
    body = b.region([scalar, scalar], lambda inner, p, q: [inner.op("or", [p, q], scalar)])
    dims = ", ".join([str(i) for i in range(x.ndim)])
    return b.hlo("reduce", [x, b.constant(False, scalar)], scalar, f"dimensions = array<i64: {dims}>", [body])


def _kept(b: Any, which: Value, new: Sequence[Value], old: Sequence[Value]) -> list[Value]:
    """The new values of the entries that go on, the old ones of those that are done."""
    out = []
    for x, y in zip(new, old):
        aval = physical_aval(x.aval)
        chosen = b.broadcast(which, aval.shape, range(which.ndim))
        out.append(Value(b.select(chosen, Value(x.name, aval), Value(y.name, aval)).name, x.aval))
    return out


def _while_prune(used: Sequence[bool], params: dict) -> tuple[dict, list[bool], list[bool]]:
    """The loop without carries that neither the test nor a result needs."""
    cond, body = params["cond_jaxpr"], params["body_jaxpr"]
    nc, nb = params["cond_nconsts"], params["body_nconsts"]
    test, tested = live_part(cond, (True,))
    marks = carry_fixpoint(lambda ms: live_part(body, ms)[1][nb:], [u or t for u, t in zip(used, tested[nc:])])
    live, reads = live_part(body, tuple(marks))
    kept = [*tested[:nc], *reads[:nb], *marks]
    if all(kept):
        return params, kept, marks
    new_body = body.derive(("pruned", nb, tuple(marks)), lambda: ClosedJaxpr(live.replace(
        invars=[v for v, r in zip(live.invars, [*reads[:nb], *marks]) if r],
        outvars=[v for v, m in zip(live.outvars, marks) if m]), body.consts))
    new_cond = cond.derive(("pruned", nc, tuple(marks)), lambda: ClosedJaxpr(test.replace(
        invars=[v for v, r in zip(test.invars, [*tested[:nc], *marks]) if r]), cond.consts))
    return {"cond_jaxpr": new_cond, "body_jaxpr": new_body, "cond_nconsts": sum(tested[:nc]),
            "body_nconsts": sum(reads[:nb])}, kept, marks


def _while_inside(cond_nconsts: int, cond_jaxpr: ClosedJaxpr, body_nconsts: int, body_jaxpr: ClosedJaxpr) -> Inside:
    first = cond_nconsts + body_nconsts
    carry = [("carry", i) for i in range(first, first + len(body_jaxpr.out_avals))]
    test: Any = (*[("operand", i) for i in range(cond_nconsts)], *carry)
    body: Any = (*[("operand", i) for i in range(cond_nconsts, first)], *carry)
    return Inside("loop", (Inner(cond_jaxpr, test), Inner(body_jaxpr, body)), word="while_loop")


def _while_type(*avals: Any, body_jaxpr: ClosedJaxpr, cond_jaxpr: ClosedJaxpr, **_: Any) -> list:
    """The types of the results; they vary along all axes of a mesh along which the number of rounds does."""
    along = cond_jaxpr.out_avals[0].vma
    refuse_parts_of_sums("while_loop", body_jaxpr.out_avals, along)
    return [a.varying(a.vma | along) for a in body_jaxpr.out_avals]


while_p = Primitive(
    "while",
    params=("cond_nconsts", "cond_jaxpr", "body_nconsts", "body_jaxpr"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_while_type,
    jvp=_while_jvp, linearize=_while_linearize, transpose=_while_transpose, batch=_while_batch,
    emit=_while_emit, evaluate=_while_evaluate, effects=_while_effects, inside=_while_inside,
    source="StableHLO specification, `while`",
)
while_p.extra["axis_names"] = lambda cond_jaxpr, body_jaxpr, **_: axis_names([cond_jaxpr, body_jaxpr])
while_p.extra["prune"] = _while_prune


@public
@while_with_refs
def while_loop(cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init_val: Any) -> Any:
    """A loop that goes on as long as `cond_fun` says so.

    Args:
        cond_fun: `cond_fun(value) -> bool`, a boolean scalar.
        body_fun: `body_fun(value) -> value`; the value keeps its structure, shapes and dtypes.
        init_val: the first value, any pytree of arrays.

    Returns:
        The first value for which `cond_fun` is false. It can be differentiated in forward mode, but not in reverse mode.

    Raises:
        PredicateError: `cond_fun` returns something else than a boolean scalar.
        CarryTypeError: the value that `body_fun` returns has another type than the one it got.

    >>> while_loop(lambda x: x < 100, lambda x: x * 2, 3)
    Array(192, dtype=int32, weak_type=True)
    """
    check_callable(cond_fun, "while_loop", "cond_fun")
    check_callable(body_fun, "while_loop", "body_fun")
    leaves, value_tree = tree.flatten(init_val)
    in_tree = tree.flatten(((init_val,), {}))[1]
    avals = check_arguments(leaves, in_tree, body_fun, "while_loop")
    leaves = [operand(x) for x in leaves]
    if config.jax_disable_jit:
        return _loop_in_python(cond_fun, body_fun, init_val)

    def stage(carry: list) -> tuple[Body, Sequence[Any]]:
        body = stage_body(body_fun, "while_loop", in_tree, carry, parameter="body_fun")
        if body.out_tree != value_tree:
            check_carry_structure(body_fun, "while_loop", parameter_name(body_fun, 0, "value"), value_tree, body.out_tree)
        return body, body.closed.out_avals

    cond = stage_body(cond_fun, "while_loop", in_tree, avals, parameter="cond_fun")
    _check_test(cond_fun, cond)
    body, settled = settle_carry(stage, avals, lambda wrong: carry_type_error(
        body_fun, "while_loop", parameter_name(body_fun, 0, "value"), value_tree, wrong), leaves)
    if settled != avals:
        cond = stage_body(cond_fun, "while_loop", in_tree, settled, parameter="cond_fun")
        _check_test(cond_fun, cond)
    outs = while_around(cond.closed, cond.consts, body.closed, body.consts,
                        as_typed(leaves, settled, [*leaves, *body.consts]))
    return value_tree.unflatten(outs)


def _check_test(cond_fun: Any, cond: Body) -> None:
    outs = cond.closed.out_avals
    name = function_name(cond_fun)
    if cond.out_tree.num_nodes != 1 or len(outs) != 1:
        raise PredicateError(transform="while_loop", what=_shown(name, "cond_fun"), kind="tree", got=_container(cond),
                             definition=definition_of(cond_fun))
    if outs[0].dtype != _TRUTH or outs[0].shape:
        raise PredicateError(transform="while_loop", what=_shown(name, "cond_fun"),
                             kind="shape" if outs[0].dtype == _TRUTH else "dtype", got=outs[0].str_short(),
                             definition=definition_of(cond_fun))


def _shown(name: str, parameter: str) -> str:
    return parameter if name == "<lambda>" else name


def _container(cond: Body) -> str:
    result = cond.out_tree.unflatten(range(cond.out_tree.num_leaves))
    return "None" if result is None else f"a {type(result).__name__}"


def _loop_in_python(cond_fun: Callable[..., Any], body_fun: Callable[..., Any], value: Any) -> Any:
    """The loop itself, with `jax_disable_jit`."""
    value = tree.tree_map(as_array, value)
    while calling(cond_fun, "while_loop", "cond_fun", (value,)):
        value = calling(body_fun, "while_loop", "body_fun", (value,))
    return value


__all__ = ["bind_while", "while_around", "while_loop", "while_p", "with_unread"]
