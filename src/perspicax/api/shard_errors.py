"""What is said of `shard_map` and `pmap`: meshes, specifications and results that do not fit."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class ShardMapMeshError(PerspicaxError, ValueError, TypeError):  # JAX raises the one or the other
    """`shard_map` has no mesh, or one that does not fit where it is called.

    Attributes:
        function: what was called: `shard_map` or `smap`.
        kind: "none", "type", "other", "set", "names" or "manual".
        got: what was given, as it shows.
        mesh: the mesh, or the one that is set, as it shows.
        axes: the axes in question.
        known: for "names" and "manual", the axes that could be named.
    """

    function: str
    kind: str
    got: str = ""
    mesh: str = ""
    axes: tuple[Any, ...] = ()
    known: tuple[Any, ...] = ()

    @property
    def report(self) -> Report:
        axes = ", ".join(map(repr, self.axes))
        match self.kind:
            case "none":
                return Report(says=f"`{self.function}` was given no mesh, and none is set.",
                              why="a mesh names the devices that the function runs on",
                              fixes=(Fix("set one around the call", code="with jax.set_mesh(mesh): ..."),
                                     *((Fix("give it", code="jax.shard_map(f, mesh=mesh, in_specs=..., out_specs=...)"),)
                                       if self.function == "shard_map" else ())))
            case "type":
                return Report(says=f"`{self.function}` was given mesh={self.got}.",
                              why="it is a mesh of devices, or an abstract one",
                              fixes=(Fix(code="mesh = jax.make_mesh((len(jax.devices()),), ('x',))"),))
            case "other":
                return Report(says=f"`{self.function}` was given {self.got}, but the mesh that is set here is {self.mesh}.",
                              why="a function that runs under a mesh names the axes of that one",
                              fixes=(Fix("leave out `mesh=`"),))
            case "set":
                return Report(says=f"`{self.function}` was given axis_names={self.got}.", why="it is a set of names",
                              fixes=(Fix(code=f"axis_names={{{self.got}}}"),))
            case "names":
                known = ", ".join(map(repr, self.known)) or "none"
                near = _near(self.axes[0], self.known)
                what = "the axis" if len(self.axes) == 1 else "the axes"
                return Report(says=f"`{self.function}` was given {what} {axes}, which the mesh does not have.",
                              why=f"the axes of {self.mesh} are {known}",
                              fixes=(Fix("did you mean", code=repr(near)),) if near is not None else ())
        left = ", ".join(map(repr, self.known))
        return Report(says=f"`{self.function}` was to map over {axes}, inside of a function that is mapped over "
                           f"{'it' if len(self.axes) == 1 else 'them'} already.",
                      why="inside of `shard_map` each device has its part along such an axis: nothing is left to split",
                      fixes=(Fix("name the others alone", code=f"axis_names={{{left}}}"),) if left else ())


def _near(name: Any, known: tuple[Any, ...]) -> Any:
    from difflib import get_close_matches  # only a printed error needs it

    found = get_close_matches(str(name), list(map(str, known)), 1, 0.4)
    return next((k for k in known if found and str(k) == found[0]), None)


class ShardSpecError(PerspicaxError, ValueError, TypeError):  # JAX raises the one or the other
    """`in_specs` or `out_specs` of `shard_map` do not fit the function.

    Attributes:
        function: the function that was mapped.
        option: `in_specs`, `out_specs`, or those of `smap` and `pmap`.
        kind: "tree", "type", "open", "manual", "rank", "keyword", "infer", "explicit" or "marks" (a result is
            marked otherwise).
        got: what was given, as it shows.
        name: the argument or result in question.
        type_text: its type.
        axes: for "manual", the axes that are mapped over; for "rank", what the fix may name.
        mismatches: for "tree", every place where the structures differ.
        transform: what was called.
        wanted: for "marks", what would fit.
        sums: for "marks", how the result is marked: "unreduced", "reduced" or not.
    """

    function: str
    option: str
    kind: str
    got: str = ""
    name: str = ""
    type_text: str = ""
    axes: tuple[Any, ...] = ()
    mismatches: tuple[Any, ...] = ()
    transform: str = "shard_map"
    wanted: str = ""
    sums: str = ""

    @property
    def report(self) -> Report:
        of = f"of `{self.function}`"
        axes = ", ".join(map(repr, self.axes))
        match self.kind:
            case "tree":
                from perspicax.core.tree_mismatch import sentence  # for its weight: only a printed error needs it

                whose = "the arguments" if self.option.startswith("in") else "the results"
                tree = "args" if self.option.startswith("in") else "result"
                rows = [sentence(m, tree, self.option).rstrip(".") for m in self.mismatches]
                return Report(says=f"`{self.option}` {of} under {self.transform} does not have the structure of {whose}.",
                              why="one entry stands for each argument or result, or for a whole subtree of them; "
                                  + ("; ".join(rows) or f"it is {self.got}"),
                              fixes=(*((Fix("one entry for each argument", code=f"{self.option}=({self.got},)"),)
                                       if self.option.startswith("in") and self.got[:1] in "{[" else ()),
                                     Fix("one entry for all", code=f"{self.option}=P()" if "spec" in self.option else
                                         f"{self.option}=0")))
            case "type":
                return Report(says=f"`{self.option}` {of} under {self.transform} has {self.got} where a PartitionSpec belongs.",
                              why="it says for each axis of an array by which axes of the mesh it is split",
                              fixes=(Fix(code=f"{self.option}=jax.P({self.got})" if self.got[:1] in "'\"" else
                                         f"{self.option}=jax.P()"),))
            case "axis":
                return Report(says=f"`{self.option}` {of} under {self.transform} has {self.got} where the number of an axis "
                                   "belongs.", why="it is an integer, or None for what is the same on all devices",
                              fixes=(Fix(code=f"{self.option}=0"),))
            case "open":
                return Report(says=f"`{self.option}` {of} under {self.transform} has {self.got}.",
                              why="P.UNCONSTRAINED leaves an axis to the compiler; here the parts are what the function gets, "
                                  "or returns", fixes=(Fix("say that the axis is whole", code="None"),))
            case "manual":
                return Report(says=f"`{self.option}` {of} under {self.transform} names {self.got}, over which it is not "
                                   "mapped.",
                              why=f"it is mapped over {axes}; along other axes of the mesh the compiler splits arrays",
                              fixes=(Fix("map over it as well", code=f"axis_names={{{axes}, {self.got}}}"),))
            case "rank":
                return Report(says=f"`{self.option}` {of} under {self.transform} has {self.got} for {self.name}, of type "
                                   f"{self.type_text}.",
                              why=f"it speaks of more axes than {self.name} has; what the devices return is put together "
                                  "along axes that it has",
                              fixes=(Fix("give it an axis, along which the devices' values are put together",
                                         code="return x[None]"),
                                     Fix("where it is the same on all devices", code="P()")))
            case "keyword":
                return Report(says=f"`{self.function}` under {self.transform} was given the keyword argument `{self.name}`.",
                              why="`in_specs` has one entry for each positional argument, and none for keywords",
                              fixes=(Fix("pass it by position"),))
            case "marks":
                return self._marks_report(of)
            case "explicit":
                return Report(says=f"`{self.option}` {of} under {self.transform} has {self.got} for {self.name}, of type "
                                   f"{self.type_text}.",
                              why="along explicit axes of a mesh a type tells how an array is split, and nothing is moved in "
                                  "silence",
                              fixes=(Fix("leave `in_specs` out: it follows from the types"),
                                     Fix("move it before the call", code=f"jax.reshard({self.name.strip('`')}, {self.got})")))
        return Report(says=f"{self.transform} was given no `in_specs` for `{self.function}`.",
                      why="how arguments are split is known of their types along axes of the mesh that are of the type "
                          "Explicit, and this mesh has none", fixes=(Fix("name them", code="in_specs=P('x')"),))


    def _marks_report(self, of: str) -> Report:
        axes = ", ".join(map(repr, self.axes))
        axis = repr(self.axes[0] if len(self.axes) == 1 else self.axes)
        why = {"unreduced": f"along {axes} it is a part of a sum that has not been made yet, and `out_specs` says the same",
               "reduced": f"along {axes} its cotangent is a sum that is not made yet, and `out_specs` says the same"}.get(
                   self.sums, f"along {axes} the value is the same for all and has no such mark")
        fixes = {"unreduced": (Fix("make the sum", code=f"jax.lax.psum(x, {axis})"),
                               Fix("hand its parts on", code=f"out_specs={self.wanted}")),
                 "reduced": (Fix("hand the mark on", code=f"out_specs={self.wanted}"),)}.get(
                     self.sums, (Fix("leave it out", code=f"out_specs={self.wanted}"),
                                 *((Fix("mark it", code=f'jax.lax.pcast(x, {axis}, to="reduced")'),)
                                   if "unreduced=" not in self.got else
                                   (Fix("count the value of each device", code=f'jax.lax.pcast(x, {axis}, to="varying")'),))))
        return Report(says=f"`{self.option}` {of} under {self.transform} has {self.got} for {self.name}, of type "
                           f"{self.type_text}.", why=why, fixes=fixes)


class ShardOutputError(PerspicaxError, ValueError):
    """A result of a function under `shard_map` may differ along an axis of the mesh along which `out_specs` takes it as one.

    Attributes:
        function: the function.
        rows: for each such result its name, its type, its specification as it shows, and the axes.
        mesh: the mesh, as it shows.
    """

    function: str
    rows: tuple[tuple[str, str, str, tuple[Any, ...]], ...]
    mesh: str

    @property
    def report(self) -> Report:
        name, kind, spec, axes = self.rows[0]
        along = " and ".join(map(repr, axes))
        axis = repr(axes[0] if len(axes) == 1 else axes)
        more = [f"{n} ({t}) varies along {', '.join(map(repr, a))}, and {s} does not name {'it' if len(a) == 1 else 'them'}"
                for n, t, s, a in self.rows[1:]]
        return Report(
            says=f"{name} of `{self.function}`, of type {kind}, may differ from device to device along {along}, but its "
                 f"`out_specs` is {spec}.",
            why=f"what {spec} does not name has to be the same on all devices along {along} of {self.mesh}: one of them is "
                "taken for the whole" + ("; " + "; ".join(more) if more else ""),
            fixes=(Fix("make it the same", code=f"jax.lax.psum(x, {axis})"),
                   *(() if "[]" in kind else (Fix("put the devices' parts together", code=f"out_specs=P({axis})"),)),
                   Fix("if it is the same though its type cannot tell", code="check_vma=False")))


class ShardSumsError(ShardSpecError, NotImplementedError):
    """Specifications speak of sums that are not made yet, and not all axes of the mesh are mapped over; JAX has none there.

    The attributes are those of `ShardSpecError`; `axes` are those that are not mapped over.
    """

    kind: str = "sums"

    @property
    def report(self) -> Report:
        axes = ", ".join(map(repr, self.axes))
        return Report(says=f"`{self.option}` of `{self.function}` under {self.transform} has {self.got}"
                           f"{f' for {self.name}' if self.name else ''}, and it is not mapped over {axes}.",
                      why="sums over devices that are not made yet are told by types, along axes of a mesh all of which are "
                          "mapped over; along the others the compiler splits arrays",
                      fixes=(Fix("make the sum before the call", code=f"jax.reshard({self.name.strip('`')}, jax.P())")
                             if self.name else Fix("map over all axes of the mesh: leave `axis_names` out"),))


class PmapError(PerspicaxError, ValueError, TypeError):  # JAX raises the one or the other
    """`pmap` was asked for something that it cannot do.

    Attributes:
        function: the function that was mapped.
        kind: "none", "empty", "size", "sizes", "devices", "processes" (of several processes), "others" (devices are of other
            processes alone), "uneven" (some processes have more devices than others), "axes", "rank", "static", "hash",
            "both", "nested" or "callable".
        got: what was given, as it shows.
        name: the argument in question.
        count: a number that does not fit.
        wanted: the one that would.
        rows: for "sizes", the arguments with their types, axes and sizes.
    """

    function: str
    kind: str
    got: str = ""
    name: str = ""
    count: int = 0
    wanted: int = 0
    rows: tuple[tuple[str, str, int, int], ...] = ()

    def _axes_fixes(self) -> tuple[Fix, ...]:
        """None as the axis of what only some arguments have along the mapped axis, where each argument is one array."""
        sizes = [n for _, _, _, n in self.rows]
        most = max(sizes, key=lambda n: (sizes.count(n), sizes.index(n)))
        names = [name for name, _, _, _ in self.rows]
        if not all(name.isidentifier() for name in names) or len(set(names)) != len(names):
            return (Fix("say None for what is the same on all devices", code="in_axes=(..., None)"),)
        axes = tuple([axis if n == most else None for _, _, axis, n in self.rows])
        return (Fix("say None for what is the same on all devices", code=f"jax.pmap({self.function}, in_axes={axes})"),)

    @property
    def report(self) -> Report:
        match self.kind:
            case "none":
                return Report(says=f"pmap of `{self.function}` has no argument with an axis to map over.",
                              why="one entry of the mapped axis goes to each device; scalars and arguments with in_axes None "
                                  "have no such axis", fixes=(Fix("stack one value for each device",
                                                             code="jnp.stack([x] * jax.local_device_count())"),))
            case "empty":
                return Report(says=f"pmap of `{self.function}` maps over an axis without entries: `{self.name}` is {self.got}.",
                              why="one entry goes to each device, and there would be none",
                              fixes=(Fix("leave the call out where there is nothing to map over"),))
            case "size":
                return Report(says=f"pmap of `{self.function}` was given axis_size={self.wanted}, but the mapped axis has "
                                   f"size {self.count}.", why="they are the same number",
                              fixes=(Fix(code=f"axis_size={self.count}"),))
            case "sizes":
                rows = "\n".join([f"    {name}: {kind}, axis {axis} of size {n}" for name, kind, axis, n in self.rows])
                return Report(says=f"The arguments of `{self.function}` under pmap do not have one size along the mapped axis.",
                              why=f"one entry goes to each device:\n{rows}", fixes=self._axes_fixes())
            case "devices":
                return Report(says=f"pmap of `{self.function}` needs {self.count} devices, one for each entry of the mapped "
                                   f"axis, and there are {self.wanted}.",
                              why="each device runs the function on one entry",
                              fixes=(Fix("on the CPU, ask for more before the first array is made",
                                         code=f"jax.config.update('jax_num_cpu_devices', {self.count})"),
                                     Fix(f"let each of {self.wanted} devices have several entries, and map over these by "
                                         "vmap")))
            case "processes":
                return Report(says=f"pmap of `{self.function}` runs on {self.got} of all processes, {self.wanted} of them "
                                   f"here, and the mapped axis has size {self.count}.",
                              why="each process has one entry for each of its own devices; collectives are over those of all "
                                  "processes",
                              fixes=(Fix(f"give it {self.wanted} {'entry' if self.wanted == 1 else 'entries'}"),
                                     Fix("to run on devices of this process alone, name them",
                                         code=f"jax.pmap({self.function}, devices=jax.local_devices()[:{self.count}])")))
            case "uneven":
                return Report(says=f"pmap of `{self.function}` was given devices of several processes, and not equally many of "
                                   f"each: {self.got}.",
                              why="each process has an equal part of the mapped axis",
                              fixes=(Fix("take all devices, or those of one process", code="devices=jax.local_devices()"),))
            case "others":
                return Report(says=f"pmap of `{self.function}` was called in a process that has none of its devices, "
                                   f"{self.got}.",
                              why="each process has one entry for each of its own devices",
                              fixes=(Fix("call it in the processes whose devices these are"),))
            case "rank":
                axes = f"{self.count} {'axis' if self.count == 1 else 'axes'}"
                return Report(says=f"pmap of `{self.function}` was to map over axis {self.got} of `{self.name}`, which has "
                                   f"{axes}.",
                              why="axes are counted from 0")
            case "static":
                return Report(says=f"`{self.function}` under pmap was called with {self.count} positional arguments, and "
                                   f"argument {self.wanted} is static.",
                              why="static_broadcasted_argnums counts positional arguments, and each of them is given")
            case "hash":
                return Report(says=f"The static argument `{self.name}` of `{self.function}` is {self.got}, which cannot be "
                                   "hashed.",
                              why="pmap compiles once for each value of a static argument, and looks the values up by hash",
                              fixes=(Fix("pass something hashable, such as a tuple"),))
            case "both":
                return Report(says=f"The argument {self.got} of `{self.function}` under pmap is static and donated.",
                              why="a static argument is a Python value; only the memory of arrays can be donated")
            case "nested":
                return Report(says=f"pmap of `{self.function}` was called inside of a function that is mapped over devices "
                                   "already.",
                              why="each device runs one part, and has no devices of its own to spread it over",
                              fixes=(Fix("map over both axes of a mesh", code="jax.shard_map(f, mesh=mesh, "
                                         "in_specs=P('x', 'y'), out_specs=P('x', 'y'))"),
                                     Fix("use vmap within", code=f"jax.pmap(jax.vmap({self.function}))"
                                         if self.function.isidentifier() else "jax.pmap(jax.vmap(f))")))
        return Report(says=f"pmap was given {self.got}, which is no function.", why="it maps a function over devices")


class PmapAxisError(PmapError, IndexError):
    """`in_axes` of `pmap` names an axis that the argument does not have."""


__all__ = ["PmapAxisError", "PmapError", "ShardMapMeshError", "ShardOutputError", "ShardSpecError", "ShardSumsError"]
