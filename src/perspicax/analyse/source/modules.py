"""Rules about the text of Linen classes: fields, `setup`, compact methods, names."""
from __future__ import annotations

import ast
from collections.abc import Iterator

from perspicax.analyse.source import library
from perspicax.analyse.source.library import canonical, imports_of
from perspicax.analyse.source.program import Program
from perspicax.analyse.source.rules import RULES, Problem
from perspicax.diagnose.report import Edit, Fix, Label

__all__ = ["problems_of_classes"]

Method = ast.FunctionDef | ast.AsyncFunctionDef


def problems_of_classes(program: Program) -> list[Problem]:
    """What is wrong with the module classes of a program."""
    names: dict[str, str] = {}
    for node in ast.walk(program.tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(imports_of(node))
    if not any(meant.startswith("flax") for meant in names.values()):
        return []
    found: list[Problem] = []
    classes = {n.name: n for n in ast.walk(program.tree) if isinstance(n, ast.ClassDef)}
    modules: set[str] = set()
    for _ in range(len(classes)):
        before = len(modules)
        modules |= {c.name for c in classes.values() if any(_dotted(b, names) in library.LAYERS or _dotted(b, names) in modules
                                                            for b in c.bases)}
        if len(modules) == before:
            break
    for name in sorted(modules):
        found += ModuleClass(program, classes[name], names, modules, classes).problems()
    return found


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return canonical(f"{_dotted(node.value, names)}.{node.attr}")
    return ""


class ModuleClass:
    """One class that derives from `nn.Module`."""

    def __init__(self, program: Program, node: ast.ClassDef, names: dict[str, str], modules: set[str],
                 classes: dict[str, ast.ClassDef]) -> None:
        self.program = program
        self.node = node
        self.names = names
        self.modules = modules
        self.classes = classes
        self.methods = [m for m in node.body if isinstance(m, (ast.FunctionDef, ast.AsyncFunctionDef))]
        self.fields = {s.target.id: s for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
                       and "ClassVar" not in ast.unparse(s.annotation) and "init=False" not in ast.unparse(s)}
        self.plain = all(_dotted(b, names) == "flax.linen.Module" for b in node.bases)

    def problems(self) -> Iterator[Problem]:
        """All of them."""
        yield from self._several_compact()
        yield from self._reserved()
        yield from self._post_init()
        yield from self._assignments()
        yield from self._submodules()
        yield from self._names()
        yield from self._attributes()

    def _problem(self, rule: str, node: ast.AST, says: str, *fixes: Fix, function: str = "", labels: tuple[Label, ...] = (),
                 safe: bool = False) -> Problem:
        return Problem(RULES[rule], self.program.span(node, function), says, labels, tuple(fixes), safe)

    def _decorated(self, method: Method, *names: str) -> bool:
        return any(_dotted(d.func if isinstance(d, ast.Call) else d, self.names) in names for d in method.decorator_list)

    def compact(self, method: Method) -> bool:
        """Whether a method is marked `@nn.compact`."""
        return self._decorated(method, "flax.linen.compact")

    def _several_compact(self) -> Iterator[Problem]:
        own = [m for m in self.methods if self.compact(m)]
        marked = [*self._inherited_compact(self.node, {m.name for m in self.methods}, {self.node.name}), *own]
        for method in own if len(marked) > len(own) else own[1:]:
            if any(m.name == method.name for m in marked if m is not method):
                continue
            yield self._problem(
                "several-compact", method, f"`{self.node.name}` has {len(marked)} compact methods: "
                f"{' and '.join(f'`{m.name}`' for m in marked)}.",
                Fix("make the submodules in `setup`, and leave the methods without `@nn.compact`",
                    code=("def setup(self):", "    self.layer = nn.Dense(…)")),
                Fix("make two modules of it"), labels=(Label(self._line(marked[0]), "the first"),))

    def _inherited_compact(self, node: ast.ClassDef, overridden: set[str], seen: set[str]) -> list[Method]:
        """The compact methods of the bases that stand in the same file, but for those that are defined again."""
        found: list[Method] = []
        for base in node.bases:
            above = self.classes.get(_dotted(base, self.names))
            if above is None or above.name in seen or above.name not in self.modules:
                continue
            seen.add(above.name)
            methods = [m for m in above.body if isinstance(m, (ast.FunctionDef, ast.AsyncFunctionDef))]
            found += [m for m in methods if m.name not in overridden and self.compact(m)]
            overridden |= {m.name for m in methods}
            found += self._inherited_compact(above, overridden, seen)
        return found

    def _line(self, method: Method):  # type: ignore[no-untyped-def]
        return self.program.span(method)._replace(end_line=method.lineno, end_column=None, column=None)

    def _reserved(self) -> Iterator[Problem]:
        for name in ("parent", "name"):
            if name in self.fields:
                yield self._problem("reserved-field", self.fields[name], f"`{self.node.name}` declares a field "
                                                                         f"`{name}`, a name that "
                                    "every module has already.", Fix("give the field another name"))

    def _post_init(self) -> Iterator[Problem]:
        for method in self.methods:
            if method.name != "__post_init__":
                continue
            calls = [n for n in ast.walk(method) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
                     and n.func.attr == "__post_init__"]
            if calls:
                continue
            last = method.body[-1]
            indent = " " * method.body[0].col_offset
            span = self.program.span(last)
            end = span._replace(line=span.end_line or span.line, column=span.end_column)
            yield self._problem("post-init", method, f"`{self.node.name}.__post_init__` does not call "
                                                     "`super().__post_init__()`.",
                                Fix("call it at the end", code="super().__post_init__()",
                                    edits=(Edit(end, f"\n{indent}super().__post_init__()"),)),
                                function=method.name, safe=not any(isinstance(n, ast.Return) for n in ast.walk(method)))

    def _assignments(self) -> Iterator[Problem]:
        for method in self.methods:
            own = method.args.args[0].arg if method.args.args else ""
            if self._decorated(method, "staticmethod", "classmethod", "flax.linen.nowrap") or method.name == "__post_init__":
                continue
            for target in _assigned_to(method, own):
                name, text = target.attr, self.program.words(target)
                if method.name == "setup":
                    if name in self.fields:
                        yield self._problem(
                            "field-in-setup", target, f"`setup` assigns to `{text}`, a field of `{self.node.name}`.",
                            Fix("use another name for what is computed from it", code=f"{text}_computed = …"),
                            Fix("use a local variable, if only `setup` needs it"), function=method.name,
                            labels=(Label(self.program.span(self.fields[name]), "the field"),))
                elif method.name not in ("__init__", "__setattr__", "__hash__"):
                    yield self._problem(
                        "assign-in-method", target, f"`{method.name}` of `{self.node.name}` assigns to `{text}`.",
                        Fix("use a local variable", code=f"{name} = …"),
                        Fix("define it in `setup`, if it is the same at every call"),
                        Fix("keep state that changes in a variable", code=f'{name} = self.variable("state", "{name}", '
                                                                          'init_fn)'),
                        function=method.name)

    def _callers(self, name: str) -> list[Method]:
        return [m for m in self.methods if m.name != name and any(
            isinstance(n, ast.Attribute) and n.attr == name and isinstance(n.value, ast.Name) and n.value.id == "self"
            for n in ast.walk(m))]

    def _may_make(self, method: Method, seen: frozenset[str] = frozenset()) -> bool:
        if self.compact(method) or self._decorated(method, "flax.linen.nowrap", "staticmethod", "classmethod", "property",
                                                   "functools.cached_property", "flax.linen.compact_name_scope") \
                or method.name in ("setup", "__post_init__") or any(
                    "compact" in ast.unparse(d) or "transform" in ast.unparse(d) for d in method.decorator_list):
            return True
        callers = self._callers(method.name)
        return any(c.name not in seen and self._may_make(c, seen | {method.name}) for c in callers)

    def _submodules(self) -> Iterator[Problem]:
        if not self.plain and any(_dotted(b, self.names) not in self.modules for b in self.node.bases):
            return
        partials = {t.attr: s for m in self.methods if m.name == "setup" for s in ast.walk(m) if isinstance(s, ast.Assign)
                    for t in s.targets if isinstance(t, ast.Attribute) and self._makes_partial(s.value)}
        for method in self.methods:
            if self._may_make(method) or (method.name != "__call__" and method.name.startswith("__")):
                continue
            for call in (n for n in ast.walk(method) if isinstance(n, ast.Call)):
                name = _dotted(call.func, self.names)
                stored = name.partition("self.")[2] if name.startswith("self.") else ""
                if stored in partials or name in library.LAYERS or name in self.modules:
                    if any(k.arg == "parent" for k in call.keywords):
                        continue
                    labels = (Label(self.program.span(partials[stored]), "not a submodule yet"),) if stored in partials else ()
                    yield self._problem(
                        "submodule-outside", call, f"`{method.name}` of `{self.node.name}` makes the submodule "
                        f"`{self.program.words(call)}`, but is not marked `@nn.compact`.",
                        Fix("mark the method", code=("@nn.compact", f"def {method.name}({ast.unparse(method.args)}):")),
                        Fix("make the submodule in `setup`, and call it here"), function=method.name, labels=labels)

    def _makes_partial(self, value: ast.expr) -> bool:
        if isinstance(value, ast.Call) and _dotted(value.func, self.names) == "functools.partial" and value.args:
            return _dotted(value.args[0], self.names) in library.LAYERS | self.modules
        return _dotted(value, self.names) in library.LAYERS | self.modules

    def _names(self) -> Iterator[Problem]:
        given: dict[str, ast.AST] = {}
        for statement in (s for m in self.methods if m.name == "setup" for s in m.body):
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call) \
                    and _dotted(statement.value.func, self.names) in library.LAYERS | self.modules:
                for target in statement.targets:
                    if isinstance(target, ast.Attribute):
                        given[target.attr] = statement
        for method in self.methods:
            if not self.compact(method):
                continue
            seen = dict(given)
            for call in (n for s in method.body if not isinstance(s, (ast.If, ast.For, ast.While, ast.Try, ast.FunctionDef,
                                                                      ast.Return)) or isinstance(s, ast.Return)
                         for n in _calls(s)):
                name = self._name_given(call)
                if name is None:
                    continue
                if name in seen:
                    yield self._problem(
                        "name-twice", call, f"`{self.program.words(call)}` takes the name `{name}`, which is in use in "
                        f"`{self.node.name}`.", Fix("give it a different name"),
                        Fix("to share its parameters, make one instance and call it twice"), function=method.name,
                        labels=(Label(self.program.span(seen[name]), "used here first"),))
                else:
                    seen[name] = call

    def _name_given(self, call: ast.Call) -> str | None:
        name = _dotted(call.func, self.names)
        if name in ("self.param", "self.variable"):
            at = 0 if name == "self.param" else 1
            node: ast.expr | None = call.args[at] if len(call.args) > at else None
            if name == "self.variable" and node is not None:
                return None  # collections have names of their own
        elif name in library.LAYERS | self.modules:
            node = next((k.value for k in call.keywords if k.arg == "name"), None)
        else:
            return None
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

    def _attributes(self) -> Iterator[Problem]:
        text = ast.unparse(self.node)
        if not self.plain or "setattr(" in text or "__getattr__" in text or self.node.keywords:
            return
        known = {*self.fields, *library.MODULE_ATTRIBUTES, *[m.name for m in self.methods], *dir(object)}
        for statement in self.node.body:
            if isinstance(statement, ast.Assign):
                known |= {t.id for t in statement.targets if isinstance(t, ast.Name)}
            elif isinstance(statement, (ast.AnnAssign,)) and isinstance(statement.target, ast.Name):
                known.add(statement.target.id)
            elif isinstance(statement, ast.ClassDef):
                known.add(statement.name)
        for method in self.methods:
            known |= {t.attr for t in _assigned_to(method, "self")}
        for method in self.methods:
            if not self._decorated(method, "property", "functools.cached_property"):
                continue
            for node in ast.walk(method):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self" \
                        and isinstance(node.ctx, ast.Load) and node.attr not in known:
                    import difflib  # only for programs with this mistake

                    own = sorted({*self.fields, *known} - library.MODULE_ATTRIBUTES)
                    near = difflib.get_close_matches(node.attr, own, 1, 0.5)
                    fixes = [Fix("did you mean", code=f"self.{near[0]}")] if near else []
                    fields = ", ".join(f"`{f}`" for f in self.fields)
                    yield self._problem(
                        "unknown-attribute", node, f"the property `{method.name}` reads `self.{node.attr}`, which "
                                                   f"`{self.node.name}` "
                        f"has not{f': its fields are {fields}' if fields else ''}.",
                        *fixes, Fix("declare it as a field, or assign it in `setup`"), function=method.name)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Calls in the order in which they stand."""
    found = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    return iter(sorted(found, key=lambda n: (n.lineno, n.col_offset)))


def _assigned_to(method: Method, own: str) -> Iterator[ast.Attribute]:
    """The attributes of `self` that a method assigns."""
    for node in ast.walk(method):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        for target in targets:
            for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == own:
                    yield part
