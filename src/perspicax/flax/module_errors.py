"""Errors of modules: how they are defined, bound and called."""
from __future__ import annotations

import ast
from typing import Any

from perspicax.diagnose.expression import located
from perspicax.diagnose.place import Place, resolve
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import field_span
from perspicax.flax.error_base import FlaxError, TextlessError, article, listed

__all__ = [
    "ApplyModuleInvalidMethodError", "AssignSubModuleError", "CallCompactUnboundModuleError",
    "CallSetupUnboundModuleError", "CallShareScopeOnUnboundModuleError", "CallUnbindOnUnboundModuleError",
    "DescriptorAttributeError", "IncorrectPostInitOverrideError", "InvalidInstanceModuleError",
    "MultipleMethodsCompactError", "ReservedModuleAttributeError", "SetAttributeFrozenModuleError",
    "SetAttributeInModuleSetupError", "TransformTargetError", "TransformedMethodReturnValueError",
]


def _class_name(of: Any) -> str:
    """A class, an instance or a name, as the name of the class."""
    if isinstance(of, str):
        return of
    return of.__name__ if isinstance(of, type) else type(of).__name__


def _made(module: str) -> str:
    return f"{module}(...)" if module else "module"


class AssignSubModuleError(FlaxError):
    """A submodule was made outside of `setup` and of compact methods.

    Attributes:
        cls: the submodule's class, or its name.
        owner: the class of the module that makes it.
        method: the method in which it was made.
    """

    cls: Any
    owner: str = ""
    method: str = ""

    def __init__(self, cls: Any, **facts: Any) -> None:
        super().__init__(cls=cls, **facts)

    @property
    def report(self) -> Report:
        name = _class_name(self.cls)
        where = f"`{self.owner}.{self.method}`" if self.owner and self.method else "a method"
        return Report(
            says=f"A submodule `{name}` was made in {where}, which is neither `setup` nor compact.",
            why="submodules get their names and parameters where they are made: in `setup`, or in a method that is marked "
                "`@nn.compact`",
            fixes=(Fix("mark the method", code=f"@nn.compact\ndef {self.method or '__call__'}(self, ...):"),
                   Fix("make it in `setup`", code=f"def setup(self):\n    self.layer = {name}(...)")))


class SetAttributeInModuleSetupError(TextlessError):
    """A field of a module was set in its `setup`.

    Attributes:
        module: the module's class.
        attr_name: the field.
    """

    module: str = ""
    attr_name: str = ""

    @property
    def report(self) -> Report:
        name = self.attr_name or "features"
        which = f"`{self.module}.{name}`" if self.module and self.attr_name else "A field of a module"
        return Report(
            says=f"{which} was set in `setup`.",
            why="the fields of a module are fixed when it is constructed, so that it can be copied; `setup` may only add "
                "attributes that are not fields",
            fixes=(Fix("give the value at construction", code=f"{self.module or 'Module'}({name}=...)"),
                   Fix("use another name", code=f"self.{name}_used = ...")))


class SetAttributeFrozenModuleError(FlaxError):
    """An attribute of a module was set outside of its `setup`.

    Attributes:
        module_cls: the module's class, or its name.
        attr_name: the attribute.
        attr_val: the value.
    """

    module_cls: Any
    attr_name: str
    attr_val: Any

    def __init__(self, module_cls: Any, attr_name: str, attr_val: Any, **facts: Any) -> None:
        super().__init__(module_cls=module_cls, attr_name=attr_name, attr_val=attr_val, **facts)

    @property
    def report(self) -> Report:
        cls, name = _class_name(self.module_cls), self.attr_name
        target = _target(self.position, name)
        field = Fix("give the value at construction", code=f"{cls}(..., {name}={_value(self.attr_val)})")
        copied = Fix("make a changed copy", code=f"{target or 'module'} = {target or 'module'}.copy({name}=...)")
        local = Fix("use a local variable", code=f"{name} = {_value(self.attr_val)}")
        state = Fix("for state, use a variable", code=f"{name} = self.variable('state', {name!r}, lambda: ...)")
        if target == "self":
            fixes: tuple[Fix, ...] = (local, state)
        elif target.startswith("self."):
            fixes = (field,)
        else:
            fixes = (copied, field)
        return Report(
            says=f"`{name}` of `{cls}` cannot be set to {_value(self.attr_val)}: a module is frozen, but for `self` in its own "
                 "`setup`.",
            why="a module describes what to compute and may be called often; what changes between calls is a variable, what "
                "is configured is a field",
            fixes=fixes)


def _target(position: Place, attribute: str) -> str:
    """The module of which the user's line sets an attribute, as it is written; empty where the source does not tell."""
    found = located(position)
    for node in ast.walk(found.node) if found is not None else ():
        if isinstance(node, ast.Attribute) and node.attr == attribute and isinstance(node.ctx, ast.Store):
            return ast.unparse(node.value)
    return ""


def _value(value: Any) -> str:
    """A value as a report shows it; of an array, its type."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return article(value)
    text = repr(value)
    return text if len(text) <= 40 else article(value)


class MultipleMethodsCompactError(TextlessError):
    """A module has several compact methods, which the configuration `flax_single_compact` forbids.

    Attributes:
        module: the module's class.
        methods: the methods.
        places: where each of them is defined.
    """

    module: str = ""
    methods: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()

    @property
    def report(self) -> Report:
        which = f"`{self.module}`" if self.module else "A module"
        names = f": {listed(self.methods)}" if self.methods else ""
        found = sorted([place for place in map(resolve, self.places) if place is not None], key=lambda place: place.line)
        return Report(
            primary=found[-1] if found else None, labels=tuple([Label(place, "") for place in found[:-1]]),
            says=f"{which} has several methods marked `@nn.compact`{names}.",
            why="each names the submodules that it makes by counting from 0, so that two of them may mean the same parameters",
            fixes=(Fix("make the submodules in `setup`, and use them in all methods"),
                   Fix("split the module into two, with one compact method each")))


class ReservedModuleAttributeError(FlaxError):
    """A module declares a field whose name Flax keeps for itself.

    Attributes:
        annotations: the fields it declares.
        module: the module's class.
    """

    annotations: Any
    module: str = ""

    def __init__(self, annotations: Any, **facts: Any) -> None:
        super().__init__(annotations=annotations, **facts)

    @property
    def report(self) -> Report:
        names = [name for name in ("parent", "name") if name in self.annotations] if self.annotations else []
        which = f"`{self.module}`" if self.module else "A module"
        here = field_span(self.position, self.module, names[0]) if names and self.module else None
        return Report(
            says=f"{which} declares {listed(names) if names else 'a reserved name'} as a field of its own.", primary=here,
            why="every module has the fields `parent` (the module that it is in) and `name` already",
            fixes=(Fix("choose another name", code=f"{names[0] if names else 'name'}_: ..."),))


class ApplyModuleInvalidMethodError(FlaxError):
    """What was given as `method=` is no method of the module.

    Attributes:
        method: what was given.
        module: the module's class.
        known: its methods.
    """

    method: Any
    module: str = ""
    known: tuple[str, ...] = ()

    def __init__(self, method: Any, **facts: Any) -> None:
        super().__init__(method=method, **facts)

    @property
    def report(self) -> Report:
        from perspicax.flax.error_base import near_fixes

        of = f" of `{self.module}`" if self.module else ""
        shown = repr(self.method) if isinstance(self.method, str) else _shown(self.method)
        return Report(
            says=f"{shown} is no method{of} that could be applied.",
            why="`method` is the name of a method, the method itself, or a function whose first argument is the module",
            fixes=(*(near_fixes(self.method, self.known) if isinstance(self.method, str) else ()),
                   Fix(code="module.apply(variables, x, method='encode')"),
                   Fix(code="module.apply(variables, x, method=lambda module, x: module.encode(x))")))


def _shown(value: Any) -> str:
    name = getattr(value, "__qualname__", "")
    kind = article(value)
    return f"`{name}`" if name else kind[0].upper() + kind[1:]


class CallCompactUnboundModuleError(TextlessError):
    """A compact method was called on a module that has no variables.

    Attributes:
        module: the module's class.
        method: the method.
    """

    module: str = ""
    method: str = "__call__"

    @property
    def report(self) -> Report:
        which = f"`{self.module}`" if self.module else "A module"
        more = "" if self.method == "__call__" else f", method={self.method!r}"
        return Report(
            says=f"{which} was called directly, without variables.",
            why="a module describes a computation and holds no parameters: `init` makes them, and `apply` takes them",
            fixes=(Fix(code=f"variables = module.init(jax.random.key(0), x{more})\ny = module.apply(variables, x{more})"),
                   Fix("in another module, make it in `setup` or in a compact method, and call it there")))


class CallSetupUnboundModuleError(TextlessError):
    """`setup` was called directly.

    Attributes:
        module: the module's class.
    """

    module: str = ""

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.module + '.' if self.module else ''}setup` was called directly.",
            why="`setup` runs by itself, when a bound module is first used: before that there is no place for its submodules",
            fixes=(Fix("to reach what `setup` makes, bind the module", code="module = module.bind(variables)"),
                   Fix("look from inside", code="layer = nn.apply(lambda m: m.layer.clone(), module)({})")))


class CallUnbindOnUnboundModuleError(TextlessError):
    """`unbind` was called on a module that is not bound.

    Attributes:
        module: the module's class.
    """

    module: str = ""

    @property
    def report(self) -> Report:
        which = f"`{self.module}`" if self.module else "A module"
        return Report(says=f"{which} was to be unbound, but it is not bound to variables.",
                      why="`unbind` takes a bound module apart, into the module and its variables",
                      fixes=(Fix(code="bound = module.bind(variables)\nmodule, variables = bound.unbind()"),))


class CallShareScopeOnUnboundModuleError(TextlessError):
    """`share_scope` was called with a module that is not bound.

    Attributes:
        module: the module's class.
    """

    module: str = ""

    @property
    def report(self) -> Report:
        which = f"`{self.module}`" if self.module else "A module"
        return Report(says=f"{which} was to share its scope, but it is not bound.",
                      why="a module has a scope, the place of its variables, only while `init` or `apply` runs",
                      fixes=(Fix("call it in `setup`, where the submodules are bound",
                                 code="def setup(self):\n    self.inner = nn.Dense(3)\n    nn.share_scope(self, self.inner)"),))


class InvalidInstanceModuleError(TextlessError):
    """`init`, `apply` or `bind` was called on a module's class.

    Attributes:
        module: the class, where it is known; else a report takes it from the user's line.
        method: the method.
    """

    module: str = ""
    method: str = ""

    @property
    def report(self) -> Report:
        method = self.method or "apply"
        call = located(self.position)
        written = call.node.func if call is not None and isinstance(call.node, ast.Call) else None
        cls = self.module or (ast.unparse(written.value) if isinstance(written, ast.Attribute) else "Module")
        return Report(says=f"`{cls}.{method}` was called on the class, not on an instance of it.",
                      why="the fields of a module are given when it is constructed, before anything can be computed",
                      fixes=(Fix(code=f"{cls}(...).{method}(...)"),))


class IncorrectPostInitOverrideError(TextlessError):
    """A module overrides `__post_init__` and does not call the inherited one.

    Attributes:
        module: the module's class.
        defined: where it does.
    """

    module: str = ""
    defined: Place = None

    @property
    def report(self) -> Report:
        which = f"`{self.module}`" if self.module else "A module"
        labels = (Label(self.position, "found here"),) if self.defined is not None and self.position is not None else ()
        return Report(says=f"{which} has a `__post_init__` that does not call `super().__post_init__()`.",
                      primary=self.defined, labels=labels,
                      why="there a module is entered into the one that it is made in, and gets its name",
                      fixes=(Fix(code="def __post_init__(self):\n    ...\n    super().__post_init__()"),))


class DescriptorAttributeError(TextlessError):
    """A property of a module failed, because it asked for an attribute that is not there.

    Attributes:
        module: the module's class.
        descriptor: the property.
        attribute: the attribute that was missing.
        asked: where the property was asked for, if the error points at the line within it.
    """

    module: str = ""
    descriptor: str = ""
    attribute: str = ""
    asked: Place = None

    @property
    def report(self) -> Report:
        prop = f"`{self.module + '.' if self.module else ''}{self.descriptor}`" if self.descriptor else "A property of a module"
        lacks = f" asked for `{self.attribute}`, which is not there" if self.attribute else " asked for an attribute in vain"
        labels = (Label(self.asked, "the property is asked for here"),) if self.asked is not None else ()
        return Report(says=f"{prop}{lacks}.", labels=labels,
                      why="the attribute is missing inside the property; the property itself is there",
                      fixes=(Fix("declare the attribute as a field, or make it in `setup`"),))


class TransformedMethodReturnValueError(FlaxError):
    """A transformed method returned a module or a variable.

    Attributes:
        name: the method.
    """

    name: str

    def __init__(self, name: str, **facts: Any) -> None:
        super().__init__(name=name, **facts)

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.name}`, which is transformed, returned a module or a variable.",
                      why="what comes out of a transformation are arrays; a module that was made inside ends with it",
                      fixes=(Fix("return the values", code="return variable.value"),))


class TransformTargetError(FlaxError):
    """A transformation of Flax was applied to something that it cannot transform.

    Attributes:
        target: what it was applied to.
        transform: the transformation, `vmap`.
    """

    target: Any
    transform: str = ""

    def __init__(self, target: Any, **facts: Any) -> None:
        super().__init__(target=target, **facts)

    @property
    def report(self) -> Report:
        name = _class_name(self.target)
        transform = f"nn.{self.transform or 'vmap'}"
        return Report(
            says=f"`{transform}` was applied to an instance of `{name}`." if not isinstance(self.target, type) else
                 f"`{transform}` was applied to the class `{name}`, which is no module.",
            why="it transforms a module's class, or a function whose first argument is a module",
            fixes=(Fix("transform the class", code=self._of_the_class() or f"{transform}({name})(...)(x)"),
                   Fix("a function of the instance", code=f"{transform}(lambda module, x: module(x), ...)(module, x)")))

    def _of_the_class(self) -> str:
        """The user's `nn.vmap(nn.Dense(3))` as `nn.vmap(nn.Dense)(3)`, where the instance is made in the call."""
        found = located(self.position)
        match found.node if found is not None else None:
            case ast.Call(args=[ast.Call() as instance, *rest]) as call:
                transformed = ast.Call(call.func, [instance.func, *rest], call.keywords)
                return ast.unparse(ast.Call(transformed, instance.args, instance.keywords))
        return ""
