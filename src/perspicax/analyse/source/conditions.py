"""Conditions: where Python asks for the truth of a value, and the words for a traced one."""
from __future__ import annotations

import ast

from perspicax.analyse.source.reader import Frame
from perspicax.analyse.source.stores import Stores
from perspicax.analyse.source.values import ARGUMENT, ARRAY, Value
from perspicax.diagnose.report import Fix, Label

__all__ = ["Conditions"]


class Conditions(Stores):
    """What asks traced values for their truth."""

    def during(self, value: Value) -> str:
        """While what is traced: a clause."""
        transform, function = value.traced_in
        return f"while {transform} traces `{function}`" if function else "while a function is traced"

    def label(self, node: ast.AST, value: Value) -> Label:
        """What a traced value comes from."""
        names = " and ".join([f"`{n}`" for n in value.of[:3]])
        plural = "arguments" if len(value.of) > 1 else "argument"
        owner = f" of `{value.traced_in[1]}`" if value.traced_in[1] else ""
        return Label(self.program.span(node), f"from {plural} {names}{owner}" if names else "traced")

    def condition(self, node: ast.expr, word: str, frame: Frame) -> Value:
        """What is known of a condition; tells if it is traced."""
        value = self.value(node, frame)
        if isinstance(node, ast.BoolOp):
            if not any(self.told("traced-branch", part) for part in node.values):
                self._asks(node.values[-1], value, word, frame)
            return value
        self._asks(node, value, word, frame)
        return value

    def _asks(self, node: ast.expr, value: Value, word: str, frame: Frame) -> None:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return
        certain = value.level == ARRAY or (value.level == ARGUMENT and value.bare and not value.likely_tree)
        if not certain or not value.staged:
            return
        text = self.program.words(node)
        fixes = [Fix("choose on the device instead", code=f"jnp.where({text}, a, b)", when="when both sides may be computed"),
                 Fix("", code=f"jax.lax.cond({text}, lambda: a, lambda: b)", when="when only one side may run")]
        if word == "while":
            fixes = [Fix("loop on the device instead", code=f"jax.lax.while_loop(lambda state: {text}, body, state)")]
        if word in ("and", "or", "not"):
            sign = {"and": "&", "or": "|", "not": "~"}[word]
            fixes.insert(0, Fix(f"combine truth values of arrays by `{sign}` in place of `{word}`"))
        static = self.static_fix(value)
        fixes = [*static, *fixes] if value.bare else [*fixes, *static]
        self.tell("traced-branch", node, f"`{word}` needs to know whether `{text}` is true, but {self.during(value)} "
                                         "that value "
                  "is not known yet.", frame, labels=(self.label(node, value), *self.way_here()), fixes=tuple(fixes))

    def static_fix(self, value: Value) -> list[Fix]:
        """To make an argument static, where the value is one."""
        transform, function = value.traced_in
        if transform != "jit" or len(value.of) != 1:
            return []
        return [Fix(f"make `{value.of[0]}` of `{function}` a static argument: it is then a Python value, and each new one is "
                    "compiled for", code=f'@partial(jax.jit, static_argnames="{value.of[0]}")',
                    when="when it is a Python value, not an array")]

    def way_here(self) -> tuple[Label, ...]:
        """The call in the traced function that led here, if it did."""
        calls = [node for node, _ in self.chain if isinstance(node, ast.Call)]
        return (Label(self.program.span(calls[-1]), "called here"),) if calls and len(self.running) > 1 else ()
