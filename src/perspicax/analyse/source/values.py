"""What is known of a value without running: whether it is traced, from which arguments, and what sort of thing it is."""
from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ARGUMENT", "ARRAY", "MAYBE", "STATIC", "Value", "join"]

STATIC = 0    # not traced, as far as can be told
MAYBE = 1     # a part of a traced argument that may be a static one: an attribute
ARGUMENT = 2  # a traced argument: an array, or a tree of arrays
ARRAY = 3     # a traced array


@dataclass(frozen=True)
class Named:
    """Something of a library, by its dotted name."""

    name: str


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the program, with the frame around it, and the module instance that it is bound to."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    around: Any
    owner: Value | None = None


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A function under a transformation.

    Attributes:
        function: the function.
        kind: how it traces: `staged`, `batched`, `derived`, `same`.
        transform: the transformation's name, for messages.
        static: positions and names that are not traced.
        only: positions that are traced; `None` for all.
    """

    function: Value
    kind: str
    transform: str
    static: frozenset[int | str] = frozenset()
    only: frozenset[int] | None = None
    site: ast.AST | None = None


@dataclass(frozen=True, eq=False)
class Partial:
    """A function with some of its arguments."""

    function: Value
    args: tuple[Value, ...]
    keywords: tuple[tuple[str, Value], ...]
    call: ast.Call | None = None


@dataclass(frozen=True, eq=False)
class Class:
    """A class of the program, or a Linen layer (then `node` is None)."""

    name: str
    node: ast.ClassDef | None
    frame: Any
    module: bool


@dataclass(frozen=True, eq=False)
class Instance:
    """A module instance.

    Attributes:
        cls: its class.
        bound: whether it is used within a module's method.
        depth: how many traces were open where it was bound.
        call: the expression that made it.
    """

    cls: Class
    bound: bool
    depth: int
    call: ast.Call | None = None


@dataclass(frozen=True, eq=False)
class Method:
    """A method of a value: `x.sum`, `model.apply`, `items.append`."""

    owner: Value
    name: str


@dataclass(frozen=True)
class Sort:
    """What a value is, where a word is enough: variables, params, keys, at, updates, items."""

    word: str


@dataclass(eq=False, slots=True)
class Value:
    """One value.

    Attributes:
        level: whether it is traced.
        staged: whether its trace has no values at all (`jit`), where that of `grad` has.
        of: the traced arguments that it comes from.
        traced_in: the function that they are arguments of, and its transformation.
        what: the sort of thing.
        items: its elements, where they are known.
        entries: its entries by constant keys, where they are known.
        truth: whether it is a traced comparison, or made of such.
        root: the value whose key it is.
        depth: how many traces were open when it was made.
        bare: the name of the parameter it is, unchanged.
        parts: its elements by constant index, made when asked for.
        constant: its value, if it stands in the source.
        likely_tree: the program treats it as a tree.
        array: it is an array of JAX, traced or not.
    """

    level: int = STATIC
    staged: bool = False
    of: tuple[str, ...] = ()
    traced_in: tuple[str, str] = ("", "")
    what: Any = None
    items: tuple[Value, ...] | None = None
    entries: dict[Any, Value] | None = None
    truth: bool = False
    root: Value | None = None
    depth: int = 0
    bare: str = ""
    parts: dict[Any, Value] = field(default_factory=dict)
    constant: Any = ...
    likely_tree: bool = False
    array: bool = False

    @property
    def key(self) -> Value:
        """The value by which its uses as a key are counted."""
        return self.root or self


def known_module(value: Value) -> Instance | None:
    """The module instance that a value is, if it is one."""
    return value.what if isinstance(value.what, Instance) else None


def flat(value: Value, depth: int = 0) -> list[Value]:
    """A value and its known elements."""
    inner = [*(value.items or ()), *(value.entries or {}).values()]
    return [value] if depth > 4 else [value, *[x for i in inner for x in flat(i, depth + 1)]]


def join(values: list[Value], level: int | None = None, depth: int = 0) -> Value:
    """What is known of a value that is one of these, or made of all of them."""
    if len(values) == 1 and level is None:
        return values[0]
    traced = [v for value in values for v in flat(value) if v.level]
    if not traced:
        return Value(depth=depth)
    top = max(v.level for v in traced)
    strong = [v for v in traced if v.level == top]
    names = tuple(dict.fromkeys([n for v in strong for n in v.of]))
    staged = [v for v in strong if v.staged]
    first = (staged or strong)[0]
    return Value(top if level is None else level, bool(staged), names, first.traced_in, depth=depth)
