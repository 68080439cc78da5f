"""Definitions: functions under their decorators, classes, and methods bound to their instance."""
from __future__ import annotations

import ast

from perspicax.analyse.source.reader import Frame, Reader, node_of
from perspicax.analyse.source.values import Class, Function, Instance, Sort, Value, Wrapped

__all__ = ["Definitions"]

_TRANSPARENT = ("functools.", "wraps", "lru_cache", "cache", "partial")


class Definitions(Reader):
    """What `def` and `class` bind."""

    def define(self, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        """A function, under its decorators."""
        for default in [*node.args.defaults, *[d for d in node.args.kw_defaults if d is not None]]:
            self.value(default, frame)
        plain = value = Value(what=Function(node, frame), depth=len(self.traces))
        for decorator in reversed(node.decorator_list):
            made = self.value(decorator, frame)
            if made.what is not None:
                value = self.call(made, [value], {}, decorator, frame)
            elif not ast.unparse(decorator).startswith(_TRANSPARENT):
                value = Value(depth=value.depth)  # what it makes of the function is not known: a callback, perhaps
        frame.names[node.name] = value
        self.waiting.append((value if node_of(value) is node else plain, frame))

    def define_class(self, node: ast.ClassDef, frame: Frame) -> None:
        """A class; its methods are gone through when all else is known."""
        bases = [self.value(b, frame) for b in node.bases]
        module = any(isinstance(b.what, Class) and b.what.module for b in bases)
        inner = Frame(node, frame, frame.depth, None)
        cls = Value(what=Class(node.name, node, inner, module))
        for decorator in node.decorator_list:
            self.value(decorator, frame)
        frame.names[node.name] = cls
        for statement in node.body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                value = Value(what=Function(statement, inner))
                for decorator in reversed(statement.decorator_list):
                    made = self.value(decorator, inner)
                    if made.what is not None:
                        outcome = self.call(made, [value], {}, decorator, inner)
                        value = outcome if isinstance(outcome.what, (Function, Wrapped)) else value
                inner.names[statement.name] = value
                self.waiting = [w for w in self.waiting if node_of(w[0]) is not statement]  # it waits as a method
                owner = Value(what=Instance(cls.what, True, 0) if module else Sort("self"),
                              parts={} if module else {"#class": cls})
                if not any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in statement.decorator_list):
                    value = self.bound(value, owner)
                self.waiting.append((value, inner))
            else:
                self.statement(statement, inner)

    def bound(self, method: Value, owner: Value) -> Value:
        """A method of an instance."""
        match method.what:
            case Function() as f:
                return Value(what=Function(f.node, f.around, owner))
            case Wrapped() as w:
                static = frozenset(s - 1 if isinstance(s, int) else s for s in w.static)
                only = None if w.only is None else frozenset(i - 1 for i in w.only if i > 0)
                return Value(what=Wrapped(self.bound(w.function, owner), w.kind, w.transform, static, only, w.site))
        return method
