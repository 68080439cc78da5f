"""Primitives that users define, rule by rule, as JAX lets them: `jax.extend.core.Primitive`.

A primitive of ours is whole when it is made; a user's is made with a name alone, and gets its rules one by one. The rule
tables of `jax.interpreters` (`ad.primitive_jvps[p] = rule`) are views of the rules that primitives hold.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from perspicax.core.array import Array
from perspicax.core.effects import NO_EFFECTS, Effects
from perspicax.core.errors import RuleMissingError
from perspicax.core.primitive import Missing, OfPrimitive, primitives
from perspicax.core.primitive import Primitive as WholePrimitive
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import get_aval
from perspicax.transform.batch import ELEMENTWISE, BatchAxis, to_axis
from perspicax.transform.hooks import add_tangents, instantiate, lax
from perspicax.xla.dispatch import as_array, run_kernel

__all__ = [
    "Primitive", "RuleTable", "apply_primitive", "axis_primitive_batchers", "bdim_at_front", "defbilinear",
    "defbroadcasting", "defjvp", "defjvp2", "deflinear", "deflinear2", "defreducer", "defvectorized",
    "fancy_primitive_batchers", "get_primitive_transpose", "moveaxis", "not_mapped", "primitive_batchers", "primitive_jvps",
    "primitive_transposes", "repeated", "zeros_like_aval",
]


class Primitive(WholePrimitive):
    """An operation of the user's own.

    Args:
        name: what jaxprs and reports call it.

    Attributes:
        multiple_results: set to true for a primitive that returns several results, as a list.

    Give it rules: `def_impl` (how it runs), `def_abstract_eval` (the type of its result), and in `jax.interpreters` its
    derivative (`ad.primitive_jvps`), transposition, batching and lowering. A rule that is missing is missed, with a
    report, by the transformation that needs it.

    >>> double_p = Primitive("double")
    >>> @double_p.def_impl
    ... def double(x):
    ...     return 2 * x
    >>> double_p.bind(3)
    6
    """

    multiple_results: bool
    call_primitive = False
    map_primitive = False

    def __init__(self, name: str) -> None:
        super().__init__(
            name, params=None, type_rule=self._type, jvp=_unset(name, "jvp"), transpose=_unset(name, "transpose"),
            batch=_unset(name, "batch"), emit=_unset(name, "emit"), evaluate=self._evaluate, effects=self._effects_of,
            cache_types=False, source="the user's")
        self.impl: Callable[..., Any] | None = None
        self.abstract_eval: Callable[..., Any] | None = None
        self._has_effects = False
        self._seen_effects: dict[Any, Effects] = {}

    def def_impl(self, impl: Callable[..., Any]) -> Callable[..., Any]:
        """Say how the primitive runs outside of all transformations; returns `impl`."""
        self.impl = impl
        return impl

    def def_abstract_eval(self, abstract_eval: Callable[..., Any]) -> Callable[..., Any]:
        """Give the type rule: from the types of operands (and the parameters) to that of the result, or a list of them."""
        self.abstract_eval, self._has_effects = abstract_eval, False
        return abstract_eval

    def def_effectful_abstract_eval(self, abstract_eval: Callable[..., Any]) -> Callable[..., Any]:
        """As `def_abstract_eval`, for a rule that returns a pair of that and a set of effects."""
        self.abstract_eval, self._has_effects = abstract_eval, True
        return abstract_eval

    def _evaluate(self, /, *args: Any, **params: Any) -> Any:
        if self.impl is None:
            raise RuleMissingError(primitive=self.name, rule="evaluate",
                                   reason=f"nobody has called `{self.name}.def_impl(...)`, which says how it runs")
        return self.impl(*args, **params)

    def _type(self, /, *avals: Any, **params: Any) -> Any:
        if self.abstract_eval is None:
            raise RuleMissingError(
                primitive=self.name, rule="type_rule",
                reason=f"nobody has called `{self.name}.def_abstract_eval(...)`, which gives the type of its result")
        found = self.abstract_eval(*avals, **params)
        if self._has_effects:
            found, effects = found
            key = self._effect_key(params)
            self._seen_effects[key] = self._seen_effects.get(key, NO_EFFECTS) | frozenset(effects)
        return list(found) if self.multiple_results else found

    def _effects_of(self, /, **params: Any) -> Effects:
        """Effects are asked for by parameters alone, after the type: those that calls with these parameters had."""
        return self._seen_effects.get(self._effect_key(params), NO_EFFECTS) if self._has_effects else NO_EFFECTS

    def _effect_key(self, params: dict[str, Any]) -> Any:
        key = self.pack(params)
        try:
            hash(key)
        except TypeError:
            return None
        return key


_WHERE = {"jvp": "ad.primitive_jvps", "transpose": "ad.primitive_transposes", "batch": "batching.primitive_batchers",
          "emit": "mlir.register_lowering"}


def _unset(name: str, kind: str) -> Missing:
    where = _WHERE[kind]
    how = f"`{where}({name}, …)`" if kind == "emit" else f"`{where}[{name}]`"
    return Missing(f"nobody has set {how} of `jax.interpreters`, which would give it one")


class RuleTable(MutableMapping):
    """The rules of one kind that primitives hold, by primitive.

    Args:
        kind: the attribute of primitives.
        inward: makes a rule of ours of a user's; called with the primitive and the rule.
        outward: the reverse.
    """

    def __init__(self, kind: str, inward: Callable[[Any, Any], Any], outward: Callable[[Any, Any], Any]) -> None:
        self._kind, self._inward, self._outward = kind, inward, outward

    def __getitem__(self, primitive: WholePrimitive) -> Any:
        rule = getattr(primitive, self._kind, None)
        if rule is None or isinstance(rule, Missing):
            raise KeyError(primitive)
        return self._outward(primitive, rule)

    def __setitem__(self, primitive: WholePrimitive, rule: Callable[..., Any]) -> None:
        setattr(primitive, self._kind, self._inward(primitive, rule))

    def __delitem__(self, primitive: WholePrimitive) -> None:
        setattr(primitive, self._kind, _unset(primitive.name, self._kind))

    def __iter__(self) -> Iterator[Any]:
        return (p for p in list(primitives) if p in self)

    def __len__(self) -> int:
        return sum([1 for _ in self])

    def __contains__(self, primitive: object) -> bool:
        rule = getattr(primitive, self._kind, None)
        return rule is not None and not isinstance(rule, Missing)

    def __repr__(self) -> str:
        return f"<rules `{self._kind}` of {len(self)} primitives>"


def _same(primitive: Any, rule: Any) -> Any:
    return rule


primitive_jvps = RuleTable("jvp", _same, _same)
"""`rule(primals, tangents, **params)` returns results and tangents; a tangent may be `ad.Zero`."""


class _UserTranspose:
    """A user's transposition rule, which may ask cotangents for their type: numbers become arrays."""

    def __init__(self, rule: Callable[..., Any]) -> None:
        self.rule = rule

    def __call__(self, ct: Any, /, *operands: Any, **params: Any) -> Any:
        return self.rule([_array(c) for c in ct] if isinstance(ct, list) else _array(ct), *operands, **params)


def _array(ct: Any) -> Any:
    return ct if isinstance(ct, (Array, Zero)) else as_array(ct)


primitive_transposes = RuleTable("transpose", lambda primitive, rule: _UserTranspose(rule),
                                 lambda primitive, rule: getattr(rule, "rule", rule))
"""`rule(cotangent, *operands, **params)`: a cotangent (or None) for each operand; the linear ones are `UndefinedPrimal`s."""


def get_primitive_transpose(p: WholePrimitive) -> Any:
    """The transposition rule of a primitive.

    Raises:
        RuleMissingError: it has none; the report tells the reason.
    """
    try:
        return primitive_transposes[p]
    except KeyError:
        return p.rule("transpose")  # which raises, with the reason


class _UserBatcher:
    """A user's batching rule, called as ours.

    Args:
        rule: what the user wrote.
        front: what it is called with in front of the operands and their axes, given the batch axis.
    """

    def __init__(self, rule: Callable[..., Any], front: Callable[[Any], tuple]) -> None:
        self.rule, self.front = rule, front

    def __call__(self, axis: Any, args: tuple, axes: tuple, /, **params: Any) -> Any:
        return self.rule(*self.front(axis), args, axes, **params)


def _nothing(axis: Any) -> tuple:
    return ()


def _whole(axis: Any) -> tuple:
    return (axis,)


def _taken_apart(axis: Any) -> tuple:
    return axis.size, axis.name, None  # the last was the type of a trace once


def _plain_batcher(primitive: Any, rule: Any) -> Any:
    if isinstance(rule, _UserBatcher) and rule.front is _nothing:
        return rule.rule

    def batcher(args: tuple, axes: tuple, /, **params: Any) -> Any:
        size = next(get_aval(x).shape[a] for x, a in zip(args, axes) if a is not None)  # type: ignore[attr-defined]
        return rule(BatchAxis(size), tuple(args), tuple(axes), **params)

    return batcher


primitive_batchers = RuleTable("batch", lambda primitive, rule: _UserBatcher(rule, _nothing), _plain_batcher)
"""`rule(args, axes, **params)` returns results and their axes; an axis is an int, or None for what has none."""

fancy_primitive_batchers = RuleTable("batch", lambda primitive, rule: _UserBatcher(rule, _whole),
                                     lambda primitive, rule: rule)
"""The same, called with the batch axis (its `size` and `name`) first."""

axis_primitive_batchers = RuleTable("batch", lambda primitive, rule: _UserBatcher(rule, _taken_apart),
                                    lambda primitive, rule: rule)
"""The same, called with the size of the batch axis, its name, and `None` first."""


not_mapped = None
"""In a batching rule, the axis of an operand that is the same for the whole batch."""


def bdim_at_front(x: Any, bdim: int | None, size: int, mesh_axis: Any = None) -> Any:
    """`x` with its batch axis first; repeated, if it has none."""
    return to_axis(x, bdim, 0, size)


def repeated(x: Any, sz: int, axis: int, mesh_axis: Any = None) -> Any:
    """`x` repeated `sz` times along a new axis."""
    return to_axis(x, None, axis, sz)


def moveaxis(x: Any, src: int, dst: int) -> Any:
    """`x` with its axis `src` at `dst`."""
    return lax().move_axis(x, src, dst)


def zeros_like_aval(aval: Any) -> Any:
    """An array of zeros of a type."""
    return lax().zeros(aval)


def apply_primitive(prim: WholePrimitive, *args: Any, **params: Any) -> Any:
    """Run a primitive by its lowering rule, compiled alone: `p.def_impl(partial(apply_primitive, p))`."""
    return run_kernel(prim, args, prim.pack(params))


# -- common rules

def deflinear(primitive: Primitive, transpose_rule: Callable[..., Any]) -> None:
    """Say that a primitive is linear in all operands together; `transpose_rule(cotangent, **params)`."""
    deflinear2(primitive, lambda ct, *operands, **params: transpose_rule(ct, **params))


def deflinear2(primitive: Primitive, transpose_rule: Callable[..., Any]) -> None:
    """Say that a primitive is linear in all operands together; `transpose_rule(cotangent, *operands, **params)`."""
    def jvp(primals: tuple, tangents: tuple, /, **params: Any) -> tuple[Any, Any]:
        out = primitive(*primals, **params)
        if all(type(t) is Zero for t in tangents):
            return out, [Zero.like(x) for x in out] if primitive.multiple_results else Zero.like(out)
        return out, primitive(*[instantiate(t) for t in tangents], **params)

    primitive_jvps[primitive] = jvp
    primitive_transposes[primitive] = transpose_rule


def defbilinear(primitive: Primitive, lhs_rule: Callable[..., Any], rhs_rule: Callable[..., Any]) -> None:
    """Say that a primitive of two operands is linear in each of them.

    `lhs_rule(cotangent, x, y, **params)` is the cotangent of `x`, `rhs_rule` that of `y`.
    """
    defjvp(primitive, lambda t, x, y, **params: primitive(t, y, **params),
           lambda t, x, y, **params: primitive(x, t, **params))

    def transpose(ct: Any, x: Any, y: Any, /, **params: Any) -> list[Any]:
        if type(x) is Linear:
            return [Zero(x.aval) if type(ct) is Zero else lhs_rule(ct, x, y, **params), None]
        return [None, Zero(y.aval) if type(ct) is Zero else rhs_rule(ct, x, y, **params)]

    primitive_transposes[primitive] = transpose


def defjvp(primitive: Primitive, *rules: Callable[..., Any] | None) -> None:
    """Give the derivative operand by operand: `rule(tangent, *primals, **params)`, or `None` where there is none."""
    defjvp2(primitive, *[None if rule is None else _without_out(rule) for rule in rules])


def _without_out(rule: Callable[..., Any]) -> Callable[..., Any]:
    return lambda t, out, *primals, **params: rule(t, *primals, **params)


def defjvp2(primitive: Primitive, *rules: Callable[..., Any] | None) -> None:
    """As `defjvp`, with rules that get the result too: `rule(tangent, out, *primals, **params)`."""
    def jvp(primals: tuple, tangents: tuple, /, **params: Any) -> tuple[Any, Any]:
        out = primitive(*primals, **params)
        total: Any = Zero.like(out)
        for rule, t in zip(rules, tangents):
            if rule is not None and type(t) is not Zero:
                total = add_tangents(total, rule(t, out, *primals, **params))
        return out, total

    primitive_jvps[primitive] = jvp


def defvectorized(primitive: Primitive) -> None:
    """Say that a primitive works elementwise on operands of one shape: it serves batches as it is."""
    def batch(args: tuple, axes: tuple, /, **params: Any) -> tuple[Any, Any]:
        axis = next(a for a in axes if a is not None)
        size = next(get_aval(x).shape[a] for x, a in zip(args, axes) if a is not None)  # type: ignore[attr-defined]
        out = primitive(*[to_axis(x, a, axis, size) for x, a in zip(args, axes)], **params)
        return out, [axis] * len(out) if primitive.multiple_results else axis

    primitive_batchers[primitive] = batch


def defbroadcasting(primitive: Primitive) -> None:
    """Say that a primitive works elementwise, and that its operands may have different ranks."""
    rule: OfPrimitive = ELEMENTWISE
    primitive.batch = rule.make(primitive)


def defreducer(primitive: Primitive) -> None:
    """Say that a primitive reduces its operand along the axes in its parameter `axes`."""
    def batch(args: tuple, axes: tuple, /, **params: Any) -> tuple[Any, int]:
        (x,), (axis,) = args, axes
        shifted = tuple([a + (a >= axis) for a in params["axes"]])
        out = primitive(x, **{**params, "axes": shifted})
        return out, axis - sum([1 for a in shifted if a < axis])

    primitive_batchers[primitive] = batch
