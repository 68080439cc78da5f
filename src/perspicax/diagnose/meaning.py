"""What an expression of a function's source is known to mean, without running it: names, attributes, constant items.

A value is the object itself where globals, closures, defaults and bound arguments lead to it; else what can be said
of it (`Some` instance of a class, a `Part` of one, an `Item` of a container, something `FRESH`), or `UNKNOWN`.
"""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from perspicax.diagnose.files import SourceFile
from perspicax.diagnose.links import class_dict, instance_dict, is_a, namespace_of

__all__ = ["FRESH", "UNKNOWN", "Bound", "Function", "Item", "Nested", "Part", "Scope", "Some", "own_nodes"]

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DISPLAYS = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp,
             ast.Constant, ast.JoinedStr)
MAX_DEPTH = 20  # of names that lead to names


class _Sign:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


UNKNOWN = _Sign("UNKNOWN")
FRESH = _Sign("FRESH")  # a container made in this very call: what is stored there does not outlive it by itself


@dataclass(frozen=True)
class Some:
    """Some instance of a class; `fresh` if it was made in the function itself."""

    cls: type
    fresh: bool = False


@dataclass(frozen=True)
class Part:
    """An attribute of some instance."""

    of: Some
    name: str


@dataclass(frozen=True)
class Item:
    """An element, not known which, of a known container."""

    of: object


@dataclass(frozen=True)
class Bound:
    """A method with what it is bound to."""

    function: object
    self: object


@dataclass(frozen=True)
class Nested:
    """A function that is defined within another one."""

    node: Function
    scope: Scope


@dataclass(frozen=True)
class _Super:
    after: type
    self: object


@dataclass(eq=False)
class Scope:
    """One function and what is known about its names.

    Attributes:
        node: its syntax tree.
        file: the file it stands in.
        name: the function, for display.
        code: its code object, where known.
        namespace: its globals.
        cells: its closure.
        bound: parameters whose argument is known.
        parent: the scope in which it is nested.
        called: false if it is looked at only because it might have been called.
    """

    node: Function
    file: SourceFile
    name: str
    code: types.CodeType | None
    namespace: dict[str, object]
    cells: dict[str, types.CellType] = field(default_factory=dict)
    bound: dict[str, object] = field(default_factory=dict)
    parent: Scope | None = None
    called: bool = True

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the positional parameters."""
        arguments = self.node.args
        return tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args))

    @cached_property
    def outer_names(self) -> dict[str, type[ast.Global] | type[ast.Nonlocal]]:
        """Names that `global` or `nonlocal` declares here."""
        found: dict[str, type[ast.Global] | type[ast.Nonlocal]] = {}
        for node in own_nodes(self.node):
            if isinstance(node, ast.Global | ast.Nonlocal):
                found.update(dict.fromkeys(node.names, type(node)))
        return found

    @cached_property
    def assigned(self) -> dict[str, list[ast.AST | None]]:
        """The function's local variables, each with the expressions assigned to it (`None`: not a plain one)."""
        found: dict[str, list[ast.AST | None]] = {}
        arguments = self.node.args
        starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred):
            found[argument.arg] = [None]
        for node in own_nodes(self.node):
            for name, value in _bindings(node):
                if name not in self.outer_names:
                    found.setdefault(name, []).append(value)
        return found

    def owner(self, name: str) -> Scope | None:
        """The innermost scope around in which `name` is a local variable; `None` for closures seen from outside."""
        scope: Scope | None = self
        while scope is not None:
            declared = scope.outer_names.get(name)
            if declared is ast.Global:
                return None
            if declared is None and name in scope.assigned:
                return scope
            scope = scope.parent
        return None

    def cell(self, name: str) -> types.CellType | None:
        """The closure cell behind `name`, where the function object tells it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.cells:
                return scope.cells[name]
            scope = scope.parent
        return None

    def means(self, expression: ast.AST | None, depth: int = 0) -> Any:
        """The object that `expression` gives, or what is known of it."""
        if expression is None or depth > MAX_DEPTH:
            return UNKNOWN
        match expression:
            case ast.Name(id=name):
                return self._name(name, depth + 1)
            case ast.Attribute(value=value, attr=name):
                return attribute_of(self.means(value, depth + 1), name)
            case ast.Subscript(value=value, slice=index):
                return item_of(self.means(value, depth + 1), index)
            case ast.NamedExpr(value=value):
                return self.means(value, depth + 1)
            case ast.Call():
                return self._call(expression, depth + 1)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                return Nested(expression, self)
        return FRESH if isinstance(expression, _DISPLAYS) else UNKNOWN

    def _name(self, name: str, depth: int) -> Any:
        scope = self.owner(name)
        if scope is not None:
            if name in scope.bound:
                return scope.bound[name]
            values = scope.assigned[name]
            meanings = [scope.means(value, depth) for value in values]
            return meanings[0] if len(meanings) == 1 or all(known is FRESH for known in meanings) else UNKNOWN
        cell = self.cell(name) if self.outer_names.get(name) is not ast.Global else None
        if cell is not None:
            try:
                return cell.cell_contents
            except ValueError:  # not assigned yet
                return UNKNOWN
        return self.namespace.get(name, getattr(builtins, name, UNKNOWN))

    def _call(self, call: ast.Call, depth: int) -> Any:
        function = self.means(call.func, depth)
        arguments = [self.means(argument, depth) for argument in call.args[:1]]
        if function is globals:
            return self.namespace
        if function is super:
            return self._super()
        if function is type and len(call.args) == 1:
            return _class_of(arguments[0])
        if function is vars and arguments:
            return attribute_of(arguments[0], "__dict__")
        if function is getattr and len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
            return attribute_of(arguments[0], str(call.args[1].value))
        if is_a(function, type):
            return FRESH if function.__module__ in ("builtins", "collections") else Some(function, fresh=True)
        match call:
            case ast.Call(func=ast.Attribute(value=holder, attr="get" | "setdefault"), args=[index, *_]):
                return item_of(self.means(holder, depth), index)
        return UNKNOWN

    def _super(self) -> Any:
        cell = self.cell("__class__")
        after = cell.cell_contents if cell is not None else None
        instance = self._name(self.parameters[0], 0) if self.parameters else UNKNOWN
        return _Super(after, instance) if after is not None and is_a(after, type) else UNKNOWN


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function's body, without the bodies of functions that are nested in it."""
    start = node.body if isinstance(node, _FUNCTIONS) else list(ast.iter_child_nodes(node))
    pending: list[ast.AST] = list(reversed(start)) if isinstance(start, list) else [start]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, _FUNCTIONS):
            inner: list[ast.AST] = [*current.args.defaults, *filter(None, current.args.kw_defaults)]
            inner += getattr(current, "decorator_list", [])
        else:
            inner = list(ast.iter_child_nodes(current))
        pending.extend(reversed(inner))


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            yield name, value
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            yield name, value
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name, node
        case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
            yield name, None
        case ast.Assign(targets=targets):
            for target in targets:
                yield from ((name, None) for name in _names(target))
        case ast.AugAssign(target=ast.Name()):
            return  # in place where it can be: the name goes on meaning what it meant
        case ast.For(target=target) | ast.AsyncFor(target=target) | ast.withitem(optional_vars=ast.expr() as target):
            yield from ((name, None) for name in _names(target))
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (((alias.asname or alias.name).partition(".")[0], None) for alias in names)


def _names(target: ast.AST) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _class_of(value: Any) -> Any:
    if isinstance(value, Some):
        return value.cls
    return UNKNOWN if is_a(value, (_Sign, Part, Item, Bound, Nested, _Super)) else type(value)


def attribute_of(value: Any, name: str) -> Any:
    """The attribute `name` of what is known as `value`, read without running any code of its class."""
    kind = type(value)
    if kind is Some:
        found = _from_class(value.cls, name, value)
        return Part(value, name) if found is UNKNOWN else found
    if kind is _Super:
        cls = _class_of(value.self)
        order = cls.__mro__ if is_a(cls, type) else value.after.__mro__
        after = order[order.index(value.after) + 1:] if value.after in order else ()
        return _from_classes(after, name, value.self)
    if kind in (_Sign, Part, Item, Bound, Nested):
        return UNKNOWN
    if name == "__dict__":
        return namespace_of(value)
    if name == "__class__":
        return kind
    if is_a(value, type):
        return _from_class(value, name, None)
    attributes = instance_dict(value)
    if attributes is not None and name in attributes:
        return attributes[name]
    return _from_class(kind, name, value)


def _from_class(cls: type, name: str, instance: object) -> Any:
    return _from_classes(cls.__mro__, name, instance)


def _from_classes(classes: tuple[type, ...], name: str, instance: object) -> Any:
    for cls in classes:
        found: Any = class_dict(cls).get(name, UNKNOWN)
        if found is UNKNOWN:
            continue
        match type(found):
            case types.FunctionType:
                return found if instance is None else Bound(found, instance)
            case types.MemberDescriptorType:
                return _slot(found, instance)
            case kind if kind is staticmethod:
                return found.__func__
            case kind if kind is classmethod:
                owner = instance if instance is not None and is_a(instance, type) else _class_of(instance)
                return Bound(found.__func__, classes[0] if instance is None else owner)
            case kind if kind is property:
                return UNKNOWN if instance is None else Bound(found.fget, instance)
        return found
    return UNKNOWN


def _slot(descriptor: Any, instance: object) -> Any:
    if instance is None or type(instance) is Some:
        return UNKNOWN
    try:
        return descriptor.__get__(instance)
    except AttributeError:  # the slot is empty
        return UNKNOWN


def item_of(value: Any, index: ast.expr) -> Any:
    """The element of what is known as `value` at an index; `Item` where the index is not a constant."""
    if type(value) in (_Sign, Some, Part, Bound, Nested, _Super):
        return FRESH if value is FRESH else UNKNOWN
    if type(value) is Item:
        return value
    if not isinstance(index, ast.Constant) or type(index.value) not in (str, int, bool, bytes, float):
        return Item(value)
    if is_a(value, dict):
        return dict.get(value, index.value, Item(value))
    if is_a(value, (list, tuple)) and type(index.value) is int and -len(value) <= index.value < len(value):
        return (list if is_a(value, list) else tuple).__getitem__(value, index.value)
    return Item(value)
