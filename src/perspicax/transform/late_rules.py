"""Rules that are run after the trace whose values they close over has ended."""
from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

from perspicax.core.leaks import UnexpectedTracerError
from perspicax.core.tracer import Tracer
from perspicax.diagnose.report import Fix, Report
from perspicax.transform.places import rule_name

__all__ = ["RuleClosureError", "run_rule"]


class RuleClosureError(UnexpectedTracerError):
    """A custom derivative rule closes over a traced value, and was used after the trace had ended.

    Attributes:
        function: the function.
        rule: the rule.
        names: the variables that hold such values.
        backward: whether the rule is a pull-back, which may get values as residuals.
    """

    function: str = ""
    rule: str = ""
    names: tuple[str, ...] = ()
    backward: bool = False

    @property
    def report(self) -> Report:
        f, rule = self.function, self.rule
        names = ", ".join(f"`{name}`" for name in self.names)
        argument = Fix(f"pass {names} to `{f}` as an argument")
        fixes = (Fix(f"let the forward rule return {names} among its residuals"), argument) if self.backward else (argument,)
        return Report(says=f"The rule `{rule}` of `{f}` closes over {names}, whose trace has ended.",
                      why=f"a rule is kept with the staged program that calls `{f}` (by jit, scan or vmap), and runs when that "
                          "is differentiated; what was traced outside has no value then", fixes=fixes)


def run_rule(rule: Callable[..., Any], function: str, role: str, *args: Any) -> Any:
    """What a rule of the user's returns.

    Raises:
        RuleClosureError: it uses a value whose trace has ended, and closes over it.
    """
    try:
        return rule(*args)
    except UnexpectedTracerError as error:
        names = tuple(dict.fromkeys(_dead(rule, 0))) if type(error) is UnexpectedTracerError else ()
        if not names:
            raise
        raise RuleClosureError(function=function, rule=rule_name(rule, role), names=names, backward=role == "bwd",
                               origin=error.origin, position=error.position) from None


_DEPTH = 3  # a rule calls the function, which may call a helper: further down, nobody would look for the value


def _dead(fun: Any, depth: int) -> Iterator[str]:
    """Names of the variables of closures that hold a value of a trace that has ended."""
    fun = getattr(fun, "func", getattr(fun, "fun", fun))
    if not isinstance(fun, types.FunctionType) or depth > _DEPTH:
        return
    for name, cell in zip(fun.__code__.co_freevars, fun.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        if isinstance(value, Tracer):
            if value._trace.dead:
                yield name
        else:
            yield from _dead(value, depth + 1)
