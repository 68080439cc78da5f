"""A program as text: its tree, its places, and the comments that silence rules."""
from __future__ import annotations

import ast
import re
from functools import cached_property

from perspicax.diagnose.place import Span
from perspicax.diagnose.report import Edit

__all__ = ["Program"]

_IGNORE = re.compile(r"#\s*px:\s*ignore(?:\[([^\]]*)\])?", re.IGNORECASE)


class Program:
    """One file.

    Attributes:
        filename: as the user named it.
        text: its source.
        tree: the parsed module.

    Raises:
        SyntaxError: it is not Python.
    """

    def __init__(self, filename: str, text: str) -> None:
        self.filename = filename
        self.text = text
        self.lines = [line.rstrip("\r") for line in text.split("\n")]
        self.tree = ast.parse(text, filename)

    def column(self, line: int, offset: int) -> int:
        """A column in characters, of one in bytes."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))

    def span(self, node: ast.AST, function: str = "") -> Span:
        """Where a node stands."""
        line, end = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
        return Span(self.filename, line, self.column(line, node.col_offset), end,  # type: ignore[attr-defined]
                    self.column(end, node.end_col_offset or 0), function)  # type: ignore[attr-defined]

    def source(self, node: ast.AST) -> str:
        """The text of a node as it stands (`ast.get_source_segment` would split the whole file each time)."""
        span = self.span(node)
        end = span.end_line or span.line
        if end == span.line:
            return self.lines[span.line - 1][span.column:span.end_column]
        first, last = self.lines[span.line - 1][span.column:], self.lines[end - 1][:span.end_column]
        return "\n".join([first, *self.lines[span.line:end - 1], last])

    def words(self, node: ast.AST, limit: int = 60) -> str:
        """A node as the user wrote it, on one line."""
        text = " ".join(self.source(node).split())
        return text if len(text) <= limit else text[:limit - 3] + "..."

    def edit(self, node: ast.AST, text: str) -> Edit:
        """Replace a node."""
        return Edit(self.span(node), text)

    @cached_property
    def ignored(self) -> dict[int, frozenset[str]]:
        """For each line with `# px: ignore`, the rules that it silences; none named means all."""
        found = {}
        for number, line in enumerate(self.lines, 1):
            match = _IGNORE.search(line)
            if match is not None:
                found[number] = frozenset(x.strip() for x in (match[1] or "").split(",") if x.strip())
        return found

    def silences(self, span: Span, rule: str) -> bool:
        """Whether a comment on the first or the last line of a span silences a rule."""
        for line in {span.line, span.end_line or span.line}:
            rules = self.ignored.get(line)
            if rules is not None and (not rules or rule in rules):
                return True
        return False
