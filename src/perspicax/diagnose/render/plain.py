"""The plain text of a report: what `str(error)` is, for logs and notebooks."""

from __future__ import annotations

from perspicax.diagnose.render.layout import layout
from perspicax.diagnose.report import Report

__all__ = ["PLAIN_WIDTH", "render_plain"]

PLAIN_WIDTH = 100  # fixed, so that the text of an error is the same wherever it is made


def render_plain(report: Report, name: str | None = None, width: int = PLAIN_WIDTH, *, announce: bool = True) -> str:
    """A report as text without colour.

    Args:
        report: what to show.
        name: the error's class name, written before the first sentence.
        width: where to wrap, in terminal cells.
        announce: with False the name is not written, only room is left for it (Python prints it there itself).
    """
    lines = layout(report, name, width, announce=announce)
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)
