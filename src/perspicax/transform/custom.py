"""`custom_jvp` and `custom_vjp`: functions whose derivative the user gives.

Both are primitives, so that custom rules survive staging. Run eagerly they call the function; staged, they hold its
jaxpr and the rule; differentiated, they use the rule.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.config import local
from perspicax.core.context import eager
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_flat, to_axis
from perspicax.transform.errors import CustomRuleError
from perspicax.transform.hooks import instantiate, lax
from perspicax.transform.stage import FlatFunction, debug_info, function_name, wraps


class Callee:
    """A function of flat operands as a parameter: a Python function, staged when a jaxpr needs it."""

    __slots__ = ("call", "closed", "name")

    def __init__(self, call: Callable[..., Sequence[Any]], closed: ClosedJaxpr | None = None, name: str = "f") -> None:
        self.call, self.closed, self.name = call, closed, name

    def staged(self, avals: Sequence[Any]) -> ClosedJaxpr:
        """Its jaxpr at these types."""
        if self.closed is None:
            self.closed = stage_flat(self.call, avals)
        return self.closed

    def __repr__(self) -> str:
        return self.name if self.closed is None else repr(self.closed)


# -- the primitive of custom_jvp

def _custom_jvp_evaluate(*args: Any, fun: Callee, **_: Any) -> list:
    return list(fun.call(*args))


def _stage_call(primitive: Primitive) -> Callable[..., Any]:
    def stage(trace: Any, args: tuple, params: dict) -> list:
        fun = params["fun"]
        closed = fun.closed
        if closed is None:
            closed = stage_flat(fun.call, [get_aval(x) for x in args])
        consts = closed.consts
        if consts or fun.closed is None:
            body = closed.jaxpr
            opened = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
            call = lambda *xs: eval_jaxpr(opened.jaxpr, [], *xs)
            params = {**params, "fun": Callee(call, opened, fun.name), "hidden": params["hidden"] + len(consts)}
            args = (*consts, *args)
        return trace.record(primitive, args, primitive.pack(params))

    return stage


def _call_type(*avals: Any, fun: Callee, **_: Any) -> list:
    return list(fun.staged(avals).out_avals)


def _custom_jvp_jvp(primals: tuple, tangents: tuple, *, fun: Callee, rule: Callable, hidden: int,
                    symbolic_zeros: bool) -> tuple[list, list]:
    if any(type(t) is not Zero for t in tangents[:hidden]):
        raise CustomRuleError(function=fun.name, kind="closure", rule="defjvp")
    primals, tangents = primals[hidden:], tangents[hidden:]
    given = tangents if symbolic_zeros else [_full_tangent(t) for t in tangents]
    return rule(primals, given)


def _full_tangent(t: Any) -> Any:
    if type(t) is Zero and t.aval.dtype == dtypes.float0:  # type: ignore[attr-defined]
        return np.zeros(t.aval.shape, dtypes.float0)  # type: ignore[attr-defined]
    return instantiate(t)


def _custom_jvp_batch(axis: BatchAxis, args: tuple, axes: tuple, *, fun: Callee, rule: Callable, hidden: int,
                      symbolic_zeros: bool) -> tuple[list, list]:
    in_axes = list(axes)
    found: list[list] = []

    def call(*xs: Any) -> list:
        outs, out_axes = batch_flat(fun.call, axis, xs, in_axes)
        found[:] = [[0 if a is not None else None for a in out_axes]]
        return [to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(outs, out_axes)]

    def batched_rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        n = len(primals)

        def both(*xs: Any) -> list:
            outs, douts = rule(xs[:n], [t if type(t) is Zero else x for t, x in zip(tangents, xs[n:])])
            return [*outs, *[instantiate(t) for t in douts]]

        visible = in_axes[hidden:]
        values = [instantiate(t) if not _is_float0(t) else t for t in tangents]
        outs, out_axes = batch_flat(both, axis, [*primals, *values],
                                    [*visible, *[None if _is_float0(t) else a for t, a in zip(values, visible)]])
        m = len(outs) // 2
        joined = [0 if a is not None or b is not None else None for a, b in zip(out_axes[:m], out_axes[m:])]
        if found:
            joined = [0 if a is not None or b is not None else None for a, b in zip(joined, found[0])]
        moved = [to_axis(x, a, w, axis.size) if w is not None else x
                 for x, a, w in zip(outs, out_axes, [*joined, *joined])]
        return moved[:m], moved[m:]

    outs = custom_jvp_call(*args, fun=Callee(call, None, fun.name), rule=batched_rule, hidden=hidden,
                           symbolic_zeros=symbolic_zeros)
    return outs, found[0]


def _is_float0(t: Any) -> bool:
    return (type(t) is Zero and t.aval.dtype == dtypes.float0) or getattr(t, "dtype", None) == dtypes.float0  # type: ignore


custom_jvp_call = Primitive(
    "custom_jvp_call",
    params=("fun", "rule", "hidden", "symbolic_zeros"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_call_type,
    jvp=_custom_jvp_jvp,
    transpose=lambda cts, *operands, fun, **_: _transpose_call(cts, operands, fun),
    batch=_custom_jvp_batch,
    emit=lambda b, *xs, fun, **_: b.call(fun.closed, xs, fun.name),
    evaluate=_custom_jvp_evaluate,
    effects=lambda fun, **_: fun.closed.effects if fun.closed is not None else frozenset(),
    source="a function with a derivative of its own",
)
custom_jvp_call.stage = _stage_call(custom_jvp_call)


def _transpose_call(cts: Sequence[Any], operands: tuple, fun: Callee) -> list:
    """The function itself is linear in these operands: transpose it."""
    from perspicax.transform.transpose import transpose_linear

    closed = fun.staged([x.aval if type(x) is Linear else get_aval(x) for x in operands])
    return transpose_linear(closed.jaxpr, closed.consts, operands, cts)


# -- the primitive of custom_vjp

def _custom_vjp_linearize(primals: tuple, tangents: tuple, *, fun: Callee, fwd: Callable, bwd: Callable, hidden: int,
                          symbolic_zeros: bool) -> tuple[list, list]:
    if any(type(t) is not Zero for t in tangents[:hidden]):
        raise CustomRuleError(function=fun.name, kind="closure", rule="defvjp")
    visible, moves = primals[hidden:], tangents[hidden:]
    outs, residuals = fwd(*visible, moving=tuple(type(t) is not Zero for t in moves))
    avals = [get_aval(x) for x in visible]
    out_avals = [get_aval(x) for x in outs]
    values = [instantiate(t) for t in moves if type(t) is not Zero]
    pattern = tuple(type(t) is not Zero for t in moves)
    douts = custom_lin(*residuals, *values, count=len(residuals), pattern=pattern, bwd=bwd, in_avals=tuple(avals),
                       out_avals=tuple(a.to_tangent_aval() for a in out_avals), name=fun.name)  # type: ignore
    return outs, douts


def _custom_vjp_batch(axis: BatchAxis, args: tuple, axes: tuple, *, fun: Callee, fwd: Callable, bwd: Callable,
                      hidden: int, symbolic_zeros: bool) -> tuple[list, list]:
    in_axes = list(axes)
    found: list[list] = []

    def call(*xs: Any) -> list:
        outs, out_axes = batch_flat(fun.call, axis, xs, in_axes)
        found[:] = [[0 if a is not None else None for a in out_axes]]
        return [to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(outs, out_axes)]

    residual_axes: list[list] = []

    def batched_fwd(*xs: Any, moving: tuple) -> tuple[list, list]:
        counts: list[int] = []

        def both(*ys: Any) -> list:
            outs, residuals = fwd(*ys, moving=moving)
            counts.append(len(outs))
            return [*outs, *residuals]

        outs, out_axes = batch_flat(both, axis, xs, in_axes[hidden:])
        n = counts[0]
        residual_axes[:] = [[0 if a is not None else None for a in out_axes[n:]]]
        wanted = [0 if a is not None else None for a in out_axes[:n]]
        if found:
            wanted = [0 if a is not None or b is not None else None for a, b in zip(wanted, found[0])]
        found[:] = [wanted]
        moved = [to_axis(x, a, 0, axis.size) if w is not None else x
                 for x, a, w in zip(outs, out_axes, [*wanted, *residual_axes[0]])]
        return moved[:n], moved[n:]

    def batched_bwd(residuals: Sequence[Any], cts: Sequence[Any]) -> list:
        count = len(residuals)
        zero = [type(ct) is Zero for ct in cts]

        def pull(*xs: Any) -> list:
            given = iter(xs[count:])
            inner = [Zero(ct.aval.unbatched(0) if w is not None else ct.aval) if z else next(given)
                     for ct, z, w in zip(cts, zero, found[0])]
            return [instantiate(g) for g in bwd(xs[:count], inner)]

        values = [ct for ct, z in zip(cts, zero) if not z]
        value_axes = [w for w, z in zip(found[0], zero) if not z]
        outs, out_axes = batch_flat(pull, axis, [*residuals, *values], [*residual_axes[0], *value_axes])
        back = []
        for x, a, want in zip(outs, out_axes, in_axes[hidden:]):
            if want is None and a is not None:
                back.append(lax().sum(x, a))  # type: ignore[attr-defined]
            elif want is not None:
                back.append(to_axis(x, a, want, axis.size))
            else:
                back.append(x)
        return back

    outs = custom_vjp_call(*args, fun=Callee(call, None, fun.name), fwd=batched_fwd, bwd=batched_bwd, hidden=hidden,
                           symbolic_zeros=symbolic_zeros)
    return outs, found[0]


def _custom_vjp_jvp(primals: tuple, tangents: tuple, *, fun: Callee, **params: Any) -> tuple[list, list]:
    # Forward mode of a custom_vjp: the tangents become a `custom_lin`, which only reverse mode can remove; evaluating
    # or staging it reports that the function has no forward-mode rule.
    return _custom_vjp_linearize(primals, tangents, fun=fun, **params)


custom_vjp_call = Primitive(
    "custom_vjp_call",
    params=("fun", "fwd", "bwd", "hidden", "symbolic_zeros"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=_call_type,
    jvp=_custom_vjp_jvp,
    linearize=_custom_vjp_linearize,
    transpose=lambda cts, *operands, fun, **_: _transpose_call(cts, operands, fun),
    batch=_custom_vjp_batch,
    emit=lambda b, *xs, fun, **_: b.call(fun.closed, xs, fun.name),
    evaluate=_custom_jvp_evaluate,
    effects=lambda fun, **_: fun.closed.effects if fun.closed is not None else frozenset(),
    source="a function with a pull-back of its own",
)
custom_vjp_call.stage = _stage_call(custom_vjp_call)


# -- a linear function known by its transposition alone

def _custom_lin_transpose(cts: Sequence[Any], *operands: Any, count: int, pattern: tuple, bwd: Callable,
                          in_avals: tuple, out_avals: tuple, name: str) -> list:
    residuals = operands[:count]
    back = bwd(residuals, [ct if type(ct) is not Zero else Zero(a) for ct, a in zip(cts, out_avals)])
    return [None] * count + [g for g, m in zip(back, pattern) if m]


def _no_forward(*_: Any, name: str, **__: Any) -> Any:
    raise CustomRuleError(function=name, kind="forward", rule="defvjp")


def _custom_lin_batch(axis: BatchAxis, args: tuple, axes: tuple, *, count: int, pattern: tuple, bwd: Callable,
                      in_avals: tuple, out_avals: tuple, name: str) -> tuple[list, list]:
    args = tuple([to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)])
    residual_axes = [0 if a is not None else None for a in axes[:count]]
    wide = lambda a: a.batched(axis.size, 0)

    def batched_bwd(residuals: Sequence[Any], cts: Sequence[Any]) -> list:
        values = [instantiate(ct) for ct in cts]
        outs, found = batch_flat(lambda *xs: [instantiate(g) for g in bwd(xs[:count], xs[count:])], axis,
                                 [*residuals, *values], [*residual_axes, *[0] * len(values)])
        return [to_axis(x, a, 0, axis.size) for x, a in zip(outs, found)]

    moved = [to_axis(x, None if a is None else 0, 0, axis.size) for x, a in zip(args[count:], axes[count:])]
    outs = custom_lin(*args[:count], *moved, count=count, pattern=pattern, bwd=batched_bwd,
                      in_avals=tuple(map(wide, in_avals)), out_avals=tuple(map(wide, out_avals)), name=name)
    return outs, [0] * len(out_avals)


custom_lin = Primitive(
    "custom_lin",
    params=("count", "pattern", "bwd", "in_avals", "out_avals", "name"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=lambda *avals, out_avals, **_: list(out_avals),
    jvp=lambda primals, tangents, **params: _no_forward(**params),
    transpose=_custom_lin_transpose,
    batch=_custom_lin_batch,
    emit=lambda b, *xs, **params: _no_forward(**params),
    evaluate=lambda *xs, **params: _no_forward(**params),
    source="the tangent map of a function of which only the pull-back is known",
)


# -- the decorators

def _resolve_arguments(fun: Callable[..., Any], args: tuple, kwargs: dict) -> tuple:
    """All arguments in the order of the signature; defaults filled in."""
    if not kwargs:
        try:
            parameters = inspect.signature(fun).parameters
        except (TypeError, ValueError):
            return args
        if len(args) >= len(parameters):
            return args
    try:
        bound = inspect.signature(fun).bind(*args, **kwargs)
    except ValueError:
        return args
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(f"the keyword-only arguments of `{function_name(fun)}` cannot be passed to a function with a "
                        "custom derivative")
    return bound.args


class _Custom:
    """What both decorators share: which arguments are not differentiated."""

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        wraps(fun, self)
        self.fun = fun
        names = list(inspect.signature(fun).parameters) if nondiff_argnames else []
        numbers = [*nondiff_argnums, *[names.index(n) for n in nondiff_argnames]]
        self.nondiff_argnums = tuple(sorted(numbers))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        import functools

        bound: Any = self
        return self if instance is None else functools.partial(bound, instance)

    def split(self, args: tuple) -> tuple[tuple, list]:
        """Differentiated and other arguments."""
        numbers = {n % len(args) if args else n for n in self.nondiff_argnums}
        return tuple([x for i, x in enumerate(args) if i not in numbers]), [args[i] for i in sorted(numbers)]

    def function_of(self, args: tuple) -> Callable[..., Any]:
        """The function of the differentiated arguments."""
        numbers = {n % len(args) if args else n for n in self.nondiff_argnums}
        if not numbers:
            return self.fun

        def call(*some: Any) -> Any:
            given = iter(some)
            return self.fun(*[args[i] if i in numbers else next(given) for i in range(len(args))])

        return wraps(self.fun, call)


class custom_jvp(_Custom):
    """A function with a forward-mode rule of the user's.

    Args:
        fun: the function.
        nondiff_argnums: positions of arguments that are not differentiated; the rule gets them first.

    >>> @custom_jvp
    ... def f(x): return jnp.sin(x)
    >>> @f.defjvp
    ... def f_jvp(primals, tangents): return f(*primals), jnp.cos(primals[0]) * tangents[0]
    """

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Set the rule: `jvp(*nondiff, primals, tangents) -> (out, tangent_out)`, linear in the tangents."""
        self.jvp, self.symbolic_zeros = jvp, symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Set one rule for each argument: `jvp(tangent, out, *primals)`; `None` for a derivative of zero."""
        if self.nondiff_argnums:
            raise TypeError("defjvps cannot be used with nondiff_argnums: use defjvp")

        def jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
            out = self(*primals)
            terms = [rule(t, out, *primals) for rule, t in zip(jvps, tangents) if rule is not None]
            total = terms[0]
            for term in terms[1:]:
                total = tree.tree_map(lambda a, b: lax().add(a, b), total, term)
            return out, total

        self.defjvp(jvp)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.jvp is None:
            raise CustomRuleError(function=function_name(self.fun), kind="missing", rule="defjvp")
        args = _resolve_arguments(self.fun, args, kwargs)
        dynamic, fixed = self.split(args)
        fun = self.function_of(args)
        if eager() and not any(isinstance(x, Tracer) for x in tree.leaves(dynamic)):
            return fun(*dynamic)
        leaves, in_tree = tree.flatten((dynamic, {}))
        flat = FlatFunction(fun, in_tree, "custom_jvp")
        name = function_name(self.fun)
        user_rule = self.jvp

        def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
            values, moves = in_tree.unflatten(primals)[0], in_tree.unflatten(tangents)[0]
            pair = user_rule(*fixed, values, moves)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise CustomRuleError(function=name, kind="pair", rule="defjvp", got=type(pair).__name__)
            outs, out_tree = tree.flatten(pair[0])
            douts, dout_tree = tree.flatten(pair[1])
            if out_tree != dout_tree:
                raise CustomRuleError(function=name, kind="structure", rule="defjvp", got=str(dout_tree),
                                      expected=str(out_tree))
            if flat.out_tree is None:
                flat.out_tree = out_tree
            return outs, [_checked_tangent(t, x, name) for t, x in zip(douts, outs)]

        outs = custom_jvp_call(*leaves, fun=Callee(flat, None, name), rule=rule, hidden=0,
                               symbolic_zeros=self.symbolic_zeros)
        return flat.out_tree.unflatten(outs)


def _checked_tangent(t: Any, primal: Any, name: str) -> Any:
    wanted: Any = get_aval(primal).to_tangent_aval()  # type: ignore[attr-defined]
    if type(t) is Zero:
        return t
    if wanted.dtype == dtypes.float0:
        return Zero(wanted)
    given: Any = get_aval(t)
    if given.shape != wanted.shape or given.dtype != wanted.dtype:
        raise CustomRuleError(function=name, kind="tangent type", rule="defjvp", got=given.str_short(),
                              expected=wanted.str_short())
    return t


class custom_vjp(_Custom):
    """A function with a reverse-mode rule of the user's: `defvjp(fwd, bwd)`.

    Args:
        fun: the function.
        nondiff_argnums: positions of arguments that are not differentiated; `bwd` gets them first.
    """

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (),
                 nondiff_argnames: Sequence[str] = ()) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        self.symbolic_zeros = False

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any], symbolic_zeros: bool = False,
               optimize_remat: bool = False) -> None:
        """Set the rules.

        Args:
            fwd: `fwd(*args) -> (out, residuals)`; residuals are any pytree of arrays.
            bwd: `bwd(*nondiff, residuals, ct) -> tuple of cotangents`, one for each differentiated argument; `None`
                stands for zeros.
        """
        self.fwd, self.bwd, self.symbolic_zeros = fwd, bwd, symbolic_zeros

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = function_name(self.fun)
        if self.fwd is None or self.bwd is None:
            raise CustomRuleError(function=name, kind="missing", rule="defvjp")
        args = _resolve_arguments(self.fun, args, kwargs)
        dynamic, fixed = self.split(args)
        fun = self.function_of(args)
        if eager() and not any(isinstance(x, Tracer) for x in tree.leaves(dynamic)):
            return fun(*dynamic)
        leaves, in_tree = tree.flatten((dynamic, {}))
        flat = FlatFunction(fun, in_tree, "custom_vjp")
        rules = _VJPRules(self, args, fixed, in_tree, flat, name)
        outs = custom_vjp_call(*leaves, fun=Callee(flat, None, name), fwd=rules.forward, bwd=rules.pull_back, hidden=0,
                               symbolic_zeros=self.symbolic_zeros)
        return flat.out_tree.unflatten(outs)


class _VJPRules:
    """The user's `fwd` and `bwd` as functions of flat operands."""

    __slots__ = ("args", "avals", "fixed", "flat", "in_tree", "name", "owner", "residual_tree")

    def __init__(self, owner: custom_vjp, args: tuple, fixed: list, in_tree: Any, flat: FlatFunction, name: str) -> None:
        self.owner, self.args, self.fixed, self.in_tree, self.flat, self.name = owner, args, fixed, in_tree, flat, name
        self.residual_tree: Any = None
        self.avals: list = []

    def forward(self, *leaves: Any, moving: tuple) -> tuple[list, list]:
        """Flat results and flat residuals."""
        dynamic = iter(self.in_tree.unflatten(leaves)[0])
        numbers = {n % len(self.args) if self.args else n for n in self.owner.nondiff_argnums}
        full = [x if i in numbers else next(dynamic) for i, x in enumerate(self.args)]
        self.avals = [get_aval(x) for x in leaves]
        pair = self.owner.fwd(*full)  # type: ignore[misc]
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CustomRuleError(function=self.name, kind="pair", rule="fwd", got=type(pair).__name__)
        outs, out_tree = tree.flatten(pair[0])
        if self.flat.out_tree is None:
            self.flat.out_tree = out_tree
        elif out_tree != self.flat.out_tree:
            raise CustomRuleError(function=self.name, kind="structure", rule="fwd", got=str(out_tree),
                                  expected=str(self.flat.out_tree))
        residuals, self.residual_tree = tree.flatten(pair[1])
        return outs, residuals

    def pull_back(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list:
        """Flat cotangents of the differentiated arguments."""
        res = self.residual_tree.unflatten(residuals)
        given = cts if self.owner.symbolic_zeros else [_full_tangent(ct) for ct in cts]
        back = self.owner.bwd(*self.fixed, res, self.flat.out_tree.unflatten(given))  # type: ignore[misc]
        args = self.in_tree.unflatten(list(range(self.in_tree.num_leaves)))[0]
        if not isinstance(back, (tuple, list)) or len(back) != len(args):
            got = f"{len(back)} values" if isinstance(back, (tuple, list)) else type(back).__name__
            raise CustomRuleError(function=self.name, kind="count", rule="bwd", got=got, expected=str(len(args)))
        flat: list[Any] = []
        for arg, ct in zip(args, back):
            indices = tree.leaves(arg)
            if ct is None:
                flat += [Zero(self.avals[i].to_tangent_aval()) for i in indices]
                continue
            leaves, ct_tree = tree.flatten(ct, lambda x: x is None or type(x) is Zero)
            arg_tree = tree.flatten(arg)[1]
            if len(leaves) != len(indices):
                raise CustomRuleError(function=self.name, kind="structure", rule="bwd", got=str(ct_tree),
                                      expected=str(arg_tree))
            flat += [self._check(x, self.avals[i]) for x, i in zip(leaves, indices)]
        return flat

    def _check(self, ct: Any, aval: Any) -> Any:
        wanted = aval.to_tangent_aval()
        if ct is None or type(ct) is Zero or wanted.dtype == dtypes.float0:
            return Zero(wanted)
        given: Any = get_aval(ct)
        if given.shape != wanted.shape or given.dtype != wanted.dtype:
            if given.shape == wanted.shape and dtypes.issubdtype(given.dtype, np.inexact):
                return lax().convert(ct, wanted)
            raise CustomRuleError(function=self.name, kind="cotangent type", rule="bwd", got=given.str_short(),
                                  expected=wanted.str_short())
        return ct


__all__ = ["custom_jvp", "custom_vjp", "custom_jvp_call", "custom_vjp_call", "custom_lin", "debug_info", "local"]
