"""Errors of writing metrics."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report
from perspicax.flax.error_base import article, short

__all__ = ["SummaryDataError"]


class SummaryDataError(PerspicaxError, ValueError, TypeError):
    """Something was to be written for TensorBoard that is of another kind than its method takes.

    Attributes:
        kind: what it was to be written as.
        tag: its name.
        given: the array; or the argument named by `what`.
        wanted: what that kind takes.
        what: the argument that is not as it should be; "it" for the data.
    """

    kind: str
    tag: str
    given: Any
    wanted: str
    what: str = "it"

    @property
    def report(self) -> Report:
        plain = self.what != "it" and not hasattr(self.given, "shape")
        return Report(says=f"`{self.tag}` cannot be written as {self.kind}: {self.what} is "
                           f"{short(self.given) if plain else article(self.given)}.",
                      why=f"{self.kind} takes {self.wanted}")
