"""The rules of `perspicax check`, and what one of them found."""
from __future__ import annotations

from typing import NamedTuple

from perspicax.diagnose.place import Span
from perspicax.diagnose.report import Fix, Label, Report

__all__ = ["RULES", "Problem", "Rule"]


class Rule(NamedTuple):
    """One kind of mistake.

    Attributes:
        id: as `--select`, `--ignore` and `# px: ignore[...]` name it.
        foresees: the error that the program would raise, or the finding of a sanitizer.
        about: what it finds, in one line.
        why: the rule of JAX or Flax behind it.
    """

    id: str
    foresees: str
    about: str
    why: str


_TRACED = ("a traced function runs once, with placeholders that have a shape and a dtype but no value; Python wants a "
           "value here")
_ONCE = ("the Python code of a traced function runs once for each combination of argument types, to record its operations; "
         "a call after that runs the compiled program, and no Python")
_PURE = "arrays do not change: functions return a new array, and leave the one they were given as it is"
_KEYS = "random functions have no hidden state: the same key gives the same numbers, always"
_BOUND = "a module has its variables only within `init` and `apply`, which bind it to a scope"
_FROZEN = "a module is a dataclass that is frozen once `setup` is done: it is a description, and may be used many times"

RULES: dict[str, Rule] = {rule.id: rule for rule in (
    Rule("traced-branch", "TracerBoolConversionError", "`if`, `while`, `assert`, `and`, `or`, `not` on a traced "
                                                       "value", _TRACED),
    Rule("traced-conversion", "ConcretizationTypeError", "`float`, `int`, `bool`, `.item()`, `math.sqrt`, … of a traced value",
         _TRACED),
    Rule("traced-integer", "TracerIntegerConversionError", "a traced value where Python wants an integer: `range(n)`",
         _TRACED),
    Rule("traced-option", "ConcretizationTypeError", "a traced value as an axis, a shape or a size",
         "shapes and axes belong to the program that is compiled, so they must be known while it is traced"),
    Rule("traced-numpy", "TracerArrayConversionError", "a NumPy function on a traced value",
         "NumPy computes with values at once; while a function is traced there are none"),
    Rule("dynamic-size", "ConcretizationTypeError",
         "`jnp.where(mask)`, `nonzero`, `unique`, … without `size=` in a traced function",
         "every array of a compiled program has a fixed shape, but how many entries this gives depends on values"),
    Rule("boolean-index", "NonConcreteBooleanIndexError", "`x[mask]` with a traced mask",
         "every array of a compiled program has a fixed shape, but how many entries a mask selects depends on its values"),
    Rule("leaked-value", "LeakedTracer", "a traced value stored in a global, an attribute, or a list from outside",
         "a traced value is a placeholder that means something only while the function is traced"),
    Rule("side-effect", "SideEffect",
         "a counter, a clock, `numpy.random` or another effect that acts only while a function is traced", _ONCE),
    Rule("traced-print", "SideEffect", "`print` in a jitted function", _ONCE),
    Rule("key-reuse", "KeyReuse", "a random key that is used twice", _KEYS),
    Rule("item-assignment", "ItemAssignmentError", "`x[i] = v` or `x[i] += v` on an array", _PURE),
    Rule("discarded-update", "DiscardedUpdate",
         "the result of `x.at[i].set(v)`, `jnp.append`, `tree.map`, `optax.apply_updates`, … is thrown away", _PURE),
    Rule("jax-transform", "JaxTransformError", "a `jax` transformation around a Linen submodule, inside a module",
         "a transformation of `jax` does not know the variables of a module, which would be made, or read, within its trace; "
         "those of `flax.linen` hand them in and out"),
    Rule("transform-target", "TransformTargetError", "`nn.vmap`, `nn.scan`, `nn.jit`, … of a module instance",
         "transformations of `flax.linen` make a new class from a module class, or a function from a function"),
    Rule("several-compact", "MultipleMethodsCompactError", "more than one `@nn.compact` method in a module",
         "the automatic names of submodules (`Dense_0`) are counted from zero in each call of a compact method, so "
         "those of two "
         "methods collide"),
    Rule("submodule-outside", "AssignSubModuleError", "a submodule made outside `setup` and `@nn.compact` methods",
         "a module's submodules are known from `setup`, or from the one method marked `@nn.compact`"),
    Rule("assign-in-method", "SetAttributeFrozenModuleError", "an assignment to `self` outside `setup`", _FROZEN),
    Rule("field-in-setup", "SetAttributeInModuleSetupError", "`setup` assigns to a field of the module",
         "fields are what a module was made with, and stay what they are; `setup` may run again at any time"),
    Rule("post-init", "IncorrectPostInitOverrideError", "`__post_init__` without `super().__post_init__()`",
         "`nn.Module.__post_init__` registers the module with its parent"),
    Rule("reserved-field", "ReservedModuleAttributeError", "a module field called `parent` or `name`",
         "every module has these two fields already"),
    Rule("name-twice", "NameInUseError", "two submodules, parameters or variables of one name",
         "names are the paths of variables, so each may occur once in a module"),
    Rule("unknown-attribute", "DescriptorAttributeError", "a property of a module reads an attribute that nothing defines",
         "a module has its fields, its methods, and what `setup` assigns"),
    Rule("class-not-instance", "InvalidInstanceModuleError", "`init` or `apply` on a module class",
         "`init` and `apply` are methods of an instance, which holds the sizes that the class leaves open"),
    Rule("unbound-call", "CallCompactUnboundModuleError", "an unbound module called like a function", _BOUND),
    Rule("unbound-setup", "CallSetupUnboundModuleError", "`setup()` called on an unbound module", _BOUND),
    Rule("unbound-unbind", "CallUnbindOnUnboundModuleError", "`unbind()` on a module that was never bound", _BOUND),
    Rule("unbound-share", "CallShareScopeOnUnboundModuleError", "`nn.share_scope` of unbound modules", _BOUND),
    Rule("missing-mutable", "ModifyScopeVariableError", "`apply` of a module that writes variables, without `mutable=`",
         "`apply` may change the collections that `mutable=` names, and no others; it returns them beside the result"),
    Rule("missing-rngs", "InvalidRngError", "`apply` of a module with active dropout, without `rngs=`",
         "a module draws from the keys that `rngs=` hands in, and has none of its own"),
    Rule("bare-params", "ApplyScopeInvalidVariablesTypeError", "`apply(params, …)` with parameters, not with collections",
         "`apply` takes a dictionary of collections; the parameters are the one called `params`"),
    Rule("params-twice", "ApplyScopeInvalidVariablesStructureError", '`apply({"params": variables}, …)`',
         "what `init` returns has the level `params` already"),
    Rule("method-without-self", "ApplyModuleInvalidMethodError", "`apply(…, method=…)` of what is no method of the module",
         "the method gets the bound module as its first argument"),
    Rule("syntax", "SyntaxError", "a file that Python cannot parse", "nothing in it can be checked"),
)}


class Problem(NamedTuple):
    """What a rule found.

    Attributes:
        rule: which one.
        span: where.
        says: what is wrong there, in the user's terms.
        labels: further places.
        fixes: proposals; the edits of the first may be applied if `safe`.
        safe: whether the first fix does what was meant, whatever the values.
    """

    rule: Rule
    span: Span
    says: str
    labels: tuple[Label, ...] = ()
    fixes: tuple[Fix, ...] = ()
    safe: bool = False

    @property
    def report(self) -> Report:
        """For the renderers."""
        return Report(says=self.says, primary=self.span, labels=self.labels, why=self.rule.why, fixes=self.fixes,
                      more=f"perspicax explain {self.rule.foresees}" if self.rule.id != "syntax" else "")
