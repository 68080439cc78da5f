"""Safe fixes, applied to the text of a program."""
from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence

from perspicax.analyse.source.rules import Problem
from perspicax.diagnose.errors import InternalError
from perspicax.diagnose.place import Span
from perspicax.diagnose.report import Edit

__all__ = ["difference", "mended"]


def mended(text: str, problems: Sequence[Problem]) -> tuple[str, list[Problem]]:
    """The program with all safe fixes, and the problems that they mend.

    Fixes whose edits overlap an earlier one are left for the next time, and so is one after which the program would not be
    Python.
    """
    done: list[Problem] = []
    taken: list[tuple[int, int]] = []
    changes: list[tuple[int, int, str]] = []
    starts = _starts(text)
    for problem in problems:
        edits = problem.fixes[0].edits if problem.safe and problem.fixes else ()
        ranges = [_range(edit, starts) for edit in edits]
        if not edits or any((a < d and c < b) or (a, b) == (c, d) for a, b in ranges for c, d in taken):
            continue
        new = [(a, b, edit.replacement) for (a, b), edit in zip(ranges, edits)]
        if not _is_python(_applied(text, [*changes, *new])):
            continue
        taken += ranges
        changes += new
        done.append(problem)
    return _applied(text, changes), done


def difference(filename: str, before: str, after: str) -> str:
    """What changes, as a unified diff."""
    return "".join(difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), filename, filename))


def _starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def _range(edit: Edit, starts: list[int]) -> tuple[int, int]:
    span = edit.span
    if not isinstance(span, Span):
        raise InternalError(what="an edit of a checked program has no place in its text")
    return (starts[span.line - 1] + (span.column or 0),
            starts[(span.end_line or span.line) - 1] + (span.end_column or 0))


def _applied(text: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
