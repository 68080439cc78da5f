"""Where values go: names, attributes, entries; and statements whose value goes nowhere."""
from __future__ import annotations

import ast

from perspicax.analyse.source.definitions import Definitions
from perspicax.analyse.source.reader import Frame
from perspicax.analyse.source.values import Instance, Method, Partial, Sort, Value, join

__all__ = ["Stores"]


class Stores(Definitions):
    """Assignments, and the elements that loops assign."""

    def store(self, target: ast.expr, value: Value, frame: Frame, statement: ast.AST) -> None:
        """Assign."""
        match target:
            case ast.Name():
                if target.id in frame.outside:
                    self.stored_outside(target, target.id, value, 0, frame, statement)
                    home = frame.around.find(target.id) if frame.around is not None else None
                    (home or frame).names[target.id] = Value(what=value.what)
                    return
                frame.names[target.id] = value
            case ast.Tuple() | ast.List():
                for i, part in enumerate(target.elts):
                    if isinstance(part, ast.Starred):
                        self.store(part.value, self.element(value, frame), frame, statement)
                    elif value.items is not None and len(value.items) == len(target.elts):
                        self.store(part, value.items[i], frame, statement)
                    else:
                        self.store(part, self.element(value, frame), frame, statement)
            case ast.Attribute():
                owner = self.value(target.value, frame)
                self.attribute_stored(target, owner, value, frame, statement)
                owner.parts[target.attr] = value
            case ast.Subscript():
                owner = self.value(target.value, frame)
                index = self.value(target.slice, frame)
                self.item_stored(target, owner, statement, frame)
                # what is not known may be a mutable array reference, which is made for this; those have no names as indices
                named = owner.what is None and isinstance(index.constant, str)
                if not owner.level and (named or isinstance(owner.what, Sort)):
                    self.stored_outside(target, self.program.words(target.value), value, owner.depth, frame, statement, owner)
                owner.parts.clear()
                owner.entries = None

    def item_stored(self, target: ast.Subscript, owner: Value, statement: ast.AST, frame: Frame) -> None:
        """`owner[index] = value`."""
        raise NotImplementedError

    def attribute_stored(self, target: ast.Attribute, owner: Value, value: Value, frame: Frame, statement: ast.AST) -> None:
        """`owner.name = value`."""
        what = owner.what
        if isinstance(what, Sort) and what.word == "variable" and target.attr == "value" and not self.uncertain:
            self.writes_variable(statement, owner, frame)
        if owner.level or isinstance(what, Instance) or (isinstance(what, Sort) and what.word != "self"):
            return
        self.stored_outside(target, self.program.words(target.value), value, owner.depth, frame, statement, owner)

    def writes_variable(self, statement: ast.AST, owner: Value, frame: Frame) -> None:
        """A variable of a module is written."""
        raise NotImplementedError

    def stored_outside(self, target: ast.AST, holder: str, value: Value, depth: int, frame: Frame, statement: ast.AST,
                       owner: Value | None = None) -> None:
        """Something that was there before the trace is changed in it."""
        raise NotImplementedError

    def element(self, value: Value, frame: Frame) -> Value:
        """What is known of an element of an iterable."""
        if value.items is not None:
            return join(list(value.items)) if value.items else Value()
        made = value.parts.get("element")
        if made is not None:
            return _another(made)
        what = value.what if isinstance(value.what, Partial) else None
        return Value(value.level, value.staged, value.of, value.traced_in, what)

    # -- statements that are expressions

    def expression_statement(self, node: ast.Expr, frame: Frame) -> None:
        """An expression whose value nobody takes."""
        self.alone = node.value
        self.value(node.value, frame)
        if isinstance(node.value, ast.Call) and not frame.quiet:
            self.thrown_away(node.value, frame)

    def thrown_away(self, call: ast.Call, frame: Frame) -> None:
        """A result that nobody takes."""
        raise NotImplementedError


def _another(value: Value) -> Value:
    """Like a value, but another one: the next turn has the next element."""
    if value.what is not None and not isinstance(value.what, (Sort, Method)):
        return value
    items = None if value.items is None else tuple([_another(v) for v in value.items])
    return Value(value.level, value.staged, value.of, value.traced_in, value.what, items, truth=value.truth, depth=value.depth,
                 parts={"element": value.parts["element"]} if "element" in value.parts else {}, constant=value.constant)
