"""The error of functions that do not take what a loop, a branch or a solver passes them."""
from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Edit, Fix, Label, Place, Report
from perspicax.lax.control_report import called

if TYPE_CHECKING:
    from perspicax.diagnose.expression import Expression

PASSES: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("scan", "f"): (("carry", "the carry"), ("x", "one entry of `xs`")),
    ("map", "f"): (("x", "one entry of `xs`"),),
    ("while_loop", "cond_fun"): (("value", "the value that the loop carries"),),
    ("while_loop", "body_fun"): (("value", "the value that the loop carries"),),
    ("fori_loop", "body_fun"): (("i", "the counter"), ("value", "the value that the loop carries")),
    ("associative_scan", "fn"): (("a", "one run of elements"), ("b", "the run behind it")),
    ("custom_root", "f"): (("x", "a point like `initial_guess`"),),
    ("custom_root", "solve"): (("f", "the equation"), ("x", "the `initial_guess`")),
    ("custom_root", "tangent_solve"): (("g", "the linear function that `f` is near the root"), ("y", "its right side")),
    ("custom_linear_solve", "matvec"): (("x", "a vector like `b`"),),
    ("custom_linear_solve", "solve"): (("matvec", "the linear function"), ("b", "the right side")),
    ("custom_linear_solve", "transpose_solve"): (("vecmat", "the transposed function"), ("b", "the right side")),
    **{(name, "computation"): (("a", "one partial result"), ("b", "another one")) for name in ("reduce", "reduce_window")},
    ("odeint", "func"): (("y", "the state"), ("t", "the time")),
}
"""What each function is passed, by the one that calls it and its parameter: a name for it, and words. Those that are not
here (branches, say) are passed the operands."""


class ParameterCountError(PerspicaxError, TypeError):
    """A function does not take as many arguments as the loop, branch or solver passes it.

    Attributes:
        function: its name.
        transform: what it was given to: `scan`.
        parameter: the parameter of that: `body_fun`, `branches[1]`.
        parameters: those of the function, as they are written: `x`, `y=1`, `*`, `k`.
        fewest, most: how many arguments it takes by position; None where there is no upper bound.
        keywords: those that must be given by keyword.
        passed: a name for each argument that is passed, and what it is, in words.
        lengths: the length of each argument that is a tuple or list, 0 for others.
        definition: a place in the function.
    """

    function: str
    transform: str
    parameter: str
    parameters: tuple[str, ...]
    fewest: int
    most: int | None
    keywords: tuple[str, ...]
    passed: tuple[tuple[str, str], ...]
    lengths: tuple[int, ...]
    definition: Place = None

    @property
    def report(self) -> Report:
        n = len(self.passed)
        given, written = self._expressions()
        name = called(self.function)
        takes = f"takes {_amount(self.fewest, self.most)}{f' ({self._signature()})' if self.parameters else ''}"
        if self.keywords and self.fewest <= n and (self.most is None or n <= self.most):
            passes = f"passes nothing by keyword, and `{self.keywords[0]}` has no default"
        else:
            passes = f"passes it {n}: {_enumerated([what for _, what in self.passed])}" if n else "passes it none"
        labels = [Label(written.span, "")] if written is not None and not isinstance(written.node, ast.Lambda) else []
        if given is not None:
            labels.append(Label(given.span, f"called with {_count(n)}"))
        return Report(says=f"{name[:1].upper()}{name[1:]} {takes}, but {self.transform}, whose `{self.parameter}` it is, "
                           f"{passes}.", labels=tuple(labels), why=self._why(), fixes=tuple(self._fixes(written)))

    def _signature(self) -> str:
        return ", ".join(self.parameters)

    def _why(self) -> str:
        name = self.parameter if self.function == "<lambda>" else self.function
        call = f"`{name}({', '.join([name for name, _ in self.passed])})`"
        if (self.transform, self.parameter) in PASSES:
            whole = "; a tuple comes as one argument" if any(self.lengths) else ""
            return f"{self.transform} calls {call}{whole}"
        return f"each function is called with the operands that {self.transform} was given, in their order: {call}"

    def _expressions(self) -> tuple[Expression | None, Expression | None]:
        """The function as an argument of the call, and its definition."""
        from perspicax.lax.control_words import argument, definition_at  # only a printed error needs it

        places = {"fori_loop": {"body_fun": 2}, "custom_root": {"f": 0, "solve": 2}}.get(self.transform, {})
        place = places.get(self.parameter, _PLACES.get(self.parameter))
        given = None if place is None else argument(self.position, (self.transform,), place, self.parameter)
        if given is not None and isinstance(given.node, ast.Lambda):
            return given, given
        return given, definition_at(self.definition)

    def _fixes(self, written: Expression | None) -> list[Fix]:
        n = len(self.passed)
        own = [p for p in self.parameters if "*" not in p and p != "/"][:self.most]
        behind = list(self.parameters[len(own):])
        if n < self.fewest:
            return self._too_many(written, own, behind)
        if self.most is not None and n > self.most:
            fixes = [_with_parameters(written, [*self._completed(own), *behind], "let it take all of them", self.function)]
            if not own and (self.transform, self.parameter) not in PASSES:
                fixes.append(Fix(f"pass no operands to {self.transform}", when="when none of its functions takes any"))
            return fixes
        given = ", ".join([f"{name}={name}" for name in self.keywords])
        return [Fix("give it the rest before", code=f"functools.partial({self._name()}, {given})")]

    def _name(self) -> str:
        return self.function if self.function.isidentifier() else "f"

    def _completed(self, own: list[str]) -> list[str]:
        """As many parameters as arguments are passed, the function's own among them."""
        names = [name for name, _ in self.passed]
        if all(name in names for name in own) and [name for name in names if name in own] == own:
            return names
        missing = len(names) - len(own)
        if self.transform == "fori_loop":  # whoever forgets one forgets the counter
            return [*names[:missing], *own]
        return [*own, *[name if name not in own else f"{name}_{i}" for i, name in enumerate(names) if i >= len(own)]]

    def _too_many(self, written: Expression | None, own: list[str], behind: list[str]) -> list[Fix]:
        n = len(self.passed)
        over = self.fewest - n
        for i, length in enumerate(self.lengths):
            if length == over + 1:
                packed = own[i:i + length]
                name = next(x for x in (self.passed[i][0], "packed", "operands") if x not in own)
                return [_unpacked(written, [*own[:i], name, *own[i + length:], *behind], f"{', '.join(packed)} = {name}",
                                  self.function, f"take {self.passed[i][1]} whole, and take it apart inside")]
        extra = own[n:self.fewest]
        if (self.transform, self.parameter) not in PASSES:
            return [self._passing(extra)]
        named = _enumerated([f"`{name}`" for name in extra])
        return [_with_parameters(written, [*own[:n], *behind], f"leave {named} out, and use "
                                 f"{'what is' if len(extra) == 1 else 'those'} around the function", self.function)]

    def _passing(self, extra: list[str]) -> Fix:
        """A fix that passes more operands."""
        from perspicax.lax.control_words import call_at  # as above

        whole = call_at(self.position)
        says, text = f"pass {_count(len(extra))} more", ", ".join(extra)
        if whole is None or not isinstance(whole.node, ast.Call) or whole.node.keywords:
            return Fix(f"{says} to {self.transform}", code=f"{self.transform}(..., {text})")
        return Fix(says, edits=(Edit(whole.span, f"{whole.text[:-1].rstrip().rstrip(',')}, {text})"),))


_PLACES = {"f": 0, "fn": 0, "cond_fun": 0, "body_fun": 1, "true_fun": 1, "false_fun": 2, "matvec": 0, "solve": 2,
           "tangent_solve": 3, "transpose_solve": 3, "func": 0, "computation": 2}


def _count(n: int) -> str:
    return f"{n} argument" if n == 1 else f"{n} arguments"


def _amount(fewest: int, most: int | None) -> str:
    if most == 0:
        return "no arguments"
    if most is None:
        return f"{fewest} or more arguments"
    return _count(fewest) if fewest == most else f"{fewest} to {most} arguments"


def _enumerated(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _with_parameters(written: Expression | None, parameters: Sequence[str], says: str, function: str) -> Fix:
    """A fix that gives a function other parameters."""
    text = ", ".join(parameters)
    if written is not None and isinstance(written.node, ast.Lambda):
        return Fix(says, edits=(Edit(written.span, f"lambda{' ' * bool(text)}{text}: {written.at(written.node.body).text}"),))
    if function == "<lambda>":
        return Fix(says, code=f"lambda{' ' * bool(text)}{text}: ...")
    return Fix(says, code=f"def {function}({text}):")


def _unpacked(written: Expression | None, parameters: Sequence[str], assignment: str, function: str, says: str) -> Fix:
    """A fix that lets a function take a tuple whole."""
    text = ", ".join(parameters)
    if written is not None and isinstance(written.node, ast.Lambda):
        return Fix(says, code=(f"def f({text}):", f"    {assignment}", f"    return {written.at(written.node.body).text}"))
    return Fix(says, code=(f"def {'f' if function == '<lambda>' else function}({text}):", f"    {assignment}"))


__all__ = ["PASSES", "ParameterCountError"]
