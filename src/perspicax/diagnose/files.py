"""Source files as they were when the program was compiled: their lines, and an index into their syntax tree."""

from __future__ import annotations

import ast
import linecache
import sys
from types import CodeType, ModuleType
from typing import Any

__all__ = ["SourceFile", "forget_files", "source_file"]

_KEPT = 64  # trees of large files are large; a report rarely touches more than three files
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class SourceFile:
    """The lines of one file and, where they parse, its syntax tree with an index from the end of a node to the node.

    Nodes are found by their *end*, because CPython moves the start of a method call to the method's name.
    """

    __slots__ = ("_aliases", "_by_end", "_modules", "_parents", "bound", "definitions", "filename", "imported", "lines", "tree")

    def __init__(self, filename: str, lines: list[str]) -> None:
        self.filename = filename
        self.lines = lines
        self._by_end: dict[tuple[int, int], list[ast.AST]] = {}
        self._parents: dict[ast.AST, ast.AST] = {}
        self.definitions: dict[tuple[int, str], ast.AST] = {}
        self.imported: set[str] = set()
        self.bound: set[str] = set()  # by assignments, parameters, definitions
        self._modules: dict[str, str] = {}  # what imported names stand for, in full
        self._aliases: dict[str, ast.Attribute] = {}  # names that attributes were assigned to: `lax = jax.lax`
        try:
            self.tree: ast.Module | None = ast.parse("".join(lines), filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.tree = None  # a template, a notebook magic, a file half edited: its lines can still be shown
        else:
            self._index(self.tree)

    def _index(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
            end = getattr(node, "end_lineno", None)
            if end is not None:
                self._by_end.setdefault((end, node.end_col_offset), []).append(node)  # type: ignore[attr-defined]
            if isinstance(node, _DEFINITIONS):
                first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
                self.definitions[first, node.name] = node
                self.bound.add(node.name)
            elif isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    self.bound.add(node.id)
            elif isinstance(node, ast.arg):
                self.bound.add(node.arg)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.imported.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
                for alias in node.names:
                    origin = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
                    whole = origin + (alias.name if alias.asname or origin else alias.name.partition(".")[0])
                    self._modules[alias.asname or alias.name.partition(".")[0]] = whole
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
                self._aliases.update((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))

    def is_import(self, name: str) -> bool:
        """Whether an import binds `name`: in this file, or before it, as in another cell of a notebook.

        A module that is assigned counts too: `lax = jax.lax`.
        """
        if name in self.imported or (name in self._aliases and self._is_module(self._aliases[name])):
            return True
        session = vars(sys.modules["__main__"]) if "__main__" in sys.modules else {}
        return name not in self.bound and isinstance(session.get(name), ModuleType)

    def _is_module(self, node: ast.expr) -> bool:
        """Whether a chain of attributes of something imported is a module that is loaded."""
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        found: Any = sys.modules.get(self._modules.get(node.id, "")) if isinstance(node, ast.Name) else None
        for name in reversed(names):
            found = getattr(found, name, None) if isinstance(found, ModuleType) else None
        return isinstance(found, ModuleType)

    def ending_at(self, line: int, column: int) -> list[ast.AST]:
        """Nodes that end at `line` (from 1) and `column` (UTF-8 bytes), outer ones first."""
        return self._by_end.get((line, column), [])

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds `node`; None for the module."""
        return self._parents.get(node)

    def enclosing(self, node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> ast.AST | None:
        """The innermost node around `node`, itself included, that is one of `kinds`."""
        at: ast.AST | None = node
        while at is not None and not isinstance(at, kinds):
            at = self._parents.get(at)
        return at

    def holds(self, code: CodeType) -> bool:
        """Whether this text can be the one that `code` was compiled from."""
        name = code.co_name
        return self.tree is not None and (name.startswith("<") or (code.co_firstlineno, name) in self.definitions)

    def line(self, number: int) -> str | None:
        """Line `number` (from 1) without its line break; None when there is no such line."""
        return self.lines[number - 1].rstrip("\r\n") if 1 <= number <= len(self.lines) else None

    def characters(self, line: int, column: int) -> int:
        """The index in characters of byte `column` of `line`: trees count UTF-8 bytes, people count characters."""
        text = self.line(line)
        if text is None or text.isascii():
            return column
        return len(text.encode()[:column].decode(errors="ignore"))


_files: dict[str, SourceFile] = {}


def source_file(filename: str, *, refresh: bool = False) -> SourceFile | None:
    """The file as `linecache` knows it (which includes notebook cells), or None where there is no source.

    Args:
        filename: as in `code.co_filename`.
        refresh: look at the disk again: the text known so far is not the one that the running code came from.
    """
    if refresh:
        linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    if not lines:
        return None
    known = _files.get(filename)
    if known is not None and known.lines is lines:
        return known
    if len(_files) >= _KEPT:
        del _files[next(iter(_files))]
    known = _files[filename] = SourceFile(filename, lines)
    return known


def forget_files() -> None:
    """Drop every parsed file (they are read again when needed)."""
    _files.clear()
