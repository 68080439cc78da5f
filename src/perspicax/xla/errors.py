"""Errors of the compiler's side: platforms, shardings, buffers, compilation, execution."""
from __future__ import annotations

import ast
import re
from typing import Any

from perspicax.binding import runtime
from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.expression import located
from perspicax.diagnose.place import Position
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import Operands, error_position, operands_at


class UnknownPlatformError(PerspicaxError, RuntimeError):
    """A backend was asked for that is not here."""

    platform: str
    known: tuple[str, ...]
    setting: str = ""

    @property
    def report(self) -> Report:
        where = f" (from {self.setting})" if self.setting else ""
        names = ", ".join(f"`{k}`" for k in self.known)
        return Report(
            says=f"The platform `{self.platform}`{where} is not available: this installation has {names}.",
            primary=self.position,
            why="a platform other than the CPU needs a plugin package beside jaxlib, and its device",
            fixes=(Fix(f"use {'one of ' if len(self.known) > 1 else ''}{names}, or leave the choice open",
                       code=f"{self.setting}= python …" if self.setting else ""),))


class ShardingError(ReportedError, ValueError):
    """Devices, meshes and partitions that do not fit together or do not fit the array."""


class EmissionError(PerspicaxError, NotImplementedError):
    """A primitive cannot be compiled for this platform or these types.

    Attributes:
        primitive, platform, reason: which, for which platform, and why not.
        symbolic: types with a symbolic size, where these are the reason.
    """

    primitive: str
    platform: str
    reason: str = ""
    symbolic: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        if self.symbolic:
            return Report(
                says=f"`{self.primitive}` with a symbolic size is not there yet: {', '.join(self.symbolic)}.",
                primary=self.position,
                why=self.reason or "the operation would have to take the size as a value",
                fixes=(Fix("export for the sizes that come, one by one, or move the operation out of the exported function"),))
        return Report(says=f"`{self.primitive}` cannot be compiled for the platform `{self.platform}`.", primary=self.position,
                      why=self.reason or f"`{self.primitive}` has no lowering rule")


class DeletedArrayError(PerspicaxError, RuntimeError, ValueError):
    """An array was used whose memory has been given away (donated) or deleted.

    Attributes:
        type_text: its type.
        donated_to, donated_at: the function to which it was donated, and where.
        what: what was done with it afterwards.
    """

    type_text: str
    donated_to: str = ""
    what: str = "used"
    donated_at: Any = None

    @property
    def report(self) -> Report:
        labels: tuple[Label, ...] = ()
        if self.donated_to:
            why = f"it was donated to `{self.donated_to}` (`donate_argnums` / `donate_argnames`), which reused its memory"
            name = _name_in_both(self.position, self.donated_at) or "x"
            fix = Fix(f"use the result of `{self.donated_to}` from then on, or donate a copy", code=f"{name}.copy()")
            if self.donated_at is not None and self.position is not None:
                labels = (Label(self.position, f"is {self.what} here"),
                          Label(self.donated_at, f"was donated to `{self.donated_to}` here"))
        else:
            why = "`delete()` was called on it, or its memory was donated to a compiled function"
            fix = Fix("keep a copy where the value is needed later", code="x.copy()")
        return Report(says=f"An array of type {self.type_text} was {self.what} after it was deleted.",
                      primary=self.position, labels=labels, why=why, fixes=(fix,))


def _name_in_both(used: Any, donated: Any) -> str:
    """The one operand of an operator that another expression has, too: an array; empty if there is none, or several."""
    import ast  # here: for weight

    nodes: list[list[ast.AST]] = []
    for place in (used, donated):
        expression = located(None if place is None else Position(*place))
        try:
            nodes.append([] if expression is None else list(ast.walk(ast.parse(expression.text, mode="eval"))))
        except SyntaxError:
            return ""
    operands = {node.id for operator in nodes[0] if isinstance(operator, (ast.BinOp, ast.UnaryOp, ast.Compare))
                for node in ast.iter_child_nodes(operator) if isinstance(node, ast.Name)}
    common = operands & {node.id for node in nodes[1] if isinstance(node, ast.Name)}
    return common.pop() if len(common) == 1 else ""


class DLPackError(PerspicaxError, TypeError, ValueError, BufferError):
    """Another library's array cannot be taken over, or an array cannot be handed out.

    Attributes:
        kind: `protocol` (it does not speak DLPack), `share` (its memory cannot be shared), `spread` (it is in pieces),
            `elsewhere` (it is asked for on another device than its own, or in a stream of one) or `version` (of the
            protocol, which is too old).
        got: its class, or its type.
    """

    kind: str
    got: str

    @property
    def report(self) -> Report:
        if self.kind == "protocol":
            return Report(says=f"`from_dlpack` takes an array with `__dlpack__` and `__dlpack_device__`, not a {self.got}.",
                          why="the protocol shares the memory of another library's array; a bare capsule does not say on "
                              "which device that is",
                          fixes=(Fix("pass the array itself, not the result of its `__dlpack__()`")
                                 if self.got == "PyCapsule" else
                                 Fix("for what is no array of another library", code="jnp.asarray(x)"),))
        if self.kind == "spread":
            return Report(says=f"An array of type {self.got} was asked for its memory, and is in pieces on several devices.",
                          primary=self.position, why="DLPack hands out one piece of memory",
                          fixes=(Fix("take all its values", code="np.asarray(x)"),
                                 Fix("take one piece", code="x.addressable_data(0)")))
        if self.kind == "version":
            return Report(says=f"The memory of an array was asked for by version {self.got} of DLPack.",
                          primary=self.position, why="its capsules are those of version 0.5 and later")
        if self.kind == "elsewhere":
            return Report(says=f"The memory of an array of type {self.got} is not where it was asked for.",
                          primary=self.position, why="DLPack hands memory out where it is; `x.__dlpack_device__()` says where",
                          fixes=(Fix("put it there first", code="x = jax.device_put(x, device)"),))
        return Report(says=f"The memory of an array of type {self.got} cannot be shared, but copy=False asks for it.",
                      why="shared memory is contiguous in C order, begins at a multiple of 64 bytes, has a dtype that is "
                          "enabled, and is on the first device",
                      fixes=(Fix("let it be copied", code="jnp.from_dlpack(x, copy=None)"),))


class IncompatibleDevicesError(PerspicaxError, ValueError):
    """Operands of one operation are committed to different devices, or to others than those of the mesh that is set.

    Attributes:
        what: the function.
        placements: what lies where.
        mesh: the mesh that is set, if it is that which does not fit.
        within: the mesh of the `shard_map` around it, if it is that.
    """

    what: str
    placements: tuple[str, ...]
    mesh: str = ""
    within: str = ""

    @property
    def report(self) -> Report:
        listing = "; ".join(self.placements)
        if self.within:
            return Report(says=f"`{self.what}` was to run on one device inside of `shard_map`.", primary=self.position,
                          why=f"each device of {self.within} runs it for its own part; but {listing}",
                          fixes=(Fix("leave out its devices: it runs where the function around it does"),))
        if self.mesh:
            return Report(says=f"`{self.what}` would run on other devices than those of the mesh that is set.",
                          primary=self.position,
                          why=f"while a mesh is set, what is compiled runs on its devices, in their order: {self.mesh}; but: "
                              f"{listing}",
                          fixes=(Fix("put the arrays there first, here whole on each device",
                                     code="x = jax.device_put(x, jax.P())"),
                                 Fix("set the mesh on whose devices they are", code="with jax.set_mesh(mesh):\n    ...")))
        return Report(says=f"`{self.what}` was given arrays that are committed to different devices.",
                      primary=self.position, why=f"one program runs on one set of devices, but: {listing}",
                      fixes=(Fix("put them on the same devices first", code="y = jax.device_put(y, x.sharding)"),))


class LayoutError(PerspicaxError, ValueError, TypeError):  # JAX raises the one or the other
    """An array was to lie in memory otherwise than row by row, or a `Format` or `Layout` stands where it says nothing.

    Attributes:
        kind: "order" (the axes in another order), "tiles", "axes" (these are not all axes, each once), "rank" (another number
            of axes than the array), "open" (the compiler was to choose, where none runs), "place" (a format has an order, and
            no sharding), "format" (a layout stands for a format), "layout" and "sharding" (something else is in its
            place), "struct" (of no array the compiler can choose it), "layouts" (something else stands for a layout),
            "value" or "keys" (what has no order: no array, or PRNG keys), "tree" (the layouts are no prefix of the arrays).
        function: what was called.
        name: the value, or the option, that the format was given for.
        got: what was given.
        rank: of "rank", the number of axes of the array.
    """

    kind: str
    function: str
    name: str = ""
    got: str = ""
    rank: int = 0

    @property
    def report(self) -> Report:
        call = operands_at(self.position) if self.position is not None else Operands()
        of_array = call.operation == self.function and len(call) > 1  # else the user's names are not seen
        array = call[0].text if of_array and isinstance(call[0].node, ast.Name) else "x"
        asked = call[1].text if of_array and isinstance(call[1].node, ast.Name) else "format"
        name = array + self.name[1:] if of_array and self.name[:1] == "x" else self.name
        constraint, of_struct = self.function == "with_layout_constraint", self.function == "ShapeDtypeStruct"
        given = f"`{self.function}` was given a `{'Layout' if constraint else 'Format'}` for `{name}`"
        plain = Fix("leave the order out", code=array if constraint else f"{self.name}=format.sharding"
                    if self.function == "jit" else f"{name} = jax.ShapeDtypeStruct(shape, dtype, sharding=format.sharding)"
                    if of_struct else
                    f"jax.{'lax.' if self.function != 'device_put' else ''}{self.function}({array}, {asked}.sharding)")
        match self.kind:
            case "place":
                return Report(says=f"`Format` was given {self.got} without a sharding.", primary=self.position,
                              why="an order in memory is one on certain devices; `Layout.AUTO` and `None` need none",
                              fixes=(Fix("say on which", code="Format(layout, jax.typeof(x).sharding)"),
                                     Fix(code="Format(layout, jax.sharding.SingleDeviceSharding(jax.devices()[0]))")))
            case "format":
                return Report(says=f"`{self.function}` was given {self.got} for `{name}`.", primary=self.position,
                              why="an order in memory is part of a `Format`, which also says on which devices",
                              fixes=(Fix(code="Format(layout, sharding)"),))
            case "layout":
                return Report(says=f"`Format` was given {self.got} for `layout`.", primary=self.position,
                              why="it is a `Layout`, `Layout.AUTO` or None",
                              fixes=(Fix(code="Format(Layout(major_to_minor=(0, 1)), sharding)"),))
            case "sharding":
                others = "None" if self.function == "Format" else "a PartitionSpec, or a `Format`"
                return Report(says=f"`{self.function}` was given {self.got} for `sharding`.", primary=self.position,
                              why=f"it is a sharding, which says on which devices, or {others}",
                              fixes=(Fix(code="sharding=jax.NamedSharding(mesh, jax.P('x'))"),
                                     Fix(code="sharding=jax.sharding.SingleDeviceSharding(jax.devices()[0])")))
            case "struct":
                return Report(says="`ShapeDtypeStruct` was given a `Format` with the order `Layout.AUTO`.",
                              why="the compiler chooses an order when it compiles a program; here is none",
                              primary=self.position, fixes=(Fix("leave the order out", code="sharding=format.sharding"),))
            case "layouts":
                return Report(says=f"`{self.function}` was given {self.got} for `{name}`.", primary=self.position,
                              why="an order in memory is a `Layout`; on which devices an array lies, it keeps",
                              fixes=(Fix(code="Layout(major_to_minor=(0, 1))"),))
            case "tree":
                return Report(says=f"`{self.function}` cannot tell which layout is meant for which array: {self.got}.",
                              why="it takes one `Layout` for all, or a pytree of them like the arrays, or like the start of it",
                              primary=self.position, fixes=(Fix("give one for all", code=f"{self.function}({array}, layout)"),))
            case "value" | "keys":
                why = "an order in memory is one of an array; NumPy arrays and numbers become arrays under `jax.jit` only" \
                    if self.kind == "value" else "of keys, the numbers that they are made of lie in memory"
                fix = f"jax.numpy.asarray({array})" if self.kind == "value" else f"jax.random.key_data({array})"
                return Report(says=f"`{self.function}` was given {self.got} as `{name}`.", why=why, primary=self.position,
                              fixes=(Fix(code=fix),))
            case "rank":
                return Report(says=f"{given} whose order is {self.got}, of an array with {self.rank} axes.",
                              why="an order names each axis of the array once", primary=self.position, fixes=(plain,))
            case "axes":
                return Report(says=f"{given} whose order is {self.got}.", primary=self.position,
                              why="an order names the axes 0, 1, …, each once, the one that changes most slowly first",
                              fixes=(plain,))
            case "open":
                return Report(says=f"{given} with the order `Layout.AUTO`.", primary=self.position,
                              why="the compiler chooses an order for the arguments and results of a program; here is none",
                              fixes=(plain,))
            case "tiles":
                return Report(says=f"{given} with tiles, {self.got}.", primary=self.position,
                              why="arrays lie row by row on this platform, without tiles", fixes=(plain,))
        return Report(says=f"{given} with the axes in the order {self.got}; here arrays lie row by row only.",
                      primary=self.position,
                      why="values do not depend on the order; who reads the memory has the first axis change most slowly",
                      fixes=(plain, Fix("have the transposed array, where the memory matters",
                                        code=f"{name if of_struct or constraint else array}.transpose{self.got}")))


class JaxRuntimeError(PerspicaxError, runtime.RuntimeFailure):  # type: ignore[misc, valid-type]
    """XLA failed while it compiled or ran a program.

    Attributes:
        status: XLA's own, `INVALID_ARGUMENT` and so on.
        detail: XLA's message.
        doing: `running`, `compiling`, ….
        program: its name.
        where: the user's place of the operation concerned.
        callback: the host function that raised, if one did.
        emitter: the primitive whose lowering rule wrote what does not parse, if that is it.
        twice: two arguments of one call that are the same array, where one of them is donated, and the array's type; then XLA
            was not asked at all.
    """

    status: str
    detail: str
    doing: str = "running"
    program: str = ""
    where: Any = None
    callback: str = ""
    emitter: str = ""
    twice: tuple[str, ...] = ()

    def __init__(self, *args: Any, **fields: Any) -> None:
        if args:  # as jaxlib's own class is made: one message
            status, _, detail = str(args[0]).partition(":")
            fields.setdefault("status", status.strip())
            fields.setdefault("detail", detail.strip())
        super().__init__(**fields)

    @property
    def report(self) -> Report:
        if self.twice:
            one, other, kind = self.twice
            return Report(says=f"`{self.program}` was given the same array of type {kind} as `{one}` and as `{other}`, and may "
                               "overwrite it.", primary=self.position,
                          why="one of the two is donated (`donate_argnums` / `donate_argnames`): results are written into its "
                              "memory while the other is still read",
                          fixes=(Fix("donate a copy", code="x.copy()"),
                                 Fix("copy the leaves of a tree that has it twice", code="jax.tree.map(jnp.copy, params)")))
        if self.callback:
            during = f" while `{self.program}` ran" if self.program.isidentifier() else ""
            call = self.where or self.position
            inside = error_position(self.__cause__) if self.__cause__ is not None else None
            labels = (Label(call, f"calls `{self.callback}` back"),) if inside is not None and call is not None else ()
            fixes: tuple[Fix, ...] = (Fix("mend the callback function, or let it return a value that marks the case; it runs "
                                          "on the host, with NumPy arrays"),)
            if isinstance(self.__cause__, PerspicaxError):  # which says itself what to do
                fixes = tuple(self.__cause__.report.fixes)
            return Report(says=f"The callback `{self.callback}` raised {self.detail}{during}.",
                          primary=inside or call, labels=labels,
                          why="what is raised inside the callback ends the program that calls it; the error is the cause of "
                              "this one, with its traceback",
                          fixes=fixes)
        if self.emitter:
            complaints = "; ".join(re.findall(r"^-:\d+:\d+: error: (.*)", self.detail, re.M))
            return Report(says=f"XLA cannot read the program `{self.program}`: {complaints or self.detail}",
                          primary=self.where or self.position,
                          why=f"the lowering rule of `{self.emitter}` wrote text that is not StableHLO")
        of = f" `{self.program}`" if self.program else " a program" if self.doing in ("running", "compiling") else ""
        return Report(says=f"XLA failed while {self.doing}{of}: {self.status}: {self.detail}".rstrip(": "),
                      primary=self.where or self.position, why=STATUS_MEANINGS.get(self.status, ""))


STATUS_MEANINGS = {
    "RESOURCE_EXHAUSTED": "there was not enough memory on the device for the buffers of this program",
    "INVALID_ARGUMENT": "the program and what it was given do not fit, or the program is not valid",
    "UNIMPLEMENTED": "the compiler has no implementation of this operation for this platform",
    "INTERNAL": "the compiler or the runtime failed, or a host callback raised",
}


_GUARDS = {
    "log": "jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1)), 0)",
    "log1p": "jnp.where(x > -1, jnp.log1p(jnp.where(x > -1, x, 0)), 0)",
    "sqrt": "jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0)",
    "rsqrt": "jnp.where(x > 0, lax.rsqrt(jnp.where(x > 0, x, 1)), 0)",
    "div": "jnp.where(y != 0, x / jnp.where(y != 0, y, 1), 0)",
    "rem": "jnp.where(y != 0, x % jnp.where(y != 0, y, 1), 0)",
    "pow": "jnp.where(x > 0, jnp.where(x > 0, x, 1) ** y, 0)",
    "acos": "jnp.arccos(jnp.clip(x, -1, 1))", "asin": "jnp.arcsin(jnp.clip(x, -1, 1))",
    "atanh": "jnp.arctanh(jnp.clip(x, -0.999, 0.999))", "acosh": "jnp.arccosh(jnp.maximum(x, 1))",
    "exp": "jnp.exp(jnp.minimum(x, 80))", "exp2": "jnp.exp2(jnp.minimum(x, 120))", "expm1": "jnp.expm1(jnp.minimum(x, 80))",
    "sinh": "jnp.sinh(jnp.clip(x, -80, 80))", "cosh": "jnp.cosh(jnp.clip(x, -80, 80))",
}
"""How an operation is kept within its domain, twice where a derivative would meet what `where` leaves out."""


class NonFiniteError(PerspicaxError, FloatingPointError):
    """With `jax_debug_nans` or `jax_debug_infs`: an operation produced a NaN or an infinity.

    Attributes:
        what: the operation.
        kind: `nan` or `inf`.
        type_text: the type of its result.
        given: the operands that hold one already, by number.
        count: how many operands there are.
    """

    what: str
    kind: str
    type_text: str
    given: tuple[int, ...] = ()
    count: int = 0

    @property
    def report(self) -> Report:
        from perspicax.diagnose.render.text import ordinal  # only a printed error needs it

        word = "NaN" if self.kind == "nan" else "an infinity"
        why = f"`jax_debug_{self.kind}s` is on, so every result is looked at"
        if self.given:
            which = " and ".join([f"its {ordinal(i)} operand" for i in self.given]) if self.count > 1 else "its operand"
            return Report(says=f"`{self.what}` was given {word} and made a result of type {self.type_text} from it "
                               f"(invalid value, {self.kind}).", primary=self.position,
                          why=f"{which} held {word} before; where it comes from was not watched: an argument, a constant, or "
                              f"data that was only moved. {why}",
                          fixes=(Fix("look at what the program is given", code="jnp.isfinite(x).all()"),))
        guard = _GUARDS.get(self.what)
        fix = Fix("look at the operands of this operation") if guard is None else Fix(
            "look at the operands of this operation; guard the ones outside its domain", code=guard)
        return Report(says=f"`{self.what}` produced {word} in a result of type {self.type_text} "
                           f"(invalid value, {self.kind}).", primary=self.position, why=why, fixes=(fix,))
