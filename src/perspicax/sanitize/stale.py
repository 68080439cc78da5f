"""The sanitizer `constants`, of variables: what a jitted function reads from outside is part of the compiled program.

When a function is traced its source tells which variables it reads from its module, or from the functions around it, and which
of those are assigned more than once. Only for such a function are later calls looked at: where the variable has changed since,
the program that runs still has the old value.
"""
from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

import numpy as np

from perspicax.core.array import Array
from perspicax.core.config import sanitize
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.tracer import Tracer
from perspicax.diagnose.definitions import definition_at
from perspicax.diagnose.expression import Expression
from perspicax.diagnose.frames import USER, kind_of
from perspicax.diagnose.place import Position
from perspicax.sanitize.findings import SideEffect
from perspicax.sanitize.names import parse
from perspicax.sanitize.telling import found

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_CALLBACKS = frozenset({"callback", "pure_callback", "io_callback"})
_NUMBERS = (bool, int, float, complex, str, np.generic)
_HOLDERS = (Array, np.ndarray, dict, list, tuple)
_MOST_SHOWN = 30  # characters of a value


class Read(NamedTuple):
    """A variable that a traced function reads.

    Attributes:
        name: its name.
        where: where it is read.
        value: its value while the function was traced.
        now: tells its value.
    """

    name: str
    where: Expression
    value: Any
    now: Callable[[], Any]

    @property
    def changed(self) -> bool:
        """Whether it has another value by now."""
        now = self.now()
        if isinstance(now, _NUMBERS) and isinstance(self.value, _NUMBERS):
            return bool(now != self.value)
        return now is not self.value and isinstance(now, (*_NUMBERS, *_HOLDERS)) and not isinstance(now, Tracer)


def watch_trace(fun: Callable[..., Any], name: str, closed: ClosedJaxpr, kept: Iterable[tuple], key: tuple,
                static_name: Callable[[Any], str]) -> Callable[[], None] | None:
    """Note what a function reads from outside.

    Returns:
        What is to be called before the program runs again; `None` if nothing that was read can change.
    """
    if "constants" not in parse(sanitize.value):
        return None
    function = getattr(fun, "__func__", fun)
    if not isinstance(function, FunctionType) or kind_of(function.__code__.co_filename) != USER:
        return None
    whole = definition_at(Position(function.__code__, 0))
    reads = [] if whole is None else [*_reads(whole, function), *_attributes(whole, function, _owner(fun, key))]
    if not reads:
        return None

    def look() -> None:
        for read in [r for r in reads if r.changed] if "constants" in parse(sanitize.value) else ():
            reads.remove(read)
            found(SideEffect(what=read.name, kind="stale", function=read.where.function, traced=name, transform="jit",
                             holder=_shown(read.value), code=_shown(read.now()), position=read.where.span))

    return look


def _reads(whole: Expression, function: FunctionType) -> Iterator[Read]:
    code = function.__code__
    cells = dict(zip(code.co_freevars, function.__closure__ or ()))
    inner = set(_called_back(whole.node))
    seen = _bound(whole.node)
    for node in _own(whole.node, inner):
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or node.id in seen:
            continue
        seen.add(node.id)
        name = node.id
        if name in cells:
            now: Callable[[], Any] = lambda cell=cells[name]: _content(cell)  # type: ignore[misc]
        elif name in _global_names(code) and name in function.__globals__:
            now = lambda name=name: function.__globals__.get(name)  # type: ignore[misc]
        else:
            continue
        value = now()
        if isinstance(value, Tracer) or not isinstance(value, (*_NUMBERS, *_HOLDERS)):
            continue
        if _assigned_again(whole, name, name in cells):
            yield Read(name, whole.at(node), value, now)


def _owner(fun: Callable[..., Any], key: tuple) -> Any:
    """The `self` of a method that it is bound to, or that is a static argument; `None` if there is none."""
    if isinstance(fun, MethodType):
        return fun.__self__
    statics = key[3][0] if key[3] else ()
    return next((value for which, _, value in statics if which == 0), None)


def _attributes(whole: Expression, function: FunctionType, owner: Any) -> Iterator[Read]:
    """The numbers and arrays that a method reads from its `self`, but for those that it assigns itself."""
    held = getattr(owner, "__dict__", None)
    if not isinstance(held, dict) or function.__code__.co_varnames[:1] != ("self",) or not function.__code__.co_argcount:
        return
    nodes = [n for n in _own(whole.node, set(_called_back(whole.node)))
             if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "self"]
    seen = {n.attr for n in nodes if not isinstance(n.ctx, ast.Load)}
    for node in nodes:
        name = node.attr
        value = held.get(name)
        if name not in seen and not isinstance(value, Tracer) and isinstance(value, (*_NUMBERS, Array, np.ndarray)):
            seen.add(name)
            yield Read(f"self.{name}", whole.at(node), value, lambda name=name: held.get(name))  # type: ignore[misc]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound
        return None


def _global_names(code: CodeType) -> set[str]:
    """Names of the module that a function, or one within it, reads."""
    found_names = set(code.co_names)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            found_names |= _global_names(const)
    return found_names


def _own(function: ast.AST, left_out: set[str]) -> Iterator[ast.AST]:
    """The nodes of a function's body, and of functions within it but for those that are called back."""
    body = function.body if isinstance(function, _FUNCTIONS) else []
    pending: list[ast.AST] = list(body) if isinstance(body, list) else [body]
    while pending:
        node = pending.pop(0)
        yield node
        if isinstance(node, ast.FunctionDef) and node.name in left_out:
            continue
        if isinstance(node, ast.Call) and _is_callback(node):
            pending += node.args[1:]
            continue
        pending += ast.iter_child_nodes(node)


def _is_callback(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _CALLBACKS


def _called_back(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _is_callback(node) and node.args and isinstance(node.args[0], ast.Name):
            yield node.args[0].id


def _assigned_again(whole: Expression, name: str, is_cell: bool) -> bool:
    """Whether a variable is assigned more than once, or in a loop, by the function or module that it belongs to."""
    file = whole.file
    scope = file.parent(whole.node)
    while is_cell and scope is not None and not (isinstance(scope, _FUNCTIONS) and name in _bound(scope)):
        scope = file.parent(scope)
    owner = scope if is_cell else file.tree
    if owner is None:
        return False
    declared = {id(f) for f in ast.walk(owner) if isinstance(f, _FUNCTIONS) and any(
        isinstance(n, ast.Global | ast.Nonlocal) and name in n.names for n in ast.walk(f))}
    stores = [n for n in ast.walk(owner) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
              and _scope_of(file, n) in ({id(owner)} | declared)]
    return len(stores) > 1 or any(_in_loop(file, n, owner) for n in stores)


def _scope_of(file: Any, node: ast.AST) -> int:
    around = file.enclosing(node, (*_FUNCTIONS, ast.Module))
    return id(around)


def _bound(function: ast.AST) -> set[str]:
    """The names that a function, or one within it, binds itself."""
    return {n.arg if isinstance(n, ast.arg) else n.id for n in ast.walk(function)
            if isinstance(n, ast.arg) or (isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))}


def _in_loop(file: Any, node: ast.AST, owner: ast.AST) -> bool:
    at = file.parent(node)
    while at is not None and at is not owner:
        if isinstance(at, ast.For | ast.While):
            return True
        at = file.parent(at)
    return False


def _shown(value: Any) -> str:
    """A number or a short text; empty for anything else."""
    text = repr(value.item() if isinstance(value, np.generic) else value) if isinstance(value, _NUMBERS) else ""
    return text if len(text) <= _MOST_SHOWN else ""


__all__ = ["watch_trace"]
