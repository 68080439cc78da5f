"""Rules about Linen modules as values: bound or not, within which trace, and what `apply` is given."""
from __future__ import annotations

import ast

from perspicax.analyse.source import library
from perspicax.analyse.source.keys import Keys
from perspicax.analyse.source.reader import Frame
from perspicax.analyse.source.values import Class, Function, Instance, Method, Sort, Value, Wrapped, known_module
from perspicax.diagnose.report import Fix, Label

__all__ = ["Linen"]

_UNBOUND = frozenset({"setup", "unbind"})


class Linen(Keys):
    """Module classes and instances."""

    # -- making them

    def construct(self, cls: Class, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """An instance of a class."""
        if not cls.module:
            return Value(depth=len(self.traces), parts={})
        bound = frame.module is not None and known_module(frame.module) is not None
        made = Value(depth=len(self.traces))
        made.what = Instance(cls, bound, len(self.traces), node if isinstance(node, ast.Call) else None)
        fields = _fields(cls)
        for (name, default), given in zip(fields, [*args, *[None] * len(fields)]):
            value = given if given is not None else keywords.get(name)
            if value is None and default is not None and cls.frame is not None:
                value = self.value(default, cls.frame)
            if value is not None:
                made.parts[name] = value
        for name, value in keywords.items():
            made.parts.setdefault(name, value)
        return made

    def _bound_again(self, value: Value, instance: Instance) -> Value:
        """The instance as its own methods see it: bound now, after `setup`."""
        made = Value(what=Instance(instance.cls, True, len(self.traces), instance.call), parts=dict(value.parts))
        setup = instance.cls.frame.names.get("setup") if instance.cls.frame is not None else None
        if setup is not None and isinstance(setup.what, Function):
            self.run(Function(setup.what.node, setup.what.around, made), [], {}, setup.what.node, instance.cls.frame)
        return made

    def bound(self, method: Value, owner: Value) -> Value:
        """A method of an instance; a module that nobody made is set up first."""
        instance = known_module(owner)
        if instance is not None and instance.bound and "#set up" not in owner.parts:
            owner.parts["#set up"] = Value()
            node = getattr(method.what, "node", None)
            if getattr(node, "name", "") != "setup":
                setup = instance.cls.frame.names.get("setup") if instance.cls.frame is not None else None
                if setup is not None and isinstance(setup.what, Function):
                    ran = setup.what.node in self.ran
                    self.run(Function(setup.what.node, setup.what.around, owner), [], {}, setup.what.node, instance.cls.frame)
                    if not ran:
                        self.ran.discard(setup.what.node)
        return super().bound(method, owner)

    # -- calling them

    def call_instance(self, function: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST,
                      frame: Frame) -> Value:
        """A call of a module."""
        instance = known_module(function)
        assert instance is not None
        within = frame.module is not None
        if not instance.bound and not within:
            self._called_unbound(function, instance, node, frame)
        elif within and len(self.traces) > instance.depth:
            self._within_transform(instance, node, frame)
        self._draws(function, instance, keywords, node, frame)
        call = instance.cls.frame.names.get("__call__") if instance.cls.frame is not None else None
        if call is not None and instance.cls.node is not None and isinstance(call.what, (Function, Wrapped)) \
                and (instance.bound or within):
            owner = self._bound_again(function, instance)
            return self.call(super().bound(call, owner), args, keywords, node, frame)
        return self.mixed_array([*args, *keywords.values()])

    def mixed_array(self, values: list[Value]) -> Value:
        """What a layer makes of these: an array, where one was traced."""
        from perspicax.analyse.source.values import ARGUMENT, ARRAY, join
        certain = [v for v in values if v.level >= ARGUMENT]
        return join(certain, ARRAY) if certain else self.mixed(values)

    def _called_unbound(self, function: Value, instance: Instance, node: ast.AST, frame: Frame) -> None:
        name = instance.cls.name.rpartition(".")[2]
        compact = instance.cls.name in library.LAYERS - library.STATELESS - {"flax.linen.Module"} or (
            instance.cls.node is not None and any(_is_compact(m) for m in instance.cls.node.body
                                                  if getattr(m, "name", "") == "__call__"))
        if not compact or not isinstance(node, ast.Call) or not self.called_by_module:
            return  # a function that nobody calls here may be for a module of another file
        called, given = self.program.words(node.func), ", ".join(self.program.words(a) for a in node.args)
        self.tell("unbound-call", node, f"`{called}` is a `{name}` that is not bound, and is called like a function.", frame,
                  labels=self._made_at(instance),
                  fixes=(Fix("hand its variables in", code=(f"variables = {called}.init(key, {given})",
                                                            f"{called}.apply(variables, {given})")),))

    def _made_at(self, instance: Instance) -> tuple[Label, ...]:
        return (Label(self.program.span(instance.call), "made here"),) if instance.call is not None else ()

    def _within_transform(self, instance: Instance, node: ast.AST, frame: Frame) -> None:
        trace = self.traces[instance.depth]
        name = instance.cls.name.rpartition(".")[2]
        site = next((n for n, _ in reversed(self.chain) if isinstance(n, ast.Call)
                     and self.program.words(n.func).endswith(trace.transform)), node)
        twin = {"fori_loop": "scan", "map": "scan", "checkpoint": "remat"}.get(trace.transform, trace.transform)
        known = {"scan", "while_loop", "cond", "switch", "vmap", "jit", "remat", "grad", "value_and_grad", "jvp", "vjp"}
        fixes = [Fix("use the transformation of `flax.linen`, which takes the module as its first "
                     "argument", code=f"nn.{twin}")] \
            if twin in known else []
        if trace.transform == "fori_loop":
            fixes.append(Fix("where the number of turns is a Python number, a Python loop will do"))
        self.tell("jax-transform", site, f"`jax`'s `{trace.transform}` traces `{trace.function}`, which calls `{name}`, "
                                         "a submodule "
                  "that was bound outside.", frame,
                  labels=(Label(self.program.span(node), "called here"),) if site is not node else (), fixes=tuple(fixes))

    def transformed(self, w: Wrapped, node: ast.AST, frame: Frame) -> None:
        """A `jax` transformation of a bound module itself."""
        instance = known_module(w.function)
        if instance is not None and instance.bound and frame.module is not None:
            self.traces.append(_trace(w, instance))
            try:
                if len(self.traces) > instance.depth:
                    self._within_transform(instance, node, frame)
            finally:
                self.traces.pop()

    def lifted(self, name: str, args: list[Value], node: ast.AST, frame: Frame) -> None:
        """A transformation of Linen."""
        instance = known_module(args[0]) if args else None
        if instance is None or not isinstance(node, ast.Call):
            return
        short, cls = name.rpartition(".")[2], instance.cls.name.rpartition(".")[2]
        part = self.program.words(node.args[0]) if node.args else "the module"
        made = self.program.words(instance.call.func) if instance.call is not None else cls
        self.tell("transform-target", node, f"`nn.{short}` was given `{part}`, an instance of `{cls}`; it takes a "
                                            "module class, or a "
                  "function.", frame, labels=self._made_at(instance),
                  fixes=(Fix("transform the class, and make an instance of the result", code=f"nn.{short}({made}, …)(…)"),))

    # -- methods

    def library_call(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST,
                     frame: Frame) -> Value | None:
        """`nn.share_scope`, and what the other rules know."""
        if name == "flax.linen.share_scope" and args and frame.module is None:
            instance = next((i for i in map(known_module, args) if i is not None and not i.bound), None)
            if instance is not None:
                self.tell("unbound-share", node, "`nn.share_scope` was given a "
                                                 f"`{instance.cls.name.rpartition('.')[2]}` that is not "
                          "bound.", frame, labels=self._made_at(instance),
                          fixes=(Fix("call it from within a module: in `setup`, or in a compact method"),))
            return Value()
        if name == "flax.linen.apply":
            return Value(depth=len(self.traces))
        return super().library_call(name, args, keywords, node, frame)

    def attribute(self, owner: Value, node: ast.Attribute, frame: Frame) -> Value:
        """Methods of module classes."""
        if isinstance(owner.what, Class) and owner.what.module and node.attr not in owner.parts:
            inner = owner.what.frame.names.get(node.attr) if owner.what.frame is not None else None
            return inner if inner is not None else Value(what=Method(owner, node.attr))
        return super().attribute(owner, node, frame)

    def method(self, m: Method, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """A method of a module."""
        cls, instance = m.owner.what, known_module(m.owner)
        if isinstance(cls, Class) and cls.module and m.name in ("init", "apply", "init_with_output", "lazy_init", "bind"):
            first = known_module(args[0]) if args else None
            if isinstance(node, ast.Call) and first is None and cls.name != "flax.linen.Module" and frame.module is None:
                self._class_used(cls, m.name, node, frame)
            return Value()
        if m.name == "apply" and isinstance(node, ast.Call):
            self._variables(m.owner, args, node, frame)
        if instance is None:
            return super().method(m, args, keywords, node, frame)
        if instance.bound and frame.module is not None:
            return self._inside(instance, m, args, keywords, node, frame)
        match m.name:
            case "init":
                return Value(what=Sort("variables"), depth=len(self.traces))
            case "init_with_output":
                return Value(items=(Value(), Value(what=Sort("variables"))), what=Sort("items"))
            case "apply":
                return self._apply_module(m.owner, instance, args, keywords, node, frame)
            case "bind":
                return Value(what=Instance(instance.cls, True, len(self.traces), instance.call), parts=dict(m.owner.parts))
            case "clone" | "copy":
                return Value(what=Instance(instance.cls, instance.bound, instance.depth, instance.call))
            case "unbind" if not instance.bound and frame.module is None:
                self.tell("unbound-unbind", node, f"`unbind` was called on a `{instance.cls.name.rpartition('.')[2]}` "
                                                  "that was never "
                          "bound.", frame, labels=self._made_at(instance),
                          fixes=(Fix("bind the module first", code="module.bind(variables).unbind()"),))
        return self.mixed([*args, *keywords.values()])

    def bound_setup_call(self, instance: Instance, node: ast.AST, frame: Frame) -> None:
        """`setup()` by hand."""
        self.tell("unbound-setup", node, f"`setup` was called by hand, on a `{instance.cls.name}` that is not bound.", frame,
                  labels=self._made_at(instance),
                  fixes=(Fix("let `init` or `apply` call it: it is called automatically"),
                         Fix("use the bound module", code="nn.apply(lambda bound: bound.layer(x), module)(variables)")))

    def call(self, function: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """Calls of `setup` by hand, then all others."""
        what = function.what
        if isinstance(what, Function) and what.owner is not None and getattr(what.node, "name", "") == "setup":
            instance = known_module(what.owner)
            if instance is not None and not instance.bound and isinstance(node, ast.Call) and frame.module is None:
                self.bound_setup_call(instance, node, frame)
                return Value()
        return super().call(function, args, keywords, node, frame)

    def _inside(self, instance: Instance, m: Method, args: list[Value], keywords: dict[str, Value], node: ast.AST,
                frame: Frame) -> Value:
        """A method of `nn.Module` on a bound module."""
        if m.name in ("param", "variable") and len(self.traces) > instance.depth:
            self._within_transform(instance, node, frame)
        match m.name:
            case "variable":
                return Value(what=Sort("variable"), depth=len(self.traces),
                             entries={"collection": args[0]} if args else None)
            case "has_variable" if self.applied:
                return Value(constant=True)
            case "is_initializing" if self.applied:
                return Value(constant=False)
            case "is_mutable_collection" if self.applied:
                return Value(constant="mutable" in self.applied[-1]["keywords"])
        return Value(depth=len(self.traces))

    def _class_used(self, cls: Class, name: str, node: ast.Call, frame: Frame) -> None:
        short = cls.name.rpartition(".")[2]
        called = self.program.words(node.func)
        who = called.rpartition(".")[0]
        self.tell("class-not-instance", node, f"`{called}` is called on the class `{short}`, not on an instance.", frame,
                  labels=self.way_here(),
                  fixes=(Fix("make an instance first", code=called.replace(who, f"{who}()", 1)
                             + self.program.words(node, 200)[len(called):]),))

    def _variables(self, owner: Value, args: list[Value], node: ast.Call, frame: Frame) -> None:
        if not args or not node.args:
            return
        first, part = args[0], node.args[0]
        text = self.program.words(part)
        if isinstance(first.what, Sort) and first.what.word == "params":
            new = f'{{"params": {text}}}'
            self.tell("bare-params", node, f"`{text}` are parameters, where `apply` takes a dictionary of collections.", frame,
                      labels=(Label(self.program.span(part), 'what `init` returned, without its level `"params"`'),),
                      fixes=(Fix("say which collection it is", code=f"{self.program.words(node.func)}({new}, …)",
                                 edits=(self.program.edit(part, new),)),), safe=isinstance(part, ast.Name))
        inner = (first.entries or {}).get("params")
        if inner is not None and isinstance(inner.what, Sort) and inner.what.word == "variables":
            self.tell("params-twice", node, f"`{text}` has the level `params` twice: what is in it is what `init` "
                                            "returned, with its "
                      "collections.", frame, fixes=(Fix("hand the variables in as they are"),
                                                    Fix("take the parameters out once", code='variables["params"]')))

    # -- what `apply` needs

    def _apply_module(self, owner: Value, instance: Instance, args: list[Value], keywords: dict[str, Value], node: ast.AST,
                      frame: Frame) -> Value:
        if (instance.bound and frame.module is not None) or not isinstance(node, ast.Call):
            return self.mixed_array([*args, *keywords.values()])
        how = keywords.get("method")
        if how is not None and isinstance(how.constant, (int, float)):
            self.tell("method-without-self", node, f"`method=` is {how.constant!r}, which is no method.", frame,
                      fixes=(Fix("name a method of the module", code='method="encode"'),))
        if how is not None and isinstance(how.what, Function) and how.what.owner is None:
            spec = how.what.node.args
            if not (spec.posonlyargs or spec.args or spec.vararg):
                what = "a lambda" if isinstance(how.what.node, ast.Lambda) else f"`{how.what.node.name}`"
                cls = instance.cls.name.rpartition(".")[2]
                self.tell("method-without-self", node, f"`method=` is {what}, which takes no arguments.", frame,
                          labels=(Label(self.program.span(how.what.node), "has no parameter for the module"),),
                          fixes=(Fix("name a method of the module, which takes self", code=f"method={cls}.encode"),))
        options = ("mutable", "rngs", "method", "capture_intermediates", "**", "*")
        given = {k: v for k, v in keywords.items() if k not in options}
        whole = not keywords.keys() & {"method", "**", "*", "capture_intermediates"}
        if whole and len(self.applied) < 4:
            self.applied.append({"node": node, "keywords": keywords, "frame": frame, "uncertain": self.uncertain})
            uncertain, self.uncertain = self.uncertain, 0
            try:
                made = Value(what=Instance(instance.cls, True, len(self.traces), instance.call), parts=dict(owner.parts))
                out = self.call_instance(made, args[1:], given, node, frame)
            finally:
                self.applied.pop()
                self.uncertain = uncertain
            if "mutable" not in keywords:
                return out
        values = [*args[1:], *given.values()]
        return self.mixed(values) if "mutable" in keywords else self.mixed_array(values)

    def writes_variable(self, statement: ast.AST, owner: Value, frame: Frame) -> None:
        """A variable of a module is written: `apply` must have been told."""
        if self.applied and not self.applied[-1]["keywords"].keys() & {"mutable"}:
            collection = (owner.entries or {}).get("collection", Value()).constant
            if isinstance(collection, str) and collection not in ("params", "intermediates"):
                self._needs_mutable(collection, self.program.words(statement), statement)

    def _needs_mutable(self, collection: str, what: str, at: ast.AST) -> None:
        context = self.applied[-1]
        node: ast.Call = context["node"]
        text = self.program.words(node, 200)
        self.tell("missing-mutable", node, f'`{self.program.words(node.func)}` runs `{what}`, which writes the collection '
                  f'"{collection}", but `mutable=` does not name it.', context["frame"],
                  labels=(Label(self.program.span(at), "written here"),),
                  fixes=(Fix("let it change, and keep the new state",
                             code=f'y, updates = {text[:-1]}, mutable=["{collection}"])'),))

    def _draws(self, function: Value, instance: Instance, keywords: dict[str, Value], node: ast.AST, frame: Frame) -> None:
        """Dropout and batch normalisation, where it is known that they act."""
        if not self.applied or self.uncertain:
            return
        given = self.applied[-1]["keywords"]

        def flag(name: str) -> object:
            value = keywords.get(name) or function.parts.get(name)
            return ... if value is None else value.constant

        if instance.cls.name == "flax.linen.BatchNorm" and flag("use_running_average") is False and "mutable" not in given:
            self._needs_mutable("batch_stats", self.program.words(node), node)
        if instance.cls.name == "flax.linen.Dropout" and flag("deterministic") is False and "rngs" not in given \
                and flag("rate") not in (0, 0.0):
            context = self.applied[-1]
            call: ast.Call = context["node"]
            text = self.program.words(call, 200)
            self.tell("missing-rngs", call, f"`{self.program.words(call.func)}` runs `{self.program.words(node)}`, "
                                            "which draws from the "
                      'key "dropout", but `rngs=` does not hand one in.', context["frame"],
                      labels=(Label(self.program.span(node), "draws here"),),
                      fixes=(Fix("hand a key in", code=f'{text[:-1]}, rngs={{"dropout": key}})'),
                             Fix("turn dropout off where there is nothing to train", code="deterministic=True")))


def _trace(w: Wrapped, instance: Instance):  # type: ignore[no-untyped-def]
    from perspicax.analyse.source.reader import Trace
    return Trace(w.transform, instance.cls.name.rpartition(".")[2], w.kind)


_LAYER_FIELDS = {"flax.linen.Dropout": ("rate", "broadcast_dims", "deterministic"),
                 "flax.linen.BatchNorm": ("use_running_average",)}


def _fields(cls: Class) -> list[tuple[str, ast.expr | None]]:
    """The fields of a module class and their defaults, in order."""
    if cls.node is None:
        return [(name, None) for name in _LAYER_FIELDS.get(cls.name, ())]
    return [(s.target.id, s.value) for s in cls.node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]


def _is_compact(node: ast.AST) -> bool:
    return any(ast.unparse(d).rpartition(".")[2] == "compact" for d in getattr(node, "decorator_list", ()))
