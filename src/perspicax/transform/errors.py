"""Errors of the transformations: their arguments, and what the transformed functions take and return."""
from __future__ import annotations

import ast
from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Edit, Fix, Label, Place, Report
from perspicax.transform.differences import differences


def with_article(kind: str) -> str:
    """A class by name, with its article; a type of arrays and None as they are."""
    if "[" in kind or kind == "NoneType":
        return kind.removesuffix("Type")
    return f"{'an' if kind[:1] in 'aeiouAEIOU' else 'a'} {kind}"


def callable_name(function: str) -> str:
    """What to call a function in code that is proposed: a lambda has no name."""
    return function if function.isidentifier() else "f"


class ArgumentTypeError(PerspicaxError, TypeError):
    """A transformed function was called with something that is no array.

    Attributes:
        transform: what it was transformed by; "" for a function of the library, of which the user does not know that it is.
    """

    function: str
    transform: str
    name: str
    value_type: str
    value: str = ""

    @property
    def report(self) -> Report:
        if not self.transform:
            return Report(says=f"The argument `{self.name}` of `{self.function}` is {with_article(self.value_type)}: "
                               f"{self.value}.", why=f"`{self.function}` takes arrays, NumPy arrays and numbers")
        fixes: tuple[Fix, ...] = ()
        root = self.name.split("[")[0].split(".")[0]
        if self.transform == "jit" and root != self.name:
            fixes = (Fix(f"take it out of `{root}`, and pass it by a static argument of its own"),
                     Fix("let the function close over it", code=f"jax.jit(partial({callable_name(self.function)}, ...))"))
        elif self.transform == "jit":
            fixes = (Fix(f"if `{root}` is no data but a setting, make it static",
                         code=f"@partial(jax.jit, static_argnames=({root!r},))"),)
        elif self.transform == "eval_shape":
            fixes = (Fix(f"if `{root}` is no data but a setting, give it before",
                         code=f"jax.eval_shape(partial({callable_name(self.function)}, {root}={self.value}), ...)"),)
        return Report(
            says=f"The argument `{self.name}` of `{self.function}` is {with_article(self.value_type)}, which "
                 f"{self.transform} cannot trace: {self.value}.",
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
            says=f"`{self.function}` under {self.transform} returned {with_article(self.value_type)} in `{self.path}`: "
                 f"{self.value}.",
            why="what a transformed function returns are arrays, or pytrees (lists, tuples, dicts) of them",
            fixes=(Fix("return it from an ordinary function around this one, or not at all"),))


class AuxiliaryResultError(PerspicaxError, TypeError):
    """A function that should return a value and something besides, does not."""

    function: str
    transform: str
    got: str
    definition: Place = None

    @property
    def report(self) -> Report:
        from perspicax.diagnose.definitions import returned  # only a printed error needs it

        result = returned(self.definition)
        both = Fix("return both", code="return loss, aux") if result is None else Fix(
            "return both", edits=(Edit(result.span, f"{result.grouped}, aux"),))
        return Report(says=f"`{self.function}` should return a pair (value, aux), since has_aux=True, but returned "
                           f"{with_article(self.got)}.",
                      labels=() if result is None else (Label(result.span, "is returned"),),
                      why="with has_aux the first entry is differentiated and the second handed through",
                      fixes=(both, Fix("leave has_aux out")))


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
        if self.kind == "unhashable" and self.value_type.endswith("] array"):
            return Report(
                says=f"The static argument `{self.given}` of `{self.function}` is an array, "
                     f"{self.value_type.removesuffix(' array')}, which cannot be hashed.",
                why="jit compiles once for each value of a static argument, and looks the values up by hash and equality",
                fixes=(Fix("pass a Python number", code=f"{self.given}=int({self.given})") if "[]" in self.value_type else
                       Fix("pass a tuple of Python numbers", code=f"{self.given}=tuple({self.given}.tolist())"),
                       Fix(f"let `{self.given}` be an ordinary argument, if it is data")))
        if self.kind == "unhashable":
            return Report(
                says=f"The static argument `{self.given}` of `{self.function}` is {with_article(self.value_type)}, which "
                     "cannot be hashed.",
                why="jit compiles once for each value of a static argument, and looks the values up by hash and equality",
                fixes=(Fix("pass something hashable, such as a tuple or a frozen dataclass"),
                       Fix(f"let `{self.given}` be an ordinary argument, if it is data")))
        if self.kind == "incomparable":
            return Report(
                says=f"The static argument `{self.given}` of `{self.function}` is a {self.value_type}, which could not be "
                     "compared with the value of an earlier call.",
                why="jit compiles once for each value of a static argument, and looks the values up by hash and equality; the "
                    "error above was raised by `__eq__`",
                fixes=(Fix("let `__eq__` answer True or False for every other object"),))
        if self.kind == "both":
            return Report(says=f"The argument {self.given} of `{self.function}` is static and donated.",
                          why="a static argument is a Python value; only the memory of arrays can be donated")
        from difflib import get_close_matches  # here: for weight

        near = get_close_matches(self.given.strip("'"), self.parameters, 1)
        fixes = (Fix("did you mean", code=f"{self.option}=({near[0]!r},)"),) if near else ()
        return Report(says=f"`{self.option}` names {self.given}, but `{self.function}` has no such parameter.",
                      why=f"the parameters of `{self.function}` are {names}", fixes=fixes)


class HostValueError(PerspicaxError, ValueError):
    """A NumPy array was given for an argument that is split over the devices of several processes.

    Attributes:
        function: the jitted function.
        name: the argument.
        type_text: its type.
        place: how it is to be split.
    """

    function: str
    name: str
    type_text: str
    place: str

    @property
    def report(self) -> Report:
        name = self.name if self.name.isidentifier() else "x"
        return Report(says=f"`{self.function}` was given a NumPy array for `{self.name}`, {self.type_text}, which in_shardings "
                           f"splits over the devices of several processes, {self.place}.",
                      why="each process gives an array of its own, and nothing says whether it is the whole or a part",
                      fixes=(Fix("where it is this process's part",
                                 code=f"{name} = jax.make_array_from_process_local_data(sharding, {name})"),
                             Fix("where all processes have the whole", code=f"{name} = jax.device_put({name}, sharding)")))


class DialectError(PerspicaxError, ValueError):
    """The text of a lowered function was asked for in a dialect that there is not."""

    dialect: str

    @property
    def report(self) -> Report:
        return Report(says=f"A lowered function has no text in the dialect {self.dialect!r}.",
                      why="its text is `stablehlo`, or `hlo` once it is compiled")


PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


class LoweringPlatformError(PerspicaxError, ValueError):
    """A function was to be lowered for platforms that cannot be, or compiled for one that is not here.

    Attributes:
        given: the platforms.
        here: that of the devices, where the program was to be compiled.
    """

    given: tuple[Any, ...]
    here: str = ""

    @property
    def report(self) -> Report:
        if self.here:
            return Report(says=f"A program that was lowered for {self.given[0]} was to be compiled for {self.here}.",
                          why="it holds operations of the platform that it was lowered for",
                          fixes=(Fix("lower it for the devices that are here", code="f.trace(...).lower()"),))
        if len(self.given) > 1 and set(self.given) <= set(PLATFORMS):
            return Report(says=f"`lower` was given {len(self.given)} platforms: {', '.join(map(str, self.given))}.",
                          why="a lowered program is for one platform; an exported one may be for several",
                          fixes=(Fix("export it", code=f"jax.export.export(f, platforms={self.given!r})(...)"),))
        return Report(says=f"`lower` was given lowering_platforms={self.given!r}.",
                      why=f"the platforms are {', '.join(PLATFORMS)}; one is named",
                      fixes=(Fix("name GPUs by their maker", code='lowering_platforms=("cuda",)'),) if "gpu" in self.given
                      else ())


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
    """A compiled function was called with arguments of other types than it was compiled for, or with traced ones.

    Attributes:
        kind: "tree" if their structure differs, and then `got` tells where; "tracer" if one has no value; else "type".
    """

    function: str
    expected: str
    got: str
    kind: str
    name: str = ""

    @property
    def report(self) -> Report:
        if self.kind == "tree":
            says = f"The compiled `{self.function}` was called with arguments of another structure."
            why = f"{self.got}; a compiled function serves the structure it was compiled for, no other"
        elif self.kind == "tracer":
            return Report(says=f"The compiled `{self.function}` was called with `{self.name}`, a {self.got} that has no value "
                               "yet.",
                          why="a compiled function is a program for values: it cannot be traced, so neither `jit` nor `grad` "
                              "nor `vmap` can go through it",
                          fixes=(Fix("call the jitted function itself instead",
                                     code=f"jax.jit({callable_name(self.function)})(...)"),))
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
    transform: str = "grad"

    @property
    def report(self) -> Report:
        if self.kind == "argnums type":
            return Report(says=f"The `argnums` of `{self.transform}` are positions of arguments of `{self.function}`, not "
                               f"{self.type_text}.",
                          why="argnums is an int, or a sequence of ints",
                          fixes=(Fix(code=f"jax.{self.transform}({callable_name(self.function)}, argnums={self.name})"),)
                          if self.name else ())
        if self.kind == "argnums":
            return Report(says=f"`grad` of `{self.function}` should differentiate argument {self.name}, but the call has "
                               f"{self.type_text} positional arguments.",
                          why="argnums counts positional arguments from 0; keyword arguments are never differentiated",
                          fixes=(Fix(f"pass the argument by position when calling the gradient of `{self.function}`"),))
        if self.kind == "argnums repeated":
            return Report(says=f"The `argnums` of `{self.transform}`, {self.type_text}, name the argument `{self.name}` of "
                               f"`{self.function}` twice.",
                          why="each argument is differentiated once; a negative number counts from the last argument",
                          fixes=(Fix("name it once, and use its gradient twice"),))
        fixes: tuple[Fix, ...]
        if self.kind == "integer":
            why = "only floating-point numbers have derivatives"
            root = self.name.split("[")[0]
            fixes = (Fix("pass floating-point values", code=f"{root} = jnp.asarray({root}, jnp.float32)"),
                     Fix("leave it out of `argnums`; with `allow_int=True` its gradient is of dtype float0"))
            if root != self.name:
                fixes = (Fix(f"keep what is no parameter outside of `{root}`, in an argument of its own"),
                         Fix("if it is to be differentiated, make it floating-point",
                             code=f"{self.name}.astype(jnp.float32)"),
                         Fix("with `allow_int=True` its gradient is of dtype float0"))
        else:
            why = "with holomorphic=True the arguments are complex"
            fixes = (Fix("pass complex values, or leave `holomorphic` out"),)
        return Report(says=f"`grad` cannot differentiate `{self.function}` with respect to `{self.name}`, which is "
                           f"{self.type_text}.", why=why, fixes=fixes)


class NonScalarGradError(PerspicaxError, TypeError, ValueError):
    """A function whose gradient was asked for does not return a real scalar.

    Attributes:
        function: its name.
        kind: `none`, `pair`, `shape`, `tree`, `integer`, `complex` or `holomorphic`.
        got: what it returned.
        transform: the transformation that was called.
        lifted: whether it was one of functions of a module.
    """

    function: str
    kind: str
    got: str
    transform: str = "grad"
    lifted: bool = False

    @property
    def report(self) -> Report:
        found = self._words()
        return found._replace(labels=(Label(self.position, self.got),)) if self.position is not None else found

    def _words(self) -> Report:
        name, transform = self.function, self.transform
        f = callable_name(name)
        with_aux = f"nn.{transform}({f}, module, x, has_aux=True)" if self.lifted else f"jax.{transform}({f}, has_aux=True)"
        says = f"`{transform}` needs a function that returns a scalar, but `{name}` returned {self.got}."
        if self.kind == "none":
            return Report(says=says, why="a function without `return` returns None", fixes=(Fix("return the number"),))
        if self.kind == "pair":
            return Report(says=says, why="one number is differentiated",
                          fixes=(Fix("if only the first is to be differentiated, say that something comes with it",
                                     code=with_aux),))
        if self.kind == "shape":
            all_of_them = () if self.lifted else (Fix("for all derivatives of all outputs", code=f"jax.jacrev({f})"),)
            return Report(says=says,
                          why="a gradient has one entry for each input; an output of several elements has a Jacobian",
                          fixes=(Fix("reduce the result to one number", code="return result.mean()"), *all_of_them))
        if self.kind == "tree":
            return Report(says=says, why="one number is differentiated",
                          fixes=(Fix("to hand further results through, return a pair of the number and the rest",
                                     code=with_aux),))
        holomorphic = () if self.lifted else (Fix("the complex derivative of a holomorphic function",
                                                  code=f"jax.{transform}({f}, holomorphic=True)"),)
        why = {"integer": "only floating-point numbers have derivatives",
               "complex": "the gradient of a complex number has two meanings",
               "holomorphic": "with holomorphic=True the result is complex"}[self.kind]
        fixes = {"integer": (Fix("return a floating-point number that depends on the arguments smoothly"),),
                 "complex": (Fix("return a real number", code="jnp.abs(result) ** 2"), *holomorphic),
                 "holomorphic": (Fix("leave it out", code=f"jax.{transform}({f})"),)}[self.kind]
        return Report(says=f"`{transform}` cannot differentiate the result of `{name}`, which is {self.got}.", why=why,
                      fixes=fixes)


class AccumulatorError(PerspicaxError, TypeError, ValueError):
    """`with_refs` of a pull-back was not given a place for each cotangent.

    Attributes:
        function: the function that was differentiated.
        kind: `tree` (another structure than the arguments') or `leaf` (no such place).
        expected, got: structures; of a leaf the structure of the arguments, and its class.
        index: which leaf.
    """

    function: str
    kind: str
    expected: Any
    got: Any
    index: int = 0

    @property
    def report(self) -> Report:
        f = self.function
        why = "for each array among the arguments it takes a `jax.Ref`, to which the cotangent is added, " \
              "`jax.ad.GradValue()`, by which it is returned, or `jax.ad.DontWant()`"
        if self.kind == "leaf":
            from perspicax.transform import trees as tree  # only a report needs it

            args = self.expected.unflatten(list(range(self.expected.num_leaves)))[0]
            name = next(f"args{tree.keystr(path)}" for path, leaf in tree.flatten_with_path(args)[0] if leaf == self.index)
            return Report(says=f"`with_refs` of the pull-back of `{f}` was given {with_article(self.got)} for `{name}`.",
                          why=why, fixes=(Fix("where the cotangent should be returned", code="jax.ad.GradValue()"),))
        rows = differences("", self.expected, self.got, "args", "with_refs").splitlines()[1:]
        return Report(says="\n".join([f"`with_refs` of the pull-back of `{f}` was given another structure than the arguments "
                                      "have:", *rows[:8]]), why=why)


class TangentError(PerspicaxError, TypeError, ValueError):
    """A tangent or cotangent does not fit the value it belongs to.

    Attributes:
        function: the function that is differentiated.
        kind: `sequence`, `tree`, `type`, `count`, `cotangent tree` or `cotangent type`.
        name: what it belongs to: the path of an argument or of the result.
        expected, got: types as text, or structures.
        transform: the transformation that was called.
        arguments: for `tree`, the names of the positional arguments.
        path: for types, where in the tangent or cotangent it stands.
    """

    function: str
    kind: str
    name: str
    expected: Any
    got: Any
    transform: str = "jvp"
    arguments: tuple[str, ...] = ()
    path: str = ""

    @property
    def report(self) -> Report:
        f, transform = self.function, self.transform
        what = "cotangent" if self.kind.startswith("cotangent") else "tangent"
        if self.kind == "sequence":
            return Report(says=f"`jvp` of `{f}` takes the primals and the tangents as tuples, not as {self.got}.",
                          why="there is one entry for each positional argument",
                          fixes=(Fix("for one argument", code=f"jax.jvp({callable_name(f)}, (x,), (dx,))"),))
        if self.kind == "count":
            return Report(says=f"The pull-back of `{f}` takes 1 cotangent (a pytree like the result), not "
                               f"{self.got}.", why="it is a function of the result's cotangent")
        if self.kind.endswith("tree"):
            return self._of_structure(what)
        integer = self.expected.startswith("float0")
        why = f"a {what} has the shape and dtype of its value" + ("; that of an integer or a bool is of dtype float0, "
                                                                   "which has no values" if integer else "")
        fixes = (Fix("give it none", code=f"np.zeros({_shape_text(self.expected)}, jax.dtypes.float0)"),) if integer else ()
        giver = f"`{transform}`" if transform in ("jvp", "linearize") else f"the {transform}"
        return Report(says=f"The {what} of `{self.name}` given to {giver} of `{f}` is {self.got}, but must be "
                           f"{self.expected}.", why=why, fixes=fixes)

    def _of_structure(self, what: str) -> Report:
        f, names = self.function, self.arguments
        lead = f"The {what}s given for `{f}`" if names else f"The {what} given for `{f}`"
        if names and len(self.expected.children()) != len(self.got.children()):
            listed = ", ".join(f"`{name}`" for name in names)
            return Report(says=f"`{self.transform}` of `{f}` got {len(self.got.children())} tangents, but `{f}` was given "
                               f"{len(names)} positional argument{'' if len(names) == 1 else 's'}: {listed}.",
                          why="there is one tangent for each positional argument")
        pairs = zip(names, self.expected.children(), self.got.children()) if names else [("", self.expected, self.got)]
        rows = []
        for name, expected, got in pairs:
            there, here = (name, f"tangent of {name}") if name else (f"{f}(...)", what)
            rows += differences("", expected, got, there, here).splitlines()[1:]
        verb = "have" if names else "has"
        return Report(says="\n".join([f"{lead} {verb} another structure than what {'they belong' if names else 'it belongs'} "
                                      "to:", *rows[:8]]),
                      why=f"a {what} is a pytree like its value, with an array of the same shape for each array")


def _shape_text(type_text: str) -> str:
    """The shape in a type's text: `(3,)` for `float0[3]`."""
    sizes = type_text.partition("[")[2].rstrip("]")
    return f"({sizes}{',' if sizes and ',' not in sizes else ''})"


class ReduceAxesError(PerspicaxError, NotImplementedError):
    """The option `reduce_axes` was used, which nothing has any more.

    Attributes:
        transform: the transformation.
        value: what was given.
    """

    transform: str
    value: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.transform}` does not take `reduce_axes={self.value}`.",
                      why="JAX has retired the option; it accepts nothing but an empty tuple",
                      fixes=(Fix("sum over the axis where you mean it", code="jax.lax.psum(gradient, axis_name)"),))


class BatchAxisError(PerspicaxError, ValueError, TypeError):
    """`in_axes` or `out_axes` of vmap does not fit."""

    function: str
    option: str
    kind: str
    got: str
    expected: str = ""
    name: str = ""
    axes: Any = None
    structure: Any = None
    index: int = 0

    @property
    def report(self) -> Report:
        f, option = self.function, self.option
        fixes: tuple[Fix, ...] = ()
        match self.kind:
            case "count":
                fixes = _by_position(self.position, int(self.got))
                says = f"`{option}` of vmap has {self.got} entries, but `{f}` was called with {self.expected} positional " \
                       "arguments."
                why = f"a tuple for `{option}` has one entry for each positional argument; keyword arguments are mapped over " \
                      "axis 0"
            case "type":
                says = f"`{option}` of vmap holds {self.got}, which is no axis."
                why = "an axis is an integer, or None for what is the same for all"
            case "tree":
                what = "arguments" if option == "in_axes" else "result"
                says = differences(f"`{option}` of vmap does not fit the {what} of `{f}`", self.structure, self.axes,
                                   f"{f}(...)" if option == "out_axes" else self.name or "args",
                                   option + (self.name and f"[{self.index}]"), prefix=True)
                why = f"`{option}` is like the {what}, or a prefix: an int or None stands for all below it"
            case "rank":
                says = f"vmap cannot map `{self.name}` over axis {self.got}: it is {self.expected}."
                why = "the batch axis must be one of the argument's axes"
                fixes = (Fix("if it is the same for the whole batch, say None for it", code="in_axes=(..., None)"),) \
                    if self.expected.endswith("[]") else ()
            case "none mapped":
                says = f"vmap of `{f}` maps no argument, so the size of the batch is not known."
                why = "every entry of `in_axes` is None"
                fixes = (Fix("say how large it is", code=f"jax.vmap({callable_name(f)}, in_axes=None, axis_size=n)"),)
            case "splits":
                says = f"vmap of `{f}` maps arguments that are split differently along the axis that is mapped: " \
                       f"{self.expected}, `{self.name}` is {self.got}."
                why = "each device runs the entries of the batch that it has; these are along axis " \
                      f"{self.structure} of the one and along axis {self.axes} of the other"
                fixes = (Fix("lay them alike first", code=f"jax.reshard({self.name}, jax.P(...))"),)
            case "mapped result":
                says = f"`{option}` says that `{self.got}` of `{f}` is the same for the whole batch, but it is not."
                why = "it was computed from an argument that vmap maps"
                fixes = (Fix("let it have a batch axis", code="out_axes=0" if option == "out_axes" else ""),)
            case _:
                says = f"`{option}` of vmap asks for axis {self.got} in a result of {self.expected} axes."
                why = "the batch axis must be one of the result's axes"
        return Report(says=says, why=why, fixes=fixes)


def _by_position(position: Place, wanted: int) -> tuple[Fix, ...]:
    """The user's call with its keyword arguments by position, where it then has as many as are wanted."""
    from perspicax.diagnose.expression import located  # only a printed error needs it

    call = located(position)
    if call is None or not isinstance(call.node, ast.Call) or not call.node.keywords:
        return ()
    node = call.node
    if any(k.arg is None for k in node.keywords) or len(node.args) + len(node.keywords) != wanted:
        return ()
    given = [call.at(a).text for a in node.args] + [call.at(k.value).text for k in node.keywords]
    return (Fix("pass them by position", edits=(Edit(call.span, f"{call.at(node.func).text}({', '.join(given)})"),)),)


class BatchSizeError(PerspicaxError, ValueError):
    """The arguments of a vmapped function disagree on the size of the batch.

    Attributes:
        rows: the mapped leaves: name, type, axis, size.
        axis_size: as it was given.
        in_axes: the axis of each argument with None for those whose size few others have; empty where that is unclear.
    """

    function: str
    rows: tuple[tuple[str, str, int, int], ...]
    axis_size: int | None = None
    in_axes: tuple[int | None, ...] = ()

    @property
    def report(self) -> Report:
        lines = [f"    {name}: {type_text}, axis {axis} of size {size}" for name, type_text, axis, size in self.rows[:8]]
        if self.axis_size is not None:
            lines.append(f"    axis_size={self.axis_size}")
        return Report(says=f"vmap of `{self.function}` got arguments whose mapped axes differ in size:\n" + "\n".join(lines),
                      why="all mapped axes are one batch, so they have one size",
                      fixes=(Fix("map another axis, or say None for what is the same for all",
                                 code=f"in_axes={self.in_axes}" if self.in_axes else ""),))


class CustomRuleError(PerspicaxError, TypeError):
    """A custom derivative rule is missing, or does not return what it should."""

    function: str
    kind: str
    rule: str
    got: Any = ""
    expected: Any = ""
    path: str = ""
    names: tuple[str, str] = ("", "")
    transform: str = ""

    @property
    def report(self) -> Report:
        f, rule = self.function, self.rule
        there, here = self.names
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
                         Fix("cut it off from differentiation", code="jax.lax.stop_gradient(value)"))
            case "keyword":
                says = f"`{f}` has rules of its own, and its keyword-only argument `{self.got}` was given."
                why = "such rules take all arguments by position"
                besides = "" if self.transform == "custom_vmap" else ", named in `nondiff_argnums` if it has no derivative"
                fixes = (Fix(f"let `{self.got}` be an ordinary parameter, without the `*` before it{besides}"),)
            case "defjvps":
                says = f"`defjvps` does not serve `{f}`, which has `nondiff_argnums`."
                why = "it takes one rule for each argument, and some arguments here have none"
                fixes = (Fix("give one rule for all", code=f"@{f}.defjvp"),)
            case "rules":
                says = f"`defjvps` of `{f}` was given {self.got} rules, but there are {self.expected} arguments."
                why = "there is one rule for each argument; `None` for one whose derivative is zero"
            case "residual":
                says = f"The rule `{rule}` of `{f}` returned {with_article(self.got)} among its residuals, in " \
                       f"`residuals{self.path}`."
                why = "residuals are handed from fwd to bwd by the program that is traced: they are arrays, in any pytree"
                fixes = (Fix("pass what is no array by `nondiff_argnums`, or let `bwd` close over it"),)
            case "pair":
                says = f"The rule `{rule}` of `{f}` returned {with_article(self.got)} instead of a pair."
                why = f"this rule returns {self.expected}"
                fixes = (Fix(code=f"return {self.expected.strip('()')}"),)
            case "structure":
                says = differences(f"The rule `{rule}` of `{f}` returned another structure than belongs there", self.expected,
                                   self.got, there, here)
                why = "a tangent or a cotangent has the structure of the value it belongs to (None stands for zeros)" \
                      if "tangent" in here else "what a rule returns takes the place of what the function returns"
            case "count":
                says = f"The rule `{rule}` of `{f}` returned {with_article(self.got)}, not a tuple of length {self.expected}."
                why = f"it returns one cotangent for each argument that is differentiated ({here}); None stands for zeros"
                fixes = (Fix(code=f"return ({', '.join(f'ct_{n}' for n in here.split(', '))},)"),) if here else ()
            case "forward":
                says = f"`{f}` has a rule for reverse mode only (custom_vjp), but was differentiated in forward mode."
                why = "jvp, jacfwd and hessian need a forward-mode rule"
                fixes = (Fix("use reverse mode", code="jax.jacrev"), Fix("define it with custom_jvp, which serves both"))
            case _:
                what = self.kind.split()[0]
                says = f"The rule `{rule}` of `{f}` returned {self.got} as the {what} of `{there}{self.path}`, but it must " \
                       f"be {self.expected}."
                why = f"a {what} has the shape and dtype of the value it belongs to"
        labels = (Label(self.position, ""),) if self.position is not None else ()
        return Report(says=says, labels=labels, why=why, fixes=fixes)


class ForwardRuleMissingError(CustomRuleError, NotImplementedError):
    """A function that has a rule for reverse mode only was differentiated in forward mode.

    JAX raises one of the two built-in classes for first derivatives, and the other for second ones.
    """


class MissingCustomRuleError(CustomRuleError, AttributeError):
    """A function with a custom derivative was called before its rule was defined."""
