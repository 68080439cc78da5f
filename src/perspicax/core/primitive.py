"""Primitives: the operations of the language, each whole in one object.

A primitive is called like a function (`sin(x)`, `reshape(x, new_sizes=(2, 3))`); the current trace processes the call
and asks the primitive for the rule it needs. No trace ever tests which primitive it is.

The rules, and how they are called:

    type_rule(*avals, **params) -> aval, or a list of avals when `multiple_results`
    jvp(primals, tangents, **params) -> (out, tangent)         tangents may be `Zero`
    linearize(primals, tangents, **params) -> (out, tangent)   optional; the tangents live on a linear tape
    jvp_call(trace, primals, tangents, moving, **params)       in place of both, for primitives that hold Python functions
    transpose(cotangent, *operands, **params) -> [cotangent or None per operand]   linear operands are `Linear`
    batch(axis, args, axes, **params) -> (out, out_axis)       `axis` is a BatchAxis, `axes` ints or None
    batch_call(trace, args, axes, **params)                    in its place, for primitives that hold Python functions
    emit(b, *values, **params) -> Value, or a list of them     StableHLO; `b.out` holds the result avals
    evaluate(*args, **params)                                  optional: how it runs eagerly, instead of its own kernel
    stage(trace, args, params)                                 optional: how it enters a jaxpr
    host(*arrays, **params)                                    optional: NumPy, equal to the bit; NotImplemented to decline
    physical(params, in_avals, out_avals) -> params            optional: the same on the words of an extended dtype
    effects(**params)                                          optional: the effects of one call
    inside(**params) -> Inside, or None                        optional: the jaxprs that it runs, for who reads programs
    sanitize[name](args, params)                               optional: what a sanitizer looks at before it runs
"""
from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from perspicax.core.avals import AbstractValue
from perspicax.core.config import local
from perspicax.core.effects import NO_EFFECTS, Effects
from perspicax.core.errors import PrimitiveDefinitionError, RuleMissingError, type_result

MAX_CACHED_TYPES = 8192
_KNOWS_SHARDINGS = frozenset(("knows_shardings", "user"))  # marks of primitives whose type rules take split types
_NOWHERE: frozenset = frozenset()
_varies = operator.attrgetter("vma")
_split = operator.attrgetter("explicit")
_memory = operator.attrgetter("memory")

split_results: list[Callable[[Primitive, Sequence[Any], Any, dict[str, Any]], Any]] = []
"""Filled by lax: `split_results[0](primitive, avals, found, params)` splits the result types `found` as the
operands' types say."""

common_memory: list[Callable[[Primitive, Sequence[Any]], Any]] = []
"""Filled by lax: `common_memory[0](primitive, avals)` is the memory that the results of operands of these types are in."""

primitives: weakref.WeakSet[Primitive] = weakref.WeakSet()


class Missing:
    """A rule that cannot exist; `reason` is told to whoever asks for it."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class NotLinear(Missing):
    """A transposition rule that cannot exist, since the primitive is not linear."""


class NotDifferentiable(Missing):
    """A derivative that cannot exist."""


class OfPrimitive:
    """A rule that is made for the primitive it belongs to: `make(primitive)` returns the rule."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[Primitive], Callable[..., Any]]) -> None:
        self.make = make


class Inner(NamedTuple):
    """A jaxpr that a primitive runs, and what feeds its inputs.

    Attributes:
        jaxpr: a closed jaxpr.
        inputs: for each of its inputs the index of an operand of the primitive, and how it comes from there: `operand`, as
            it is; `carry`, so in the first round of a loop, and what the round before handed on in the others; `row`, one
            entry along axis 0 in each round.
    """

    jaxpr: Any
    inputs: tuple[tuple[Literal["operand", "carry", "row"], int], ...]


class Inside(NamedTuple):
    """How a primitive runs the jaxprs in its parameters, for whoever reads programs without running them.

    Attributes:
        kind: `call` (the one jaxpr runs once, its results are the primitive's), `branch` (one of them does) or `loop` (all of
            them run in each round, in order; the last returns what is carried, in the order of its carried inputs, and
            then rows, which the primitive returns stacked along axis 0).
        inner: the jaxprs.
        length: how many rounds a loop has; `None` where that is not known before it runs.
        reverse: whether the rounds of a loop go through the rows from the last to the first.
        again: whether it computes again what another equation has computed already.
        word: what users call a loop.
    """

    kind: Literal["call", "branch", "loop"]
    inner: tuple[Inner, ...]
    length: int | None = None
    reverse: bool = False
    again: bool = False
    word: str = ""

    @classmethod
    def call(cls, jaxpr: Any, again: bool = False) -> Inside:
        """A call of `jaxpr` with the primitive's operands."""
        return cls("call", (Inner(jaxpr, tuple([("operand", i) for i in range(len(jaxpr.in_avals))])),), again=again)


class Parts(NamedTuple):
    """How a primitive runs a jaxpr on parts of its operands; `primitive.extra["parts"](**params)` tells it.

    Attributes:
        jaxpr: of one part.
        splits: for each operand, for each of its axes, the names of the mesh axes that split it.
        sizes: how many parts each mesh axis makes.
    """

    jaxpr: Any
    splits: tuple[tuple[tuple[Any, ...], ...], ...]
    sizes: Mapping[Any, int]

    def slices(self, operand: int, where: Mapping[Any, int], shape: tuple[int, ...]) -> tuple[slice, ...]:
        """The part of an operand of this shape that is at the coordinates `where` of the mesh."""
        found = []
        for names, size in zip(self.splits[operand], shape):
            number, count = 0, 1
            for name in names:
                number, count = number * self.sizes[name] + where[name], count * self.sizes[name]
            found.append(slice(number * (size // count), (number + 1) * (size // count)))
        return tuple(found)


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Any = _Required()


class Primitive:
    """One operation. Constructing it registers it; a missing rule fails here, not at a user's call."""

    __slots__ = (
        "__weakref__",
        "batch",
        "batch_call",
        "cache_types",
        "docs",
        "effects",
        "emit",
        "evaluate",
        "extra",
        "handles_extended",
        "host",
        "in_sight",
        "inside",
        "jvp",
        "jvp_call",
        "kernels",
        "kernels1",
        "kernels2",
        "linearize",
        "multiple_results",
        "name",
        "param_names",
        "physical",
        "sanitize",
        "source",
        "stage",
        "transpose",
        "type_rule",
        "types",
        "types1",
        "types2",
    )

    call_primitive = map_primitive = False  # libraries that walk through jaxprs ask for kinds that JAX had once

    def __init__(
        self,
        name: str,
        *,
        params: Sequence[str] | None = (),
        type_rule: Callable[..., Any] = REQUIRED,
        jvp: Any = REQUIRED,
        transpose: Any = REQUIRED,
        batch: Any = REQUIRED,
        emit: Any = REQUIRED,
        linearize: Callable[..., Any] | None = None,
        jvp_call: Callable[..., Any] | None = None,
        batch_call: Callable[..., Any] | None = None,
        evaluate: Callable[..., Any] | None = None,
        stage: Callable[..., Any] | None = None,
        host: Callable[..., Any] | None = None,
        physical: Callable[..., Any] | None = None,
        handles_extended: bool = False,
        effects: Callable[..., Effects] | None = None,
        sanitize: dict[str, Callable[..., Any]] | None = None,
        inside: Callable[..., Inside | None] | None = None,
        in_sight: bool = False,
        multiple_results: bool = False,
        cache_types: bool = True,
        source: str = "",
    ) -> None:
        rules = dict(type_rule=type_rule, jvp=jvp, transpose=transpose, batch=batch, emit=emit)
        absent = [rule for rule, value in rules.items() if value is REQUIRED]
        if absent:
            raise PrimitiveDefinitionError(primitive=name, absent=tuple(absent))
        made = {rule: value.make(self) for rule, value in rules.items() if isinstance(value, OfPrimitive)}
        type_rule, jvp, transpose, batch, emit = ({**rules, **made}[rule] for rule in rules)
        self.name = name
        self.param_names = None if params is None else tuple(params)
        self.type_rule, self.jvp, self.transpose, self.batch, self.emit = type_rule, jvp, transpose, batch, emit
        self.linearize, self.evaluate, self.stage, self.host = linearize, evaluate, stage, host
        self.jvp_call, self.batch_call = jvp_call, batch_call
        self.physical, self.handles_extended, self.effects = physical, handles_extended, effects
        self.sanitize = sanitize or {}
        self.inside, self.in_sight = inside, in_sight
        self.multiple_results, self.cache_types, self.source = multiple_results, cache_types, source
        self.types: dict[Any, Any] = {}
        self.types1: dict[AbstractValue, Any] = {}
        self.types2: dict[tuple[AbstractValue, AbstractValue], Any] = {}
        self.kernels: dict[Any, Any] = {}
        self.kernels1: dict[AbstractValue, Any] = {}
        self.kernels2: dict[tuple[AbstractValue, AbstractValue], Any] = {}
        self.extra: dict[str, Any] = {}
        primitives.add(self)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str | tuple:
        return _find_primitive, (self.name,)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply the primitive: the current trace processes it.

        Python scalars, NumPy arrays, arrays and tracers are taken as they are; no promotion happens here.
        """
        return local.trace.process(self, args, self.pack(params))

    bind = __call__

    def pack(self, params: dict[str, Any]) -> tuple:
        """Parameters as the tuple that equations and caches hold."""
        names = self.param_names
        if names is None:
            return tuple(sorted(params.items()))
        try:
            values = tuple([params[n] for n in names])
        except KeyError:
            values = None
        if values is None or len(params) != len(names):
            raise PrimitiveDefinitionError(
                primitive=self.name, absent=tuple(n for n in names if n not in params), what="parameter",
                surplus=tuple(n for n in params if n not in names))
        return values

    def unpack(self, values: tuple) -> dict[str, Any]:
        """Parameters by name from the tuple that `pack` made."""
        if not values:
            return {}
        if self.param_names is None:
            return dict(values)
        return dict(zip(self.param_names, values))

    def infer(self, avals: tuple, values: tuple) -> Any:
        """Result type (or list of types), by the type rule; cached."""
        if not self.cache_types:
            return self._typed(avals, values)
        key = (avals, values)
        try:
            out = self.types.get(key)
        except TypeError:  # a parameter that cannot be hashed
            return self._typed(avals, values)
        if out is None:
            out = self._typed(avals, values)
            if len(self.types) >= MAX_CACHED_TYPES:
                self.types.clear()
            self.types[key] = out
        return out

    def infer1(self, aval: AbstractValue) -> Any:
        """`infer` for one operand and no parameters."""
        out = self._typed((aval,), ())
        if len(self.types1) >= MAX_CACHED_TYPES:
            self.types1.clear()
        self.types1[aval] = out
        return out

    def infer2(self, a: AbstractValue, b: AbstractValue) -> Any:
        """`infer` for two operands and no parameters."""
        out = self._typed((a, b), ())
        if len(self.types2) >= MAX_CACHED_TYPES:
            self.types2.clear()
        self.types2[a, b] = out
        return out

    def _typed(self, avals: tuple, values: tuple) -> Any:
        """The result type. The type rule knows nothing of axes of a mesh: a result varies along those that any operand
        varies along, unless the rule `varying` says otherwise, or jaxprs within do, which the type rule then reads. How
        explicit axes split the result is said by the rule of its family (`lax/explicit_rules.py`), and the memory that it is in
        follows from those of the operands."""
        params = self.unpack(values)
        reads_jaxprs = self.inside is not None or not (self.cache_types or "callback" in self.extra)
        if any(map(_memory, avals)) and not reads_jaxprs and "knows_memories" not in self.extra:
            found = self._typed(tuple([a if a.memory is None else a.in_memory(None) for a in avals]), values)
            memory = None if "callback" in self.extra else common_memory[0](self, avals)
            if memory is None:
                return found
            return [a.in_memory(memory) for a in found] if self.multiple_results else found.in_memory(memory)
        if not reads_jaxprs and not _KNOWS_SHARDINGS.intersection(self.extra) and (
                any(map(_split, avals)) or ("lays" in self.extra and params[self.extra["lays"]] is not None)):
            plain = self._varied(tuple([a if a.explicit is None else a.laid(None) for a in avals]), params, reads_jaxprs)
            return split_results[0](self, avals, plain, params)
        return self._varied(avals, params, reads_jaxprs)

    def _varied(self, avals: tuple, params: dict[str, Any], reads_jaxprs: bool) -> Any:
        rule = self.extra.get("varying")
        if rule is None and (reads_jaxprs or not any(map(_varies, avals))):
            return self._checked(self.type_rule(*avals, **params))
        found = self._checked(self.type_rule(*[a.varying(_NOWHERE) if a.vma else a for a in avals], **params))
        axes = _NOWHERE.union(*map(_varies, avals)) if rule is None else rule(avals, **params)
        return [a.varying(axes) for a in found] if self.multiple_results else found.varying(axes)

    def _checked(self, found: Any) -> Any:
        """What the type rule returned.

        Raises:
            RuleResultError: it is no type, or no list of types.
        """
        several = self.multiple_results
        if several and isinstance(found, list | tuple) and all(isinstance(a, AbstractValue) for a in found):
            return found
        if not several and isinstance(found, AbstractValue):
            return found
        raise type_result(self, found)

    def effects_of(self, values: tuple) -> Effects:
        """The effects of a call with these parameters."""
        return NO_EFFECTS if self.effects is None else self.effects(**self.unpack(values))

    @property
    def holds_function(self) -> bool:
        """Whether it may be called with a Python function as a parameter, which may close over traced values.

        `stage` makes a jaxpr of that, and operands of what it closes over.
        """
        return self.jvp_call is not None

    def rule(self, kind: str) -> Callable[..., Any]:
        """The rule named `kind`.

        Raises:
            RuleMissingError: it cannot exist; the report tells the reason.
        """
        found = getattr(self, kind)
        if found is None or isinstance(found, Missing):
            raise RuleMissingError(primitive=self.name, rule=kind, reason=getattr(found, "reason", ""))
        return found

    def clear_caches(self) -> None:
        """Forget inferred types and compiled kernels."""
        for cache in (self.types, self.types1, self.types2, self.kernels, self.kernels1, self.kernels2):
            cache.clear()


def _find_primitive(name: str) -> Primitive:
    for primitive in primitives:
        if primitive.name == name:
            return primitive
    raise LookupError(f"no primitive named {name!r}")
