"""Calls: of functions of the program, of what transformations make of them, and of the library."""
from __future__ import annotations

import ast

from perspicax.analyse.source import library
from perspicax.analyse.source.expressions import traced_in
from perspicax.analyse.source.reader import Frame
from perspicax.analyse.source.transformed import Transformed
from perspicax.analyse.source.values import (
    ARGUMENT,
    ARRAY,
    MAYBE,
    Class,
    Function,
    Instance,
    Method,
    Named,
    Partial,
    Sort,
    Value,
    Wrapped,
    join,
)

__all__ = ["Calls"]


class Calls(Transformed):
    """Calls that need no rule of their own."""

    def call(self, function: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """What is known of the result of a call."""
        match function.what:
            case Named() as n:
                return self.named(n.name, args, keywords, node, frame)
            case Function() as f:
                return self.run(f, args, keywords, node, frame)
            case Wrapped() as w:
                return self.wrapped(w, args, keywords, node, frame)
            case Partial() as p:
                return self.call(p.function, [*p.args, *args], {**dict(p.keywords), **keywords}, node, frame)
            case Class() as c:
                return self.construct(c, args, keywords, node, frame)
            case Instance():
                return self.call_instance(function, args, keywords, node, frame)
            case Method() as m:
                return self.method(m, args, keywords, node, frame)
        self.called_back(args, keywords, node, frame)
        return self.mixed([function, *args, *keywords.values()])

    def called_back(self, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> None:
        """Functions given to something unknown: it may call them, but how is not known."""

    # -- functions of the library

    def named(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """A call of something in the library."""
        if name in library.WRAPPERS:
            return self._wrap(name, args, keywords, node)
        if name in library.LIFTED:
            self.lifted(name, args, node, frame)
            return args[0] if args and isinstance(args[0].what, Class) else Value()
        if name in library.APPLIERS:
            return self._apply(name, args, keywords, node, frame)
        match name:
            case "functools.partial" if args:
                made = self.named_partial(args, keywords, node)
                return made
            case "functools.wraps" | "functools.lru_cache" | "functools.cache":
                return Value()
            case "flax.linen.compact" | "flax.linen.nowrap" | "flax.linen.compact_name_scope" if args:
                return args[0]
            case "builtins.zip":
                return Value(what=Sort("items"), parts={"element": Value(
                    items=tuple([self.element(a, frame) for a in args]), what=Sort("items"))})
            case "builtins.enumerate" if args:
                return Value(what=Sort("items"), parts={"element": Value(
                    items=(Value(), self.element(args[0], frame)), what=Sort("items"))})
            case "builtins.reversed" | "builtins.list" | "builtins.tuple" | "builtins.sorted" | "builtins.iter" if args:
                self.library_call(name, args, keywords, node, frame)
                return Value(args[0].level, args[0].staged, args[0].of, args[0].traced_in, Sort("items"),
                             args[0].items, depth=len(self.traces), parts=dict(args[0].parts))
            case "builtins.list" | "builtins.dict" | "builtins.set" | "collections.defaultdict" | "collections.OrderedDict":
                return Value(what=Sort("items"), depth=len(self.traces))
            case "builtins.getattr" | "builtins.next" | "builtins.super" | "builtins.range" | "builtins.map":
                self.library_call(name, args, keywords, node, frame)
                return self.mixed(args) if name != "builtins.range" else Value(what=Sort("range"))
            case "builtins.max" | "builtins.min" | "builtins.any" | "builtins.all" if self.library_call(
                    name, args, keywords, node, frame) is not None:
                return Value()
            case "builtins.max" | "builtins.min" | "builtins.sum" | "builtins.abs" | "builtins.pow" | "builtins.round":
                return join(args, ARRAY) if any(a.level >= ARGUMENT and a.what is None for a in args) else self.mixed(args)
        special = self.library_call(name, args, keywords, node, frame)
        if special is not None:
            return special
        values = [*args, *keywords.values()]
        if name.startswith("builtins."):
            return Value()
        if name.startswith(("jax.numpy.", "jax.nn.", "jax.lax.", "jax.scipy.", "jax.random.")):
            made = self._array(name, values)
            made.array = name.startswith(("jax.numpy.", "jax.random.")) and name.rpartition(".")[2] in library.ARRAYS
            return made
        if name.startswith("jax.tree.") or name.startswith(("optax.", "jax.device_put")):
            self.mapped(name, args, node, frame)
            return join(values, ARGUMENT) if any(v.level >= ARGUMENT for v in values) else self.mixed(values)
        return self.mixed(values)

    def named_partial(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """`functools.partial(...)`."""
        return Value(what=Partial(args[0], tuple(args[1:]), tuple(keywords.items()),
                                  node if isinstance(node, ast.Call) else None))

    def _array(self, name: str, values: list[Value]) -> Value:
        last = name.rpartition(".")[2]
        if name.startswith("jax.numpy.") and last in ("shape", "ndim", "size", "issubdtype", "result_type", "iinfo", "finfo",
                                                      "dtype", "broadcast_shapes", "promote_types", "isscalar", "iscomplexobj",
                                                      "isrealobj", "can_cast", "isdtype"):
            return Value()
        certain = traced_in(values)
        truth = last.startswith(("is", "logical_", "greater", "less", "equal", "not_equal"))
        if not certain and not self.staged:
            return Value(depth=len(self.traces))
        if certain:
            made = join(values, ARRAY if any(v.level >= ARGUMENT for v in certain) or self.staged else MAYBE)
        else:
            made = Value(MAYBE, True, (), self._innermost())  # of constants: traced all the same, but nobody's argument
        made.truth, made.depth = truth, len(self.traces)
        return made

    def mapped(self, name: str, args: list[Value], node: ast.AST, frame: Frame) -> None:
        """`tree.map` and its like call their function with leaves."""
        if name in ("jax.tree.map", "jax.tree.map_with_path") and args and isinstance(args[0].what, Function):
            leaves = [Value(a.level and ARRAY if a.level != MAYBE else MAYBE, a.staged, a.of, a.traced_in) for a in args[1:]]
            self.call(args[0], [Value(), *leaves] if name.endswith("path") else leaves, {}, node, frame)

    # -- what the rules supply

    def library_call(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST,
                     frame: Frame) -> Value | None:
        """A call that a rule looks at; None where it has no say about the result."""
        raise NotImplementedError

    def lifted(self, name: str, args: list[Value], node: ast.AST, frame: Frame) -> None:
        """A transformation of Linen."""
        raise NotImplementedError

    def construct(self, cls: Class, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """An instance of a class."""
        raise NotImplementedError

    def call_instance(self, function: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST,
                      frame: Frame) -> Value:
        """A call of a module."""
        raise NotImplementedError

    def method(self, m: Method, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """A call of a method of something that is not of the program."""
        raise NotImplementedError
