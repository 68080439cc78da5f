"""Errors of the public functions' own arguments."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = [
    "ArgumentNumberError", "AxisModeError", "JacobianError", "JitOptionError", "NotCallableError", "PlacementError",
    "ScopeNameError",
]


class AxisModeError(PerspicaxError, TypeError, ValueError):  # JAX raises the one for what is missing
    """`auto_axes` or `explicit_axes` does not know how arrays lie, or has no axes of the mesh to change.

    Attributes:
        function: the user's function.
        transform: which of the two.
        kind: "out_sharding" or "in_sharding", what is missing; or "axes".
        axes: the axes that are of another type, or of no mesh.
        wanted: the type that they should be of.
        mesh: the mesh, as it shows.
    """

    function: str
    transform: str
    kind: str
    axes: tuple = ()
    wanted: str = ""
    mesh: str = ""

    @property
    def report(self) -> Report:
        f = self.function if self.function.isidentifier() else "f"
        if self.kind != "axes":
            what = "results" if self.kind == "out_sharding" else "arguments"
            return Report(says=f"`{self.transform}` of `{self.function}` was not told how the {what} lie.",
                          why="outside of `auto_axes`, and inside of `explicit_axes`, types tell it, and those of the "
                              f"{what} do not yet",
                          fixes=(Fix(code=f"jax.sharding.{self.transform}({f}, {self.kind}=jax.P(...))"),))
        named = f"{', '.join(map(repr, self.axes))} {'is' if len(self.axes) == 1 else 'are'} not of the type {self.wanted}" \
            if self.axes else f"no axis is of the type {self.wanted}"
        return Report(says=f"`{self.transform}` of `{self.function}` changes axes of the type {self.wanted}, and {named}.",
                      why=f"the mesh is {self.mesh}",
                      fixes=(Fix("set a mesh that has some", code="with jax.set_mesh(mesh): ..."),))


class NotCallableError(PerspicaxError, TypeError):
    """A transformation was given something that is no function, or a generator function.

    Attributes:
        transform: the transformation, `grad`.
        value_type: the class of what it was given.
        value: how that shows.
    """

    transform: str
    value_type: str
    value: str

    @property
    def report(self) -> Report:
        name = self.transform
        fixes: tuple[Fix, ...] = ()
        if self.value_type == "generator function":
            return Report(says=f"`{name}` was given a generator function: {self.value}.",
                          why="its call runs nothing: it returns a generator, which is no array and no pytree of arrays",
                          fixes=(Fix("collect the values in a list, and return that", code="return values"),))
        if self.value_type in ("ArrayImpl", "ndarray", "float", "int", "tuple", "list") or "Tracer" in self.value_type:
            fixes = (Fix("if this is the result of a call, pass the function itself, and call what comes back",
                         code=f"{name}(f)(x)    # not {name}(f(x))"),)
        if self.value_type == "str" and name == "jit":
            fixes = (Fix("options are given by keyword", code="@partial(jax.jit, static_argnames=('n',))"),)
        kind = "array" if self.value_type in ("ArrayImpl", "ndarray") or "Tracer" in self.value_type else self.value_type
        article = "an" if kind[:1] in "aeiouAEIOU" else "a"
        return Report(says=f"`{name}` takes a function, not {article} {kind}: {self.value}.",
                      why=f"what `{name}` returns is a function as well, of the same arguments", fixes=fixes)


class JitOptionError(PerspicaxError, TypeError, ValueError):
    """An option of `jit` (or of another function that stages) has a value that it does not take.

    Attributes:
        option: its name.
        value: how the value shows.
        expected: what it takes, in words.
    """

    option: str
    value: str
    expected: str

    @property
    def report(self) -> Report:
        fixes: tuple[Fix, ...] = ()
        if self.option.endswith("_argnums") and self.value[:1] in ("'", '"'):
            fixes = (Fix("name the argument", code=f"{self.option[:-4]}names={self.value}"),)
        elif self.option.endswith("_argnames") and self.value.isdigit():
            fixes = (Fix("say the position", code=f"{self.option[:-5]}nums={self.value}"),)
        return Report(says=f"`{self.option}` is {self.expected}, not {self.value}.", fixes=fixes)


class PlacementError(PerspicaxError, ValueError, TypeError):
    """`device_put` was told to put arrays where no array can be.

    Attributes:
        kind: `place` (no place at all), `platform` (a platform's name), `tree` (another structure than the arrays),
            `alias` (memory is to be shared and given away), `value` (what is to be put is no array), `piece`, `dtype`,
            `pieces` and `too many` (an array is made of pieces of which one has a wrong shape or dtype, is missing, or is
            more than there are devices), `list`, `no array` and `spread` (pieces that are none), `sharding` (it is none),
            `space` (no memory in particular), `memory` (one that is not there yet), `within` (one device, where all of a mesh
            run the function), `compute` (`compute_on` was given no part of a machine), `computer` (one that is not there yet).
        name: the path of the value in question.
        got: what was given.
        expected: what would fit.
    """

    kind: str
    name: str
    got: str
    expected: str = ""

    @property
    def report(self) -> Report:
        fixes: tuple[Fix, ...] = ()
        match self.kind:
            case "platform":
                platform, _, number = self.got.strip("'\"").partition(":")
                named = f"the name of {'one' if number.isdigit() else 'a platform'}"
                says = f"`device_put` takes a device, not {named}: {self.got}."
                why = "a device is an object that belongs to a platform, which may have several"
                fixes = (Fix("take it from its platform", code=f"jax.devices({platform!r})[{int(number)}]")
                         if number.isdigit() else Fix("take its first device", code=f"jax.devices({self.got})[0]"),)
            case "tree":
                says = f"`{self.name}` given to `device_put` has another structure than what is to be put there."
                why = f"it is like `x`, or a prefix: an entry stands for all below it; but {self.got}"
            case "alias":
                says = "`device_put` cannot share the memory of an array (may_alias=True) and give it away (donate=True)."
                why = "memory that is given away is used for other arrays"
                fixes = (Fix("say one of the two"),)
            case "value":
                says = f"`device_put` cannot put `{self.name}`, which is {self.got}."
                why = "what lives on a device are arrays and numbers, or pytrees (lists, tuples, dicts) of them"
            case "piece":
                says = f"`{self.name}` was given a piece of type {self.got}."
                why = f"each piece has the shape {self.expected}"
            case "pieces":
                says = f"`{self.name}` was given {self.got} pieces, and none for {self.expected}."
                why = "each device of this process holds one piece"
                fixes = (Fix("take them from an array that lies so", code="[shard.data for shard in x.addressable_shards]"),)
            case "dtype":
                says = f"`{self.name}` was given a piece of type {self.got}, where others, or the array, are {self.expected}."
                why = "an array has one dtype"
                fixes = (Fix(code=f"piece.astype({self.expected!r})"),)
            case "too many":
                says = f"`{self.name}` was given {self.got} pieces for {self.expected} devices."
                why = "each device of this process holds one piece"
            case "list":
                says = f"`{self.name}` was given pieces as a {self.got}."
                why = "they are a list or a tuple of arrays, one for each device of this process"
                fixes = (Fix(code="[shard.data for shard in x.addressable_shards]"),)
            case "no array":
                says = f"`{self.name}` was given {self.got}."
                why = "a piece is an array that is on its device already"
                fixes = (Fix("put it there", code="jax.device_put(piece, device)"),)
            case "spread":
                says = f"`{self.name}` was given {self.got}, which lies on {self.expected} devices itself."
                why = "each piece lies on one device"
                fixes = (Fix(code="[shard.data for shard in x.addressable_shards]"),)
            case "sharding":
                says = f"`{self.name}` was given a {self.got} in place of a sharding."
                why = "it says which piece belongs on which device"
                fixes = (Fix(code="jax.sharding.NamedSharding(mesh, spec)"),)
            case "compute":
                says = f"`compute_on` was given {self.got}."
                why = "it is 'device', 'device_host', 'tpu_sparsecore' or 'gpu_stream:' and a number"
            case "computer":
                says = f"`compute_on` was given {self.got}, which is not there yet on this platform."
                why = "on a processor it is the processor itself"
            case "within":
                says = f"`device_put` was to place `{self.name}` on {self.got} inside of `shard_map`."
                why = f"each device of {self.expected} runs this function for its own part, and holds what it computes"
                fixes = (Fix("leave it out, and place the result of the call"),)
            case "space":
                says = f"`device_put` cannot place `{self.name}` in {self.got}, which is no memory in particular."
                why = "`Space.Device` and `Space.Host` are"
            case "memory":
                says = f"`device_put` cannot place `{self.name}` in {self.got} yet."
                why = "on the CPU the memory of the host is that of the device; other platforms' memories are not there yet"
            case _:
                says = f"`device_put` cannot put anything onto {self.got}."
                why = "a place is a device, a sharding, `None` (the default device), or a pytree of these"
        return Report(says=says, why=why, fixes=fixes)


class ScopeNameError(PerspicaxError, TypeError):
    """The name of a scope is no text.

    Attributes:
        value: what was given.
    """

    value: str

    @property
    def report(self) -> Report:
        return Report(says=f"The name of a scope is a str, not {self.value}.",
                      fixes=(Fix(code=f"jax.named_scope(str({self.value}))"),))




class ArgumentNumberError(PerspicaxError, ValueError):
    """`argnums` names a positional argument that the call does not have.

    Attributes:
        transform: the transformation.
        function: the function it was given.
        number: the entry of `argnums`.
        count: how many positional arguments the call has.
    """

    transform: str
    function: str
    number: int
    count: int

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.transform}` should differentiate argument {self.number} of `{self.function}`, but the call has "
                 f"{self.count} positional argument{'' if self.count == 1 else 's'}.",
            why="argnums counts positional arguments from 0; keyword arguments are never differentiated",
            fixes=(*[Fix("for the last argument", code=f"argnums={self.count - 1}")] * bool(self.count),
                   Fix(f"if it is given by keyword, pass it by position when calling `{self.transform}({self.function})`")))


class JacobianError(PerspicaxError, TypeError):
    """A Jacobian was asked for whose inputs or outputs have no derivative of that kind.

    Attributes:
        transform: `jacfwd` or `jacrev`.
        function: the function.
        name: the path of the argument or the result.
        which: `argument` or `result`.
        kind: `integer`, `complex`, `real` (with holomorphic=True) or `real result`.
        type_text: its type.
    """

    transform: str
    function: str
    name: str
    which: str
    kind: str
    type_text: str

    @property
    def report(self) -> Report:
        says = f"`{self.transform}` cannot differentiate `{self.function}`: `{self.name}` is {self.type_text}."
        function = self.function if self.function.isidentifier() else "f"
        match self.kind:
            case "integer":
                fix = Fix("make it a floating-point array",
                          code=f"{self.name}.astype(jnp.float32)" if self.which == "argument" else
                          "return result.astype(jnp.float32)")
                return Report(says=says, why="only floating-point numbers have derivatives", fixes=(fix,))
            case "complex":
                return Report(says=says, why="the derivative of a function of complex numbers is ambiguous",
                              fixes=(Fix("if the function is complex-differentiable, say so",
                                         code=f"jax.{self.transform}({function}, holomorphic=True)"),
                                     Fix("differentiate its real and imaginary parts as a pair")))
            case _:
                return Report(says=says, why=f"with holomorphic=True every {self.which} is complex",
                              fixes=(Fix("pass complex values, or leave `holomorphic` out"),))
