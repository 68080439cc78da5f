"""What is said of meshes, of specifications, and of arrays that do not fit them; the array is drawn against the mesh."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.render.text import ordinal
from perspicax.diagnose.report import Fix, Report
from perspicax.diagnose.source import operand_name


class MeshError(PerspicaxError, ValueError, TypeError, IndexError):  # JAX raises one or the other
    """Devices, axis names and axis types that make no mesh, or a mesh that lacks what is asked of it.

    Attributes:
        kind: "rank", "names", "types", "type", "device", "count", "zero", "abstract", "no devices", "local", "pickled", "with",
            "inside", "inside get" or "mesh".
        shape: of the array of devices.
        names: of the axes.
        got: what was given, as it shows.
    """

    kind: str
    shape: tuple
    names: tuple
    got: str = ""

    @property
    def report(self) -> Report:
        count = len(self.shape)
        match self.kind:
            case "rank":
                names = ", ".join(map(repr, self.names))
                return Report(says=f"A mesh of {count} {_axes(count)} was given {len(self.names)} "
                                   f"{'name' if len(self.names) == 1 else 'names'}: {names or 'none'}.",
                              why=f"the devices have shape {self.shape}, and each axis of them has a name",
                              fixes=(Fix("arrange the devices", code="np.array(jax.devices()).reshape(...)"),))
            case "names":
                return Report(says=f"{self.names} are no names for the axes of a mesh.",
                              why="each axis has a name of its own, and None stands for no axis where names are expected")
            case "types":
                return Report(says=f"A mesh of {len(self.names)} {_axes(len(self.names))} was given the axis types {self.got}.",
                              why="there is one type for each axis",
                              fixes=(Fix(code=f"axis_types=(AxisType.Auto,) * {len(self.names)}"),))
            case "type":
                return Report(says=f"{self.got} are no types of mesh axes.",
                              why="an axis is `AxisType.Auto`, `AxisType.Explicit` or `AxisType.Manual`, of `jax.sharding`")
            case "device":
                return Report(says=f"{self.got} is no device, and a mesh was made of it.",
                              why="devices are objects, not numbers or names",
                              fixes=(Fix("take those that there are", code="Mesh(np.array(jax.devices()), ('x',))"),))
            case "count":
                return Report(says=f"A mesh of shape {self.shape} needs {self.got}.",
                              why="each place of a mesh is taken by a device of its own",
                              fixes=(Fix("on the CPU, ask for more before the first array is made",
                                         code=f"jax.config.update('jax_num_cpu_devices', {math.prod(self.shape)})"),))
            case "zero":
                return Report(says=f"A mesh of shape {self.shape} has no devices along one of its axes.",
                              why="each device has a piece of an array, and there would be none")
            case "abstract":
                return Report(says=f"The devices of a mesh were asked for that has none: {_mesh_text(self)}.",
                              why="an abstract mesh has axes alone",
                              fixes=(Fix("take the mesh with devices", code="jax.sharding.get_mesh()"),))
            case "no devices":
                return Report(says=f"A function under `shard_map` was to run over an abstract mesh: {_mesh_text(self)}.",
                              why="an abstract mesh has axes alone; its devices are those on which an argument lies, or of the "
                                  "mesh that is set",
                              fixes=(Fix("put an argument there", code="x = jax.device_put(x, NamedSharding(mesh, spec))"),
                                     Fix("set the mesh that has them", code="with jax.set_mesh(mesh): ...")))
            case "local":
                return Report(says=f"The devices of this process are no block of the mesh {_mesh_text(self)}.",
                              why="`local_mesh` is the part of a mesh that belongs to one process, a mesh itself")
            case "pickled":
                return Report(says=f"A mesh was loaded that has the {self.got}, which this process does not have.",
                              why="a mesh is saved as the numbers of its devices, and made again of those with these numbers")
            case "inside":
                return Report(says="`set_mesh` was called while a function is being traced.",
                              why="the mesh decides how the whole of a function is traced",
                              fixes=(Fix("set it around the call", code="with jax.set_mesh(mesh): f(x)"),))
            case "inside get":
                return Report(says="`get_mesh` was called while a function is being traced.",
                              why="a traced function is for all meshes with the same axes; which devices there are is not its",
                              fixes=(Fix("ask for the axes", code="jax.sharding.get_abstract_mesh()"),))
            case "mesh":
                return Report(says=f"{self.got} is no mesh.", why="a mesh arranges devices along named axes",
                              fixes=(Fix(code="mesh = jax.make_mesh((len(jax.devices()),), ('x',))"),))
        return Report(says="`with mesh:` is switched off.", why="`jax_disallow_mesh_context_manager` is on",
                      fixes=(Fix(code="with jax.set_mesh(mesh): ..."),))


def _axes(count: int) -> str:
    return "axis" if count == 1 else "axes"


def _mesh_text(error: MeshError) -> str:
    return ", ".join([f"{n!r}: {s}" for n, s in zip(error.names, error.shape)])


class SpecError(PerspicaxError, ValueError, TypeError, AttributeError, NotImplementedError):  # JAX raises one or the other
    """A `PartitionSpec` that contradicts itself, or something else in its place.

    Attributes:
        kind: "set", "none", "both", "nested", "spec", "open", "unmade" or "placed sum"; of a `ManualAxisType` "manual set",
            "manual" (an axis stands in two places) or "manual type" (something else is in its place).
        what: the parameter, or the part of it.
        got: what was given, as it shows.
        where: for "both", the other place in which the axes stand.
    """

    kind: str
    what: str
    got: str
    where: str = ""

    @property
    def report(self) -> Report:
        match self.kind:
            case "set":
                return Report(says=f"`{self.what}` of a PartitionSpec is {self.got}, which is no set.",
                              why="it is a set of names of mesh axes", fixes=(Fix(code=f"P(..., {self.what}={{'x'}})"),))
            case "none":
                return Report(says=f"`{self.what}` of a PartitionSpec holds None: {self.got}.",
                              why="it is a set of names of mesh axes, and each mesh axis has a name")
            case "both":
                return Report(says=f"A PartitionSpec has {self.got} in `{self.what}` and in {self.where}.",
                              why="a mesh axis either splits an axis of the array, or sums over it, or neither")
            case "nested":
                return Report(says=f"The entry {self.what} of a PartitionSpec holds a tuple, {self.got}.",
                              why="an entry is the name of a mesh axis, or a tuple of names that split one axis of the array "
                                  "together", fixes=(Fix("write the names in one tuple", code="P(('x', 'y'))"),))
            case "manual set":
                return Report(says=f"`{self.what}` of a ManualAxisType is {self.got}, which is no set.",
                              why="it is a set of names of mesh axes",
                              fixes=(Fix(code=f"ManualAxisType({self.what}={{'x'}})"),))
            case "manual type":
                return Report(says=f"`{self.what}` was given manual_axis_type={self.got}.",
                              why="it is a `jax.sharding.ManualAxisType`",
                              fixes=(Fix(code="manual_axis_type=jax.sharding.ManualAxisType(varying={'x'})"),))
            case "manual":
                return Report(says=f"A ManualAxisType has {self.got} in `{self.what}` and in {self.where}.",
                              why="along an axis of a mesh a value is of one kind")
            case "unmade":
                return Report(says=f"The values were asked for of an array that lies as {self.what}: a sum over devices that "
                                   "has not been made yet.",
                              why="each device holds a part of the sum",
                              fixes=(Fix("make the sum", code="x = jax.reshard(x, jax.P())"),))
            case "placed sum":
                return Report(says=f"An array was to be placed as {self.what}: as a sum over devices.",
                              why="which part of it each device has is not known of its values",
                              fixes=(Fix("let a program make the parts", code=f"jax.reshard(x, {self.what})"),))
            case "open":
                return Report(says=f"{self.what} leaves an axis open, and an array was to be placed by it.",
                              why="P.UNCONSTRAINED leaves an axis to the compiler; an array that is placed lies in one way")
        return Report(says=f"{self.what} was given {self.got}, which is no PartitionSpec.",
                      why="it names, for each axis of an array, the mesh axes that split it",
                      fixes=(Fix(code="NamedSharding(mesh, jax.P('x'))"),))


class MeshAxisError(PerspicaxError, ValueError):
    """A specification names an axis that the mesh does not have, or one twice, or one of a type that excludes it.

    Attributes:
        kind: "unknown", "twice", "unreduced", "manual" (within `shard_map` over it), "spmd" (`vmap` was to split by it what
            `shard_map` splits by it already) or "type".
        spec: the specification, as it shows.
        axis: the name.
        mesh: the mesh, as it shows.
        axes: its names.
        function: what was called, for "type" and "manual"; for "spmd", the parameter of `shard_map`.
        wanted: the types of axes that it takes, for "type".
    """

    kind: str
    spec: str
    axis: Any
    mesh: str
    axes: tuple
    function: str = ""
    wanted: str = ""

    @property
    def report(self) -> Report:
        match self.kind:
            case "unknown":
                import difflib  # only a report needs it

                near = difflib.get_close_matches(str(self.axis), list(map(str, self.axes)), 1)
                only = not near and len(self.axes) == 1
                names = ", ".join(map(repr, self.axes))
                return Report(says=f"{self.spec} names the axis {self.axis!r}, which the mesh does not have.",
                              why=f"the axes of {self.mesh} are {names}" if self.axes else "the mesh has no axes",
                              fixes=(Fix("the nearest name", code=f"P({near[0]!r})"),) if near else
                              (Fix("name the axis that there is", code=f"P({self.axes[0]!r})"),) if only else
                              (Fix(f"make the mesh with an axis {self.axis!r}, or name one that it has"),))
            case "twice":
                return Report(says=f"{self.spec} names the axis {self.axis!r} of the mesh twice.",
                              why=f"each axis of {self.mesh} splits one axis of the array at most: a device holds one piece",
                              fixes=self._once())
            case "unreduced":
                return Report(says=f"{self.spec} sums over {self.axis!r}, an axis that is not of the type Explicit.",
                              why="only types can say that an array is a sum that has not been made yet; the mesh is "
                                  f"{self.mesh}",
                              fixes=(Fix(code="jax.make_mesh(sizes, names, axis_types=(AxisType.Explicit,) * n)"),))
            case "manual":
                return Report(says=f"`{self.function}` was given {self.spec} where each device runs its own part along "
                                   f"{self.axis!r}.",
                              why="within `shard_map` a value is one device's part: it cannot be split again by the axis that "
                                  "made the parts",
                              fixes=(Fix("say before or after the call how the whole lies, by `in_specs` and `out_specs`"),))
            case "spmd":
                return Report(says=f"`vmap` was given spmd_axis_name={self.axis!r}, by which `shard_map` within splits its "
                                   f"{'arguments' if self.function == 'in_specs' else 'results'} already.",
                              why=f"`{self.function}` has {self.spec}; the batch and another axis of an array cannot be split "
                                  f"by the same axis of {self.mesh}",
                              fixes=(Fix("name another axis of the mesh, or none", code="jax.vmap(f)(x)"),))
        other = "jax.reshard" if self.function == "with_sharding_constraint" else "jax.lax.with_sharding_constraint"
        return Report(says=f"`{self.function}` was given {self.spec}; {self.axis!r} is not of the type {self.wanted}.",
                      why=f"the mesh is {self.mesh}. Axes of the type Auto are left to the compiler, which "
                          "`with_sharding_constraint` advises; those of the type Explicit are part of types, which `reshard` "
                          "changes",
                      fixes=(Fix(code=f"{other}(x, sharding)"),))


    def _once(self) -> tuple[Fix, ...]:
        """The specification with the axis in its first place alone."""
        start, _, end = self.spec.rpartition(repr(self.axis))
        if start.count("(") - start.count(")") != 1 or "{" in start:  # one of several names for one axis, or of a sum
            return (Fix("leave it out in one of the two places"),)
        spare = [n for n in self.axes if repr(n) not in self.spec]
        return (Fix("leave the second of them whole", code=f"{start}None{end}"),
                *[Fix("split it over another axis of the mesh", code=f"{start}{n!r}{end}") for n in spare[:1]])


class ShardingFitError(PerspicaxError, ValueError, IndexError):
    """An array cannot be spread over a mesh as it is asked for.

    Attributes:
        kind: "uneven" (an axis is no multiple of the number of pieces) or "rank" (the array has too few axes).
        shape: of the array.
        axis: which axis, for "uneven".
        parts: the names of mesh axes for each axis.
        splits: the number of pieces of each axis.
        spec, mesh: as they show.
        name: what the user calls the array; may be empty.
        function: what was called with it; may be empty.
        type_text: the array's type; may be empty.
        operand: the number of the operand that it is, where several were given.
    """

    kind: str
    shape: tuple
    parts: tuple
    splits: tuple
    spec: str
    mesh: str
    axis: int = 0
    name: str = ""
    function: str = ""
    type_text: str = ""
    operand: int = 0

    @property
    def report(self) -> Report:
        name = self._written() or self.name
        result = name.startswith("result")
        what = f"the {name}" if result else f"`{name}`" if name else "an array"
        given = f"{what}, given to `{self.function}`" if self.function else what
        of = f" of `{self.function}`" if self.function else ""
        subject = given if self.function in _MOVES else what + of
        kind = self.type_text or f"shape {self.shape}"
        drawn = "\n".join(drawing(self.shape, self.parts, self.splits))
        if self.kind == "rank":
            return Report(says=f"{self.spec} speaks of {len(self.parts)} axes, but {subject}, of {_typed(kind)}, has "
                               f"{len(self.shape)}.",
                          why=f"it says for each axis of the array which axes of {self.mesh} split it:\n{drawn}",
                          fixes=(Fix("name as many axes as there are",
                                     code=_spec_code(self.parts[:len(self.shape)])),))
        n, s = self.shape[self.axis], self.splits[self.axis]
        word = "x" if result or not name else name
        return Report(says=f"Axis {self.axis} of {subject}, of {_typed(kind)}, cannot be split evenly in {s}.",
                      why=f"{self.spec} over {self.mesh} makes equal pieces:\n{drawn}",
                      fixes=(Fix(f"pad axis {self.axis} to {-(-n // s) * s} entries",
                                 code=f"jnp.pad({word}, {_pads(len(self.shape), self.axis, -n % s)})"),
                             Fix("leave this axis whole", code=_spec_code(
                                 [() if i == self.axis else p for i, p in enumerate(self.parts)]))))

    def _written(self) -> str:
        """What the user calls the array that he places; empty where it is one of several."""
        from perspicax.diagnose.source import operand_name  # only a printed error needs it

        written = operand_name(self.position, 0, of=_MOVES) if self.function in _MOVES else None
        return written if written is not None and self.name in ("", "x") and written.isidentifier() else ""


_MOVES = frozenset(("device_put", "reshard", "with_sharding_constraint"))  # functions of an array and of its place


def _typed(kind: str) -> str:
    return kind if kind.startswith("shape") else f"type {kind}"


def _pads(ndim: int, axis: int, count: int) -> str:
    return "(" + ", ".join([f"(0, {count if i == axis else 0})" for i in range(ndim)]) + ("," if ndim == 1 else "") + ")"


def _spec_code(parts: Sequence[tuple]) -> str:
    texts = [repr(p[0]) if len(p) == 1 else repr(p) if p else "None" for p in parts]
    while texts and texts[-1] == "None":
        texts.pop()
    return f"P({', '.join(texts)})"


def drawing(shape: Sequence[int], parts: Sequence[tuple], splits: Sequence[int]) -> list[str]:
    """One line for each axis: its size, the mesh axes that split it, and whether that comes out even."""
    lines = []
    for i in range(max(len(shape), len(parts))):
        names = parts[i] if i < len(parts) else ()
        split = splits[i] if i < len(splits) else 1
        if i >= len(shape):
            lines.append(f"    axis {i}: none      {'·'.join(map(repr, names)) or 'whole'}")
        elif not names:
            lines.append(f"    axis {i}: {shape[i]:<8}  whole")
        else:
            n = shape[i]
            pieces = f"{split} {'piece' if split == 1 else 'pieces'} of {n // split}" if n % split == 0 else \
                f"{n} / {split} leaves {n % split}"
            lines.append(f"    axis {i}: {n:<8}  {'·'.join(map(repr, names))}: {pieces}")
    return lines


class ShardingMismatchError(PerspicaxError, ValueError):
    """An argument lies otherwise than a program takes it.

    Attributes:
        function: what was called.
        name: the argument.
        type_text: its type.
        wanted: how `in_shardings` says that it lies, or how the program was compiled, as `drawn` tells it.
        got: how it lies.
    """

    function: str
    name: str
    type_text: str
    wanted: str
    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"The argument `{self.name}` of `{self.function}` is placed otherwise than asked for.",
                      why=f"an array that was placed on purpose is not moved; this one, {self.type_text}, lies\n{self.got}\n"
                          f"but `{self.function}` takes it\n{self.wanted}",
                      fixes=(Fix("move it before the call", code=f"{self.name} = jax.device_put({self.name}, sharding)"),
                             Fix("leave `in_shardings` out: jit takes arguments as they are")))


class MixedMeshesError(PerspicaxError, ValueError):
    """An operation has operands over meshes with axes of different types, or over another mesh than the one that is set.

    Attributes:
        operation: the operation.
        names: of the operands, or of the one that lies otherwise than the mesh that is set, the arguments of the jitted
            function that they come from; empty where there is none.
        operands: which operands they are.
        meshes: their meshes, or its mesh and the one that is set, as they show.
        place: where the operation is, if it is within a jitted function.
    """

    operation: str
    names: tuple[str, ...]
    operands: tuple[int, ...]
    meshes: tuple[str, str]
    place: Any = None

    @property
    def report(self) -> Report:
        names = [name or operand_name(self.place or self.position, i) or "" for name, i in zip(self.names, self.operands)]
        plain = names[-1] if names[-1].isidentifier() else "x"
        names = [f"`{name}`" if name else f"the {ordinal(i)} operand" for name, i in zip(names, self.operands)]
        move = Fix("put the array onto the one mesh first",
                   code=f"{plain} = jax.device_put({plain}, jax.NamedSharding(mesh, spec))")
        primary = self.place or self.position
        if len(names) == 1:
            return Report(says=f"`{self.operation}` has an operand over another mesh than the one that is set.",
                          primary=primary,
                          why="types are told in terms of one mesh, unless all axes are left to the compiler; here\n"
                              + _listed((*names, "the mesh that is set"), self.meshes),
                          fixes=(move, Fix("set the mesh over which it lies", code="with jax.set_mesh(mesh): ...")))
        return Report(says=f"`{self.operation}` has operands over different meshes.", primary=primary,
                      why="types are told in terms of one mesh, and meshes whose axes are of other types are different ones; "
                          "here\n" + _listed(names, self.meshes),
                      fixes=(move, Fix("make both arrays with one mesh")))


def _listed(names: Sequence[str], meshes: Sequence[str]) -> str:
    return "\n".join([f"    {name}: ({mesh})" for name, mesh in zip(names, meshes)])


class MeshContextError(PerspicaxError, RuntimeError, ValueError, TypeError):  # JAX raises one or the other
    """A bare `PartitionSpec` was given where no mesh has been set.

    Attributes:
        function: what was called.
        option: its parameter.
        spec: what was given, as it shows.
        entered: whether there is a `with mesh:` around.
    """

    function: str
    option: str
    spec: str
    entered: bool = False

    @property
    def report(self) -> Report:
        why = "a PartitionSpec names axes; the mesh that has them comes from `jax.set_mesh`, or with a NamedSharding"
        if self.entered:
            why += ". `with mesh:` does not set it"
        return Report(says=f"`{self.function}` was given {self.option}={self.spec}, and no mesh is set.", why=why,
                      fixes=(Fix("set the mesh", code="with jax.set_mesh(mesh): ..."),
                             Fix("name the mesh", code=f"NamedSharding(mesh, {self.spec})")))


__all__ = ["MeshAxisError", "MeshContextError", "MeshError", "MixedMeshesError", "ShardingFitError", "ShardingMismatchError",
           "SpecError",
           "drawing"]
