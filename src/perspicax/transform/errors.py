"""Errors of the transformations: their arguments, and what the transformed functions take and return."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class ArgumentTypeError(PerspicaxError, TypeError):
    """A transformed function was called with something that is no array."""

    function: str
    transform: str
    name: str
    value_type: str
    value: str = ""

    @property
    def report(self) -> Report:
        fixes: tuple[Fix, ...] = ()
        root = self.name.split("[")[0].split(".")[0]
        if self.transform == "jit":
            fixes = (Fix(f"if `{root}` is no data but a setting, make it static",
                         code=f"@partial(jax.jit, static_argnames=({root!r},))"),)
        return Report(
            says=f"The argument `{self.name}` of `{self.function}` is a {self.value_type}, which {self.transform} cannot "
                 f"trace: {self.value}.",
            why=f"the arguments of a function under {self.transform} are arrays and numbers, or pytrees (lists, tuples, "
                "dicts) of them", fixes=fixes)


class ReturnedTypeError(PerspicaxError, TypeError):
    """A transformed function returned something that is no array."""

    function: str
    transform: str
    path: str
    value_type: str
    value: str = ""

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.function}` under {self.transform} returned a {self.value_type} in `{self.path}`: {self.value}.",
            why="what a transformed function returns are arrays, or pytrees (lists, tuples, dicts) of them",
            fixes=(Fix("return it from an ordinary function around this one, or not at all"),))


class AuxiliaryResultError(PerspicaxError, TypeError):
    """A function that should return a value and something besides, does not."""

    function: str
    transform: str
    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` should return a pair (value, aux), since has_aux=True, but returned a "
                           f"{self.got}.",
                      why="with has_aux the first entry is differentiated and the second handed through",
                      fixes=(Fix("return both", code="return loss, aux"), Fix("or leave has_aux out")))


class StaticArgumentError(PerspicaxError, ValueError, TypeError):
    """A static or donated argument does not exist, or cannot be static."""

    option: str
    given: str
    function: str
    kind: str
    parameters: tuple[str, ...] = ()
    value_type: str = ""

    @property
    def report(self) -> Report:
        names = ", ".join(f"`{p}`" for p in self.parameters) or "none"
        if self.kind == "unhashable":
            return Report(
                says=f"The static argument `{self.given}` of `{self.function}` is a {self.value_type}, which cannot be "
                     "hashed.",
                why="jit compiles once for each value of a static argument, and looks the values up by hash and equality",
                fixes=(Fix("pass something hashable, such as a tuple or a frozen dataclass"),
                       Fix(f"or let `{self.given}` be an ordinary argument, if it is data")))
        if self.kind == "both":
            return Report(says=f"The argument {self.given} of `{self.function}` is static and donated.",
                          why="a static argument is a Python value; only the memory of arrays can be donated")
        from difflib import get_close_matches  # here: for weight

        near = get_close_matches(self.given.strip("'"), self.parameters, 1)
        fixes = (Fix("did you mean", code=f"{self.option}=({near[0]!r},)"),) if near else ()
        return Report(says=f"`{self.option}` names {self.given}, but `{self.function}` has no such parameter.",
                      why=f"the parameters of `{self.function}` are {names}", fixes=fixes)


class DialectError(PerspicaxError, ValueError):
    """The text of a lowered function was asked for in a dialect that there is not."""

    dialect: str

    @property
    def report(self) -> Report:
        return Report(says=f"A lowered function has no text in the dialect {self.dialect!r}.",
                      why="its text is `stablehlo`, or `hlo` once it is compiled")


class MissingDtypeError(PerspicaxError, ValueError):
    """A `ShapeDtypeStruct` was made without a dtype."""

    shape: str

    @property
    def report(self) -> Report:
        return Report(says=f"A ShapeDtypeStruct of shape {self.shape} has no dtype.",
                      fixes=(Fix("name it", code=f"jax.ShapeDtypeStruct({self.shape}, jnp.float32)"),))


class NoTracingError(PerspicaxError, RuntimeError):
    """With `jax_no_tracing`: a function would have to be traced."""

    function: str
    types: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` would be traced for arguments of types {self.types}.",
                      why="`jax_no_tracing` is on, and no call with arguments of these types came before",
                      fixes=(Fix("call it once with such arguments before the option is switched on"),))


class CompiledCallError(PerspicaxError, TypeError):
    """A compiled function was called with arguments of other types than it was compiled for."""

    function: str
    expected: str
    got: str
    kind: str
    name: str = ""

    @property
    def report(self) -> Report:
        if self.kind == "tree":
            says = f"The compiled `{self.function}` was called with arguments of another structure."
            why = f"it was compiled for {self.expected}, and got {self.got}"
        else:
            says = f"The compiled `{self.function}` was called with `{self.name}` of type {self.got}."
            why = f"it was compiled for {self.expected}; a compiled function serves the types it was compiled for, no others"
        return Report(says=says, why=why, fixes=(Fix("call the jitted function itself, which compiles again when the "
                                                     "types change"),))


class DifferentiationInputError(PerspicaxError, TypeError, ValueError):
    """`grad` cannot differentiate with respect to this argument."""

    function: str
    kind: str
    type_text: str
    name: str

    @property
    def report(self) -> Report:
        if self.kind == "argnums":
            return Report(says=f"`grad` of `{self.function}` should differentiate argument {self.name}, but the call has "
                               f"{self.type_text} positional arguments.",
                          why="argnums counts positional arguments from 0; keyword arguments are never differentiated",
                          fixes=(Fix(f"pass the argument by position when calling the gradient of `{self.function}`"),))
        fixes: tuple[Fix, ...]
        if self.kind == "integer":
            why = "only floating-point numbers have derivatives"
            root = self.name.split("[")[0]
            fixes = (Fix("pass floating-point values", code=f"{root} = jnp.asarray({root}, jnp.float32)"
                         if root == self.name else f"{self.name}.astype(jnp.float32)"),
                     Fix("or leave it out of `argnums`; with `allow_int=True` its gradient is of dtype float0"))
        else:
            why = "with holomorphic=True the arguments are complex"
            fixes = (Fix("pass complex values, or leave `holomorphic` out"),)
        return Report(says=f"`grad` cannot differentiate `{self.function}` with respect to `{self.name}`, which is "
                           f"{self.type_text}.", why=why, fixes=fixes)


class NonScalarGradError(PerspicaxError, TypeError):
    """A function whose gradient was asked for does not return a real scalar."""

    function: str
    kind: str
    got: str

    @property
    def report(self) -> Report:
        name = self.function
        if self.kind == "shape":
            return Report(says=f"`grad` needs a function that returns a scalar, but `{name}` returned {self.got}.",
                          why="a gradient has one entry for each input; an output of several elements has a Jacobian",
                          fixes=(Fix("reduce the result to one number", code="return result.mean()"),
                                 Fix("for all derivatives of all outputs", code=f"jax.jacrev({name})")))
        if self.kind == "tree":
            return Report(says=f"`grad` needs a function that returns a scalar, but `{name}` returned {self.got}.",
                          why="one number is differentiated",
                          fixes=(Fix("to hand further results through, return a pair",
                                     code=f"jax.grad({name}, has_aux=True)"),))
        why = {"integer": "only floating-point numbers have derivatives",
               "complex": "for a complex result say `holomorphic=True`, or return a real number",
               "holomorphic": "with holomorphic=True the result is complex"}[self.kind]
        return Report(says=f"`grad` cannot differentiate the result of `{name}`, which is {self.got}.", why=why)


class TangentError(PerspicaxError, TypeError, ValueError):
    """A tangent or cotangent does not fit the value it belongs to."""

    function: str
    kind: str
    name: str
    expected: str
    got: str

    @property
    def report(self) -> Report:
        what = "cotangent" if self.kind.startswith("cotangent") else "tangent"
        if self.kind == "sequence":
            return Report(says=f"`jvp` of `{self.function}` takes the primals and the tangents as tuples, not as {self.got}.",
                          why="there is one entry for each positional argument",
                          fixes=(Fix("for one argument", code=f"jax.jvp({self.function}, (x,), (dx,))"),))
        if self.kind == "count":
            return Report(says=f"The pull-back of `{self.function}` takes 1 cotangent (a pytree like the result), not "
                               f"{self.got}.", why="it is a function of the result's cotangent")
        if self.kind.endswith("tree"):
            return Report(says=f"The {what} given for `{self.function}` has another structure than what it belongs to.",
                          why=f"expected {self.expected}, got {self.got}")
        return Report(says=f"A {what} given for `{self.function}` is {self.got}, but must be {self.expected}.",
                      why=f"a {what} has the shape and dtype of its value (float0 for integers)")


class BatchAxisError(PerspicaxError, ValueError, TypeError):
    """`in_axes` or `out_axes` of vmap does not fit."""

    function: str
    option: str
    kind: str
    got: str
    expected: str = ""
    name: str = ""

    @property
    def report(self) -> Report:
        f, option = self.function, self.option
        match self.kind:
            case "count":
                says = f"`{option}` of vmap has {self.got} entries, but `{f}` was called with {self.expected} positional " \
                       "arguments."
                why = f"a tuple for `{option}` has one entry for each positional argument"
            case "type":
                says = f"`{option}` of vmap holds {self.got}, which is no axis."
                why = "an axis is an integer, or None for what is the same for all"
            case "tree":
                says = f"`{option}` of vmap, {self.got}, does not fit the structure of what it describes."
                why = self.expected
            case "rank":
                says = f"vmap cannot map `{self.name}` over axis {self.got}: it is {self.expected}."
                why = "the batch axis must be one of the argument's axes"
            case "none mapped":
                says = f"vmap of `{f}` maps no argument, so the size of the batch is not known."
                why = "every entry of `in_axes` is None"
            case "mapped result":
                says = f"`out_axes` says that `{self.got}` of `{f}` is the same for the whole batch, but it is not."
                why = "it was computed from an argument that vmap maps"
            case _:
                says = f"`{option}` of vmap asks for axis {self.got} in a result of {self.expected} axes."
                why = "the batch axis must be one of the result's axes"
        return Report(says=says, why=why)


class BatchSizeError(PerspicaxError, ValueError):
    """The arguments of a vmapped function disagree on the size of the batch."""

    function: str
    rows: tuple[tuple[str, str, int, int], ...]
    axis_size: int | None = None

    @property
    def report(self) -> Report:
        lines = [f"    {name}: {type_text}, axis {axis} of size {size}" for name, type_text, axis, size in self.rows[:8]]
        if self.axis_size is not None:
            lines.append(f"    axis_size={self.axis_size}")
        return Report(says=f"vmap of `{self.function}` got arguments whose mapped axes differ in size:\n" + "\n".join(lines),
                      why="all mapped axes are one batch, so they have one size",
                      fixes=(Fix("map another axis, or say None for what is the same for all", code="in_axes=(0, None)"),))


class CustomRuleError(PerspicaxError, TypeError):
    """A custom derivative rule is missing, or does not return what it should."""

    function: str
    kind: str
    rule: str
    got: str = ""
    expected: str = ""

    @property
    def report(self) -> Report:
        f, rule = self.function, self.rule
        fixes: tuple[Fix, ...] = ()
        match self.kind:
            case "missing":
                says = f"`{f}` has no custom derivative rule yet."
                why = f"`{rule}` was never called for it"
                code = f"@{f}.defjvp" if rule == "defjvp" else f"{f}.defvjp({f}_fwd, {f}_bwd)"
                fixes = (Fix("give it one", code=code),)
            case "closure":
                says = f"`{f}` has a custom derivative, but closes over a value that is being differentiated."
                why = "its rule knows only the derivatives in its arguments (those that `nondiff_argnums` names excepted)"
                fixes = (Fix("pass the value as an argument"),
                         Fix("or cut it off from differentiation", code="jax.lax.stop_gradient(value)"))
            case "keyword":
                says = f"`{f}` has a custom derivative, and its keyword-only argument `{self.got}` was given."
                why = "the rules of a custom derivative take arguments by position"
                fixes = (Fix(f"let `{self.got}` be an ordinary parameter, named in `nondiff_argnums` if it has no derivative"),)
            case "defjvps":
                says = f"`defjvps` does not serve `{f}`, which has `nondiff_argnums`."
                why = "it takes one rule for each argument, and some arguments here have none"
                fixes = (Fix("give one rule for all", code=f"@{f}.defjvp"),)
            case "rules":
                says = f"`defjvps` of `{f}` was given {self.got} rules, but there are {self.expected} arguments."
                why = "there is one rule for each argument; `None` for one whose derivative is zero"
            case "residual":
                says = f"The rule `fwd` of `{f}` returned a {self.got} among its residuals."
                why = "residuals are handed from fwd to bwd by the program that is traced: they are arrays, in any pytree"
                fixes = (Fix("pass what is no array by `nondiff_argnums`, or let `bwd` close over it"),)
            case "pair":
                says = f"The rule `{rule}` of `{f}` returned a {self.got} instead of a pair."
                why = "fwd returns (result, residuals)" if rule == "fwd" else "a jvp rule returns (result, tangent)"
            case "structure":
                says = f"The rule `{rule}` of `{f}` returned a value of another structure than the function."
                why = f"expected {self.expected}, got {self.got}"
            case "count":
                says = f"The rule `bwd` of `{f}` returned {self.got}, but there are {self.expected} arguments to " \
                       "differentiate."
                why = "bwd returns a tuple with one cotangent for each of them (None for zero)"
            case "forward":
                says = f"`{f}` has a rule for reverse mode only (custom_vjp), but was differentiated in forward mode."
                why = "jvp, jacfwd and hessian need a forward-mode rule"
                fixes = (Fix("use reverse mode", code="jax.jacrev"), Fix("or define it with custom_jvp, which serves both"))
            case _:
                says = f"The rule of `{f}` returned a {self.kind.split()[0]} of type {self.got}, but it must be " \
                       f"{self.expected}."
                why = "it has the shape and dtype of the value it belongs to"
        return Report(says=says, why=why, fixes=fixes)


class MissingCustomRuleError(CustomRuleError, AttributeError):
    """A function with a custom derivative was called before its rule was defined."""
