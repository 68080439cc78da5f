"""What sanitizers ask of the user's source: what a name stands for there, whether a value is guarded, what a call gives."""
from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.files import SourceFile
from perspicax.diagnose.place import Place

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)


def dotted(node: ast.AST) -> tuple[str, ...]:
    """The parts of a name with dots: `jnp.linalg.norm`; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def imports(file: SourceFile) -> dict[str, str]:
    """What the names that imports bind in a file stand for, in full: `{"jnp": "jax.numpy"}`."""
    found: dict[str, str] = {}
    for node in ast.walk(file.tree) if file.tree is not None else ():
        match node:
            case ast.Import(names=names):
                for alias in names:
                    found[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0])
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    found[alias.asname or alias.name] = f"{module}.{alias.name}"
    return found


def full_name(file: SourceFile, node: ast.AST) -> str:
    """What is called, in full, where imports of the file tell it: `jax.numpy.linalg.norm`; else empty."""
    parts = dotted(node)
    if not parts:
        return ""
    root = imports(file).get(parts[0])
    return ".".join((root, *parts[1:])) if root is not None else ""


OURS = ("jax.", "perspicax.", "flax.")


def library_function(place: Place) -> bool:
    """Whether a function of JAX is called at a place, which then does itself what happens there."""
    found = located(place)
    if found is None or not isinstance(found.node, ast.Call):
        return False
    return full_name(found.file, found.node.func).startswith(OURS)


def resolved(name: str) -> Any:
    """The object of a name in full, if its module is loaded; else `None`."""
    module, _, rest = name, "", ""
    while module:
        loaded = sys.modules.get(module)
        if loaded is not None:
            value: Any = loaded
            for part in filter(None, rest.split(".")):
                value = getattr(value, part, None)
            return value
        module, _, last = module.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    return None


def ancestors(expression: Expression) -> Iterator[ast.AST]:
    """The nodes around an expression, the nearest first, up to its function."""
    at = expression.file.parent(expression.node)
    while at is not None and not isinstance(at, _FUNCTIONS):
        yield at
        at = expression.file.parent(at)


def statement_of(expression: Expression) -> ast.stmt | None:
    """The statement that an expression belongs to."""
    if isinstance(expression.node, ast.stmt):
        return expression.node
    return next((node for node in ancestors(expression) if isinstance(node, ast.stmt)), None)


def function_of(expression: Expression) -> ast.AST | None:
    """The function around an expression, or the module."""
    return expression.file.enclosing(expression.node, _FUNCTIONS)


def called(node: ast.AST) -> str:
    """The last part of what a call calls: `where` of `jnp.where(...)`; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def assigned_names(statement: ast.stmt | None) -> set[str]:
    """The names that a statement binds."""
    match statement:
        case ast.Assign(targets=targets):
            nodes: list[ast.AST] = list(targets)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            nodes = [target]
        case _:
            return set()
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}


def used_in(expression: Expression, functions: frozenset[str]) -> ast.Call | None:
    """The call of one of `functions` that an expression goes into: around it, or of a name that it is assigned to."""
    for node in ancestors(expression):
        if called(node) in functions:
            return node  # type: ignore[return-value]
    names = assigned_names(statement_of(expression))
    scope = function_of(expression)
    if not names or scope is None:
        return None
    for node in ast.walk(scope):
        if called(node) in functions and node.lineno >= expression.node.lineno:  # type: ignore[attr-defined]
            if any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node)):
                return node  # type: ignore[return-value]
    return None


__all__ = ["OURS", "ancestors", "assigned_names", "called", "dotted", "full_name", "function_of", "imports", "library_function",
           "resolved", "statement_of", "used_in"]
