"""How a report is set: its sentences, its source excerpts, its blocks with hanging indent, in about a screenful."""

from __future__ import annotations

from collections.abc import Sequence

from perspicax.diagnose.files import source_file
from perspicax.diagnose.place import Span, resolve
from perspicax.diagnose.render.excerpt import TAB, excerpts
from perspicax.diagnose.render.text import Line, Piece, Role, cells, wrap
from perspicax.diagnose.report import Fix, Report

__all__ = ["layout"]

_SCREENFUL = 30
_MOST_FIXES = 4
_MOST_CODE = 8
_HANG = 7  # `  why  `


def layout(report: Report, name: str | None, width: int, *, announce: bool = True) -> list[Line]:
    """Set a report in lines of at most `width` cells (code excepted), about a screenful of them.

    Args:
        report: what to set.
        name: the error's class name; the first line begins with it, or leaves room for it.
        width: cells in a line.
        announce: write the name. Without it the first line leaves its room, because Python prints it there.
    """
    head = f"{name}: " if name else ""
    says = report.says.split("\n") if report.verbatim else wrap(report.says, width, cells(head))
    lines: list[Line] = [(Piece(head if announce else "", "name"), Piece(says[0], "says"))]
    lines += [(Piece(text, "says"),) for text in says[1:]]
    excerpt = excerpts(report, width)
    fixes, notes = list(report.fixes[:_MOST_FIXES]), list(report.notes)
    blocks = _blocks(report, fixes, notes, width)
    while len(lines) + len(excerpt) + len(blocks) + 2 > _SCREENFUL and (notes or len(fixes) > 1):
        (notes if notes else fixes).pop()
        blocks = _blocks(report, fixes, notes, width)
    if excerpt:
        lines += [(), *excerpt]
    if blocks:
        lines += [(), *blocks]
    return lines


def _blocks(report: Report, fixes: Sequence[Fix], notes: Sequence[str], width: int) -> list[Line]:
    lines = _block("why", report.why, width) if report.why else []
    inline = [fix for fix in fixes if not fix.says and len(_fix_code(fix)) == 1]
    column = max((cells(_fix_code(fix)[0]) for fix in inline if fix.when), default=0) + 6
    for number, fix in enumerate(fixes):
        lines += _fix_lines("or" if number else "fix", fix, width, column)
    for note in notes:
        lines += _block("note", note, width)
    return lines + (_block("more", report.more, width) if report.more else [])


def _block(key: str, text: str, width: int, role: Role = "") -> list[Line]:
    wrapped = wrap(text, width - _HANG)
    return [(Piece(f"  {key:<5}" if not number else " " * _HANG, "key"), Piece(line, role))
            for number, line in enumerate(wrapped)]


def _fix_code(fix: Fix) -> tuple[str, ...]:
    if fix.lines or not fix.edits:
        return fix.lines
    first = resolve(fix.edits[0].span)
    if first is None:
        return (fix.edits[0].replacement,)
    return tuple(_edited(first, fix.edits[0].replacement, _on_the_line(first, fix)))


def _on_the_line(first: Span, fix: Fix) -> list[tuple[Span, str]]:
    """The further edits of the line that the first one is on, the last of them first."""
    found = [(span, edit.replacement) for edit in fix.edits[1:] if (span := resolve(edit.span)) is not None
             and span.column is not None and span.end_column is not None
             and (span.filename, span.line, span.end_line or span.line) == (first.filename, first.line, first.line)]
    return sorted(found, key=lambda pair: pair[0].column or 0, reverse=True)


def _edited(span: Span, replacement: str, more: list[tuple[Span, str]]) -> list[str]:
    """The line or lines of the source as they read after the edits, without their common indentation."""
    file = source_file(span.filename)
    first = file.line(span.line) if file is not None else None
    last = file.line(span.end_line or span.line) if file is not None else None
    if first is None or last is None or span.column is None or span.end_column is None:
        return replacement.splitlines()
    for other, text in more:
        if (other.column or 0) >= span.end_column and (span.end_line or span.line) == span.line:
            first = last = first[:other.column] + text + first[other.end_column:]
    lines = (first[:span.column] + replacement + last[span.end_column:]).splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]


def _fix_lines(key: str, fix: Fix, width: int, column: int) -> list[Line]:
    code = [line.expandtabs(TAB) for line in _fix_code(fix)]
    if len(code) > _MOST_CODE:
        code = [*code[:_MOST_CODE - 1], "..."]
    if fix.says or len(code) != 1:
        says = fix.says + (f" ({fix.when})" if fix.when and not code else "")
        lines = _block(key, says + (":" if code and says else ""), width) if says else []
        for number, text in enumerate(code):
            lead = f"  {key:<5}    " if not says and not number else " " * (_HANG + 4)
            lines.append((Piece(lead, "key"), Piece(text, "fix")))
        if fix.when and code:
            lines[-1] += (Piece(f"      {fix.when}", "quiet"),)
        return lines
    line: Line = (Piece(f"  {key:<5}", "key"), Piece(code[0], "fix"))
    if not fix.when:
        return [line]
    gap = column - cells(code[0])
    if _HANG + column + cells(fix.when) <= width:
        return [(*line, Piece(" " * gap + fix.when, "quiet"))]
    return [line, (Piece(" " * (_HANG + 4) + fix.when, "quiet"),)]
