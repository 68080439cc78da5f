"""A report on one line, as compilers print for editors: file, line, column, class, what happened."""

from __future__ import annotations

from perspicax.diagnose.place import resolve
from perspicax.diagnose.report import Report
from perspicax.diagnose.source import shorten

__all__ = ["render_line"]


def render_line(report: Report, name: str | None = None) -> str:
    """A report as `file:line:column: Name: what happened`; what is not known is left out."""
    span = resolve(report.primary)
    parts = []
    if span is not None:
        column = f":{span.column + 1}" if span.column is not None else ""
        parts.append(f"{shorten(span.filename)}:{span.line}{column}")
    if name:
        parts.append(name)
    return ": ".join([*parts, report.says.partition("\n")[0]])
