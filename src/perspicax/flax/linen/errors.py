"""Errors of Linen that are ValueErrors, TypeErrors and AttributeErrors in Flax."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.report import Fix, Report
from perspicax.flax.error_base import FlaxError, near_fixes
from perspicax.flax.module_errors import ApplyModuleInvalidMethodError

__all__ = [
    "MergeParamError", "MethodNotCallableError", "ModuleAttributeError", "ModuleParentError",
    "PerturbationError", "TransformArgumentError", "UnboundModuleError", "UnknownMethodError", "VariableOutsideSetupError",
]


class UnboundModuleError(FlaxError, ValueError):
    """Something was asked of a module that only a bound one knows: its variables, keys, path.

    Attributes:
        module: the module's class.
        method: what was asked for, `make_rng`.
    """

    module: str = ""
    method: str = ""

    @property
    def report(self) -> Report:
        what = f"`{self.module}.{self.method}`" if self.method else f"`{self.module}`"
        return Report(
            says=f"{what} was used on a module that is not bound to variables.",
            why="variables, random keys and paths belong to a call: a module has them while `init` or `apply` runs, or "
                "after `bind`",
            fixes=(Fix("bind it", code="bound = module.bind(variables, rngs={'dropout': jax.random.key(0)})"),
                   Fix("ask within a method, and apply that",
                       code="module.apply(variables, x, method=lambda module, x: ...)")))


class VariableOutsideSetupError(FlaxError, ValueError):
    """A parameter or variable was to be made in a method that is neither `setup` nor compact.

    Attributes:
        module: the module's class.
        method: the method.
        kind: `param` or `variable`.
        name: the name of the parameter or variable.
    """

    module: str = ""
    method: str = ""
    kind: str = "param"
    name: str = ""

    @property
    def report(self) -> Report:
        where = f"`{self.module}.{self.method}`, which" if self.method else f"a method of `{self.module}` that"
        noun = "parameter" if self.kind == "param" else "variable"
        return Report(
            says=f"The {noun} {self.name!r} was declared in {where} is neither `setup` nor compact.",
            why="the variables of a module are declared where its calls always find them: in `setup`, or in a method that is "
                "marked `@nn.compact`",
            fixes=(Fix("mark the method", code=f"@nn.compact\ndef {self.method or '__call__'}(self, ...):"),
                   Fix("declare it in `setup`", code=f"def setup(self):\n    self.{self.name} = self.{self.kind}("
                       f"{self.name!r}, ...)" if self.kind == "param" else
                       f"def setup(self):\n    self.{self.name} = self.variable(..., {self.name!r}, ...)")))


class ModuleAttributeError(FlaxError, AttributeError):
    """A module was asked for an attribute that it does not have.

    Attributes:
        module: the module's class.
        attribute: the attribute.
        bound: whether the module is bound, so that `setup` has run.
        known: the attributes that it has.
    """

    module: str
    attribute: str
    bound: bool = True
    known: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        why, fixes = "", near_fixes(self.attribute, self.known)
        if not self.bound:
            why = "what `setup` makes is there only while the module is bound to variables: during `init` or `apply`, or " \
                  "after `bind`"
            fixes = (*fixes, Fix(f"if `setup` makes `{self.attribute}`, bind the module",
                                 code=f"module.bind(variables).{self.attribute}"))
        return Report(says=f"`{self.module}` has no attribute `{self.attribute}`.", why=why, fixes=fixes)


class ModuleParentError(FlaxError, ValueError):
    """What was given as a module's parent is neither a module nor a scope nor `None`.

    Attributes:
        module: the module's class.
        given: what was given.
    """

    module: str = ""
    given: str = ""

    @property
    def report(self) -> Report:
        return Report(
            says=f"The `parent` of a `{self.module}` is {self.given}.",
            why="a module's parent is the module in which it is made, which is found by itself; `None` for a module that is "
                "to be assigned later; or a scope",
            fixes=(Fix("leave `parent` out", code=f"{self.module}(...)"),))


class UnknownMethodError(ApplyModuleInvalidMethodError, AttributeError):
    """What was given as `method=` is the name of nothing that the module has."""


class MethodNotCallableError(ApplyModuleInvalidMethodError, TypeError):
    """What was given as `method=` is the name of an attribute that cannot be called."""


class PerturbationError(FlaxError, ValueError):
    """The collection of perturbations was passed, but lacks one that the module asks for.

    Attributes:
        variable: the perturbation's name.
        collection: the collection.
        module: the module's class.
        known: the names that are there.
    """

    variable: str
    collection: str = "perturbations"
    module: str = ""
    known: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.module}` adds the perturbation {self.variable!r}, which the collection {self.collection!r} that was "
                 "passed does not have.",
            why="a collection of perturbations has an entry, usually zeros, for each call of `perturb`, as `init` makes them",
            fixes=(*near_fixes(self.variable, self.known),
                   Fix("pass what `init` made", code="variables = module.init(jax.random.key(0), x)"),
                   Fix("leave the collection out", code="module.apply({'params': variables['params']}, x)")))


class MergeParamError(FlaxError, ValueError):
    """An option was given neither at construction nor at the call, or at both.

    Attributes:
        option: the option's name.
        both: whether it was given twice.
    """

    option: str
    both: bool = False

    @property
    def report(self) -> Report:
        times = "at construction and at the call too" if self.both else "neither at construction nor at the call"
        name = self.option
        return Report(
            says=f"`{name}` was given {times}.",
            why="it is a field of the module and an argument of its call, and exactly one of them must have a value",
            fixes=(Fix(code=f"module = Module(..., {name}=...)\ny = module(x)"), Fix(code=f"y = module(x, {name}=...)")))


class TransformArgumentError(FlaxError, AttributeError, TypeError):
    """A function that a transformation of Flax has transformed was called with something else than a module first.

    Attributes:
        transform: the transformation, `vmap`.
        given: the first argument: its class, or the type of an array.
    """

    transform: str = "vmap"
    given: str = ""

    @property
    def report(self) -> Report:
        name = self.transform
        called, plain = _OTHERWISE_WRITTEN.get(name, (
            f"nn.{name}(lambda module, x: module(x))(self, x)",
            f"jax.{name}(f)(x)" if name in ("jit", "vmap", "remat", "checkpoint", "custom_vjp") else ""))
        return Report(
            says=f"A function that `nn.{name}` has transformed was called with {self.given} as its first argument.",
            why="its first argument is the module whose variables it uses: the transformation carries them in and out",
            fixes=(Fix("pass the module", code=called), *([Fix(
                "for a function without variables, use the transformation of JAX", code=plain)] if plain else [])))


_OTHERWISE_WRITTEN = {
    "cond": ("nn.cond(pred, true_fun, false_fun, self, x)", "jax.lax.cond(pred, true_fun, false_fun, x)"),
    "switch": ("nn.switch(index, branches, self, x)", "jax.lax.switch(index, branches, x)"),
    "scan": ("nn.scan(body)(self, carry, xs)", "jax.lax.scan(body, carry, xs)"),
    "while_loop": ("nn.while_loop(cond_fun, body_fun, self, carry)", "jax.lax.while_loop(cond_fun, body_fun, carry)"),
    "vjp": ("nn.vjp(f, self, x)", "jax.vjp(f, x)"),
    "jvp": ("nn.jvp(f, self, (x,), (dx,), {})", "jax.jvp(f, (x,), (dx,))"),
    "grad": ("nn.grad(f, self, x)", "jax.grad(f)(x)"),
    "value_and_grad": ("nn.value_and_grad(f, self, x)", "jax.value_and_grad(f)(x)"),
}
"""How the transformations are written that JAX has in another form: with a module, and JAX's."""


def class_of(module: Any) -> str:
    """The name of a module's class."""
    return type(module).__name__
