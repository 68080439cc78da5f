"""Every place in a function's source that puts something into something: assignments, `append`, `setattr`, …"""

from __future__ import annotations

import ast
import bisect
import builtins
import heapq
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from perspicax.diagnose.links import is_a
from perspicax.diagnose.meaning import Scope, own_nodes

__all__ = ["Into", "Write", "writes_in"]


class Into(Enum):
    """What a write changes."""

    NAME = auto()
    FIELD = auto()  # a name in the body of a class
    ATTRIBUTE = auto()
    ITEM = auto()
    CONTENTS = auto()  # by a method: `append`, `update`, …
    CALL = auto()  # nothing to see, but the function called may keep its arguments
    RAISE = auto()
    YIELD = auto()


@dataclass(frozen=True)
class Write:
    """One write.

    Attributes:
        node: what to point at.
        into: what it changes.
        base: the expression of the container; `None` for names.
        name: the attribute, variable, text key, or method; the class for a field, as `Class.field`.
        index: the constant index or key, as written.
        values: what is put there.
        plain: only the key can be of interest, what is written under it is a constant.
        keys: names of the keys that an `update` writes, where all of them can be told.
    """

    node: ast.AST
    into: Into
    base: ast.expr | None
    name: str | None
    values: tuple[ast.expr, ...]
    index: str | None = None
    plain: bool = False
    keys: frozenset[str] | None = None


METHODS = {
    "append": ("list", "deque"), "appendleft": ("deque",), "extend": ("list", "deque"), "extendleft": ("deque",),
    "insert": ("list", "deque"), "add": ("set",), "update": ("dict", "set"), "setdefault": ("dict",),
    "put": ("deque", "list"), "put_nowait": ("deque", "list"), "push": ("deque", "list"), "fill": ("ndarray",),
    "itemset": ("ndarray",), "__setitem__": ("list", "dict", "deque", "ndarray"), "set": (), "send": (),
    "__setattr__": (), "difference_update": (), "symmetric_difference_update": ("set",),
}
_INSERTERS = {
    setattr: "attribute", object.__setattr__: "attribute", operator.setitem: "item", heapq.heappush: "insert",
    heapq.heappushpop: "insert", heapq.heapreplace: "insert", bisect.insort: "insert", bisect.insort_left: "insert",
    operator.iadd: "insert", operator.iconcat: "insert",
}
_PLAIN_CALLS = (len, str, repr, int, float, bool, id, type, range, format, hash)


def writes_in(scope: Scope) -> Iterator[Write]:
    """The writes of one function, in the order of its text, without those that can only write plain constants."""
    for node in own_nodes(scope.node):
        for write in _writes(scope, node):
            if not all(_is_plain(value, scope) for value in write.values):
                yield write
            elif write.into is Into.ITEM and write.index is None and write.base is not None:
                yield replace(write, plain=True)


def _is_plain(value: ast.expr, scope: Scope) -> bool:
    """Whether an expression cannot give a traced value: constants, what is made of them, and empty objects."""
    match value:
        case ast.Constant() | ast.JoinedStr():
            return True
        case ast.UnaryOp(operand=operand):
            return _is_plain(operand, scope)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return all(_is_plain(part, scope) for part in parts)
        case ast.Dict(keys=keys, values=parts):
            return all(key is None or _is_plain(key, scope) for key in keys) and all(
                _is_plain(part, scope) for part in parts)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            function = scope.means(value.func)
            empty = is_a(function, type) and not arguments and not value.keywords
            return empty or (function is getattr(builtins, name, None) and function in _PLAIN_CALLS)
    return False


def _writes(scope: Scope, node: ast.AST) -> Iterator[Write]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _target(scope, node, target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
            yield from _target(scope, node, target, value)
        case ast.AugAssign(target=target, value=value):
            yield from _target(scope, node, target, value)
            yield Write(node, Into.CONTENTS, _loaded(target), "extend", (value,))
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            yield from _target(scope, node, target, value)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            for item in items:
                if item.optional_vars is not None:
                    yield from _target(scope, node, item.optional_vars, item.context_expr)
        case ast.Call():
            yield from _call(scope, node)
        case ast.Raise(exc=ast.Call(args=arguments)) if arguments:
            yield Write(node, Into.RAISE, None, None, tuple(arguments))
        case ast.Yield(value=ast.expr() as value) | ast.YieldFrom(value=value):
            yield Write(node, Into.YIELD, None, None, (value,))


def _loaded(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(id=name):
            return ast.Name(name, ast.Load())
        case ast.Attribute(value=value, attr=name):
            return ast.Attribute(value, name, ast.Load())
        case ast.Subscript(value=value, slice=index):
            return ast.Subscript(value, index, ast.Load())
    return target


def _target(scope: Scope, node: ast.AST, target: ast.expr, value: ast.expr) -> Iterator[Write]:
    match target:
        case ast.Name(id=name):
            around = scope.file.enclosing(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            if isinstance(around, ast.ClassDef):
                yield Write(node, Into.FIELD, None, f"{around.name}.{name}", (value,))
            else:
                yield Write(node, Into.NAME, None, name, (value,))
        case ast.Attribute(value=base, attr=name):
            yield Write(node, Into.ATTRIBUTE, base, name, (value,))
        case ast.Subscript(value=base, slice=index):
            yield Write(node, Into.ITEM, base, _text(index), (value,), _constant(index))
        case ast.Starred(value=inner):
            yield from _target(scope, node, inner, value)
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            values = _spread(targets, value)
            for part, item in zip(targets, values):
                yield from _target(scope, node, part, item)


def _spread(targets: list[ast.expr], value: ast.expr) -> list[ast.expr]:
    """Each target's own value in `a, b = x, y`; the whole value for each where that cannot be told."""
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(targets):
        if not any(isinstance(part, ast.Starred) for part in [*targets, *value.elts]):
            return value.elts
    return [value] * len(targets)


def _text(index: ast.expr) -> str | None:
    return index.value if isinstance(index, ast.Constant) and isinstance(index.value, str) else None


def _constant(index: ast.expr) -> str | None:
    try:
        return repr(ast.literal_eval(index))
    except (ValueError, TypeError, SyntaxError):
        return None


def _call(scope: Scope, call: ast.Call) -> Iterator[Write]:
    function = scope.means(call.func)
    sort = _inserter(function)
    arguments = call.args
    if sort is not None and len(arguments) > 1:
        yield _insertion(call, sort, arguments)
        return
    match call.func:
        case ast.Attribute(value=base, attr="__setattr__" | "__setitem__") if len(arguments) == 2:
            yield _insertion(call, "item" if call.func.attr == "__setitem__" else "attribute", [base, *arguments])
        case ast.Attribute(value=ast.Name(id=name), attr=method) if method in METHODS and len(arguments) > 1 and (
                function is getattr(getattr(builtins, name, None), method, call)):
            yield Write(call, Into.CONTENTS, arguments[0], method, tuple(arguments[1:]))  # list.append(outs, y)
        case ast.Attribute(value=base, attr=method) if method in METHODS and (arguments or call.keywords):
            yield _contents(call, base, method)
    if arguments or call.keywords:
        yield Write(call, Into.CALL, call.func, None, (*arguments, *(keyword.value for keyword in call.keywords)))


def _inserter(function: object) -> str | None:
    # not looked up: a method of a traced value hashes that value, which is an error of its own
    return next((sort for known, sort in _INSERTERS.items() if known is function), None)


def _insertion(call: ast.Call, sort: str, arguments: list[ast.expr]) -> Write:
    base, *rest = arguments
    match sort:
        case "attribute":
            return Write(call, Into.ATTRIBUTE, base, _text(rest[0]), tuple(rest[1:]))
        case "item":
            return Write(call, Into.ITEM, base, _text(rest[0]), tuple(rest[1:]), _constant(rest[0]))
    return Write(call, Into.CONTENTS, base, "insert", tuple(rest))


def _contents(call: ast.Call, base: ast.expr, method: str) -> Write:
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    if method == "setdefault" and len(call.args) == 2:
        return Write(call, Into.ITEM, base, _text(call.args[0]), (call.args[1],), _constant(call.args[0]))
    keys: set[str] | None = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    if method != "update" or any(keyword.arg is None for keyword in call.keywords):
        keys = None
    for argument in call.args if keys is not None else ():
        texts = [_text(key) if key is not None else None for key in argument.keys] if isinstance(
            argument, ast.Dict) else [None]
        keys = None if keys is None or None in texts else keys | {text for text in texts if text is not None}
    return Write(call, Into.CONTENTS, base, method, tuple(values), keys=None if keys is None else frozenset(keys))
