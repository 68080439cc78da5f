"""Expressions, and where their values go."""
from __future__ import annotations

import ast
from typing import Any

from perspicax.analyse.source import library
from perspicax.analyse.source.conditions import Conditions
from perspicax.analyse.source.library import ARRAY_ATTRIBUTES, METADATA, canonical
from perspicax.analyse.source.reader import Frame, node_of
from perspicax.analyse.source.values import (
    ARGUMENT,
    ARRAY,
    MAYBE,
    STATIC,
    Class,
    Function,
    Instance,
    Method,
    Named,
    Sort,
    Value,
    Wrapped,
    flat,
    join,
)
from perspicax.diagnose.report import Fix

__all__ = ["Expressions"]

_BUILTINS = frozenset(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)


class Expressions(Conditions):
    """Evaluates expressions; calls are in `calls.py`."""

    def value(self, node: ast.expr, frame: Frame) -> Value:
        """What is known of an expression."""
        match node:
            case ast.Constant():
                return Value(constant=node.value)
            case ast.Name():
                return self._name(node, frame)
            case ast.Attribute():
                return self.attribute(self.value(node.value, frame), node, frame)
            case ast.Subscript():
                return self._subscript(node, frame)
            case ast.Call():
                return self._call(node, frame)
            case ast.BinOp():
                left, right = self.value(node.left, frame), self.value(node.right, frame)
                return self.combined([left, right], node.op)
            case ast.UnaryOp():
                if isinstance(node.op, ast.Not):
                    inner = self.condition(node.operand, "not", frame)
                    known = isinstance(inner.constant, (bool, int, type(None)))
                    return Value(constant=not inner.constant) if known else Value()
                inner = self.value(node.operand, frame)
                if isinstance(node.op, ast.USub) and isinstance(inner.constant, (int, float)):
                    return Value(constant=-inner.constant)
                return self.combined([inner], ast.BitAnd() if isinstance(node.op, ast.Invert) else ast.Sub())
            case ast.BoolOp():
                word = "and" if isinstance(node.op, ast.And) else "or"
                values = [self.condition(v, word, frame) for v in node.values[:-1]]
                return join([*values, self.value(node.values[-1], frame)])
            case ast.Compare():
                return self._compare(node, frame)
            case ast.IfExp():
                test = self.condition(node.test, "if", frame)
                if isinstance(test.constant, bool) and self.applied:
                    return self.value(node.body if test.constant else node.orelse, frame)
                before = dict(self.used)
                left = self.value(node.body, frame)
                after, self.used = self.used, before
                right = self.value(node.orelse, frame)
                self.used.update(after)
                return left if left.what is right.what and left.level == right.level else join([left, right])
            case ast.Tuple() | ast.List() | ast.Set():
                if any(isinstance(e, ast.Starred) for e in node.elts):
                    parts = [self.value(e.value if isinstance(e, ast.Starred) else e, frame) for e in node.elts]
                    top = join(parts, ARGUMENT if any(p.level for p in parts) else None)
                    return top
                items = tuple([self.value(e, frame) for e in node.elts])
                return Value(what=Sort("items"), items=items, depth=len(self.traces), constant=_constants(items))
            case ast.Dict():
                return self._dict(node, frame)
            case ast.Lambda():
                made = Value(what=Function(node, frame), depth=len(self.traces))
                self.waiting.append((made, frame))
                return made
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                self._comprehension(node.generators, [node.elt], frame)
                return Value(what=Sort("items"), depth=len(self.traces), parts={"element": self._made[0]},
                             level=ARGUMENT if self._made[0].level else STATIC, of=self._made[0].of,
                             traced_in=self._made[0].traced_in, staged=self._made[0].staged)
            case ast.DictComp():
                self._comprehension(node.generators, [node.key, node.value], frame)
                return Value(depth=len(self.traces))
            case ast.NamedExpr():
                value = self.value(node.value, frame)
                self.store(node.target, value, frame, node)
                return value
            case ast.Starred():
                return self.value(node.value, frame)
            case ast.JoinedStr():
                for part in node.values:
                    if isinstance(part, ast.FormattedValue):
                        self.value(part.value, frame)
                return Value()
            case ast.Await() | ast.YieldFrom():
                self.value(node.value, frame)
            case ast.Yield():
                if node.value is not None:
                    self.value(node.value, frame)
        return Value()

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        found = frame.find(node.id)
        if found is not None:
            return found.names[node.id]
        return Value(what=Named("builtins." + node.id)) if node.id in _BUILTINS else Value()

    def attribute(self, owner: Value, node: ast.Attribute, frame: Frame) -> Value:
        """What is known of `owner.name`."""
        name = node.attr
        if name in owner.parts:
            return owner.parts[name]
        match owner.what:
            case Named() as n:
                full = canonical(f"{n.name}.{name}")
                if full in library.LAYERS:
                    return Value(what=Class(full, None, None, True))
                return Value(what=Named(full))
            case Instance() as i if i.cls.node is not None and i.cls.frame is not None:
                method = i.cls.frame.names.get(name)
                if method is not None and isinstance(method.what, Function) and _is_property(method.what.node):
                    return Value()
                if method is not None and not isinstance(method.what, Named) and method.what is not None:
                    return self.bound(method, owner)
                return Value(what=Method(owner, name)) if name in library.MODULE_ATTRIBUTES else self._kept(owner, name, method)
        if owner.what == Sort("self") and not owner.level and "#class" in owner.parts:
            cls = owner.parts["#class"].what
            method = cls.frame.names.get(name)
            if method is not None and isinstance(method.what, (Function, Wrapped)) and not _is_property(node_of(method)):
                return self.bound(method, owner)
        if owner.level:
            if name in METADATA:
                return Value()
            if name in ARRAY_ATTRIBUTES:
                made = join([owner], ARRAY)
                made.what = Sort("at") if name == "at" else None
                return made
            return Value(min(owner.level, MAYBE), owner.staged, owner.of, owner.traced_in, Method(owner, name))
        if name == "at" and owner.array:
            return Value(what=Sort("at"), array=True)
        if owner.what is None and not _is_self(node.value):
            return self._kept(owner, name, Value(what=Method(owner, name)))
        return Value(what=Sort("at") if name == "at" else Method(owner, name))

    def _kept(self, owner: Value, name: str, made: Value | None) -> Value:
        return owner.parts.setdefault(name, made if made is not None else Value())

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        owner, index = self.value(node.value, frame), self.value(node.slice, frame)
        at = index.constant
        if isinstance(owner.what, Sort) and owner.what.word == "at":
            return Value(owner.level, owner.staged, owner.of, owner.traced_in, Sort("at"))
        if isinstance(owner.what, Sort) and owner.what.word == "variables" and at == "params":
            return Value(owner.level, owner.staged, owner.of, owner.traced_in, Sort("params"))
        if owner.items is not None and isinstance(at, int) and -len(owner.items) <= at < len(owner.items):
            return owner.items[at]
        if owner.entries is not None and isinstance(at, (str, int)) and at in owner.entries:
            return owner.entries[at]
        if isinstance(node.ctx, ast.Load):
            self._mask(node, owner, index, frame)
        if owner.level == STATIC and index.level == STATIC:
            if isinstance(at, (int, str)):
                return owner.parts.setdefault(at, Value(array=owner.array))
            return Value(array=owner.array)
        if owner.level == STATIC:  # a table of the program, by a traced index
            if isinstance(node.ctx, ast.Load) and owner.what == Sort("items") and owner.entries is None:
                self._place_in_list(node, index, frame)
            return join([index], ARRAY if index.level == ARRAY else MAYBE)
        if isinstance(at, (int, str)) and owner.level < ARRAY:
            kept = owner.parts.get(at)
            if kept is None:
                kept = owner.parts[at] = Value(owner.level, owner.staged, owner.of, owner.traced_in)
            return kept
        return Value(owner.level, owner.staged, owner.of, owner.traced_in)

    def _place_in_list(self, node: ast.Subscript, index: Value, frame: Frame) -> None:
        if not index.staged or not (index.level == ARRAY or (index.level == ARGUMENT and index.bare)):
            return
        text, name = self.program.words(node.value), self.program.words(node.slice)
        self.tell("traced-integer", node, f"`{text}` is a list, which needs `{name}` as a Python integer, but "
                  f"{self.during(index)} it has no value yet.", frame, labels=(self.label(node.slice, index),),
                  fixes=(Fix("make an array of the list: those take traced indices", code=f"jnp.asarray({text})[{name}]"),
                         *self.static_fix(index)))

    def _mask(self, node: ast.Subscript, owner: Value, index: Value, frame: Frame) -> None:
        masks = [index, *(index.items or ())]
        for mask, part in zip(masks, [node.slice, *getattr(node.slice, "elts", ())]):
            if mask.truth and mask.level == ARRAY and mask.staged and owner.what is None and owner.entries is None \
                    and not isinstance(owner.what, Sort):
                text, name = self.program.words(node.value), self.program.words(part)
                self.tell("boolean-index", node, f"`{self.program.words(node)}` selects the entries where `{name}` is "
                                                 "true, but "
                          f"{self.during(mask)} it is not known how many these are.", frame,
                          labels=(self.label(part, mask),),
                          fixes=(Fix("keep the shape, and put something else where the mask is false",
                                     code=f"jnp.where({name}, {text}, 0)"),
                                 Fix("select outside the traced function")))

    def _compare(self, node: ast.Compare, frame: Frame) -> Value:
        values = [self.value(v, frame) for v in (node.left, *node.comparators)]
        if any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            if len(values) == 2 and values[1].constant is None and values[0].constant is not ... and not values[0].level:
                same = values[0].constant is None
                return Value(constant=same == isinstance(node.ops[0], ast.Is))
            return Value()
        if any(isinstance(v.constant, str) for v in values):
            if len(values) == 2 and all(isinstance(v.constant, str) for v in values) and isinstance(node.ops[0], ast.Eq):
                return Value(constant=values[0].constant == values[1].constant)
            return Value()
        if any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops):
            left = values[0]
            return join([left], ARRAY if left.level >= ARGUMENT else None) if left.level else Value()
        if any(v.items is not None or v.entries is not None for v in values):
            return Value()
        made = self.combined(values, ast.Lt())
        made.truth = made.level > STATIC
        return made

    def combined(self, values: list[Value], op: ast.operator | ast.cmpop) -> Value:
        """The result of an operator."""
        made = join(values, None, len(self.traces))
        if made is values[0]:
            made = Value(made.level, made.staged, made.of, made.traced_in, constant=made.constant)
        if any(isinstance(v.constant, str) for v in values) and isinstance(op, ast.Mod):
            return Value()
        made.array = any(v.array for v in values)
        sequences = any(v.items is not None for v in values)
        if sequences and isinstance(op, ast.Add | ast.Mult):
            made.what = Sort("items")
        elif made.level == ARGUMENT and not sequences:
            made.level = ARRAY
        if isinstance(op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
            made.truth = made.level > STATIC and any(v.truth for v in values)
        return made

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        entries: dict[Any, Value] = {}
        whole = True
        for key, part in zip(node.keys, node.values):
            name = self.value(key, frame).constant if key is not None else ...
            value = self.value(part, frame)
            if isinstance(name, (str, int)):
                entries[name] = value
            else:
                whole = False
        return Value(what=Sort("items"), entries=entries if whole else None, depth=len(self.traces))

    _made: list[Value]

    def _comprehension(self, generators: list[ast.comprehension], results: list[ast.expr], frame: Frame) -> None:
        inner = Frame(frame.node, frame, frame.depth, frame.module)
        made: list[Value] = []

        def turn(rest: list[ast.comprehension]) -> bool:
            if not rest:
                made[:] = [self.value(r, inner) for r in results]
                return False
            first = rest[0]
            over = self.value(first.iter, inner)
            self.integers_of(first.iter, inner)

            def once() -> bool:
                self.store(first.target, self.element(over, inner), inner, first.target)
                for test in first.ifs:
                    self.condition(test, "if", inner)
                return turn(rest[1:])

            self.turned(once, inner)
            return False

        turn(generators)
        self._made = made or [Value()]

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        function = self.value(node.func, frame)
        args, keywords, whole = [], {}, True
        for arg in node.args:
            value = self.value(arg.value if isinstance(arg, ast.Starred) else arg, frame)
            if isinstance(arg, ast.Starred):
                if value.items is None:
                    whole = False
                args += list(value.items) if value.items is not None else [self.element(value, frame)]
            else:
                args.append(value)
        for keyword in node.keywords:
            value = self.value(keyword.value, frame)
            if keyword.arg is None:
                keywords["**"] = value
            else:
                keywords[keyword.arg] = value
        if not whole:
            keywords["*"] = Value()
        return self.call(function, args, keywords, node, frame)


def _constants(items: tuple[Value, ...]) -> Any:
    values = tuple([v.constant for v in items])
    return ... if any(v is ... for v in values) else values


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_property(node: ast.AST | None) -> bool:
    return any(_property_decorator(d) for d in getattr(node, "decorator_list", ()))


def _property_decorator(d: ast.expr) -> bool:
    name = d.id if isinstance(d, ast.Name) else d.attr if isinstance(d, ast.Attribute) else ""
    return name in ("property", "cached_property", "setter", "staticmethod", "classmethod")


def traced_in(values: list[Value]) -> list[Value]:
    """The traced ones, their elements included."""
    return [x for v in values for x in flat(v) if x.level]
