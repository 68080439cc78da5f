"""The intermediate language: a jaxpr is a list of equations in A-normal form.

Variables are compared by identity. An equation keeps its parameters as a tuple (`params` gives them by name) and the
place in the user's code as a bare `(code, instruction offset)`, resolved only when somebody asks.
"""
from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.core.config import local
from perspicax.core.effects import NO_EFFECTS, Effects, RefEffect
from perspicax.core.primitive import Primitive
from perspicax.diagnose.source import Position

Place = tuple  # (code object, instruction offset), or None


class SpreadPlace(tuple):
    """The place of an operation of which a transformation repeats an operand along a batch: the user did not ask for copies."""

    __slots__ = ()


class Var:
    """A variable of a jaxpr: bound once."""

    __slots__ = ("__weakref__", "aval")

    def __init__(self, aval: Any) -> None:
        self.aval = aval

    def __repr__(self) -> str:
        return f"Var(id={id(self)}):{self.aval.str_short()}"


class DropVar(Var):
    """A result that nobody reads; printed `_`."""

    __slots__ = ()


class Literal:
    """A scalar written into the equation that uses it."""

    __slots__ = ("aval", "val")

    def __init__(self, val: Any, aval: Any) -> None:
        self.val = val
        self.aval = aval

    def __repr__(self) -> str:
        return f"Literal({self.val})"


Atom = Var | Literal


class EquationContext(NamedTuple):
    """What was in force when a primitive was applied.

    Attributes:
        compute_type: where it shall be computed, if not on the device: always `None`.
        threefry_partitionable: whether random numbers of several devices are made one by one: they always are.
        xla_metadata: what was attached for the compiler: always `None`.
    """

    compute_type: None = None
    threefry_partitionable: bool = True
    xla_metadata: None = None


_CONTEXT = EquationContext()


class JaxprEqn:
    """One application of a primitive."""

    __slots__ = ("effects", "invars", "outvars", "place", "primitive", "values")

    def __init__(self, primitive: Primitive, invars: tuple, values: tuple, outvars: tuple, effects: Effects,
                 place: Any) -> None:
        self.primitive = primitive
        self.invars = invars
        self.values = values
        self.outvars = outvars
        self.effects = effects
        self.place = place

    @property
    def params(self) -> dict[str, Any]:
        """Parameters by name."""
        return self.primitive.unpack(self.values)

    @property
    def position(self) -> Position | None:
        """Where the user's code applied it."""
        return None if self.place is None else Position(*self.place)

    source_info = position
    ctx = property(lambda self: _CONTEXT)

    def replace(self, **changes: Any) -> JaxprEqn:
        """A copy with some fields changed (`params=` takes a dict)."""
        if "params" in changes:
            primitive = changes.get("primitive", self.primitive)
            changes["values"] = primitive.pack(changes.pop("params"))
        fields = dict(primitive=self.primitive, invars=self.invars, values=self.values, outvars=self.outvars,
                      effects=self.effects, place=self.place)
        fields.update(changes)
        fields["invars"], fields["outvars"] = tuple(fields["invars"]), tuple(fields["outvars"])
        return JaxprEqn(**fields)

    def __repr__(self) -> str:
        from perspicax.core.printer import equation_text

        return equation_text(self)


class DebugInfo:
    """What a staged function is called, and its arguments and results; for reports and printing.

    `arg_names` has one path for each flat argument (`params['w']`); it may be given as a function that makes it, so
    that staging costs nothing for it.
    """

    __slots__ = ("_arg_names", "_result_paths", "fun", "name", "place", "transform")

    def __init__(self, transform: str, name: str, place: Any = None, arg_names: Any = None, result_paths: Any = None,
                 fun: Any = None) -> None:
        self.transform, self.name, self.place = transform, name, place
        self._arg_names, self._result_paths = arg_names, result_paths
        self.fun = None if fun is None else _weak(fun)

    @property
    def arg_names(self) -> tuple[str, ...] | None:
        if callable(self._arg_names):
            self._arg_names = tuple(self._arg_names())
        return self._arg_names

    @property
    def result_paths(self) -> tuple[str, ...] | None:
        if callable(self._result_paths):
            self._result_paths = tuple(self._result_paths())
        return self._result_paths

    @property
    def func_name(self) -> str:
        return self.name

    @property
    def traced_for(self) -> str:
        return self.transform

    @property
    def func_src_info(self) -> str:
        """The function and its place: `loss at train.py:12`."""
        if self.place is None:
            return self.name
        code = self.place[0]
        return f"{self.name} at {code.co_filename}:{code.co_firstlineno}"


def _weak(fun: Any) -> Any:
    try:
        return weakref.ref(fun)
    except TypeError:
        return lambda: None


class Jaxpr:
    """Equations between inputs and outputs, open in `constvars`."""

    __slots__ = ("__weakref__", "constvars", "debug_info", "effects", "eqns", "invars", "outvars")

    def __init__(self, constvars: Sequence[Var], invars: Sequence[Var], outvars: Sequence[Atom],
                 eqns: Sequence[JaxprEqn], effects: Effects = NO_EFFECTS, debug_info: DebugInfo | None = None) -> None:
        self.constvars, self.invars, self.outvars = list(constvars), list(invars), list(outvars)
        self.eqns = list(eqns)
        self.effects = effects
        self.debug_info = debug_info

    @property
    def in_avals(self) -> list[Any]:
        return [v.aval for v in self.invars]

    @property
    def out_avals(self) -> list[Any]:
        return [v.aval for v in self.outvars]

    def replace(self, **changes: Any) -> Jaxpr:
        """A copy with some fields changed."""
        fields: dict[str, Any] = dict(constvars=self.constvars, invars=self.invars, outvars=self.outvars, eqns=self.eqns,
                      effects=self.effects, debug_info=self.debug_info)
        fields.update(changes)
        return Jaxpr(**fields)

    def __repr__(self) -> str:
        return self.pretty_print()

    def pretty_print(self, **options: Any) -> str:
        """The jaxpr as text."""
        from perspicax.core.printer import jaxpr_text

        return jaxpr_text(self, **options)


class ClosedJaxpr:
    """A jaxpr together with the values of its constants.

    What transformations derive from it (its derivative, its batched form, its executable) is kept in `derived`, and so
    lives exactly as long as the jaxpr.
    """

    __slots__ = ("__weakref__", "_in_avals", "_out_avals", "consts", "derived", "jaxpr")

    def __init__(self, jaxpr: Jaxpr, consts: Sequence[Any] = ()) -> None:
        self.jaxpr = jaxpr
        self.consts = list(consts)
        self.derived: dict[Any, Any] = {}
        self._in_avals: tuple | None = None
        self._out_avals: tuple | None = None

    @property
    def in_avals(self) -> tuple:
        if self._in_avals is None:
            self._in_avals = tuple([v.aval for v in self.jaxpr.invars])
        return self._in_avals

    @property
    def out_avals(self) -> tuple:
        if self._out_avals is None:
            self._out_avals = tuple([v.aval for v in self.jaxpr.outvars])
        return self._out_avals

    literals = property(lambda self: self.consts)
    invars = property(lambda self: self.jaxpr.invars)
    outvars = property(lambda self: self.jaxpr.outvars)
    constvars = property(lambda self: self.jaxpr.constvars)
    eqns = property(lambda self: self.jaxpr.eqns)
    effects = property(lambda self: self.jaxpr.effects)
    debug_info = property(lambda self: self.jaxpr.debug_info)

    def derive(self, key: Any, make: Any) -> Any:
        """What `make()` returns, computed once for each `key`."""
        try:
            found = self.derived.get(key)
        except TypeError:  # a key that cannot be hashed
            return make()
        if found is None:
            found = self.derived[key] = make()
        return found

    def replace(self, *, jaxpr: Jaxpr | None = None, consts: Sequence[Any] | None = None) -> ClosedJaxpr:
        """A copy with some fields changed."""
        return ClosedJaxpr(jaxpr or self.jaxpr, self.consts if consts is None else consts)

    def map_jaxpr(self, change: Callable[[Jaxpr], Jaxpr]) -> ClosedJaxpr:
        """What `change` makes of the jaxpr, with the same constants."""
        return ClosedJaxpr(change(self.jaxpr), self.consts)

    def __call__(self, *args: Any) -> list[Any]:
        return eval_jaxpr(self.jaxpr, self.consts, *args)

    def __repr__(self) -> str:
        return repr(self.jaxpr)

    __str__ = __repr__

    def pretty_print(self, **options: Any) -> str:
        """The jaxpr as text."""
        return self.jaxpr.pretty_print(**options)


def eval_jaxpr(jaxpr: Jaxpr, consts: Sequence[Any], *args: Any, **_: Any) -> list[Any]:
    """Apply the equations of `jaxpr` to values, in the current trace.

    Args:
        jaxpr: the jaxpr; `consts` has one value for each of its constvars.
        args: one value for each of its invars.
    """
    env: dict[Any, Any] = dict(zip(jaxpr.constvars, consts))
    env.update(zip(jaxpr.invars, args))
    last = last_uses(jaxpr)
    place_before = local.place
    try:
        _apply_equations(jaxpr, env, last)
    finally:
        local.place = place_before
    return [a.val if type(a) is Literal else env[a] for a in jaxpr.outvars]


def _apply_equations(jaxpr: Jaxpr, env: dict[Any, Any], last: dict[int, list[Var]]) -> None:
    """Each equation in turn, in the name of the place in the user's code where it was first applied."""
    with_refs = bool(jaxpr.effects) and any(isinstance(e, RefEffect) for e in jaxpr.effects)
    for index, eqn in enumerate(jaxpr.eqns):
        operands = tuple([a.val if type(a) is Literal else env[a] for a in eqn.invars])
        primitive = eqn.primitive
        local.place = eqn.place
        if with_refs and "perform" in primitive.extra:  # references are no operands that a trace knows
            out = primitive.extra["perform"](*operands, **eqn.params)
        else:
            out = local.trace.process(primitive, operands, eqn.values)
        if primitive.multiple_results:
            env.update(zip(eqn.outvars, out))
        else:
            env[eqn.outvars[0]] = out
        for var in last.get(index, ()):
            env.pop(var, None)


def last_uses(jaxpr: Jaxpr) -> dict[int, list[Var]]:
    """For each equation's index the variables that it is the last to read (memory is freed as soon as possible)."""
    last: dict[Any, int] = {}
    for index, eqn in enumerate(jaxpr.eqns):
        for a in eqn.invars:
            if type(a) is not Literal:
                last[a] = index
    for a in jaxpr.outvars:
        last.pop(a, None)  # type: ignore[call-overload]
    uses: dict[int, list[Var]] = {}
    for var, index in last.items():
        uses.setdefault(index, []).append(var)
    return uses


_LEAVES = frozenset((int, bool, str, float, type(None), np.dtype))  # types of parameters that hold no jaxpr


def subjaxprs(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    """The jaxprs among an equation's parameters."""
    for value in eqn.values:
        if type(value) not in _LEAVES:
            yield from jaxprs_in(value)


def jaxprs_in(value: Any) -> Iterator[Jaxpr]:
    """The jaxprs in a parameter: the value itself, or the members of a tuple."""
    if isinstance(value, ClosedJaxpr):
        yield value.jaxpr
    elif isinstance(value, Jaxpr):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            if type(item) not in _LEAVES:
                yield from jaxprs_in(item)
