"""The sanitizer `broadcast`: `(n,)` with `(n, 1)` in a loss, where the result is a matrix of all pairs that nobody wanted.

It stays quiet unless three things come together: the operands have the same number of entries, one as a vector and one as
a column; nobody has made the column for this purpose (`x[:, None]`, `keepdims=True`, `reshape`, in sight of the operation or
in the line that calls the function); and a reduction to one number makes the matrix disappear.
"""
from __future__ import annotations

import ast
from types import FrameType
from typing import Any

from perspicax.core.config import sanitize
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.frames import USER, kind_of, user_frame
from perspicax.diagnose.place import Position
from perspicax.diagnose.report import Edit, Fix, Label
from perspicax.diagnose.source import operands_at
from perspicax.sanitize.findings import SuspiciousBroadcast
from perspicax.sanitize.names import parse
from perspicax.sanitize.reading import ancestors, assigned_names, called, function_of, statement_of
from perspicax.sanitize.telling import found

REDUCTIONS = frozenset({"mean", "sum", "average", "nanmean", "nansum", "median", "max", "min", "all", "any", "norm"})
MAKERS = frozenset({"reshape", "expand_dims", "broadcast_to", "atleast_2d", "meshgrid", "ix_", "outer", "column_stack"})
OPERATIONS = frozenset({"add", "subtract", "multiply", "divide", "true_divide", "equal", "not_equal", "maximum", "minimum",
                        "less", "greater", "power", "where", "square_error", "abs_error"})


def watch(a: Any, b: Any, operation: str) -> None:
    """Look at operands of different rank that broadcast."""
    if {len(a.shape), len(b.shape)} != {1, 2} or "broadcast" not in parse(sanitize.value):
        return
    vector, column = (a, b) if len(a.shape) == 1 else (b, a)
    n = vector.shape[0]
    if n < 2 or column.shape != (n, 1):
        return
    frame = user_frame(2)
    if frame is None:
        return
    position = Position(frame.f_code, frame.f_lasti)
    expression, operands = located(position), operands_at(position)
    if expression is None or len(operands) != 2 or operands.operation not in OPERATIONS | {operation}:
        return
    reduced = _reduction(expression)
    if not reduced or any(_made(operand, frame, 3) for operand in operands):
        return
    types = (a.str_short(), b.str_short())
    found(SuspiciousBroadcast(
        operation=expression.text, left=operands[0].text, right=operands[1].text, left_type=types[0], right_type=types[1],
        result=f"({n}, {n})", reduced=f"`{reduced}`", labels=tuple([Label(o.span, t) for o, t in zip(operands, types)]),
        fixes=_fixes(operands, a.shape, expression), position=position))


def _fixes(operands: list[Expression], first: tuple, expression: Expression) -> tuple[Fix, ...]:
    column, vector = (operands[1], operands[0]) if len(first) == 1 else (operands[0], operands[1])
    return (Fix(f"give both one axis: take the column of `{column.text}` out",
                edits=(Edit(column.span, f"{column.grouped}[:, 0]"),)),
            Fix(f"make a column of `{vector.text}`", edits=(Edit(vector.span, f"{vector.grouped}[:, None]"),)),
            Fix("if all pairs are meant, say so where the operands meet", code=f"{vector.grouped}[None, :]"))


def _reduction(expression: Expression) -> str:
    """The call that makes one number of the result, as it is written without its arguments; empty if there is none."""
    for node in ancestors(expression):
        if _reduces(node):
            return _name(node)  # type: ignore[arg-type]
    names, scope = assigned_names(statement_of(expression)), function_of(expression)
    for node in ast.walk(scope) if names and scope is not None else ():
        if _reduces(node) and node.lineno >= expression.node.lineno:  # type: ignore[attr-defined]
            inside = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            if names & inside:
                return _name(node)  # type: ignore[arg-type]
    return ""


def _reduces(node: ast.AST) -> bool:
    """Whether a call reduces all axes."""
    if called(node) not in REDUCTIONS or not isinstance(node, ast.Call):
        return False
    method = isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name)
    positional = len(node.args) > (0 if method else 1)
    return not positional and all(k.arg not in ("axis", "axes", "dim") for k in node.keywords)


def _name(node: ast.Call) -> str:
    func = node.func
    plain = isinstance(func, ast.Name) or (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name))
    return ast.unparse(func) if plain else f".{called(node)}()"


def _is_new_axis(node: ast.AST) -> bool:
    none = isinstance(node, ast.Constant) and node.value is None
    return none or (isinstance(node, ast.Attribute) and node.attr == "newaxis")


def _other_shape(node: ast.Call) -> bool:
    """Whether a `reshape` gives sizes of which none is 1, so that it makes no column."""
    sizes = [n for a in node.args for n in ast.walk(a) if isinstance(n, ast.Constant | ast.Name | ast.Attribute | ast.Call)]
    known = [n.value for n in sizes if isinstance(n, ast.Constant) and type(n.value) is int]
    return called(node) == "reshape" and len(known) >= 2 and len(known) == len(sizes) and 1 not in known


def _made(operand: Expression, frame: FrameType | None, depth: int) -> bool:
    """Whether somebody gave an operand its shape on purpose, in the expression or in those that its names stand for."""
    for node in ast.walk(operand.node):
        match node:
            case ast.Subscript(slice=index) if any(map(_is_new_axis, ast.walk(index))):
                return True
            case ast.Call(keywords=keywords):
                if (called(node) in MAKERS and not _other_shape(node)) or any(k.arg == "keepdims" for k in keywords):
                    return True
            case ast.Attribute(attr="T" | "mT"):
                return True
    if not depth:
        return False
    return any(_made(value, at, depth - 1) for name in operand.names() for value, at in _meanings(operand, name, frame))


def _meanings(operand: Expression, name: str, frame: FrameType | None) -> list[tuple[Expression, FrameType | None]]:
    """The expressions that a name may stand for: what it is assigned, and what the caller passes."""
    scope = function_of(operand)
    found_in: list[tuple[Expression, FrameType | None]] = []
    for node in ast.walk(scope) if scope is not None else ():
        match node:
            case ast.Assign(targets=targets, value=value) if any(
                    isinstance(t, ast.Name) and t.id == name for t in targets):
                found_in.append((operand.at(value), frame))
    if found_in or not isinstance(scope, ast.FunctionDef | ast.Lambda) or frame is None:
        return found_in
    names = [a.arg for a in (*scope.args.posonlyargs, *scope.args.args)]
    caller = frame.f_back
    while caller is not None and kind_of(caller.f_code.co_filename) != USER:
        caller = caller.f_back
    call = located((caller.f_code, caller.f_lasti)) if caller is not None else None
    if name not in names or call is None or not isinstance(call.node, ast.Call):
        return []
    at = names.index(name)
    given = [call.at(k.value) for k in call.node.keywords if k.arg == name]
    if at < len(call.node.args) and not any(isinstance(a, ast.Starred) for a in call.node.args[:at + 1]):
        given.append(call.at(call.node.args[at]))
    return [(value, caller) for value in given]


__all__ = ["watch"]
