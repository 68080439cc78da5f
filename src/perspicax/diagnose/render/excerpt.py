"""Source excerpts: the lines in question, carets below them, and what stands there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from perspicax.diagnose.files import source_file
from perspicax.diagnose.place import Span, resolve
from perspicax.diagnose.render.text import Line, Piece, cells, cells_of, plural
from perspicax.diagnose.report import Report
from perspicax.diagnose.source import shorten

__all__ = ["TAB", "excerpts"]

TAB = 4
_MOST_LABELS = 8


class _Mark(NamedTuple):
    span: Span
    text: str
    caret: bool


def excerpts(report: Report, width: int) -> list[Line]:
    """For each file in question, the primary place's first: where it is, its lines, and the marks below them."""
    primary = resolve(report.primary)
    labels = [(span, label.text) for label in report.labels if (span := resolve(label.span)) is not None]
    placeless = [label.text for label in report.labels if label.text and resolve(label.span) is None]
    if primary is None:
        if not labels:
            return [(Piece("    = ", "gutter"), Piece(text, "label")) for text in placeless]
        primary = labels[0][0]
    marks = [_Mark(span, text, bool(text)) for span, text in labels[:_MOST_LABELS]]
    if not any(primary == mark.span or (mark.caret and primary.holds(mark.span)) for mark in marks):
        marks.insert(0, _Mark(primary, "", True))
    marks = [mark._replace(caret=True) if mark.span == primary else mark for mark in marks]
    by_file: dict[str, list[_Mark]] = {primary.filename: []}
    for mark in marks:
        by_file.setdefault(mark.span.filename, []).append(mark)
    gutter = max(3, *(len(str(mark.span.end_line or mark.span.line)) for mark in marks))
    lines: list[Line] = []
    for filename, theirs in by_file.items():
        first = primary if filename == primary.filename else theirs[0].span
        lines.append((Piece("  --> " if filename == primary.filename else "  and ", "arrow"), Piece(_where(first))))
        lines += _excerpt(theirs, gutter, width)
    lines += [(Piece(f"{' ' * (gutter + 2)} = ", "gutter"), Piece(text, "label")) for text in placeless]
    if len(labels) > _MOST_LABELS:
        hidden = plural(len(labels) - _MOST_LABELS, "place")
        lines.append((Piece(f"{' ' * (gutter + 2)} ... and {hidden} more", "quiet"),))
    return lines


def _where(span: Span) -> str:
    column = f":{span.column + 1}" if span.column is not None else ""
    inside = f" in {span.function}" if span.function else ""
    return f"{shorten(span.filename)}:{span.line}{column}{inside}"


def _excerpt(marks: Sequence[_Mark], gutter: int, width: int) -> list[Line]:
    file = source_file(marks[0].span.filename)
    shown: dict[int, list[tuple[_Mark, bool]]] = {}  # line -> marks below it, and whether their text belongs here
    for mark in marks:
        first, last = mark.span.line, mark.span.end_line or mark.span.line
        numbers = range(first, last + 1)
        for number in numbers if len(numbers) <= 4 else (first, first + 1, last):
            shown.setdefault(number, [])
        shown[first].append((mark, first == last))
        if last > first:
            shown[last].append((mark, True))
    lines: list[Line] = []
    before = 0
    for number in sorted(shown):
        source = file.line(number) if file is not None else None
        if source is None:
            lines += [(Piece(" " * (gutter + 3)), Piece(mark.text, "label")) for mark, here in shown[number]
                      if here and mark.text]
            continue
        skipped = range(before + 1, number) if before else range(0)
        if len(skipped) > 2:
            lines.append((Piece("." * 3 if gutter < 4 else "." * (gutter - 1), "gutter"),))
        else:
            lines += [_code_line(between, file.line(between) or "", gutter) for between in skipped if file is not None]
        lines += _marked_line(number, source, shown[number], gutter, width)
        before = number
    return lines


def _code_line(number: int | None, text: str, gutter: int) -> Line:
    shown = " " * (gutter + 2) if number is None else f"  {number:>{gutter}}"
    body = text.expandtabs(TAB).rstrip()
    return (Piece(f"{shown} |", "gutter"), Piece(f" {body}" if body else "", "code"))


def _marked_line(number: int, source: str, marks: Sequence[tuple[_Mark, bool]], gutter: int, width: int) -> list[Line]:
    """One source line and a row of carets for each mark that begins or ends there, from left to right."""
    text, stops = _expand(source)
    ranges = []
    for mark, here in marks:
        start, end = _columns(mark.span, number, source)
        if mark.caret and start is not None and end is not None:
            ranges.append((stops[min(start, len(source))], stops[min(end, len(source))], mark, here))
    text, shift = _crop(text, ranges, width - gutter - 4)
    lines = [_code_line(number, text, gutter)]
    blank = f"{' ' * (gutter + 2)} | "
    for start, end, mark, here in sorted(ranges, key=lambda item: item[:2]):
        carets = "^" * max(1, min(end - shift, cells(text)) - (start - shift))
        row = Piece(" " * (start - shift) + carets, "caret")
        lines.append((Piece(blank, "gutter"), row, *([Piece(f" {mark.text}", "label")] if here and mark.text else [])))
    for mark, here in marks:
        if mark.caret and here and mark.text and _columns(mark.span, number, source)[0] is None:
            indent = len(text) - len(text.lstrip())
            lines.append((Piece(blank, "gutter"), Piece(" " * indent + mark.text, "label")))
    return lines


def _columns(span: Span, number: int, source: str) -> tuple[int | None, int | None]:
    """The part of line `number` that a span covers, without the indentation."""
    if span.column is None:
        return None, None
    indent = len(source) - len(source.lstrip())
    start = span.column if number == span.line else indent
    end = span.end_column if number == (span.end_line or span.line) else len(source.rstrip())
    return start, end if end is not None else start + 1


def _expand(source: str) -> tuple[str, list[int]]:
    """The line with its tabs made spaces, and for each of its characters (and the end) the cell where it begins."""
    stops, at, text = [], 0, []
    for character in source:
        stops.append(at)
        size = TAB - at % TAB if character == "\t" else cells_of(character)
        text.append(" " * size if character == "\t" else character)
        at += size
    return "".join(text), [*stops, at]


def _crop(text: str, ranges: Iterable[tuple[int, int, _Mark, bool]], room: int) -> tuple[str, int]:
    """Cut a line that is too long to the part with the marks; how many cells were cut off at its left."""
    starts = [start for start, *_ in ranges]
    if cells(text) <= room or room < 20 or not text.isascii():
        return text, 0
    left = max(0, min(starts, default=0) - 20)
    if left:
        text, left = "..." + text[left + 3:], left
    return (text if len(text) <= room else text[:room - 3] + "..."), left
