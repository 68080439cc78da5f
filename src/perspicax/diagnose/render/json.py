"""A report as JSON, for editors and other tools. The schema is stable: keys are added, never renamed or removed.

Lines and columns count from 1, as in the printed text; `end_column` is the column just behind the last character.
Whatever is not known is null.
"""

from __future__ import annotations

from typing import Any

from perspicax.diagnose.place import Place, resolve
from perspicax.diagnose.report import Report
from perspicax.diagnose.source import source_line

__all__ = ["SCHEMA", "as_data", "render_json"]

SCHEMA = 1


def render_json(report: Report, name: str | None = None, indent: int | None = None) -> str:
    """A report as one JSON object (see `as_data`)."""
    import json  # most programs never ask for it

    return json.dumps(as_data(report, name), indent=indent, ensure_ascii=False)


def as_data(report: Report, name: str | None = None) -> dict[str, Any]:
    """A report in the types of JSON: schema, name, says, primary, labels, why, fixes, notes, more."""
    return {
        "schema": SCHEMA,
        "name": name,
        "says": report.says,
        "primary": _place(report.primary),
        "labels": [{"place": _place(label.span), "text": label.text} for label in report.labels],
        "why": report.why,
        "fixes": [
            {
                "says": fix.says,
                "code": list(fix.lines),
                "when": fix.when,
                "edits": [{"place": _place(edit.span), "replacement": edit.replacement} for edit in fix.edits],
            }
            for fix in report.fixes
        ],
        "notes": list(report.notes),
        "more": report.more,
    }


def _place(place: Place) -> dict[str, Any] | None:
    span = resolve(place)
    if span is None:
        return None
    return {
        "file": span.filename,
        "line": span.line,
        "column": None if span.column is None else span.column + 1,
        "end_line": span.end_line,
        "end_column": None if span.end_column is None else span.end_column + 1,
        "function": span.function or None,
        "source": source_line(span),
    }
