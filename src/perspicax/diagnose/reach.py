"""The user's functions that a function can reach: what it calls, names, or defines, as far as the source tells."""

from __future__ import annotations

import ast
import functools
import time
import types
from collections.abc import Iterable, Iterator
from typing import Any

from perspicax.diagnose.files import SourceFile, source_file
from perspicax.diagnose.frames import INTERNAL, USER, kind_of
from perspicax.diagnose.links import LRU_CACHE, class_dict, instance_dict, is_a
from perspicax.diagnose.meaning import FRESH, UNKNOWN, Bound, Function, Nested, Scope, Some, own_nodes
from perspicax.diagnose.place import function_name

__all__ = ["reachable", "scope_of_code", "scopes_of_class"]

MAX_SCOPES = 400
SECONDS = 1.0  # of this thread's own time
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def reachable(functions: Iterable[object]) -> list[Scope]:
    """All user functions that `functions` reach, themselves included, each with what is known of its parameters.

    Args:
        functions: functions, methods, partials, decorated or callable objects.

    Returns:
        One scope for each function and each distinct way to bind its parameters, nearest first. Functions of the
        standard library, of installed packages and of Perspicax are left out, but for `functions` themselves.
    """
    return _Reach().run(functions)


def scopes_of_class(cls: type) -> list[Scope]:
    """The methods of a class and of its bases, which may have been called in ways that the source does not show."""
    found = []
    for base in cls.__mro__:
        for member in list(class_dict(base).values()):
            member = getattr(member, "__func__", member) if is_a(member, (staticmethod, classmethod)) else member
            for function, _, _ in _callables(member):
                if type(function) is types.FunctionType and kind_of(function.__code__.co_filename) == USER:
                    scope = _function_scope(function, Some(cls))
                    if scope is not None:
                        scope.called = False
                        found.append(scope)
    return found


def scope_of_code(code: types.CodeType) -> list[Scope]:
    """The function of a code object and those around it, where only the source is known: names mean nothing there."""
    file, node = _located(code)
    found: list[Scope] = []
    while file is not None and node is not None:
        name = function_name(code) if not found else getattr(node, "name", "")
        found.append(Scope(node, file, name, code if not found else None, {}, called=False))
        above = file.parent(node)
        around = file.enclosing(above, _FUNCTIONS) if above is not None else None
        node = around if isinstance(around, _FUNCTIONS) else None
    return found


class _Reach:
    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.seen: set[object] = set()
        self.deadline = time.thread_time() + SECONDS

    def run(self, functions: Iterable[object]) -> list[Scope]:
        for function in functions:
            for found, instance, partials in _callables(function):
                self._enter(found, instance, partials, wanted=True)
        at = 0
        while at < len(self.scopes) < MAX_SCOPES and time.thread_time() < self.deadline:
            self._follow(self.scopes[at])
            at += 1
        return self.scopes

    def _follow(self, scope: Scope) -> None:
        nodes = list(own_nodes(scope.node))
        used = set()  # called here, or only the stem of an expression: `model` in `model.step`
        for node in nodes:
            if isinstance(node, ast.Attribute | ast.Subscript):
                used.add(id(node.value))
            if isinstance(node, ast.Call):
                target = scope.means(node.func)
                used.add(id(node.func))
                for function, instance, partials in _callables(target):
                    self._enter(function, instance, partials, (scope, node))
        for node in nodes:
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in used:
                for function, instance, partials in _callables(scope.means(node), named=True):
                    self._enter(function, instance, partials)
            elif isinstance(node, ast.Lambda):
                self._enter(Nested(node, scope), UNKNOWN, ())
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._enter(Nested(node, scope), UNKNOWN, ())

    def _enter(self, function: Any, instance: object, partials: tuple[Any, ...],
               call: tuple[Scope, ast.Call] | None = None, wanted: bool = False) -> None:
        scope = _nested_scope(function) if isinstance(function, Nested) else _function_scope(function, instance, wanted)
        if scope is None:
            return
        known = len(scope.bound)
        _bind_partials(scope, partials)
        if call is not None:
            _bind_call(scope, instance is not UNKNOWN, *call)
        place = (scope.node, scope.parent)
        key = (place, frozenset((name, _identity(value)) for name, value in scope.bound.items()))
        # A function that was followed with its arguments known tells no more without them.
        if key in self.seen or (call is None and len(scope.bound) == known and place in self.seen):
            return
        self.seen.update((key, place))
        self.scopes.append(scope)


def _identity(value: object) -> object:
    return value if isinstance(value, Some) else id(value)


def _callables(value: Any, named: bool = False, depth: int = 0) -> Iterator[tuple[Any, object, tuple[Any, ...]]]:
    """The functions behind a callable: (function, what it is bound to, partial arguments)."""
    if value is UNKNOWN or value is FRESH or depth > 10:
        return
    kind = type(value)
    if kind is types.FunctionType:
        yield value, UNKNOWN, ()
    elif kind is Nested:
        yield value, UNKNOWN, ()
    elif kind in (Bound, types.MethodType):
        function, instance = (value.function, value.self) if kind is Bound else (value.__func__, value.__self__)
        for inner, _, partials in _callables(function, named, depth + 1):
            yield inner, instance, partials
    elif is_a(value, functools.partial):
        for inner, instance, partials in _callables(value.func, named, depth + 1):
            yield inner, instance, (*partials, value)
    elif is_a(value, type):
        yield from () if named else _constructors(value)
    else:
        order = value.cls.__mro__ if kind is Some else kind.__mro__
        call = next((class_dict(cls)["__call__"] for cls in order if "__call__" in class_dict(cls)), None)
        if type(call) is types.FunctionType:
            yield call, value, ()
    wrapped = _wrapped(value)
    if wrapped is not None:
        yield from _callables(wrapped, named, depth + 1)


def _constructors(cls: type) -> Iterator[tuple[Any, object, tuple[Any, ...]]]:
    for name in ("__new__", "__init__", "__post_init__"):
        for base in cls.__mro__:
            function = class_dict(base).get(name)
            function = function.__func__ if isinstance(function, staticmethod) else function
            if type(function) is types.FunctionType:
                yield function, Some(cls) if name != "__new__" else cls, ()
                break


def _wrapped(value: object) -> object | None:
    """What a decorator wrapped, if it says so."""
    if type(value) is LRU_CACHE:
        return getattr(value, "__wrapped__", None)
    attributes = instance_dict(value)
    return attributes.get("__wrapped__") if attributes is not None else None


def _located(code: types.CodeType) -> tuple[SourceFile | None, Function | None]:
    file = source_file(code.co_filename)
    if file is None or file.tree is None:
        return None, None
    node = file.definitions.get((code.co_firstlineno, code.co_name))
    if node is None and code.co_name == "<lambda>":
        node = _lambda(file, code)
    return (file, node) if isinstance(node, _FUNCTIONS) else (None, None)


def _lambda(file: SourceFile, code: types.CodeType) -> ast.Lambda | None:
    """The lambda of a code object: the innermost one on its line that spans all of the code's positions."""
    placed = [position for position in code.co_positions() if position[2] is not None and position[3] != position[2]]
    ends = {(line, column) for _, line, _, column in placed}
    found = None
    for node in ast.walk(file.tree) if file.tree is not None else ():
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            body = node.body
            first, last = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
            if all(first <= end <= last for end in ends):  # type: ignore[operator]
                found = node
    return found


def _function_scope(function: Any, instance: object, wanted: bool = False) -> Scope | None:
    if type(function) is not types.FunctionType:
        return None
    code = function.__code__
    kind = kind_of(code.co_filename)
    if kind == INTERNAL or (kind != USER and not wanted):
        return None
    file, node = _located(code)
    if file is None or node is None:
        return None
    cells = dict(zip(code.co_freevars, function.__closure__ or ()))
    scope = Scope(node, file, function_name(code), code, function.__globals__, cells)
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    scope.bound.update(zip(positional[len(positional) - len(defaults):], defaults))
    scope.bound.update(function.__kwdefaults__ or {})
    if instance is UNKNOWN:
        instance = _own_class(function)
    if instance is not UNKNOWN and positional:
        scope.bound[positional[0]] = instance
    return scope


def _own_class(function: types.FunctionType) -> object:
    """Some instance of the class that defines a method, where its qualified name leads there."""
    parts = function.__qualname__.split(".")[:-1]
    found: Any = function.__globals__.get(parts[0]) if parts else None
    for part in parts[1:]:
        found = class_dict(found).get(part) if is_a(found, type) else None
    if found is not None and is_a(found, type) and class_dict(found).get(function.__name__) is function:
        return Some(found)
    return UNKNOWN


def _nested_scope(nested: Nested) -> Scope:
    outer = nested.scope
    name = getattr(nested.node, "name", "<lambda>")
    first = nested.node.lineno
    if isinstance(nested.node, ast.FunctionDef | ast.AsyncFunctionDef) and nested.node.decorator_list:
        first = nested.node.decorator_list[0].lineno
    constants = outer.code.co_consts if outer.code is not None else ()
    code = next((found for found in constants if isinstance(found, types.CodeType)
                 and found.co_name == name and found.co_firstlineno == first), None)
    scope = Scope(nested.node, outer.file, outer.name if name == "<lambda>" else name, code, outer.namespace,
                  parent=outer)
    arguments = nested.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [*zip(reversed(positional), reversed(arguments.defaults))]
    for argument, default in [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults)]:
        meaning = outer.means(default)
        if meaning is not UNKNOWN and meaning is not FRESH:
            scope.bound[argument.arg] = meaning
    return scope


def _bind_partials(scope: Scope, partials: tuple[Any, ...]) -> None:
    filled = 0
    for partial in partials:
        for name, value in zip(scope.parameters[filled:], partial.args):
            scope.bound[name] = value
        filled += len(partial.args)
        scope.bound.update(partial.keywords)


def _bind_call(scope: Scope, is_method: bool, caller: Scope, call: ast.Call) -> None:
    names = scope.parameters[1 if is_method else 0:]
    for name, argument in zip(names, call.args):
        if isinstance(argument, ast.Starred):
            break
        _bind(scope, name, caller.means(argument))
    for keyword in call.keywords:
        if keyword.arg is not None:
            _bind(scope, keyword.arg, caller.means(keyword.value))


def _bind(scope: Scope, name: str, meaning: object) -> None:
    if meaning is UNKNOWN:
        scope.bound.pop(name, None)  # an argument takes the place of the default
    else:
        scope.bound[name] = meaning
