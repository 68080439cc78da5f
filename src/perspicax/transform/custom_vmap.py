"""`custom_vmap`: functions whose batching rule the user gives.

The call is a primitive that holds the function's jaxpr and the rule. Its tangent is another such call, of the derived
jaxpr and the derivative of the rule, so that it may be differentiated forwards before or after it is vectorised.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core import dtypes
from perspicax.core.deferral import eager_or_deferring
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Inside, Primitive
from perspicax.core.trace import Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.custom import BoundArguments, described
from perspicax.transform.custom_errors import CustomBatchingError, MissingBatchingRuleError, RuleFunctionError
from perspicax.transform.hooks import instantiate
from perspicax.transform.jvp import jvp_flat, jvp_jaxpr
from perspicax.transform.places import return_place, rule_name
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, short_repr

__all__ = ["custom_vmap", "custom_vmap_call"]


class custom_vmap(BoundArguments):
    """A function with a batching rule of the user's.

    Args:
        fun: the function.

    It cannot be differentiated in reverse mode: for that, let `custom_vjp` be the outer decorator.

    >>> @custom_vmap
    ... def f(x, y): return x + y
    >>> @f.def_vmap
    ... def f_vmap(axis_size, in_batched, xs, ys): return xs * ys, True
    """

    @public
    def __init__(self, fun: Callable[..., Any]) -> None:
        super().__init__(fun)
        self.vmap_rule: Callable[..., Any] | None = None

    @public
    def def_vmap(self, vmap_rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule: `rule(axis_size, in_batched, *args) -> (result, out_batched)`.

        Args:
            vmap_rule: called with the size of the batch, a list with one entry for each argument (a bool, or a pytree
                of them like the argument) that says whether it is batched, and the arguments, with the batch in axis 0.
                Returns the result, and a pytree like it of bools that say which of its arrays have the batch in axis 0.
        """
        if not callable(vmap_rule):
            raise RuleFunctionError(role="def_vmap", function=function_name(self.fun),
                                    value_type=type(vmap_rule).__name__, value=short_repr(vmap_rule))
        self.vmap_rule = vmap_rule
        return vmap_rule

    @public
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self.resolve(args, kwargs)  # how it is called is told first, as in JAX
        name = function_name(self.fun)
        if self.vmap_rule is None:
            raise MissingBatchingRuleError(function=name)
        leaves, in_tree = tree.flatten((args, {}))
        if eager_or_deferring(leaves):
            return self.fun(*args)
        avals = check_arguments(leaves, in_tree, self.fun, "custom_vmap")
        flat = FlatFunction(self.fun, in_tree, "custom_vmap")
        closed: ClosedJaxpr = stage_flat(flat, avals, debug_info("custom_vmap", self.fun, in_tree))
        body = closed.jaxpr
        call = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
        rule = _Rule(self.vmap_rule, name, in_tree, flat.out_tree, tuple(call.out_avals))
        outs = custom_vmap_call(*closed.consts, *leaves, call=call, rule=rule, num_consts=len(closed.consts))
        return flat.out_tree.unflatten(outs)


class _Rule:
    """The user's rule as a function of flat operands."""

    __slots__ = ("in_tree", "name", "out_avals", "out_tree", "user")

    def __init__(self, user: Callable[..., Any], name: str, in_tree: Any, out_tree: Any, out_avals: tuple) -> None:
        self.user, self.name, self.in_tree, self.out_tree, self.out_avals = user, name, in_tree, out_tree, out_avals

    @property
    def __name__(self) -> str:
        return rule_name(self.user, "def_vmap")

    def __call__(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple[list, list[bool]]:
        """Flat results, and which of them have the batch in axis 0."""
        flags = list(self.in_tree.unflatten(batched)[0])
        pair = self.user(size, flags, *self.in_tree.unflatten(args)[0])
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise self._error("pair", got=described(pair))
        outs, out_tree = tree.flatten(pair[0])
        marks, mark_tree = tree.flatten(pair[1])
        if mark_tree != out_tree:
            raise self._error("flags", got=mark_tree, expected=out_tree)
        if out_tree != self.out_tree:
            raise self._error("structure", got=out_tree, expected=self.out_tree)
        for i, (x, mark, aval) in enumerate(zip(outs, marks, self.out_avals)):
            wanted, found = aval.batched(size, 0) if mark else aval, get_aval(x)
            if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):  # type: ignore[attr-defined]
                path = tree.flatten_with_path(pair[0])[0][i][0]
                raise self._error("type", got=found.str_short(), expected=wanted.str_short(),
                                  path=f"result{tree.keystr(path)}")
        return outs, [bool(mark) for mark in marks]

    def _error(self, kind: str, **facts: Any) -> CustomBatchingError:
        return CustomBatchingError(function=self.name, rule=self.__name__, kind=kind, position=return_place(self.user),
                                   **facts)


class _TangentRule:
    """The batching rule of the tangent: the derivative of the rule of the call that it is the tangent of."""

    __slots__ = ("moving", "rule", "wanted")

    def __init__(self, rule: Any, moving: tuple[bool, ...], wanted: tuple[bool, ...]) -> None:
        self.rule, self.moving, self.wanted = rule, moving, wanted

    name = property(lambda self: self.rule.name)

    @property
    def __name__(self) -> str:
        return str(self.rule.__name__)

    def __call__(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple[list, list[bool]]:
        n = len(self.moving)
        given = iter(zip(args[n:], batched[n:]))
        pairs = [next(given) if m else None for m in self.moving]
        flags = [b or (t is not None and t[1]) for b, t in zip(batched, pairs)]
        wide = lambda x, has, wants: to_axis(x, None, 0, size) if wants and not has else x
        primals = [wide(x, b, w) for x, b, w in zip(args, batched, flags)]
        tangents = [Zero.like(x) if t is None else wide(*t, w) for x, t, w in zip(primals, pairs, flags)]
        marks: list[bool] = []

        def run(*xs: Any) -> list:
            outs, found = self.rule(size, flags, xs)
            marks[:] = found
            return outs

        _, douts = jvp_flat(run, primals, tangents)
        kept = [(instantiate(t), mark) for t, mark, w in zip(douts, marks, self.wanted) if w]
        return [t for t, _ in kept], [mark for _, mark in kept]


def _jvp(primals: tuple, tangents: tuple, *, call: ClosedJaxpr, rule: Any, num_consts: int) -> tuple[list, list]:
    outs = custom_vmap_call(*primals, call=call, rule=rule, num_consts=num_consts)
    moving = tuple(type(t) is not Zero for t in tangents)
    if not any(moving):
        return outs, [Zero.like(x) for x in outs]
    if any(moving[:num_consts]):
        raise CustomBatchingError(function=rule.name, rule=rule.__name__, kind="closure")
    wanted = tuple(a.to_tangent_aval().dtype != dtypes.float0 for a in call.out_avals)
    derived, _ = jvp_jaxpr(call, moving, wanted)
    body = derived.jaxpr
    tangent = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars],
                                       outvars=body.outvars[len(outs):]))
    found = iter(custom_vmap_call(
        *derived.consts, *primals, *[t for t in tangents if type(t) is not Zero], call=tangent,
        rule=_TangentRule(rule, moving[num_consts:], wanted), num_consts=len(derived.consts) + num_consts))
    return outs, [next(found) if w else Zero.like(x) for x, w in zip(outs, wanted)]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, call: ClosedJaxpr, rule: Any,
           num_consts: int) -> tuple[list, list]:
    if any(a is not None for a in axes[:num_consts]):
        raise CustomBatchingError(function=rule.name, rule=rule.__name__, kind="closure")
    front = [x if a is None else to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)]
    outs, marks = rule(axis.size, [a is not None for a in axes[num_consts:]], front[num_consts:])
    return outs, [0 if mark else None for mark in marks]


def _transpose(*_: Any, rule: Any, **__: Any) -> Any:
    raise CustomBatchingError(function=rule.name, rule=rule.__name__, kind="reverse")


custom_vmap_call = Primitive(
    "custom_vmap_call",
    params=("call", "rule", "num_consts"),
    multiple_results=True, cache_types=False, handles_extended=True,
    type_rule=lambda *avals, call, **_: list(call.out_avals),
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    emit=lambda b, *xs, call, rule, **_: b.call(call, xs, rule.name),
    evaluate=lambda *args, call, **_: eval_jaxpr(call.jaxpr, call.consts, *args),
    effects=lambda call, **_: call.effects,
    inside=lambda call, **_: Inside.call(call),
    in_sight=True,
    source="a function with a batching rule of its own",
)
