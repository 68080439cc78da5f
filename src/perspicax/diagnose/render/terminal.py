"""A report on a terminal: as wide as it is, and coloured where the terminal wants colour."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from perspicax.diagnose.render.layout import layout
from perspicax.diagnose.render.text import Line, Piece
from perspicax.diagnose.report import Report

__all__ = ["print_report", "render_terminal", "wants_colour"]

_COLOURS: dict[str, str] = {
    "name": "1;31", "says": "1", "arrow": "34", "gutter": "34", "caret": "1;31", "label": "31", "key": "1;36",
    "fix": "32", "quiet": "2",
}


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colour, and the user has not refused it (`NO_COLOR`)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # a stand-in for a stream, or a closed one
        return False


def render_terminal(report: Report, name: str | None = None, width: int | None = None, *, colour: bool = True) -> str:
    """A report for a terminal.

    Args:
        report: what to show.
        name: the error's class name, written before the first sentence.
        width: cells in a line; by default those of the terminal, between 60 and 120.
        colour: with ANSI colours.
    """
    if width is None:
        import shutil  # it loads the compression modules
        width = min(max(shutil.get_terminal_size((100, 24)).columns, 60), 120)
    return "\n".join(_painted(line, colour) for line in layout(report, name, width))


def _painted(line: Line, colour: bool) -> str:
    return "".join(_paint(piece) if colour else piece.text for piece in line).rstrip()


def _paint(piece: Piece) -> str:
    code = _COLOURS.get(piece.role)
    return f"\x1b[{code}m{piece.text}\x1b[0m" if code and piece.text.strip() else piece.text


def print_report(report: Report, name: str | None = None, stream: TextIO | None = None) -> None:
    """Write a report to a stream (by default standard error), coloured if the stream is a terminal that wants it."""
    stream = sys.stderr if stream is None else stream
    stream.write(render_terminal(report, name, colour=wants_colour(stream)) + "\n")
