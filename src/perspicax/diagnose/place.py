"""A place in the user's code: (code object, instruction offset) until somebody asks, then a span of text."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dis import opname
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple

from perspicax.diagnose.files import SourceFile, source_file

__all__ = ["Instruction", "Place", "Position", "Span", "function_name", "instruction_at", "is_where_it_says",
           "node_at", "node_span", "producer_of", "resolve"]


class Span(NamedTuple):
    """A stretch of source text.

    Attributes:
        filename: as the code object names it; `shorten` makes it fit for display.
        line: first line, counted from 1.
        column: first character, counted from 0; None where Python kept no columns.
        end_line: last line, counted from 1.
        end_column: one past the last character, counted from 0.
        function: the function whose text this is, for display; empty at module level.
    """

    filename: str
    line: int
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    function: str = ""

    def holds(self, other: Span) -> bool:
        """Whether `other` lies within this span."""
        if self.filename != other.filename or self.column is None or other.column is None:
            return False
        starts = (self.line, self.column) <= (other.line, other.column)
        return starts and (other.end_line or other.line, other.end_column or 0) <= (
            self.end_line or self.line, self.end_column or 0)


class Position(NamedTuple):
    """A place in user code, not yet resolved: cheap enough to be kept for every traced equation."""

    code: CodeType
    lasti: int

    def span(self) -> Span:
        """The text at this place. Never fails: without source there are no columns, and at worst a first line only."""
        try:
            return _resolve(self.code, self.lasti)
        except Exception:  # a report must not fail because a file is odd: say what the code object alone knows
            return Span(self.code.co_filename, self.code.co_firstlineno, function=function_name(self.code))

    def __reduce__(self) -> tuple[Callable[..., Span], tuple[Any, ...]]:
        # A code object cannot be pickled, and its source may not exist where the pickle is read.
        span = self.span()
        return Span, (span.filename, span.line, span.column, span.end_line, span.end_column, span.function)

    def __copy__(self) -> Position:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Position:
        return self


Place = Span | Position | tuple[CodeType, int] | None


def resolve(place: Place) -> Span | None:
    """The span of a place in any of its forms: resolved, a `Position`, or the bare pair that traces keep."""
    if place is None or isinstance(place, Span):
        return place
    return Position(*place).span()


def function_name(code: CodeType) -> str:
    """The function a reader would name for `code`: comprehensions and lambdas belong to the function around them."""
    qualified = getattr(code, "co_qualname", code.co_name)
    parts = [part for part in qualified.split(".<locals>.") if not part.startswith("<")]
    if parts:
        return parts[-1]
    return "a lambda" if qualified.startswith("<lambda>") else ""


class Instruction(NamedTuple):
    """One bytecode instruction with the source range that the compiler noted for it (columns in UTF-8 bytes)."""

    name: str
    offset: int
    line: int | None
    end_line: int | None
    column: int | None
    end_column: int | None


_FILLERS = frozenset({"CACHE", "EXTENDED_ARG", "PRECALL", "COPY", "SWAP", "NOP", "TO_BOOL", "NOT_TAKEN"})


def instruction_at(code: CodeType, lasti: int) -> Instruction:
    """The instruction that a frame's `f_lasti` stands on; it may stand on an inline cache just behind."""
    raw = code.co_code
    offset = max(0, min(lasti, len(raw) - 2))
    while offset and opname[raw[offset]] == "CACHE":
        offset -= 2
    line, end_line, column, end_column = next(islice(code.co_positions(), offset // 2, None), (None,) * 4)
    return Instruction(opname[raw[offset]], offset, line, end_line, column, end_column)


def producer_of(code: CodeType, offset: int) -> Instruction | None:
    """The instruction before `offset` that pushed the value it consumes (a walrus stores it in between)."""
    raw = code.co_code
    at = offset - 2
    while at >= 0:
        name = opname[raw[at]]
        if name not in _FILLERS and not name.startswith("STORE_"):
            return instruction_at(code, at)
        at -= 2
    return None


_NODES: tuple[tuple[str, tuple[type[ast.AST], ...]], ...] = (
    ("BINARY_SUBSCR", (ast.Subscript,)),
    ("BINARY_SLICE", (ast.Subscript,)),
    ("STORE_SUBSCR", (ast.Subscript,)),
    ("STORE_SLICE", (ast.Subscript,)),
    ("DELETE_SUBSCR", (ast.Subscript,)),
    ("BINARY_OP", (ast.BinOp, ast.AugAssign, ast.Subscript)),  # Python 3.14 makes a subscript a binary operation
    ("COMPARE_OP", (ast.Compare,)),
    ("CONTAINS_OP", (ast.Compare,)),
    ("IS_OP", (ast.Compare,)),
    ("UNARY_", (ast.UnaryOp,)),
    ("CALL", (ast.Call,)),
    ("PRECALL", (ast.Call,)),
    ("LOAD_ATTR", (ast.Attribute,)),
    ("LOAD_METHOD", (ast.Attribute,)),
    ("STORE_ATTR", (ast.Attribute,)),
)


def node_at(code: CodeType, lasti: int) -> tuple[SourceFile, ast.AST] | None:
    """The smallest syntax node that the instruction computes or asks about, with its file.

    None where there is no source, no column information, or where the text is not the one the code came from.
    """
    for refresh in (False, True):
        file = source_file(code.co_filename, refresh=refresh)
        if file is not None and file.holds(code):
            node = _node(file, code, instruction_at(code, lasti))
            if node is not None:
                return file, node
    return None


def _node(file: SourceFile, code: CodeType, found: Instruction) -> ast.AST | None:
    name = found.name
    if name.startswith(("POP_JUMP", "JUMP_IF_", "TO_BOOL", "LIST_EXTEND", "SET_UPDATE", "DICT_MERGE")):
        # The compiler notes the whole `if` or `while` here; the expression is what pushed the value.
        before = producer_of(code, found.offset)
        return _node(file, code, before) if before is not None else None
    if found.line is None or found.end_line is None or found.column is None or found.end_column is None:
        return None
    node = _matching(file, found)
    if name in ("GET_ITER", "FOR_ITER", "UNPACK_SEQUENCE", "UNPACK_EX", "BEFORE_WITH", "LOAD_SPECIAL"):
        return _source_of(file, code, found, node)
    return node


def _matching(file: SourceFile, found: Instruction) -> ast.AST | None:
    ending = file.ending_at(found.end_line or 0, found.end_column or 0)
    start = (found.line, found.column)
    exact = [node for node in ending if (node.lineno, node.col_offset) == start]  # type: ignore[attr-defined]
    kinds = next((kinds for prefix, kinds in _NODES if found.name.startswith(prefix)), None)
    if kinds is not None:
        fitting = [n for n in exact if isinstance(n, kinds)] or [n for n in ending if isinstance(n, kinds)]
        if fitting:
            return fitting[-1]
    expressions = [node for node in exact if isinstance(node, ast.expr)]
    return (expressions or exact or [None])[-1]


def _source_of(file: SourceFile, code: CodeType, found: Instruction, node: ast.AST | None) -> ast.AST | None:
    """What is iterated, unpacked or entered: the compiler notes the whole statement, or the targets."""
    holder = file.parent(node) if isinstance(node, ast.Tuple | ast.List) else node
    match holder:
        case ast.For() | ast.AsyncFor():
            return holder.iter
        case ast.Assign() | ast.AnnAssign() | ast.NamedExpr():
            return holder.value
        case ast.With() | ast.AsyncWith() if len(holder.items) == 1:
            return holder.items[0].context_expr
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() if len(holder.generators) == 1:
            return holder.generators[0].iter
    if found.name == "GET_ITER" and isinstance(node, ast.expr) and node is holder and not hasattr(node, "generators"):
        return node  # from Python 3.12 on, the range noted is the iterable itself
    before = producer_of(code, found.offset)
    return _node(file, code, before) if before is not None and found.name != "FOR_ITER" else node


_COMPOUND = (ast.If, ast.While, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.FunctionDef, ast.AsyncFunctionDef,
             ast.ClassDef, ast.Try, ast.Match, ast.Module)


def node_span(file: SourceFile, node: ast.AST, function: str) -> Span:
    """The span of a node, in characters; of a compound statement its line only."""
    line, end_line = node.lineno, node.end_lineno  # type: ignore[attr-defined]
    if isinstance(node, _COMPOUND) or not is_where_it_says(file, node):
        return Span(file.filename, line, function=function)
    return Span(file.filename, line, file.characters(line, node.col_offset),  # type: ignore[attr-defined]
                end_line, file.characters(end_line, node.end_col_offset), function)  # type: ignore[attr-defined]


def is_where_it_says(file: SourceFile, node: ast.AST) -> bool:
    """Whether a node's columns are right: Python 3.11 miscounts in f-strings that span lines, among others."""
    if sys.version_info >= (3, 12) or file.enclosing(node, (ast.JoinedStr,)) in (None, node):
        return True
    if not isinstance(node, ast.expr) or node.lineno != node.end_lineno:
        return False
    text = (file.line(node.lineno) or "").encode()[node.col_offset:node.end_col_offset].decode(errors="replace")
    try:
        written = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return ast.dump(written) == ast.dump(node)


def _resolve(code: CodeType, lasti: int) -> Span:
    function = function_name(code)
    located = node_at(code, lasti)
    if located is not None:
        file, node = located
        if hasattr(node, "lineno"):
            return node_span(file, node, function)
    found = instruction_at(code, lasti)
    line = found.line or code.co_firstlineno
    if source_file(code.co_filename) is not None:
        return Span(code.co_filename, line, function=function)  # the text has changed: columns would mislead
    return Span(code.co_filename, line, found.column, found.end_line, found.end_column, function)
