"""Errors of taking jaxprs apart."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["PartialValueError", "UsedOutputsError"]


class UsedOutputsError(PerspicaxError, ValueError, AssertionError):  # JAX asserts
    """Marks for the results or the inputs of a jaxpr are not as many as these.

    Attributes:
        option: `used_outputs` or `instantiate`.
        expected: how many results or inputs there are.
        got: how many marks.
    """

    option: str
    expected: int
    got: int

    @property
    def report(self) -> Report:
        what = "results" if self.option == "used_outputs" else "inputs"
        return Report(says=f"`{self.option}` has {self.got} entries, but the jaxpr has {self.expected} {what}.",
                      why="there is one bool for each, or one for all",
                      fixes=(Fix(code=f"{self.option}=[True] * {self.expected}"),))


class PartialValueError(PerspicaxError, TypeError, AssertionError):  # as above
    """An operand is not said to be known or unknown.

    Attributes:
        function: the function that is evaluated partially.
        index: the operand.
        value_type: its class.
    """

    function: str
    index: int
    value_type: str

    @property
    def report(self) -> Report:
        return Report(says=f"Operand {self.index} of `{self.function}` is a {self.value_type}, not a PartialVal.",
                      why="partial evaluation is told of each operand whether its value is known",
                      fixes=(Fix("if it is", code="PartialVal.known(value)"),
                             Fix("if only its type is", code="PartialVal.unknown(jax.typeof(value))")))
