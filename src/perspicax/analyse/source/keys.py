"""Rules about random keys and about results that nobody takes."""
from __future__ import annotations

import ast

from perspicax.analyse.source import library
from perspicax.analyse.source.library import canonical
from perspicax.analyse.source.reader import Frame
from perspicax.analyse.source.tracing import Tracing
from perspicax.analyse.source.values import Named, Sort, Value
from perspicax.diagnose.report import Fix, Label

__all__ = ["Keys"]


class Keys(Tracing):
    """Keys are values; a draw or a split uses one up."""

    def key_call(self, short: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame) -> Value | None:
        """A call of `jax.random`."""
        given = args[0] if args else keywords.get("key")
        part = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "key"), None)
        if (given is not None and part is not None and short not in library.NO_DRAWS | {"split"}) or short == "split":
            if given is not None and part is not None:
                self._use(given, part, node, frame)
        if short == "clone":
            return Value()
        if short in library.NO_DRAWS:
            level, staged, of, where = (given.level, given.staged, given.of, given.traced_in) if given is not None else (
                0, False, (), ("", ""))
            return Value(level, staged, of, where, Sort("keys") if short == "split" else None, depth=len(self.traces))
        return None

    def _use(self, value: Value, part: ast.expr, node: ast.Call, frame: Frame) -> None:
        key = value.key
        if isinstance(value.what, Sort) and value.what.word == "keys":
            return  # several
        here = (*self.chain, (node, tuple(self.turns)))
        before = self.used.get(key)
        self.used[key] = here
        if before is None or before == here:
            return
        at = next((i for i, (a, b) in enumerate(zip(before, here)) if a != b), min(len(before), len(here)) - 1)
        while at + 1 < len(here) and self._is_loop(here[at][0], before[at][0]):
            at += 1  # a loop on the device: what stands in its body is meant
        first, second = before[at][0], here[at][0]
        if not isinstance(second, ast.Call):
            return
        name = self._name_at(second, part if second is node else None)
        again = first is second
        inner = "" if second is node else f", in `{self.program.words(node.func)}`"
        if again:
            call = self.program.words(second)
            says = f"`{name}` is used up by `{call}`{inner} in every turn of the loop: each draws the same numbers."
            labels: tuple[Label, ...] = ()
            fixes: tuple[Fix, ...] = (
                Fix("split off a key in every turn", code=f"{name}, subkey = jax.random.split({name})"),
                Fix("derive one from the turn", code=f"jax.random.fold_in({name}, i)"))
        else:
            says = f"`{name}` is used twice: `{self.program.words(second)}`{inner} gets a key that was used up."
            labels = (Label(self.program.span(first), "used up here first"),)
            fixes = (Fix("split it, and use each part once", code=f"{name}, subkey = jax.random.split({name})"),)
        self.tell("key-reuse", second, says, frame, labels=labels, fixes=fixes)

    def _is_loop(self, node: ast.AST, other: ast.AST) -> bool:
        """Whether two steps are turns of one `scan`, `fori_loop`, …"""
        return node is other and isinstance(node, ast.Call) and self.program.words(node.func, 200).rpartition(".")[2] in (
            "scan", "map", "fori_loop", "while_loop")

    def _name_at(self, call: ast.Call, part: ast.expr | None) -> str:
        """What the key is called at a call."""
        if part is not None:
            return self.program.words(part)
        names = [a for a in [*call.args, *[k.value for k in call.keywords]] if isinstance(a, (ast.Name, ast.Attribute))]
        likely = [a for a in names if "key" in self.program.words(a).lower() or "rng" in self.program.words(a).lower()]
        return self.program.words((likely or names)[0]) if names else "the key"

    # -- results that nobody takes

    def thrown_away(self, call: ast.Call, frame: Frame) -> None:
        """A result that nobody takes."""
        base = self._updated(call, frame)
        if base is None or not self._read_elsewhere(base, call, frame):
            return
        text, name = self.program.words(call), self.program.words(base)
        local = isinstance(base, ast.Name) and base.id in frame.names and base.id not in frame.outside
        fix = Fix("keep the result", code=f"{name} = {self.program.words(call, 200)}",
                  edits=(self.program.edit(call, f"{name} = {self.program.source(call)}"),) if local else ())
        self.tell("discarded-update", call, f"the result of `{text}` is thrown away; `{name}` stays as it "
                                            "was.", frame, fixes=(fix,),
                  safe=local and call.lineno == call.end_lineno)

    def _updated(self, call: ast.Call, frame: Frame) -> ast.expr | None:
        """What a call was meant to change."""
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in library.PURE_METHODS:
            at = function.value
            if isinstance(at, ast.Subscript) and isinstance(at.value, ast.Attribute) and at.value.attr == "at":
                return at.value.value
        name = self._dotted(function, frame)
        if name.startswith("jax.numpy.") and name.rpartition(".")[2] in library.PURE and call.args and not call.keywords:
            return _named(call.args[0])
        if name == "optax.apply_updates" and call.args:
            return _named(call.args[0])
        if name == "jax.tree.map" and len(call.args) > 1 and self._pure(call.args[0], frame):
            return _named(call.args[1])
        return None

    def _dotted(self, node: ast.expr, frame: Frame) -> str:
        if isinstance(node, ast.Name):
            found = frame.find(node.id)
            what = found.names[node.id].what if found is not None else None
            return what.name if isinstance(what, Named) else ""
        if isinstance(node, ast.Attribute):
            owner = self._dotted(node.value, frame)
            return canonical(f"{owner}.{node.attr}") if owner else ""
        return ""

    def _pure(self, node: ast.expr, frame: Frame) -> bool:
        """Whether a function surely does nothing but compute."""
        if self._dotted(node, frame).startswith("jax.numpy."):
            return True
        if not isinstance(node, ast.Lambda):
            return False
        calls = [n for n in ast.walk(node.body) if isinstance(n, ast.Call)]
        return isinstance(node.body, (ast.BinOp, ast.UnaryOp, ast.Call)) and all(
            self._dotted(c.func, frame).startswith("jax.numpy.") for c in calls)

    def _read_elsewhere(self, base: ast.expr, call: ast.Call, frame: Frame) -> bool:
        """Whether what was not changed is looked at again: behind the call, or around it in a loop."""
        root: ast.AST = frame.node if frame.node is not None else self.program.tree
        whole: ast.expr = base
        while isinstance(base, (ast.Attribute, ast.Subscript)):  # of a part: what it belongs to
            base = base.value
        if base is not whole and isinstance(base, ast.Name) and isinstance(root, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if base.id in {a.arg for a in ast.walk(root.args) if isinstance(a, ast.arg)}:
                return True
        text = ast.dump(base)
        loops = [n for n in ast.walk(root) if isinstance(n, (ast.For, ast.While)) and call in ast.walk(n)]
        inside = set(ast.walk(call))
        for node in ast.walk(root):
            if type(node) is type(base) and node not in inside and isinstance(getattr(node, "ctx", None), ast.Load) \
                    and ast.dump(node) == text:
                if node.lineno > call.lineno or any(node in ast.walk(loop) for loop in loops):  # type: ignore[attr-defined]
                    return True
        return False


def _named(node: ast.expr) -> ast.expr | None:
    return node if isinstance(node, (ast.Name, ast.Attribute)) else None


