"""Errors of the operations: shapes, dtypes and axes that do not fit."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.expression import Expression
from perspicax.diagnose.report import Label, Report
from perspicax.diagnose.source import Operands, operands_at
from perspicax.lax.join_errors import JOINING, joined_at


def operand_labels(error: PerspicaxError, types: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Label, ...]]:
    """The user's names of the operands of the operation that failed, and labels with their types."""
    found: Sequence[Expression] | None = operands_at(error.position) if error.position is not None else None
    if isinstance(found, Operands) and found.operation in JOINING:
        found = joined_at(found, len(types))
    names, labels = [], []
    ordinals = ("1st", "2nd", "3rd")
    for i, text in enumerate(types):
        if found is not None and i < len(found) and len(found) == len(types):
            names.append(f"`{found[i].text}`")
            labels.append(Label(found[i].span, text))
        else:
            names.append(f"the {ordinals[i] if i < 3 else f'{i + 1}th'} operand")
    return tuple(names), tuple(labels)


class OperationError(PerspicaxError, TypeError, ValueError, no_page="a base: what is raised is one of its subclasses"):
    """An operation was given operands that do not fit it."""


class ElementwiseShapeError(OperationError):
    """Operands of an elementwise operation differ in shape."""

    operation: str
    avals: tuple[Any, ...]

    @property
    def report(self) -> Report:
        types = tuple(a.str_short() for a in self.avals)
        names, labels = operand_labels(self, types)
        return Report(says=f"`{self.operation}` was given operands of different shapes: "
                           f"{' and '.join(f'{n} is {t}' for n, t in zip(names, types))}.", labels=labels,
                      why=f"`lax.{self.operation}` works element by element on equal shapes; only scalars go with any")


class OperandMismatchError(OperationError):
    """Operands of an operation differ in dtype."""

    operation: str
    avals: tuple[Any, ...]
    index: int

    @property
    def report(self) -> Report:
        types = tuple(a.str_short() for a in self.avals)
        names, labels = operand_labels(self, types)
        return Report(says=f"`{self.operation}` was given operands of different dtypes: "
                           f"{' and '.join(f'{n} is {t}' for n, t in zip(names, types))}.", labels=labels,
                      why=f"`lax.{self.operation}` does not promote; the functions of `jax.numpy` do")


class OperandDtypeError(OperationError):
    """An operation does not exist for a dtype."""

    operation: str
    type_text: str
    accepts: str
    index: int

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.operation}` is not defined for {self.type_text}.",
                      why=f"`{self.operation}` takes {self.accepts} arrays")


class TokenNeededError(PerspicaxError, TypeError):
    """An operation on tokens was given an array.

    Attributes:
        operation: the operation.
        type_text: the array's type.
        index: which operand it is.
    """

    operation: str
    type_text: str
    index: int

    @property
    def report(self) -> Report:
        found = operands_at(self.position) if self.position is not None else None
        named = found is not None and self.index < len(found)
        name = f"`{found[self.index].text}`" if found is not None and named else f"operand {self.index}"
        labels = (Label(found[self.index].span, self.type_text),) if found is not None and named else ()
        return Report(says=f"`{self.operation}` was given {name}, which is {self.type_text} and no token.", labels=labels,
                      why="it takes tokens and returns one that comes after them; `lax.create_token()` makes one")


class OperationShapeError(ReportedError, TypeError, ValueError):
    """The shapes, axes or parameters given to an operation do not fit."""
