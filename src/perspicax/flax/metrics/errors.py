"""Errors of writing metrics."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report
from perspicax.flax.error_base import article

__all__ = ["SummaryDataError"]


class SummaryDataError(PerspicaxError, ValueError, TypeError):
    """Something was to be written for TensorBoard that is of another kind than its method takes.

    Attributes:
        kind: what it was to be written as.
        tag: its name.
        given: the array.
        wanted: what that kind takes.
    """

    kind: str
    tag: str
    given: Any
    wanted: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.tag}` cannot be written as {self.kind}: it is {article(self.given)}.",
                      why=f"{self.kind} takes {self.wanted}")
