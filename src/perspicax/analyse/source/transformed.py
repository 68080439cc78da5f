"""Functions under transformations: `jit` and its like, which return a function, and `scan` and its like, which apply one."""
from __future__ import annotations

import ast
from typing import Any

from perspicax.analyse.source import library
from perspicax.analyse.source.expressions import traced_in
from perspicax.analyse.source.functions import Functions
from perspicax.analyse.source.library import BATCHED, DERIVED, SAME, STAGED
from perspicax.analyse.source.reader import Frame, Trace
from perspicax.analyse.source.values import (
    ARGUMENT,
    MAYBE,
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

__all__ = ["Transformed"]


class Transformed(Functions):
    """Which arguments of a function are traced, and a run of it with those."""

    def wrapped(self, w: Wrapped, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """A call of a transformed function: its arguments are traced within."""
        target = w.function
        if w.kind == SAME:
            return self.call(target, args, keywords, node, frame)
        self.transformed(w, node, frame)
        name = self._name_of(target)
        names = self._parameters(target)
        lifted = []
        for i, arg in enumerate(args):
            own = names[i] if i < len(names) else f"argument {i}"
            static = i in w.static or own in w.static or (w.only is not None and i not in w.only)
            lifted.append(arg if static else self.lift(arg, own, w.kind, w.transform, name, target))
        lifted_keywords = {k: v if k in w.static or (k in names and names.index(k) in w.static) or w.kind == DERIVED
                           else self.lift(v, k, w.kind, w.transform, name, target) for k, v in keywords.items()}
        before = self.waiting_traces(w, name)
        try:
            self.call(target, lifted, lifted_keywords, node, frame)
        finally:
            del self.traces[before:]
        if traced_in([*args, *keywords.values()]) or self.staged:
            values = [*args, *keywords.values()]
            made = join(values, ARGUMENT) if traced_in(values) else Value(ARGUMENT, True, (), self._innermost())
            made.depth = len(self.traces)
            return made
        return Value(depth=len(self.traces))

    def waiting_traces(self, w: Wrapped, name: str) -> int:
        """Open a trace; how many there were."""
        before = len(self.traces)
        self.traces.append(Trace(w.transform, name, w.kind))
        return before

    def _innermost(self) -> tuple[str, str]:
        staged = [t for t in self.traces if t.kind == STAGED]
        return (staged[-1].transform, staged[-1].function) if staged else ("", "")

    def transformed(self, w: Wrapped, node: ast.AST, frame: Frame) -> None:
        """A place for rules about where transformations are applied."""

    def lift(self, value: Value, name: str, kind: str, transform: str, function: str, target: Value | None = None) -> Value:
        """An argument, as the traced function sees it."""
        if value.what is not None and not isinstance(value.what, (Sort, Method)):
            return value
        if value.items is not None:
            return Value(what=value.what, items=tuple([self.lift(v, name, kind, transform, function) for v in value.items]),
                         depth=len(self.traces) + 1)
        if value.entries is not None:
            return Value(what=value.what, depth=len(self.traces) + 1, entries={
                k: self.lift(v, name, kind, transform, function) for k, v in value.entries.items()})
        if value.constant is None or isinstance(value.constant, str):
            return value
        staged = kind in (STAGED, BATCHED) or value.staged
        made = Value(max(value.level, ARGUMENT), staged, (name,), (transform, function), value.what,
                     root=value.key if kind in (STAGED, DERIVED) else None, depth=len(self.traces) + 1, bare=name)
        made.likely_tree = target is not None and name in self._trees(target)
        made.array = value.array
        return made

    def _name_of(self, target: Value) -> str:
        match target.what:
            case Function() as f:
                return getattr(f.node, "name", "a lambda")
            case Partial() | Wrapped() as p:
                return self._name_of(p.function)
            case Instance() as i:
                return i.cls.name.rpartition(".")[2]
            case Named() as n:
                return n.name.rpartition(".")[2]
        return "a function"

    def _parameters(self, target: Value) -> list[str]:
        match target.what:
            case Function() as f:
                names = [a.arg for a in (*f.node.args.posonlyargs, *f.node.args.args)]
                return names[1:] if f.owner is not None else names
            case Partial() as p:
                return self._parameters(p.function)[len(p.args):]
            case Wrapped() as w:
                return self._parameters(w.function)
        return []

    def _trees(self, target: Value) -> frozenset[str]:
        """Parameters that the function itself treats as trees, or as optional."""
        what = target.what
        while isinstance(what, (Wrapped, Partial)):
            what = what.function.what
        if not isinstance(what, Function):
            return frozenset()
        return _tree_parameters(what.node)

    def _wrap(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        transform, kind = name.rpartition(".")[2], library.WRAPPERS[name]
        if not args:
            target = keywords.get("fun") or keywords.get("f") or keywords.get("function")
            if target is None:  # `jax.jit(static_argnames=...)`: a decorator to come
                return Value(what=Partial(Value(what=Named(name)), (), tuple(keywords.items())))
            args = [target]
        static, only = self._static(args[1:], keywords, kind, transform)
        made = Value(what=Wrapped(args[0], kind, transform, static, only, node), depth=len(self.traces))
        if isinstance(args[0].what, (Function, Wrapped, Partial)) and kind != SAME:
            self.waiting.insert(0, (made, self.top))
        return made

    def _static(self, rest: list[Value], keywords: dict[str, Value], kind: str,
                transform: str) -> tuple[frozenset[int | str], frozenset[int] | None]:
        """Which arguments are not traced, or which alone are."""
        if kind == DERIVED:
            which = keywords.get("argnums", rest[0] if rest else Value(constant=0)).constant
            found = _integers(which)
            return frozenset(), frozenset() if found is None else frozenset(found)
        if kind == BATCHED:
            axes = keywords.get("in_axes", rest[0] if rest else Value(constant=0))
            if axes.items is not None:
                return frozenset(i for i, a in enumerate(axes.items) if a.constant is None), None
            if axes.constant is not ... and axes.constant is not None:
                return frozenset(), None
            return frozenset(), frozenset()
        found_names: set[int | str] = set()
        for option in ("static_argnums", "static_argnames", "static_broadcasted_argnums"):
            if option not in keywords:
                continue
            value = keywords[option].constant
            several = value if isinstance(value, tuple) else (value,)
            if not all(isinstance(v, (int, str)) for v in several):
                return frozenset(), frozenset()  # not to be told from here: nothing is held to be traced
            found_names.update(several)
        if "**" in keywords or ("in_specs" in keywords and not keywords):
            return frozenset(), frozenset()
        return frozenset(found_names), None

    def _apply(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """`scan`, `cond` and their like: their functions are traced at once."""
        short = name.rpartition(".")[2]

        def given(index: int, word: str) -> Value | None:
            return args[index] if index < len(args) else keywords.get(word)

        jobs: list[tuple[Value | None, list[Value]]] = []
        unknown = Value()
        match short:
            case "scan":
                rows = given(2, "xs")
                row = unknown if rows is None else rows
                row = Value(constant=None) if rows is None or rows.constant is None else \
                    Value(row.level, row.staged, row.of, row.traced_in, items=row.items, entries=row.entries, what=row.what)
                jobs = [(given(0, "f"), [given(1, "init") or unknown, row])]
            case "map":
                jobs = [(given(0, "f"), [Value()])]
            case "fori_loop":
                jobs = [(given(2, "body_fun"), [Value(), given(3, "init_val") or unknown])]
            case "while_loop":
                state = given(2, "init_val") or unknown
                jobs = [(given(0, "cond_fun"), [state]), (given(1, "body_fun"), [state])]
            case "cond":
                jobs = [(given(1, "true_fun"), args[3:]), (given(2, "false_fun"), args[3:])]
            case "switch":
                branches = given(1, "branches")
                jobs = [(b, args[2:]) for b in (branches.items or ())] if branches is not None else []
            case "eval_shape":
                jobs = [(given(0, "fun"), args[1:])]
            case "jvp" | "linearize":
                jobs = [(given(0, "fun"), list((args[1].items or ()) if short == "jvp" and len(args) > 1 else args[1:]))]
            case "vjp":
                jobs = [(given(0, "fun"), args[1:])]
        kind = DERIVED if short in ("jvp", "vjp", "linearize") else STAGED
        loop = short in ("scan", "map", "fori_loop", "while_loop") and (given(3, "length") or unknown).constant != 1
        exclusive: list[dict[Value, tuple]] = []
        before = dict(self.used)
        for function, values in jobs:
            if function is None or function.what is None:
                continue
            if short in ("cond", "switch"):
                self.used = dict(before)
            self._traced_run(function, values, short, kind, loop, node, frame)
            exclusive.append(self.used)
        if short in ("cond", "switch") and exclusive:
            self.used = {k: v for uses in exclusive for k, v in uses.items()}
        if short in ("map", "scan", "fori_loop", "while_loop", "cond", "switch"):
            values = [*args, *keywords.values()]
            return join(values, ARGUMENT) if traced_in(values) else Value(MAYBE, True, (), self._innermost()) if self.staged \
                else Value(depth=len(self.traces))
        return self.mixed([*args, *keywords.values()])

    def _traced_run(self, function: Value, values: list[Value], short: str, kind: str, loop: bool, node: ast.AST,
                    frame: Frame) -> None:
        w = Wrapped(function, kind, short, site=node)
        self.transformed(w, node, frame)
        name, names = self._name_of(function), self._parameters(function)

        carry = {"scan": 0, "fori_loop": 1, "while_loop": 0}.get(short)
        given = list(values)

        def turn() -> bool:
            lifted = []
            for i, v in enumerate(given):
                made = self.lift(v, names[i] if i < len(names) else f"argument {i}", kind, short, name, function)
                if loop and i != carry:
                    made = _without_root(made)  # another row, another count
                lifted.append(made)
            before = self.waiting_traces(w, name)
            try:
                out = self.call(function, lifted, {}, node, frame)
            finally:
                del self.traces[before:]
            if carry is not None and len(given) > carry:  # what the first turn returns, the second gets
                old = given[carry]
                if short != "scan":
                    given[carry] = out
                else:
                    given[carry] = out.items[0] if out.items else Value(old.level, old.staged, old.of, old.traced_in)
            return False

        if loop:
            self.turned(turn, frame)
        else:
            turn()


def _without_root(value: Value) -> Value:
    """A value that is another one in each turn."""
    value.root = None
    for inner in [*(value.items or ()), *(value.entries or {}).values()]:
        _without_root(inner)
    return value


def _integers(value: Any) -> tuple[int, ...] | None:
    several = value if isinstance(value, tuple) else (value,)
    return several if all(isinstance(v, int) for v in several) else None


_TREE_METHODS = frozenset({"items", "keys", "values", "get", "replace", "_replace", "pop", "copy", "apply_fn",
                           "apply_gradients"})


def _tree_parameters(node: Any) -> frozenset[str]:
    spec = node.args
    found: set[str] = set()
    parameters = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    positional = [*spec.posonlyargs, *spec.args]
    defaults = [*zip(reversed(positional), reversed(spec.defaults)), *zip(spec.kwonlyargs, spec.kw_defaults)]
    for parameter, default in defaults:
        if (isinstance(default, ast.Constant) and (default.value is None or isinstance(default.value, str))) \
                or isinstance(default, (ast.Tuple, ast.List, ast.Dict)):
            found.add(parameter.arg)
    for parameter in parameters:
        words = ast.unparse(parameter.annotation) if parameter.annotation is not None else ""
        if any(w in words.lower() for w in ("dict", "list", "tuple", "sequence", "none", "optional", "tree", "params", "any")):
            found.add(parameter.arg)
    body = node.body if isinstance(node.body, list) else [node.body]
    for part in (n for s in body for n in ast.walk(s)):
        match part:
            case ast.Attribute(value=ast.Name(id=name)) if part.attr in _TREE_METHODS:
                found.add(name)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str())):
                found.add(name)
            case ast.For(iter=ast.Name(id=name)) | ast.comprehension(iter=ast.Name(id=name)):
                found.add(name)
            case ast.Call(func=ast.Name(id="isinstance" | "len"), args=[ast.Name(id=name), *_]):
                found.add(name)
    return frozenset(found)
