"""Errors of single arguments: their rank, the dtype and the range of indices."""
from __future__ import annotations

from typing import Any, Self

from perspicax.core.array import Array
from perspicax.diagnose.edits import with_keyword
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.expression import located
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.numpy.value_reports import argument_at


class ArgumentRankError(PerspicaxError, TypeError, ValueError):  # JAX raises one or the other, by function
    """An argument has another number of axes than the function takes.

    Attributes:
        function: its name.
        argument: the name of its parameter.
        index: which positional argument it is; -1 if it is given by keyword alone.
        type_text: what was given.
        wanted: the rule, as a clause.
        change: what to write for it, with `{}` for what was written; empty if nothing fits.
        says_change: what that does.
    """

    function: str
    argument: str
    index: int
    type_text: str
    wanted: str
    change: str = ""
    says_change: str = ""

    @property
    def report(self) -> Report:
        found = argument_at(self.position, self.index, self.argument, {self.function.rpartition(".")[2]})
        fix = Fix(self.says_change, code=self.change.format(self.argument)) if found is None else \
            Fix(self.says_change, edits=(Edit(found.span, self.change.format(found.grouped)),))
        return Report(says=f"`{self.function}` was given {self.type_text} as its `{self.argument}`.",
                      labels=() if found is None else (Label(found.span, self.type_text),), why=self.wanted,
                      fixes=(fix,) if self.change else ())


class IndexRangeError(PerspicaxError, ValueError):
    """An index lies outside, where a function with mode="raise" looks for that.

    Attributes:
        function: its name.
        found: the least and the largest index.
        count: how many entries there are.
        place: along which axis, in words.
    """

    function: str
    found: tuple[int, int]
    count: int
    place: str = ""

    @property
    def report(self) -> Report:
        least, largest = self.found
        call = located(self.position)
        fixes = [Fix(says, edits=(with_keyword(call, "mode", repr(mode)),)) if call is not None and call.text.endswith(")")
                 else Fix(says, code=f"mode={mode!r}") for mode, says in (
                     ("clip", "take the nearest entry for it"), ("wrap", "count on from the beginning"))]
        return Report(says=f"`{self.function}` was given the index {least if least < 0 else largest}, which lies outside"
                           f"{self.place}.", why=f"indices run from 0 to {self.count - 1}", fixes=tuple(fixes))


class IndexKindError(PerspicaxError, TypeError, ValueError):  # JAX raises one or the other, by function
    """Indices were given that are no integers.

    Attributes:
        function: what was called.
        argument: the name of its parameter.
        index: which positional argument it is; -1 if that cannot be told.
        type_text: what was given.
        is_array: whether it was an array, with methods.
    """

    function: str
    argument: str
    index: int
    type_text: str
    is_array: bool = True

    @classmethod
    def of(cls, function: str, x: Any, argument: str, index: int, given: Any) -> Self:
        """The error for indices `x`, which were given as `given`."""
        return cls(function=function, argument=argument, index=index, type_text=x.aval.str_short(),
                   is_array=isinstance(given, Array) or hasattr(given, "astype"))

    @property
    def report(self) -> Report:
        found = argument_at(self.position, self.index, self.argument, {self.function.rpartition(".")[2]})
        says = "convert them first"
        if found is None:
            fix = Fix(says, code=f"jnp.asarray({self.argument}).astype(int)")
        else:
            text = found.grouped if self.is_array else f"jnp.asarray({found.text})"
            fix = Fix(says, edits=(Edit(found.span, f"{text}.astype(int)"),))
        return Report(says=f"`{self.function}` was given {self.type_text} as indices.",
                      labels=() if found is None else (Label(found.span, self.type_text),), why="they are integers",
                      fixes=(fix,))


__all__ = ["ArgumentRankError", "IndexKindError", "IndexRangeError"]
