"""A library as small as can be that reports as Perspicax does: values with a shape, errors with typed fields.

Its frames are marked as internal, so that the programs that use it are "the user".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.render import draw_shapes, ordinal
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.diagnose.source import (
    condition_at,
    mark_internal,
    on_device,
    operand_name,
    operands_at,
    user_position,
)

mark_internal(__file__)


class ShapesError(PerspicaxError, TypeError, ValueError):
    """Two values were combined whose shapes do not fit."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    suffix: str = "[:, None]"

    @property
    def report(self) -> Report:
        operands = operands_at(self.position)
        names = [operand_name(self.position, i) for i in range(2)]
        a, b = (f"`{name}`" if name else f"the {ordinal(i)} operand" for i, name in enumerate(names))
        spans = [operand.span for operand in operands] or [None, None]
        types = [f"float32{list(shape)}" for shape in (self.left, self.right)]
        fixes = ()
        if len(operands) == 2:
            edit = Edit(operands[1].span, operands[1].grouped + self.suffix)
            fixes = (Fix(f"give {b} the missing axis", edits=(edit,)),)
        return Report(
            says=f"{a[0].upper() + a[1:]} and {b} cannot be combined: their shapes do not broadcast.",
            labels=tuple(Label(span, text if span else f"{name}: {text}")
                         for span, text, name in zip(spans, types, (a, b))),
            why="axes are matched from the right, and must be equal, or one of them 1:\n"
                + draw_shapes([(names[0] or "1st", "float32", self.left), (names[1] or "2nd", "float32", self.right)]),
            fixes=fixes,
        )


class TruthError(PerspicaxError, TypeError):
    """A truth value was asked for that is not known."""

    made_at: object = None

    @property
    def report(self) -> Report:
        condition = condition_at(self.position)
        if condition is None:
            return Report("A truth value is needed that is not known.")
        test = condition.test
        fixes: tuple[Fix, ...] = ()
        branches = condition.branches()
        if branches is not None:
            where = f"lib.where({on_device(condition.whole_test, 'lib')}, {branches.then}, {branches.otherwise})"
            fixes = (Fix("choose on the device instead", code=branches.rewritten(where)),
                     Fix(code=f"lib.cond({test}, lambda: {branches.then}, lambda: {branches.otherwise})",
                         when="when only one side may run"))
        labels = [Label(test.span, "bool[]")]
        if condition.function is not None:
            labels.insert(0, Label(condition.function.span, ""))
        return Report(f"`{condition.word}` needs to know whether `{test}` is true, but that is not known yet.",
                      primary=test.span, labels=tuple(labels), fixes=fixes)


class LeakError(PerspicaxError):
    """A value was used after its time."""

    made_at: object
    kept_at: object

    @property
    def report(self) -> Report:
        return Report("A value that `run` made was kept, and used after `run` had ended.", primary=self.kept_at,
                      labels=(Label(self.kept_at, "kept here"), Label(self.made_at, "made here"),
                              Label(self.position, "used here")))


class BrokenError(PerspicaxError, ValueError):
    """Something happened whose report is itself at fault."""

    axis: int
    names: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        return Report(says=self.names[self.axis])


class Value:
    """What programs compute with."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape
        self.made_at = user_position()
        self.kept_at: object = None

    def _combine(self, other: Value) -> Value:
        if self.kept_at is not None:
            raise LeakError(made_at=self.made_at, kept_at=self.kept_at)
        pairs = zip_longest(reversed(self.shape), reversed(other.shape), fillvalue=1)
        if any(a != b and 1 not in (a, b) for a, b in pairs):
            raise ShapesError(left=self.shape, right=other.shape)
        return Value(*max(self.shape, other.shape, key=len))

    __add__ = __mul__ = __matmul__ = __lt__ = __gt__ = __iadd__ = __sub__ = dot = _combine

    def __bool__(self) -> bool:
        raise TruthError(made_at=self.made_at)


def add(left: Value, right: Value) -> Value:
    return left._combine(right)


@public
def run(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a user's function, as `jit` would."""
    return function(*args)


def keep(holder: list[Value], value: Value) -> None:
    value.kept_at = user_position()
    holder.append(value)


@public
def broken() -> None:
    raise BrokenError(axis=3, names=("x",))


def sketch(shape: tuple[int, ...]) -> str:
    return draw_shapes([("x", "float32", shape)])
