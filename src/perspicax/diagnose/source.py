"""Reading the user's source for a report: what was computed at a place, from what, and under which names.

Everything here is lazy (a file is read and parsed when a report first needs it) and answers None, never an exception,
where there is no source: strings given to `exec`, frozen modules, files that changed since they were imported.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import sys
from collections.abc import Callable, Container, Iterable
from types import CodeType
from typing import Any, NamedTuple

from perspicax.diagnose.conditions import Branches, Condition, condition_at, link_of, on_device
from perspicax.diagnose.expression import Expression, expression_at, located
from perspicax.diagnose.files import source_file
from perspicax.diagnose.frames import INTERNAL, USER, kind_of, mark_internal, user_place, user_position, user_stack
from perspicax.diagnose.place import Place, Position, Span, function_name, node_span, resolve

__all__ = [
    "Assignment", "Branches", "Condition", "Expression", "Operands", "Place", "Position", "Span",
    "assignments_before", "callee_at", "code_of", "condition_at", "decorator_span", "error_position", "expression_at",
    "field_span", "function_name", "function_span", "imported_as", "kind_of", "mark_internal", "mentions", "on_device",
    "operand_name", "operands_at", "parameter_names", "resolve", "shorten", "source_line", "user_place", "user_position",
    "user_stack",
]

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder", ast.Pow: "power", ast.MatMult: "matmul", ast.LShift: "left_shift",
    ast.RShift: "right_shift", ast.BitAnd: "bitwise_and", ast.BitOr: "bitwise_or", ast.BitXor: "bitwise_xor",
}
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "negative", ast.UAdd: "positive", ast.Invert: "invert",
                                        ast.Not: "logical_not"}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "equal", ast.NotEq: "not_equal", ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater",
    ast.GtE: "greater_equal", ast.Is: "is", ast.IsNot: "is_not", ast.In: "in", ast.NotIn: "not_in",
}


class Operands(list[Expression]):
    """The operands of one operation as the user wrote them, in order.

    Attributes:
        operation: NumPy's name for an operator (`add`, `less`), "getitem", or the called function's own name.
        keywords: keyword arguments of a call.
        complete: False if `*args` or `**kwargs` hide some of them.
        receiver: whether the first is what stands before the dot of a call.
    """

    def __init__(self, items: Iterable[Expression] = (), operation: str = "",
                 keywords: dict[str, Expression] | None = None, complete: bool = True, receiver: bool = False) -> None:
        super().__init__(items)
        self.operation = operation
        self.keywords = keywords or {}
        self.complete = complete
        self.receiver = receiver

    def keyword(self, name: str) -> Expression | None:
        """The keyword argument `name` of a call; None if it was not written as a keyword."""
        return self.keywords.get(name)


def operands_at(position: Place) -> Operands:
    """The operands of what was being computed at `position`; empty where the source cannot tell.

    Args:
        position: a `Position` or the bare pair of `user_place`.

    Returns:
        Both sides of an operator or of one link of a chained comparison; value and index of a subscript; the
        positional arguments of a call up to the first `*args`, preceded by the receiver of a method call (a name that
        an import binds in that file, or in an earlier cell of a notebook, is a module, not a receiver).
    """
    found = located(position)
    if found is None:
        return Operands()
    at = found.at
    match found.node:
        case ast.BinOp(left=left, op=op, right=right):
            return Operands([at(left), at(right)], _BINARY[type(op)])
        case ast.AugAssign(target=target, op=op, value=value):
            return Operands([at(target), at(value)], _BINARY[type(op)])
        case ast.Compare() as node:
            link = link_of(position, node)
            return Operands([at([node.left, *node.comparators][link]), at(node.comparators[link])],
                            _COMPARE[type(node.ops[link])])
        case ast.UnaryOp(op=sign, operand=operand):
            return Operands([at(operand)], _UNARY[type(sign)])
        case ast.Subscript(value=value, slice=index, ctx=context):
            verb = {ast.Load: "getitem", ast.Store: "setitem"}.get(type(context), "delitem")
            return Operands([at(value), at(index)], verb)
        case ast.Attribute(value=value, attr=name):
            return Operands([at(value)], name)
        case ast.Call() as call:
            return _call_operands(found, call)
    return Operands()


def _call_operands(found: Expression, call: ast.Call) -> Operands:
    receiver: list[ast.expr] = []
    name = ""
    match call.func:
        case ast.Attribute(value=value, attr=name):
            root: ast.AST = value
            while isinstance(root, ast.Attribute):
                root = root.value
            if not (isinstance(root, ast.Name) and found.file.is_import(root.id)):
                receiver = [value]
        case ast.Name(id=name):
            pass
    starred = next((i for i, a in enumerate(call.args) if isinstance(a, ast.Starred)), None)
    keywords = {keyword.arg: found.at(keyword.value) for keyword in call.keywords if keyword.arg is not None}
    complete = starred is None and all(keyword.arg is not None for keyword in call.keywords)
    return Operands(map(found.at, receiver + call.args[:starred]), name, keywords, complete, bool(receiver))


def callee_at(position: Place) -> str | None:
    """What is called at `position`, as it is written, if it is a function of an imported module: `jnp.linalg.eig`.

    Where the result of a call is called, as in `jax.jacfwd(jnp.linalg.eig)(x)`, it is the function that was transformed.

    Args:
        position: where an operation was asked for.

    Returns:
        The dotted name; None for methods, for functions bound in the file itself, and for what is no call.
    """
    found = located(position)
    if found is None or not isinstance(found.node, ast.Call):
        return None
    callee = found.node.func
    while isinstance(callee, ast.Call) and callee.args:  # jax.jacfwd(jnp.linalg.eig)(x)
        callee = callee.args[0]
    root: ast.AST = callee
    while isinstance(root, ast.Attribute):
        root = root.value
    if not isinstance(root, ast.Name) or not found.file.is_import(root.id):
        return None
    return ast.unparse(callee)


def operand_name(position: Place, index: int, of: Container[str] | None = None) -> str | None:
    """What the user calls operand `index` of the operation at `position`, if that is short enough to be a name.

    Args:
        position: where the operation was asked for.
        index: 0 for the first operand.
        of: names of the operation (`add`, `matmul`); if something else is called there (a layer, say, that does the
            operation inside), its operands are not the operation's, and the answer is None.
    """
    operands = operands_at(position)
    if (of is not None and operands.operation not in of) or not 0 <= index < len(operands):
        return None
    text = operands[index].text
    return text if len(text) <= 60 else None


class Assignment(NamedTuple):
    """One place that binds a local name, and the value's expression where there is a single one."""

    span: Span
    value: Expression | None


def assignments_before(position: Place, name: str) -> list[Assignment]:
    """Where `name` was bound above `position` in the same function, the nearest first.

    Loop targets, `with ... as`, `for` and augmented assignments count; a parameter does not.
    """
    found = located(position)
    if found is None:
        return []
    file = found.file
    scope = file.enclosing(found.node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module))
    limit = found.node.lineno, found.node.col_offset  # type: ignore[attr-defined]
    results: list[tuple[tuple[int, int], Assignment]] = []
    for node in ast.walk(scope) if scope is not None else ():
        value = _bound_value(node, name)
        if value is None:
            continue
        start = node.lineno, node.col_offset  # type: ignore[attr-defined]
        owner = file.enclosing(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module))
        if owner is scope and start < limit and not _around(node, found.node):
            expression = found.at(value) if isinstance(value, ast.expr) else None
            results.append((start, Assignment(node_span(file, node, found.function), expression)))
    return [assignment for _, assignment in sorted(results, key=lambda pair: pair[0], reverse=True)]


def _around(outer: ast.AST, inner: ast.AST) -> bool:
    return not isinstance(outer, ast.For | ast.AsyncFor | ast.With | ast.AsyncWith) and any(
        node is inner for node in ast.walk(outer))


def _bound_value(node: ast.AST, name: str) -> ast.AST | None:
    """The value (or, where there is none of its own, the node) by which `node` binds `name`; else None."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Name) and target.id == name:
                    return value
                if _binds(target, name):
                    return _unpacked(target, value, name) or node
        case ast.AnnAssign(target=target, value=value) if value is not None and _binds(target, name):
            return value
        case ast.AugAssign(target=target) | ast.NamedExpr(target=target) if _binds(target, name):
            return node.value if isinstance(node, ast.NamedExpr) else node
        case ast.For(target=target) | ast.AsyncFor(target=target) if _binds(target, name):
            return node
        case ast.With(items=items) | ast.AsyncWith(items=items):
            for item in items:
                if item.optional_vars is not None and _binds(item.optional_vars, name):
                    return item.context_expr
    return None


def _binds(target: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
               for node in ast.walk(target))


def _unpacked(target: ast.expr, value: ast.expr, name: str) -> ast.expr | None:
    """`b`'s own value in `a, b = x, y`."""
    if not (isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List)):
        return None
    if len(target.elts) != len(value.elts) or any(isinstance(e, ast.Starred) for e in [*target.elts, *value.elts]):
        return None
    return next((v for t, v in zip(target.elts, value.elts) if isinstance(t, ast.Name) and t.id == name), None)


def code_of(fun: object) -> CodeType | None:
    """The code object of a function, method, partial, wrapper or callable object; None for builtins."""
    for _ in range(32):  # a chain of wrappers may be circular
        if isinstance(fun, functools.partial):
            fun = fun.func
        elif hasattr(fun, "__wrapped__"):
            fun = fun.__wrapped__
        elif hasattr(fun, "__func__"):
            fun = fun.__func__
        else:
            break
    code = getattr(fun, "__code__", None)
    if code is None and not isinstance(fun, type):
        call = type(fun).__call__ if callable(fun) else None
        code = getattr(call, "__code__", None)
    return code if isinstance(code, CodeType) else None


def function_span(fun: object) -> Span | None:
    """The line that defines `fun` (its `def`, or the lambda's text); None for builtins, and for functions of our own."""
    code = code_of(fun)
    if code is None or kind_of(code.co_filename) == INTERNAL:
        return None
    file = source_file(code.co_filename)
    if file is None:
        return Span(code.co_filename, code.co_firstlineno, function=function_name(code))
    node = file.definitions.get((code.co_firstlineno, code.co_name))
    if node is None and code.co_name == "<lambda>" and file.tree is not None:
        same_line = [n for n in ast.walk(file.tree) if isinstance(n, ast.Lambda) and n.lineno == code.co_firstlineno]
        node = same_line[0] if len(same_line) == 1 else None
    if node is None:
        return Span(code.co_filename, code.co_firstlineno, function=function_name(code))
    return node_span(file, node, function_name(code))


def decorator_span(fun: object) -> Span | None:
    """All decorators of `fun`, from the first to the end of the last; None if it has none (or no source)."""
    code = code_of(fun)
    file = source_file(code.co_filename) if code is not None else None
    node = file.definitions.get((code.co_firstlineno, code.co_name)) if file is not None and code is not None else None
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    if not decorators or file is None or code is None:
        return None
    first, last = (node_span(file, d, function_name(code)) for d in (decorators[0], decorators[-1]))
    return Span(first.filename, first.line, first.column, last.end_line, last.end_column, first.function)


def parameter_names(fun: object) -> tuple[str, ...]:
    """Names of the parameters of `fun`, positional ones first, then `*args`, keyword-only ones and `**kwargs`.

    Without those that a bound method or a `functools.partial` has filled already; empty for builtins.
    """
    skipped, filled = 0, set()
    while isinstance(fun, functools.partial) or hasattr(fun, "__self__"):
        if isinstance(fun, functools.partial):
            skipped += len(fun.args)
            filled |= set(fun.keywords)
            fun = fun.func
        elif hasattr(fun, "__func__"):
            skipped += 1
            fun = fun.__func__
        else:
            break
    code = code_of(fun)
    if code is None:
        return ()
    if not hasattr(fun, "__code__") and not hasattr(fun, "__wrapped__") and not isinstance(fun, type):
        skipped += 1  # an object with `__call__`: `self`
    positional = code.co_varnames[skipped:code.co_argcount]
    rest = list(code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount])
    extra = code.co_argcount + code.co_kwonlyargcount
    starred = [code.co_varnames[extra]] if code.co_flags & 0x04 else []
    double = [code.co_varnames[extra + len(starred)]] if code.co_flags & 0x08 else []
    return tuple(name for name in (*positional, *starred, *rest, *double) if name not in filled)


def field_span(position: Place, cls: str, field: str) -> Span | None:
    """Where the class `cls`, of the file at `position`, annotates `field`; None where the source does not tell.

    Args:
        position: any place in the file, or the statement that makes the class.
        cls: the class.
        field: the name.
    """
    span = resolve(position)
    file = source_file(span.filename) if span is not None else None
    found = None
    for node in ast.walk(file.tree) if file is not None and file.tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.name == cls:
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id == field:
                    found = node_span(file, each, cls)  # type: ignore[arg-type]
    return found


def error_position(error: BaseException) -> Position | None:
    """The innermost place in the user's code that an error passed through; None if there is none."""
    entry, found = error.__traceback__, None
    while entry is not None:
        if kind_of(entry.tb_frame.f_code.co_filename) == USER:
            found = Position(entry.tb_frame.f_code, entry.tb_lasti)
        entry = entry.tb_next
    return found


def source_line(span: Span) -> str | None:
    """The first line of a span as written, without its line break; None without source."""
    file = source_file(span.filename)
    return file.line(span.line) if file is not None else None


def mentions(expression: Expression | None, name: str) -> bool:
    """Whether an expression reads or calls the variable `name`; False for no expression."""
    return expression is not None and expression.mentions(name)


def imported_as(position: Place, module: str, default: str) -> str:
    """The name by which the file at `position` knows a module: "jnp" for `import jax.numpy as jnp`.

    Args:
        position: any place in the file.
        module: the last part of the module's dotted name, say "numpy" of "jax.numpy"; NumPy itself does not count.
        default: the answer if the file imports no such module under a name of its own.
    """
    found = located(position)
    for node in ast.walk(found.file.tree) if found is not None and found.file.tree is not None else ():
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.endswith(f".{module}") and alias.asname:
                        return alias.asname
            case ast.ImportFrom(module=str(), names=names):
                for alias in names:
                    if alias.name == module:
                        return alias.asname or alias.name
    return default


_NOTEBOOK = r"<ipython-input-(\d+)-|[/\\]ipykernel_\d+[/\\]"


def shorten(path: str) -> str:
    """A file name for display: relative to the working directory if inside it, a notebook's cell by its number."""
    cell = re.search(_NOTEBOOK, path)
    if cell is not None:
        return _cell_name(path) or (f"In[{cell.group(1)}]" if cell.group(1) else "a notebook cell")
    if path.startswith("<"):
        return path
    try:
        relative = os.path.relpath(path)
    except (ValueError, OSError):  # another drive, or a working directory that is gone
        return path
    return path if relative.startswith(os.pardir) else relative


def _cell_name(path: str) -> str | None:
    """The name that a running IPython itself gives to the cell."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    name_of: Callable[[str], tuple[str, str] | None] | None = getattr(
        getattr(shell, "compile", None), "format_code_name", None)
    named = name_of(path) if name_of is not None else None
    return " ".join(named) if named else None
