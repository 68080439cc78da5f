"""Errors of the functions of neural networks."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Report


class GatedSizeError(PerspicaxError, ValueError, AssertionError):  # JAX asserts
    """An axis that is to be halved has an odd size."""

    type_text: str
    axis: int
    size: int

    @property
    def report(self) -> Report:
        return Report(says=f"`glu` cannot halve axis {self.axis} of {self.type_text}: its size {self.size} is odd.",
                      why="the first half of the axis holds values, the second the gates of these",
                      fixes=(Fix(f"let the layer before it have {self.size + 1} or {self.size - 1} features"),)
                      if self.size > 1 else ())


class InitializerError(ReportedError, ValueError):
    """An initializer was given an option or a shape that it does not serve."""


class AttentionOperandError(ReportedError, ValueError, TypeError, AssertionError):  # JAX wavers, by operand
    """The operands of attention do not fit each other."""


class BlockScaleError(ReportedError, ValueError):
    """Operands, scales or configurations of a product of blocks do not fit."""
