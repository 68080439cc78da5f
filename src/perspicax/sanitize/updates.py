"""The sanitizer `updates`: results of functions that change nothing themselves, thrown away.

Python's own code tells: the instruction after such a call drops its result. What is called is told by the source; what it
did, by the operations that were applied meanwhile, so that a call without an effect on arrays is never looked at.
"""
from __future__ import annotations

import ast
import opcode
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

from perspicax.core.array import Array
from perspicax.core.config import local, sanitize
from perspicax.core.primitive import Primitive
from perspicax.core.trace import JaxprTrace
from perspicax.core.tree import tree_leaves
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.frames import USER, kind_of
from perspicax.diagnose.place import Position
from perspicax.diagnose.source import parameter_names, user_place
from perspicax.sanitize.findings import DiscardedUpdate
from perspicax.sanitize.names import parse
from perspicax.sanitize.reading import ancestors, dotted, full_name, function_of, imports, resolved
from perspicax.sanitize.states import consider_state, unpacked
from perspicax.sanitize.telling import found
from perspicax.transform.stage import FlatFunction

MODULES = ("jax.numpy.", "jax.tree.", "jax.tree_util.", "optax.", "perspicax.numpy.", "perspicax.tree.", "perspicax.tree_util.")
UPDATING = frozenset("""
    append insert delete put put_along_axis place fill_diagonal sort resize map tree_map tree_map_with_path map_with_path
    apply_updates incremental_update
""".split())
"""Functions whose counterparts elsewhere change their argument, or whose purpose is a changed copy of it."""
ACTIVATIONS = frozenset(f"{module}.{name}" for module in ("jax.nn", "flax.linen", "perspicax.nn", "perspicax.flax.linen")
                        for name in ("relu", "gelu", "silu", "swish", "elu", "leaky_relu", "softmax", "log_softmax", "sigmoid"))
"""Functions that other libraries have in place, too: told of where a function goes on with the argument."""
METHODS = frozenset("sort astype reshape resize clip round squeeze swapaxes transpose apply_gradients".split())
AT_METHODS = frozenset("set add subtract multiply mul min max divide power apply".split())
_POP = opcode.opmap["POP_TOP"]
_FILLERS = frozenset(opcode.opmap[name] for name in ("CACHE", "EXTENDED_ARG", "NOP", "PRECALL") if name in opcode.opmap)
_dropped: dict[tuple[CodeType, int], bool] = {}


def dropped(code: CodeType, lasti: int) -> bool:
    """Whether the result of the call at an instruction is thrown away."""
    key = code, lasti
    known = _dropped.get(key)
    if known is None:
        if len(_dropped) > 1 << 16:
            _dropped.clear()
        known = _dropped[key] = _next(code, lasti) == _POP
    return known


def _next(code: CodeType, lasti: int) -> int | None:
    raw = code.co_code
    at = lasti + 2
    while at < len(raw) and raw[at] in _FILLERS:
        at += 2
    return raw[at] if at < len(raw) else None


# -- operations

def look(primitive: Primitive, args: tuple, values: tuple, results: Sequence[Any]) -> None:
    """Look at the call that an operation was applied for."""
    if local.place is None:
        place = user_place(2)
        if place is not None:
            if dropped(*place):
                _consider(place)
            elif unpacked(*place):
                consider_state(place, lambda name: _local(place[0], name))


def watch_call(call: FlatFunction, args: Sequence[Any], kwargs: dict) -> Callable[[bool], None] | None:
    """Look, when a function has been traced, at the operations that were recorded meanwhile."""
    trace = local.trace
    if not isinstance(trace, JaxprTrace) or "updates" not in parse(sanitize.value):
        return None
    start = len(trace.eqns)

    def look_at_equations(done: bool) -> None:
        for place in set() if not done else {eqn.place for eqn in trace.eqns[start:] if type(eqn.place) is tuple}:
            if dropped(*place):
                _consider(place)
            elif unpacked(*place):
                consider_state(place, lambda name: _argument(call, args, kwargs, name))

    return look_at_equations


def _argument(call: FlatFunction, args: Sequence[Any], kwargs: dict, name: str) -> Any:
    """What a traced function was given for a parameter."""
    return {**dict(zip(parameter_names(call.fun), args)), **kwargs}.get(name)


def _local(code: CodeType, name: str) -> Any:
    """The value of a variable of a running function."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return None if frame is None else frame.f_locals.get(name)


def _consider(place: tuple[CodeType, int]) -> None:
    expression = located(place)
    if expression is None or not isinstance(expression.node, ast.Call) or kind_of(place[0].co_filename) != USER:
        return
    statement = expression.file.parent(expression.node)
    if not isinstance(statement, ast.Expr) or _tries(expression, statement):
        return
    holder, what = _changed(expression, expression.node)
    if holder is not None and used_later(expression, holder):
        found(DiscardedUpdate(call=expression.text, what=what, target=_assignable(expression, holder),
                              position=Position(*place)))


def _tries(expression: Expression, statement: ast.Expr) -> bool:
    """Whether the statement is the whole of a `try`, or of a `with`: then it is run for its error, or for its time."""
    around = next(ancestors(expression.at(statement)), None)
    return isinstance(around, ast.Try | ast.With) and around.body == [statement]


def _changed(expression: Expression, call: ast.Call) -> tuple[ast.AST | None, str]:
    """For a call whose purpose is a changed copy: what it is a copy of, and what is called; else `None`."""
    func = call.func
    match func:
        case ast.Attribute(value=ast.Subscript(value=ast.Attribute(value=holder, attr="at")),
                           attr=method) if method in AT_METHODS:
            return holder, f".at[...].{method}"
    name = full_name(expression.file, func)
    if name:
        if name in ACTIVATIONS:
            return (call.args[0] if call.args and _goes_on(expression, call.args[0]) else None), ".".join(dotted(func))
        if not name.startswith(MODULES) or name.rpartition(".")[2] not in UPDATING:
            return None, ""
        return next((a for a in call.args if not _is_function(expression, a)), None), ".".join(dotted(func))
    match func:
        case ast.Attribute(value=ast.Name(id=optimizer), attr="update") if _made_by_optax(expression, optimizer):
            return (call.args[1] if len(call.args) > 1 else None), f"{optimizer}.update"
        case ast.Attribute(value=holder, attr=method) if method in METHODS:
            return holder, f".{method}"
    return None, ""


def used_later(expression: Expression, holder: ast.AST) -> bool:
    """Whether what was to change is used afterwards: by the function, by its caller, or in the next turn of a loop.

    What nobody looks at again may stay as it was: then the call is there for something else.
    """
    root = holder
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if not isinstance(root, ast.Name):
        return False
    scope = function_of(expression)
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        arguments = scope.args
        if any(a.arg == root.id for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)):
            return True
        if root is not holder and not any(isinstance(n, ast.Name) and n.id == root.id and isinstance(n.ctx, ast.Store)
                                          for n in ast.walk(scope)):
            return True  # a part of something from outside
    here = expression.node
    loop = next((n for n in ancestors(expression) if isinstance(n, ast.For | ast.While)), None)
    own = {id(n) for n in ast.walk(here)}
    for node in ast.walk(scope) if scope is not None else ():
        if isinstance(node, ast.Name) and node.id == root.id and isinstance(node.ctx, ast.Load) and id(node) not in own:
            if node.lineno > here.lineno or (loop is not None and node.lineno >= loop.lineno):  # type: ignore[attr-defined]
                return True
    return False


def _goes_on(expression: Expression, holder: ast.AST) -> bool:
    """Whether the function itself, which is no module, reads the variable on a later line."""
    scope = function_of(expression)
    return isinstance(scope, ast.FunctionDef) and isinstance(holder, ast.Name) and any(
        isinstance(n, ast.Name) and n.id == holder.id and isinstance(n.ctx, ast.Load) and n.lineno > holder.lineno
        for n in ast.walk(scope))


def _assignable(expression: Expression, node: ast.AST) -> str:
    """An expression that can be assigned to, as text; else empty."""
    return expression.at(node).text if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) else ""


def _all_nodes(expression: Expression) -> Iterator[ast.AST]:
    """The nodes of the file of an expression."""
    tree = expression.file.tree
    return iter(()) if tree is None else ast.walk(tree)


def _is_function(expression: Expression, node: ast.AST) -> bool:
    if isinstance(node, ast.Lambda):
        return True
    if isinstance(node, ast.Name):
        return any(isinstance(n, ast.FunctionDef) and n.name == node.id for n in _all_nodes(expression))
    value = resolved(full_name(expression.file, node)) if isinstance(node, ast.Attribute) else None
    return callable(value) and not isinstance(value, Array)


def _made_by_optax(expression: Expression, name: str) -> bool:
    known = imports(expression.file)
    for node in _all_nodes(expression):
        match node:
            case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Call(func=func)) if bound == name:
                return known.get((dotted(func) or ("",))[0], "").partition(".")[0] == "optax"
    return False


# -- functions that put values together

def watch_result(result: Any, what: str, given: Sequence[Any] = ()) -> None:
    """Look at the call whose result is a new tree, module or dictionary; called by the function that makes it.

    A function that hands the result on, as the last thing it does, is looked at in its place, if it is of a library.

    Args:
        result: what was made.
        what: the name of the function.
        given: the trees that it was made of: a result of their very leaves is nothing new.
    """
    if "updates" not in parse(sanitize.value):
        return
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and kind_of(frame.f_code.co_filename) != USER:
        if _next(frame.f_code, frame.f_lasti) != _RETURN:
            return
        frame = frame.f_back
    if frame is None or not dropped(frame.f_code, frame.f_lasti):
        return
    if what == "tree.map" and not _is_new(result, given):
        return
    place = frame.f_code, frame.f_lasti
    expression = located(place)
    if expression is None or not isinstance(expression.node, ast.Call) or _tries(
            expression, expression.file.parent(expression.node)):  # type: ignore[arg-type]
        return
    call = expression.node
    name = full_name(expression.file, call.func)
    holder = call.func.value if isinstance(call.func, ast.Attribute) and not name else (
        next((a for a in call.args if not _is_function(expression, a)), None))
    if holder is not None and used_later(expression, holder):
        found(DiscardedUpdate(call=expression.text, what=".".join(dotted(call.func)) or what, position=Position(*place),
                              target=_assignable(expression, holder)))


_RETURN = opcode.opmap["RETURN_VALUE"]


def _is_new(result: Any, given: Sequence[Any]) -> bool:
    """Whether there are arrays in a result that were not in what was given."""
    old = {id(leaf) for tree in given for leaf in tree_leaves(tree)}
    return any(isinstance(leaf, Array) and id(leaf) not in old for leaf in tree_leaves(result))


__all__ = ["dropped", "look", "watch_call", "watch_result"]
