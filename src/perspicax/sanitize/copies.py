"""The sanitizer `constants`, of containers among the arguments: a transformed function gets copies of them.

Arguments are taken apart into arrays, and put together anew for the function that is traced. What it stores in a dict or a list
of its arguments is lost unless it returns it. The source decides, and strictly: a container that the function reads, hands on
or returns is its own affair; told is one in which it only stores.
"""
from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

from perspicax.diagnose.definitions import definition_at
from perspicax.diagnose.expression import Expression
from perspicax.diagnose.place import Position
from perspicax.diagnose.source import code_of, parameter_names
from perspicax.sanitize.findings import SideEffect
from perspicax.sanitize.telling import found

_GROW = frozenset({"append", "extend", "insert", "update", "setdefault"})
_COPYING = frozenset({"jit", "scan", "while_loop", "fori_loop", "checkpoint", "vmap", "grad", "value_and_grad", "pmap",
                      "shard_map"})


def lost_stores(fun: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], traced: str, transform: str) -> None:
    """Tell of stores of a traced function in its argument containers that nobody can see.

    Args:
        fun: the user's function.
        args, kwargs: what it was called with, as it was put together for it.
        traced, transform: what to call it, and what traced it.
    """
    given = {**dict(zip(parameter_names(fun), args)), **kwargs}
    containers = [name for name, value in given.items() if type(value) in (dict, list)]
    code = code_of(fun)
    if not containers or not isinstance(code, CodeType) or transform not in _COPYING:
        return
    whole = definition_at(Position(code, 0))
    if whole is None or not isinstance(whole.node, ast.FunctionDef):
        return
    for name in containers:
        stores = list(_stores(whole.node, name))
        if stores and not _read(whole.node, name, stores):
            _tell(whole.at(stores[0]), name, traced, transform)


def _tell(statement: Expression, name: str, traced: str, transform: str) -> None:
    found(SideEffect(what=statement.text, kind="argument", function=statement.function, traced=traced, transform=transform,
                     holder=name, position=statement.span))


def _stores(function: ast.AST, name: str) -> Iterator[ast.stmt]:
    """The statements that only store in a container: `m["loss"] = m["loss"] + x`, `history.append(x)`."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=holder))]) if holder == name:
                yield node
            case ast.AugAssign(target=ast.Subscript(value=ast.Name(id=holder))) if holder == name:
                yield node
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=holder), attr=method))) if (
                    holder == name and method in _GROW):
                yield node


def _read(function: ast.AST, name: str, stores: Sequence[ast.stmt]) -> bool:
    """Whether a function uses a container otherwise, or binds its name anew."""
    inside = {id(node) for statement in stores for node in ast.walk(statement)}
    return any(isinstance(node, ast.Name) and node.id == name and id(node) not in inside for node in ast.walk(function))


__all__ = ["lost_stores"]
