"""Errors of the special functions."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report


class ShapeParameterGradientError(PerspicaxError, ValueError):
    """A special function was differentiated in a parameter in which its derivative is not known here."""

    operation: str
    parameters: tuple[str, ...]

    @property
    def report(self) -> Report:
        names = " and ".join(f"`{p}`" for p in self.parameters)
        return Report(says=f"`{self.operation}` cannot be differentiated in {names}.",
                      why=f"its derivative is implemented in its last operand alone: {names} must not depend on what "
                          "is differentiated")
