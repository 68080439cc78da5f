"""Errors of the language itself: shapes, operands that are no arrays, primitives without a rule."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class ShapeError(PerspicaxError, TypeError, ValueError):
    """What should be a shape is none."""

    shape: str
    why: str = "a shape is a sequence of integers, none of them negative"

    @property
    def report(self) -> Report:
        return Report(says=f"{self.shape} is not a shape.", why=self.why)


class NotAnArrayError(PerspicaxError, TypeError):
    """An operand is neither an array nor a number."""

    value_type: str
    value: str = ""

    @property
    def report(self) -> Report:
        shown = f": {self.value}" if self.value else ""
        fixes: tuple[Fix, ...] = ()
        if self.value_type in ("list", "tuple"):
            fixes = (Fix("make an array of it first", code=f"jnp.asarray({self.value})"),)
        if self.value_type == "NoneType":
            return Report(says="An operand is None, not an array.",
                          why="operations take arrays, NumPy arrays and Python numbers")
        article = "an" if self.value_type[:1] in "aeiouAEIOU" else "a"
        return Report(says=f"An operand is {article} {self.value_type}, not an array{shown}.",
                      why="operations take arrays, NumPy arrays and Python numbers", fixes=fixes)


class TokenOperandError(PerspicaxError, TypeError, AttributeError):  # JAX raises the one of a token, the other of a traced one
    """A token was used where an array is wanted."""

    @property
    def report(self) -> Report:
        return Report(says="An operand is a token, not an array.",
                      why="a token only orders what happens: it has no elements, no dtype, and no axis for a batch. "
                          "`lax.after_all` takes tokens, and functions may take them as arguments and return them")


class TruthValueError(PerspicaxError, ValueError):
    """An array of several elements was used as a condition."""

    type_text: str
    size: int

    @property
    def report(self) -> Report:
        if self.size == 0:
            why = "an array without elements is neither true nor false"
            fixes: tuple[Fix, ...] = (Fix("ask whether it has elements", code="x.size > 0"),)
        else:
            why = f"it has {self.size} elements, and they may disagree"
            fixes = (Fix("true when all elements are", code="x.all()"), Fix("true when any element is", code="x.any()"))
        return Report(says=f"The truth value of an array of type {self.type_text} is ambiguous.", why=why, fixes=fixes)


class PrimitiveDefinitionError(PerspicaxError, TypeError):
    """A primitive is defined or called without something it needs.

    Attributes:
        primitive: its name.
        absent: what is missing, by name.
        what: of which kind it is: `rule`, `parameter`, `derivative of operand`.
        surplus: what there is no place for.
    """

    primitive: str
    absent: tuple[str, ...]
    what: str = "rule"
    surplus: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        parts = []
        if self.absent:
            what = self.what if len(self.absent) == 1 else f"{self.what}s"
            parts.append(f"lacks the {what} {', '.join(f'`{n}`' for n in self.absent)}")
        if self.surplus:
            parts.append(f"was given {', '.join(f'`{n}`' for n in self.surplus)}, which it does not have")
        return Report(says=f"The primitive `{self.primitive}` {' and '.join(parts)}.",
                      why=_DEFINITIONS[self.what])


_DEFINITIONS = {
    "rule": "every rule is required, so that a forgotten one fails here and not at a call; a rule that cannot exist gives "
            "its reason, such as `transpose=NotLinear(\"…\")`",
    "parameter": "parameters are fixed when the primitive is defined",
    "derivative of operand": "`per_operand` takes one function for each operand, and None for one that has no derivative",
}


RULE_NAMES = {"jvp": "derivative", "transpose": "transposition rule", "batch": "batching rule",
              "emit": "lowering rule", "linearize": "linearisation", "evaluate": "evaluation rule", "type_rule": "type rule"}


class JaxprOperandsError(PerspicaxError, ValueError):
    """A jaxpr was evaluated with more or fewer values than it takes.

    Attributes:
        kind: `arguments`, or `constants`.
        expected: the types that it takes.
        actual: how many values there were.
    """

    kind: str
    expected: tuple[str, ...]
    actual: int

    @property
    def report(self) -> Report:
        from perspicax.diagnose.render.text import plural  # for weight

        types = ", ".join(self.expected[:6]) + (", …" if len(self.expected) > 6 else "")
        return Report(says=f"A jaxpr of {plural(len(self.expected), self.kind[:-1])} was evaluated with "
                           f"{plural(self.actual, 'value')}.",
                      why=(f"its {self.kind} are {types}; " if types else "") + "each takes one value",
                      fixes=(Fix("pass the jaxpr's own constants, and the leaves of the arguments",
                                 code="jax.core.eval_jaxpr(closed.jaxpr, closed.consts, *jax.tree.leaves(args))"),))


class RuleResultError(PerspicaxError, TypeError):
    """A rule of a primitive returned something else than such a rule returns.

    Attributes:
        primitive: whose rule it is.
        rule: its kind, `jvp`, `batch`, `type_rule`, ….
        expected: what a rule of this kind returns.
        got: what came.
    """

    primitive: str
    rule: str
    expected: str
    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"The {RULE_NAMES.get(self.rule, self.rule)} of `{self.primitive}` returned {self.got}.",
                      why=f"it returns {self.expected}")


class RuleMissingError(PerspicaxError, NotImplementedError):
    """A transformation needs a rule that a primitive cannot have, or was not given."""

    primitive: str
    rule: str
    reason: str = ""

    @property
    def report(self) -> Report:
        doing = {"jvp": "differentiated", "transpose": "differentiated in reverse mode", "batch": "vectorised by vmap",
                 "emit": "compiled", "evaluate": "run", "type_rule": "traced"}.get(self.rule, "transformed")
        return Report(says=f"`{self.primitive}` cannot be {doing}: it has no {RULE_NAMES.get(self.rule, self.rule)}.",
                      why=self.reason or "whoever defined it gave it none")


def rule_result(primitive: Any, rule: str, found: Any) -> RuleResultError:
    """The error for what a `jvp`, `linearize` or `batch` rule returned in place of two things, or two lists."""
    second = "its batch axis" if rule == "batch" else "its tangent"
    expected = f"a pair `(result, {second})`"
    if primitive.multiple_results:
        expected = f"a pair of lists of one length: the results, and for each of them {second}"
    return RuleResultError(primitive=primitive.name, rule=rule, expected=expected, got=_described(found))


def type_result(primitive: Any, found: Any) -> RuleResultError:
    """The error for what a type rule returned in place of types."""
    expected = "a list of types, one for each result" if primitive.multiple_results else "the type of the result"
    return RuleResultError(primitive=primitive.name, rule="type_rule", expected=f"{expected}, such as `ShapedArray((3,), "
                           "dtype)`", got=_described(found))


def cotangent_result(primitive: Any, found: Any, avals: Sequence[Any], place: Any) -> RuleResultError:
    """The error for what a transposition rule returned in place of one cotangent for each operand."""
    types = ", ".join([a.str_short() for a in avals])
    return RuleResultError(primitive=primitive.name, rule="transpose", got=_described(found), position=place,
                           expected=f"a list of {len(avals)} ({types}): a cotangent of the type of each operand, or None")


def _of_result(primitive: Any, index: int) -> str:
    return f"result {index}" if primitive.multiple_results else "the result"


def tangent_result(primitive: Any, index: int, aval: Any, wanted: Any, found: Any, zero: bool) -> RuleResultError:
    """The error for a tangent that has another type than goes with its result."""
    of, what = _of_result(primitive, index), "a zero" if zero else "a tangent"
    return RuleResultError(primitive=primitive.name, rule="jvp", got=f"{what} of type {found.str_short()} for {of}",
                           expected=f"for {of}, which is {aval.str_short()}, a tangent of type {wanted.str_short()}")


def axis_result(primitive: Any, index: int, aval: Any, axis: Any, size: int) -> RuleResultError:
    """The error for a batch axis that is none of a result's, or has another size than the batch."""
    of = _of_result(primitive, index)
    return RuleResultError(primitive=primitive.name, rule="batch", got=f"{axis!r} as the batch axis of {of}, which is "
                           f"{aval.str_short()}", expected=f"for {of} an axis of size {size}, which is that of the batch, "
                           "counted from 0; or None where it has none")


def batched_result(primitive: Any, index: int, wanted: Any, found: Any) -> RuleResultError:
    """The error for a result of a batching rule that is, for one element of the batch, of another type than promised."""
    of = _of_result(primitive, index)
    return RuleResultError(primitive=primitive.name, rule="batch", got=f"for {of}, without its batch axis, "
                           f"{found.str_short()}", expected="what the type rule promises for one element of the batch: "
                           f"{wanted.str_short()}")


def _described(found: Any) -> str:
    """A value by its class: it may hold tracers, whose names are ours."""
    if isinstance(found, tuple | list):
        inside = ", ".join(_described(x) for x in found[:4]) + (", …" if len(found) > 4 else "")
        return f"a {type(found).__name__} of {len(found)} ({inside})" if found else f"an empty {type(found).__name__}"
    aval: Any = getattr(found, "aval", None)
    if hasattr(aval, "str_short"):
        return aval.str_short()
    if isinstance(found, np.ndarray):
        return f"{found.dtype}[{','.join(map(str, found.shape))}]"
    return "None" if found is None else f"a value of class {type(found).__name__}"
