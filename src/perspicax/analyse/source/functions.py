"""Functions of the program: a run of one, with what is known of its arguments."""
from __future__ import annotations

import ast
from typing import Any

from perspicax.analyse.source.expressions import Expressions, traced_in
from perspicax.analyse.source.reader import MAX_CALLS, MAX_DEPTH, Frame
from perspicax.analyse.source.values import MAYBE, Function, Instance, Sort, Value, Wrapped, join

__all__ = ["Functions"]


class Functions(Expressions):
    """Runs of functions."""

    def mixed(self, values: list[Value]) -> Value:
        """What an unknown function makes of these: perhaps something traced."""
        return join(values, MAYBE, len(self.traces)) if traced_in(values) else Value(depth=len(self.traces))

    def run(self, function: Function, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """Go through the body, with these arguments."""
        self.calls += 1
        if function.node in self.running or len(self.running) > MAX_DEPTH or self.calls > MAX_CALLS:
            return self.mixed([*args, *keywords.values()])
        self.ran.add(function.node)
        inner = self.frame_of(function, frame)
        self._bind(function, args, keywords, inner)
        self.chain.append((node, tuple(self.turns)))
        turns, self.turns = self.turns, []
        self.running.append(function.node)
        try:
            return self._body(function.node, inner)
        finally:
            self.running.pop()
            self.chain.pop()
            self.turns = turns

    def frame_of(self, function: Function, caller: Frame) -> Frame:
        """A frame for a run of it; what a module's method calls runs within that module, wherever it is defined."""
        owner = function.owner
        module = owner if owner is not None and isinstance(owner.what, Instance) and owner.what.bound else None
        if module is None and function.around is not None and not isinstance(function.around.node, ast.ClassDef):
            module = caller.module or function.around.module
        return Frame(function.node, function.around, len(self.traces), module)

    def _body(self, node: Any, frame: Frame) -> Value:
        if isinstance(node, ast.Lambda):
            return self.value(node.body, frame)
        if any(isinstance(n, (ast.Yield, ast.YieldFrom)) for s in node.body for n in ast.walk(s)):
            self.block(node.body, frame)
            return Value()
        ended = self.block(node.body, frame)
        exits = frame.exits if ended else [*frame.exits, self.used]
        self.used = {key: use for exit_ in exits for key, use in exit_.items()} if exits else self.used
        if not frame.returns:
            return Value(constant=None)
        return frame.returns[0] if len(frame.returns) == 1 and ended else join(
            frame.returns, min(v.level for v in frame.returns) if all(v.level for v in frame.returns) else None)

    def _bind(self, function: Function, args: list[Value], keywords: dict[str, Value], frame: Frame) -> None:
        given = self.arguments(function, args, keywords, frame)
        frame.names.update(given)

    def arguments(self, function: Function, args: list[Value], keywords: dict[str, Value], frame: Frame) -> dict[str, Value]:
        """The parameters and their values."""
        spec = function.node.args
        positional = [*spec.posonlyargs, *spec.args]
        if function.owner is not None:
            args = [function.owner, *args]
        bound: dict[str, Value] = {}
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(spec.defaults)) + list(spec.defaults)
        pairs = [*zip(positional, defaults), *zip(spec.kwonlyargs, spec.kw_defaults)]
        around = function.around or frame
        unknown = "*" in keywords or "**" in keywords
        for i, (parameter, default) in enumerate(pairs):
            name = parameter.arg
            if i < len(args) and i < len(positional):
                bound[name] = args[i]
            elif name in keywords:
                bound[name] = keywords[name]
            elif default is not None and not unknown:
                bound[name] = self.value(default, around)
            else:
                bound[name] = Value()
        if spec.vararg is not None:
            bound[spec.vararg.arg] = Value(items=tuple(args[len(positional):]), what=Sort("items"), depth=len(self.traces))
        if spec.kwarg is not None:
            bound[spec.kwarg.arg] = self.mixed(list(keywords.values()))
        return bound

    def call_unknown(self, value: Value, frame: Frame) -> None:
        """Go through a function whose arguments are not known."""
        what = value.what
        inner = what.function.what if isinstance(what, Wrapped) else what
        spec = inner.node.args
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        skipped = 1 if inner.owner is not None else 0
        args = [Value() for _ in names[skipped:]]
        keywords = {a.arg: Value() for a in spec.kwonlyargs}
        self.call(value, args, keywords, inner.node, frame)
