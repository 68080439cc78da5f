"""The primitives of functions with derivatives of their own: they survive staging, and hold the user's rules.

Run eagerly they call the function; staged, they hold its jaxpr and the rule; differentiated, they use the rule. Until it
is staged, the function (and for good, its rule) is Python, and may close over values of the traces that process the call:
it is run in the name of such a trace (`Trace.again`), so that the trace knows its values again.
"""
from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Inside, Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform.batch import BatchTrace, batch_flat, to_axis
from perspicax.transform.errors import CustomRuleError, ForwardRuleMissingError
from perspicax.transform.hooks import as_traced, lax
from perspicax.transform.jvp import JVPTrace
from perspicax.transform.transpose import transpose_linear

Flat = Callable[..., Sequence[Any]]


class Callee:
    """A Python function of flat operands as a parameter; a jaxpr takes its place when the call is staged."""

    __slots__ = ("call", "name")

    def __init__(self, call: Flat, name: str = "f") -> None:
        self.call, self.name = call, name

    def __repr__(self) -> str:
        return self.name


def call_flat(function: Callee | ClosedJaxpr, *args: Any) -> list:
    """Results of a function that may or may not have been staged."""
    if type(function) is Callee:
        return list(function.call(*args))
    return eval_jaxpr(function.jaxpr, function.consts, *args)  # type: ignore[union-attr]


def _stage_call(primitive: Primitive) -> Callable[..., Any]:
    """How the call enters a jaxpr: staged, what the function closes over in front of its operands."""
    def stage(trace: Any, args: tuple, params: dict) -> list:
        function = params["call_jaxpr"]
        if type(function) is Callee:
            closed = stage_flat(function.call, [get_aval(x) for x in args])
            body, consts = closed.jaxpr, closed.consts
            function = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
            params = {**params, "call_jaxpr": function, "num_consts": params["num_consts"] + len(consts)}
            args = (*consts, *args)
        return trace.record(primitive, args, primitive.pack(params))

    return stage


def _call_type(*avals: Any, call_jaxpr: Any, **_: Any) -> list:
    return list(call_jaxpr.out_avals)


def _call_effects(call_jaxpr: Any, **_: Any) -> frozenset:
    return call_jaxpr.effects if type(call_jaxpr) is ClosedJaxpr else frozenset()


def _transpose_call(cts: Sequence[Any], *operands: Any, call_jaxpr: Any, **_: Any) -> list:
    """The function itself is linear in these operands: transpose it."""
    if type(call_jaxpr) is Callee:
        avals = [x.aval if type(x) is Linear else get_aval(x) for x in operands]
        call_jaxpr = stage_flat(call_jaxpr.call, avals)
    return transpose_linear(call_jaxpr.jaxpr, call_jaxpr.consts, operands, cts)


def _is_float0(x: Any) -> bool:
    return (x.aval.dtype if type(x) is Zero else getattr(x, "dtype", None)) == dtypes.float0  # type: ignore[attr-defined]


# -- under a trace that differentiates

def _checked(trace: JVPTrace, outs: Sequence[Any], name: str, rule: str) -> list:
    """Raise when a function whose derivative is the user's was found to depend on what is differentiated here."""
    for x in outs:
        if getattr(x, "_trace", None) is trace and type(x.tangent) is not Zero:
            raise CustomRuleError(function=name, kind="closure", rule=rule)
    return [x.primal if getattr(x, "_trace", None) is trace else x for x in outs]


def _watched(trace: JVPTrace, fun: Flat, name: str, rule: str) -> Flat:
    """`fun`, run in the name of `trace` while that is alive, so that values of its that `fun` closes over are noticed."""
    reference = weakref.ref(trace)  # the call may be kept in a jaxpr, for longer than the trace

    def call(*args: Any) -> list:
        trace = reference()
        return list(fun(*args)) if trace is None or trace.dead else _checked(trace, trace.again(fun, args), name, rule)

    return call


def _watched_rule(trace: JVPTrace, rule: Callable[..., Any], name: str, label: str) -> Callable[..., Any]:
    """The same for a rule, which returns a pair of lists."""
    reference = weakref.ref(trace)

    def call(*args: Any, **options: Any) -> tuple[list, list]:
        trace = reference()
        if trace is None or trace.dead:
            return rule(*args, **options)
        first, second = trace.again(lambda: rule(*args, **options), ())
        return _checked(trace, first, name, label), _checked(trace, second, name, label)

    return call


def _check_constants(tangents: Sequence[Any], num_consts: int, name: str, rule: str) -> None:
    if any(type(t) is not Zero for t in tangents[:num_consts]):
        raise CustomRuleError(function=name, kind="closure", rule=rule)


def full_tangent(t: Any) -> Any:
    """A tangent or cotangent as users see it who did not ask for symbolic zeros."""
    if type(t) is not Zero:
        return t
    aval: Any = t.aval
    return np.zeros(aval.shape, dtypes.float0) if aval.dtype == dtypes.float0 else lax().zeros(aval)


# -- under vmap

class _Batched:
    """A call under vmap: its function and rules over batches, and where their results have the batch axis.

    With a batched operand every result has it, so that the staged function and the rules agree; without one, the
    function may still close over batched values, and is asked.
    """

    def __init__(self, trace: BatchTrace, axes: Sequence[int | None], num_consts: int) -> None:
        self.trace, self.axis = weakref.ref(trace), trace.axis  # the call may be kept in a jaxpr, for longer
        self.axes, self.visible = list(axes), list(axes[num_consts:])
        self.forced = any(a is not None for a in axes)
        self.out: list[int | None] | None = None

    def run(self, fun: Flat, args: Sequence[Any], axes: Sequence[int | None]) -> tuple[list, list]:
        """Results of `fun` over the batch and their axes."""
        trace = self.trace()
        if trace is None or trace.dead:
            return batch_flat(fun, self.axis, args, axes)
        return trace.again(fun, args, axes)

    def front(self, x: Any, a: int | None) -> Any:
        """`x` with its batch axis, which it may not have yet, in front."""
        return to_axis(x, a, 0, self.axis.size)

    def function(self, function: Any) -> Flat:
        """The function over the batch."""
        def call(*xs: Any) -> list:
            outs, found = self.run(lambda *ys: call_flat(function, *ys), xs, self.axes)
            self.out = [0 if self.forced or a is not None else None for a in found]
            return [self.front(x, a) if w is not None else x for x, a, w in zip(outs, found, self.out)]

        return call

    def agreed(self, found: Sequence[Sequence[int | None]]) -> list[int | None]:
        """Which results have the batch axis, given what a rule found (for several groups that correspond)."""
        wanted = [0 if self.forced or any(a is not None for a in group) else None for group in zip(*found)]
        if self.out is not None:
            wanted = [0 if w is not None or o is not None else None for w, o in zip(wanted, self.out)]
        self.out = wanted
        return wanted

    def inner(self, x: Any, a: int | None) -> Any:
        """The type of one entry of the batch, as a `Zero`."""
        aval: Any = x.aval if type(x) is Zero else ShapedArray(np.shape(x), dtypes.float0)
        return Zero(aval if a is None else aval.unbatched(a))


def _axes_moved(args: tuple, axes: tuple, size: int) -> tuple[tuple, tuple]:
    """The operands with their batch axes in front, where a tangent's can be told from its value's."""
    return (tuple([x if a is None else to_axis(x, a, 0, size) for x, a in zip(args, axes)]),
            tuple([None if a is None else 0 for a in axes]))


# -- custom_jvp

def _custom_jvp_in_jvp(trace: JVPTrace, primals: tuple, tangents: tuple, moving: bool, *, name: str, call_jaxpr: Any,
                       jvp: Callable, num_consts: int, symbolic_zeros: bool) -> tuple[list, list]:
    rule = _watched_rule(trace, jvp, name, "defjvp")
    primals = tuple([as_traced(x) for x in primals])  # `grad` of a function of a number has the number itself here
    if not moving:
        if type(call_jaxpr) is Callee:
            call_jaxpr = Callee(_watched(trace, call_jaxpr.call, name, "defjvp"), name)
            jvp = rule
        outs = custom_jvp_call(*primals, name=name, call_jaxpr=call_jaxpr, jvp=jvp, num_consts=num_consts,
                               symbolic_zeros=symbolic_zeros)
        return outs, [Zero.like(x) for x in outs]
    _check_constants(tangents, num_consts, name, "defjvp")
    tangents = tangents[num_consts:]
    return rule(primals[num_consts:], tangents if symbolic_zeros else [full_tangent(t) for t in tangents])


def _custom_jvp_in_batch(trace: BatchTrace, args: tuple, axes: tuple, *, name: str, call_jaxpr: Any, jvp: Callable,
                         num_consts: int, symbolic_zeros: bool) -> tuple[list, list]:
    args, axes = _axes_moved(args, axes, trace.axis.size)
    batched = _Batched(trace, axes, num_consts)

    def batched_rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        n = len(primals)
        fixed = [batched.inner(t, a) if type(t) is Zero or _is_float0(t) else None
                 for t, a in zip(tangents, batched.visible)]
        counts: list[int] = []

        def both(*xs: Any) -> list:
            given = iter(xs[n:])
            inner = [next(given) if z is None else z if symbolic_zeros else full_tangent(z) for z in fixed]
            outs, douts = jvp(xs[:n], inner)
            counts.append(len(outs))
            return [*outs, *[full_tangent(t) for t in douts]]

        moved = [(t, a) for t, a, z in zip(tangents, batched.visible, fixed) if z is None]
        found, found_axes = batched.run(both, [*primals, *[t for t, _ in moved]],
                                        [*batched.visible, *[a for _, a in moved]])
        m = counts[0]
        wanted = batched.agreed([found_axes[:m], found_axes[m:]])
        front = [batched.front(x, a) if w is not None and not _is_float0(x) else x
                 for x, a, w in zip(found, found_axes, [*wanted, *wanted])]
        tangents_out = [Zero.like(x) if _is_float0(t) else t for x, t in zip(front[:m], front[m:])]
        return front[:m], tangents_out

    outs = custom_jvp_call(*args, name=name, call_jaxpr=Callee(batched.function(call_jaxpr), name), jvp=batched_rule,
                           num_consts=num_consts, symbolic_zeros=symbolic_zeros)
    return outs, batched.out or []


def _inside(call_jaxpr: Any, **_: Any) -> Inside | None:
    """The function where it is staged; a Python function that is not cannot be read."""
    return Inside.call(call_jaxpr) if isinstance(call_jaxpr, ClosedJaxpr) else None


custom_jvp_call = Primitive(
    "custom_jvp_call",
    params=("name", "call_jaxpr", "jvp", "num_consts", "symbolic_zeros"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_call_type,
    jvp=None,  # `jvp_call` and `batch_call` are asked in their place
    batch=None,
    jvp_call=_custom_jvp_in_jvp,
    batch_call=_custom_jvp_in_batch,
    transpose=_transpose_call,
    emit=lambda b, *xs, name, call_jaxpr, **_: b.call(call_jaxpr, xs, name),
    evaluate=lambda *args, call_jaxpr, **_: call_flat(call_jaxpr, *args),
    effects=_call_effects,
    inside=_inside,
    in_sight=True,
    source="a function with a derivative of its own",
)
custom_jvp_call.stage = _stage_call(custom_jvp_call)


# -- custom_vjp

def _custom_vjp_in_jvp(trace: JVPTrace, primals: tuple, tangents: tuple, moving: bool, *, name: str, call_jaxpr: Any,
                       fwd: Callable, bwd: Callable, num_consts: int, symbolic_zeros: bool) -> tuple[list, list]:
    forward = _watched_rule(trace, fwd, name, "defvjp")
    primals = tuple([as_traced(x) for x in primals])
    if not moving:
        if type(call_jaxpr) is Callee:
            call_jaxpr = Callee(_watched(trace, call_jaxpr.call, name, "defvjp"), name)
            fwd = forward
        outs = custom_vjp_call(*primals, name=name, call_jaxpr=call_jaxpr, fwd=fwd, bwd=bwd, num_consts=num_consts,
                               symbolic_zeros=symbolic_zeros)
        return outs, [Zero.like(x) for x in outs]
    _check_constants(tangents, num_consts, name, "defvjp")
    visible, moves = primals[num_consts:], tangents[num_consts:]
    pattern = tuple(type(t) is not Zero for t in moves)
    outs, residuals = forward(*visible, moving=pattern)
    # In forward mode the tangents become a `custom_lin`, which only reverse mode can remove: evaluating or emitting it
    # reports that the function has no forward-mode rule.
    douts = custom_lin(*residuals, *[t for t in moves if type(t) is not Zero], count=len(residuals), pattern=pattern,
                       bwd=bwd, in_avals=tuple([get_aval(x) for x in visible]),
                       out_avals=tuple([get_aval(x).to_tangent_aval() for x in outs]), name=name)  # type: ignore
    return outs, [Zero(t.aval) if t.aval.dtype == dtypes.float0 else t for t in douts]


def _custom_vjp_in_batch(trace: BatchTrace, args: tuple, axes: tuple, *, name: str, call_jaxpr: Any, fwd: Callable,
                         bwd: Callable, num_consts: int, symbolic_zeros: bool) -> tuple[list, list]:
    args, axes = _axes_moved(args, axes, trace.axis.size)
    batched = _Batched(trace, axes, num_consts)
    residual_axes: list[int | None] = []

    def batched_fwd(*xs: Any, moving: tuple) -> tuple[list, list]:
        counts: list[int] = []

        def both(*ys: Any) -> list:
            outs, residuals = fwd(*ys, moving=moving)
            counts.append(len(outs))
            return [*outs, *residuals]

        found, found_axes = batched.run(both, xs, batched.visible)
        m = counts[0]
        residual_axes[:] = [None if a is None else 0 for a in found_axes[m:]]
        wanted = [*batched.agreed([found_axes[:m]]), *residual_axes]
        front = [batched.front(x, a) if w is not None else x for x, a, w in zip(found, found_axes, wanted)]
        return front[:m], front[m:]

    def batched_bwd(residuals: Sequence[Any], cts: Sequence[Any]) -> list:
        count, out_axes = len(residuals), batched.out or []
        zeros = [batched.inner(ct, w) if type(ct) is Zero else None for ct, w in zip(cts, out_axes)]
        pull = lambda *xs: _pulled(bwd, xs[:count], iter(xs[count:]), zeros)
        moved = [(ct, w) for ct, w, z in zip(cts, out_axes, zeros) if z is None]
        outs, found = batched.run(pull, [*residuals, *[ct for ct, _ in moved]], [*residual_axes, *[w for _, w in moved]])
        return [_back_to(x, a, want, batched) for x, a, want in zip(outs, found, batched.visible)]

    outs = custom_vjp_call(*args, name=name, call_jaxpr=Callee(batched.function(call_jaxpr), name), fwd=batched_fwd,
                           bwd=batched_bwd, num_consts=num_consts, symbolic_zeros=symbolic_zeros)
    return outs, batched.out or []


def _pulled(bwd: Callable, residuals: Sequence[Any], given: Any, zeros: Sequence[Any]) -> list:
    return [full_tangent(g) for g in bwd(residuals, [next(given) if z is None else z for z in zeros])]


def _back_to(ct: Any, found: int | None, wanted: int | None, batched: _Batched) -> Any:
    """The cotangent of an operand that had its batch axis at `wanted`; one that had none gets the sum over the batch."""
    if _is_float0(ct):
        return Zero(ShapedArray(np.shape(ct), dtypes.float0))
    if wanted is not None:
        return to_axis(ct, found, wanted, batched.axis.size)
    return ct if found is None else lax().sum(ct, found)  # type: ignore[attr-defined]


custom_vjp_call = Primitive(
    "custom_vjp_call",
    params=("name", "call_jaxpr", "fwd", "bwd", "num_consts", "symbolic_zeros"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_call_type,
    jvp=None,
    batch=None,
    jvp_call=_custom_vjp_in_jvp,
    batch_call=_custom_vjp_in_batch,
    transpose=_transpose_call,
    emit=lambda b, *xs, name, call_jaxpr, **_: b.call(call_jaxpr, xs, name),
    evaluate=lambda *args, call_jaxpr, **_: call_flat(call_jaxpr, *args),
    effects=_call_effects,
    inside=_inside,
    in_sight=True,
    source="a function with a pull-back of its own",
)
custom_vjp_call.stage = _stage_call(custom_vjp_call)


# -- a linear function known by its transposition alone

def _custom_lin_transpose(cts: Sequence[Any], *operands: Any, count: int, pattern: tuple, bwd: Callable,
                          in_avals: tuple, out_avals: tuple, name: str) -> list:
    before, local.place = local.place, None  # the rule has lines of its own
    try:
        back = bwd(operands[:count], [ct if type(ct) is not Zero else Zero(a) for ct, a in zip(cts, out_avals)])
    finally:
        local.place = before
    return [None] * count + [g for g, m in zip(back, pattern) if m]


def _no_forward(*_: Any, name: str, **__: Any) -> Any:
    raise ForwardRuleMissingError(function=name, kind="forward", rule="defvjp")


custom_lin = Primitive(
    "custom_lin",
    params=("count", "pattern", "bwd", "in_avals", "out_avals", "name"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=lambda *avals, out_avals, **_: list(out_avals),
    jvp=lambda primals, tangents, **params: _no_forward(**params),
    transpose=_custom_lin_transpose,
    batch=lambda axis, args, axes, **params: _no_forward(**params),
    emit=lambda b, *xs, **params: _no_forward(**params),
    evaluate=lambda *xs, **params: _no_forward(**params),
    source="the tangent map of a function of which only the pull-back is known",
)


__all__ = ["Callee", "call_flat", "custom_jvp_call", "custom_lin", "custom_vjp_call", "full_tangent"]
