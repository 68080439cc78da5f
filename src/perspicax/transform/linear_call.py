"""`linear_call`: a linear function whose transposition the user gives."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.errors import RuleMissingError
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Inside, Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_flat, batch_jaxpr, to_axis
from perspicax.transform.custom_errors import LinearCallError
from perspicax.transform.hooks import add_tangents, as_traced, instantiate, lax
from perspicax.transform.jvp import jvp_jaxpr
from perspicax.transform.places import return_place, rule_name
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info

__all__ = ["linear_call", "linear_call_p"]

Back = Callable[[Sequence[Any], Sequence[Any]], list]  # (residuals, cotangents) -> cotangents of the linear operands


def linear_call(fun: Callable[[Any, Any], Any], fun_transpose: Callable[[Any, Any], Any], residual_args: Any,
                linear_args: Any) -> Any:
    """The value of a function that is linear in one argument, with a transposition of the user's.

    Args:
        fun: `fun(residual_args, linear_args)`, linear in the second.
        fun_transpose: `fun_transpose(residual_args, cotangent)` with a cotangent like the result of `fun`; returns a
            pytree like `linear_args`. Its own transposition is `fun`.
        residual_args: a pytree of arrays.
        linear_args: a pytree of arrays.

    Returns:
        What `fun` returns.

    Raises:
        LinearCallError: when it is transposed and `fun_transpose` returns another structure, shape or dtype.

    Differs: it can be differentiated with respect to `residual_args` in forward mode, and vectorised by `vmap`.

    >>> linear_call(lambda r, x: x / r, lambda r, ct: ct / r, 3.0, 9.0)
    Array(3., dtype=float32, weak_type=True)
    """
    residuals, res_tree = tree.flatten(residual_args)
    linear, lin_tree = tree.flatten(linear_args)
    in_tree = tree.flatten(((residual_args, linear_args), {}))[1]
    avals = check_arguments([*residuals, *linear], in_tree, fun, "linear_call")
    flat = FlatFunction(fun, in_tree, "linear_call")
    closed: ClosedJaxpr = stage_flat(flat, avals, debug_info("linear_call", fun, in_tree))
    body = closed.jaxpr
    callee = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
    out_tree, name, hidden = flat.out_tree, rule_name(fun_transpose, "fun_transpose"), len(closed.consts)
    expected = tuple(avals[len(residuals):])

    def back(values: Sequence[Any], cts: Sequence[Any]) -> list:
        given = out_tree.unflatten([as_traced(ct) for ct in cts])
        result = fun_transpose(res_tree.unflatten(values[hidden:]), given)
        leaves, found = tree.flatten(result)
        if found != lin_tree:
            raise LinearCallError(function=name, expected=lin_tree, got=found, position=return_place(fun_transpose))
        for i, (ct, aval) in enumerate(zip(leaves, expected)):
            wanted, got = aval.to_tangent_aval(), get_aval(ct)
            if got.shape != wanted.shape or got.dtype != wanted.dtype:  # type: ignore[attr-defined]
                path = tree.flatten_with_path(linear_args)[0][i][0]
                raise LinearCallError(function=name, expected=lin_tree, got=found, path=tree.keystr(path),
                                      expected_type=wanted.str_short(), got_type=got.str_short(),
                                      position=return_place(fun_transpose))
        return leaves

    outs = linear_call_p(*closed.consts, *residuals, *linear, callee=callee, back=back,
                         num_res=hidden + len(residuals))
    return out_tree.unflatten(outs)


def _jvp(primals: tuple, tangents: tuple, *, callee: ClosedJaxpr, back: Back, num_res: int) -> tuple[list, list]:
    params = {"callee": callee, "back": back, "num_res": num_res}
    outs = linear_call_p(*primals, **params)
    douts: list[Any] = [Zero.like(x) for x in outs]
    if any(type(t) is not Zero for t in tangents[num_res:]):
        douts = linear_call_p(*primals[:num_res], *[instantiate(t) for t in tangents[num_res:]], **params)
    pattern = tuple(type(t) is not Zero for t in tangents[:num_res])
    if any(pattern):
        derived, moves = jvp_jaxpr(callee, (*pattern, *[False] * (len(primals) - num_res)))
        moving = [t for t in tangents[:num_res] if type(t) is not Zero]
        found = iter(eval_jaxpr(derived.jaxpr, derived.consts, *primals, *moving)[len(outs):])
        douts = [add_tangents(t, next(found)) if m else t for t, m in zip(douts, moves)]
    return outs, douts


def _transpose(cts: list, *operands: Any, callee: ClosedJaxpr, back: Back, num_res: int) -> list:
    residuals, linear = operands[:num_res], operands[num_res:]
    if any(type(x) is Linear for x in residuals):
        raise RuleMissingError(primitive="linear_call", rule="transpose", reason=(
            "its residual arguments are those that it need not be linear in"))
    if any(type(x) is not Linear for x in linear):
        # Linear in all of them together: what has a value adds a constant, which no cotangent depends on.
        linear = tuple([x if type(x) is Linear else None for x in linear])
    given = [instantiate(ct) for ct in cts]
    avals = [get_aval(x) for x in (*residuals, *given)]
    staged = stage_flat(lambda *xs: back(xs[:num_res], xs[num_res:]), avals)
    body, hidden = staged.jaxpr, len(staged.consts)
    transposed = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))

    def forth(values: Sequence[Any], xs: Sequence[Any]) -> list:
        return eval_jaxpr(callee.jaxpr, callee.consts, *values[hidden:], *xs)

    found = linear_call_p(*staged.consts, *residuals, *given, callee=transposed, back=forth, num_res=hidden + num_res)
    return [None] * num_res + [None if x is None else ct for x, ct in zip(linear, found)]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, callee: ClosedJaxpr, back: Back,
           num_res: int) -> tuple[list, list]:
    moved = [x if a is None else to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)]
    batched = tuple(a is not None for a in axes)
    wide, _ = batch_jaxpr(callee, axis, batched, True)

    def wide_back(values: Sequence[Any], cts: Sequence[Any]) -> list:
        found, places = batch_flat(lambda *xs: back(xs[:num_res], xs[num_res:]), axis, [*values, *cts],
                                   [*[0 if b else None for b in batched[:num_res]], *[0] * len(cts)])
        return [to_axis(ct, a, 0, axis.size) if b else ct if a is None else lax().sum(ct, a)  # type: ignore[attr-defined]
                for ct, a, b in zip(found, places, batched[num_res:])]

    outs = linear_call_p(*moved, callee=wide, back=wide_back, num_res=num_res)
    return outs, [0] * len(outs)


linear_call_p = Primitive(
    "linear_call",
    params=("callee", "back", "num_res"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=lambda *avals, callee, **_: list(callee.out_avals),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    emit=lambda b, *xs, callee, **_: b.call(callee, xs, "linear_call"),
    evaluate=lambda *args, callee, **_: eval_jaxpr(callee.jaxpr, callee.consts, *args),
    inside=lambda callee, **_: Inside.call(callee),
    in_sight=True,
    source="a linear function with a transposition of its own",
)
