"""An expression as the user wrote it: its text, its names, its span."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from perspicax.diagnose.files import SourceFile
from perspicax.diagnose.place import Place, Span, function_name, is_where_it_says, node_at, node_span

__all__ = ["Expression", "entry_at", "entry_name", "expression_at", "located"]

_TIGHT = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Dict, ast.Set, ast.Tuple,
          ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr)


class Expression(NamedTuple):
    """A syntax node of a user's file (an expression, or a simple statement such as `a += b`)."""

    node: ast.AST
    file: SourceFile
    function: str = ""

    @property
    def span(self) -> Span:
        """Where it stands."""
        return node_span(self.file, self.node, self.function)

    @property
    def text(self) -> str:
        """Its source text on one line: as written where it is on one line, else in Python's own layout."""
        node = self.node
        line, end_line = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        if line == end_line and is_where_it_says(self.file, node):
            text = self.file.line(line)
            if text is not None:
                start = self.file.characters(line, node.col_offset)  # type: ignore[attr-defined]
                return text[start:self.file.characters(line, node.end_col_offset)]  # type: ignore[attr-defined]
        return ast.unparse(node)

    @property
    def grouped(self) -> str:
        """Its text, in parentheses if it needs them as an operand."""
        return self.text if isinstance(self.node, _TIGHT) else f"({self.text})"

    def names(self) -> tuple[str, ...]:
        """The variable names it reads, in order and once each; not the plain names of functions it calls."""
        called = {id(node.func) for node in ast.walk(self.node) if isinstance(node, ast.Call)}
        found = [node for node in ast.walk(self.node) if isinstance(node, ast.Name) and id(node) not in called]
        found.sort(key=lambda node: (node.lineno, node.col_offset))
        return tuple(dict.fromkeys(node.id for node in found))

    def mentions(self, name: str) -> bool:
        """Whether it reads or calls the variable `name`."""
        return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(self.node))

    def at(self, node: ast.AST) -> Expression:
        """Another node of the same file and function."""
        return Expression(node, self.file, self.function)

    def __str__(self) -> str:
        return self.text


def located(place: Place) -> Expression | None:
    """The syntax node at an unresolved place, whatever it is; None for a span, or without source."""
    if place is None or isinstance(place, Span):
        return None
    code, lasti = place
    found = node_at(code, lasti)
    return Expression(found[1], found[0], function_name(code)) if found is not None else None


def expression_at(position: Place) -> Expression | None:
    """The smallest expression that was being computed, or asked for its truth, at `position`.

    Args:
        position: a `Position` or the bare pair of `user_place`.

    Returns:
        The expression (an augmented assignment counts as one), or None where the source cannot be read.
    """
    found = located(position)
    if found is None or not isinstance(found.node, ast.expr | ast.AugAssign):
        return None
    return found



def entry_at(found: Expression | None, path: Sequence[int]) -> Expression | None:
    """An entry of lists in lists, as the user wrote it; None where a variable holds it, or a part is unpacked."""
    for i in path:
        if found is None or not isinstance(found.node, ast.List | ast.Tuple) or len(found.node.elts) <= i or any(
                isinstance(x, ast.Starred) for x in found.node.elts):
            return None
        found = found.at(found.node.elts[i])
    return found


def entry_name(found: Expression | None, path: Sequence[int]) -> str:
    """What the user would call that entry: its text, `rows[0][1]` for one of a variable; empty where it has no name."""
    for count in range(len(path), -1, -1):
        part = entry_at(found, path[:count])
        if part is not None and (count == len(path) or isinstance(part.node, ast.Name)):
            return part.text + "".join([f"[{i}]" for i in path[count:]])
    return ""
