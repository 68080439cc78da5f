"""`pmap`: a function run by several devices, each on one entry of a mapped axis. It is `shard_map` over one axis, jitted.

With several processes the devices are those of all of them. Each process calls the function with the entries of its own
devices, its part of the mapped axis, and gets their results; collectives are over all.
"""
from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.jit import jit
from perspicax.api.placement import device_put
from perspicax.api.process_parts import part_of_whole, spans_processes, whole_of_parts
from perspicax.api.shard_errors import PmapAxisError, PmapError, ShardSpecError
from perspicax.api.staging import eval_shape
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer
from perspicax.diagnose.boundary import public, public_methods
from perspicax.lax.shape import expand_dims, squeeze
from perspicax.lax.shard_map import apply_shards, part_type
from perspicax.transform import trees as tree
from perspicax.transform.ahead import LoweredStage, ShapeDtypeStruct, TracedStage
from perspicax.transform.jit import JitFunction
from perspicax.transform.mesh_scope import manual_axes, mesh_axes
from perspicax.transform.stage import (
    FlatFunction,
    check_arguments,
    debug_info,
    function_name,
    positional_names,
    result_path,
    short_repr,
    wraps,
)
from perspicax.xla import client
from perspicax.xla.array import ArrayImpl
from perspicax.xla.sharding import Mesh, NamedSharding, PartitionSpec

WHOLE = PartitionSpec()
UNNAMED = "_internal_pmap_axis_name"
MAX_LAYOUTS = 256


@public
def pmap(fun: Callable[..., Any], axis_name: Any = None, *, in_axes: Any = 0, out_axes: Any = 0,
         static_broadcasted_argnums: int | Sequence[int] = (), devices: Sequence[Any] | None = None,
         backend: str | None = None, axis_size: int | None = None, donate_argnums: int | Sequence[int] = ()) -> PmapFunction:
    """`fun`, run by several devices, each on one entry of a mapped axis, as if by `vmap`.

    Args:
        fun: a function of arrays of shape `[...]`.
        axis_name: the name of the mapped axis in `fun`, for collectives.
        in_axes: which axis of each positional argument is mapped: an integer, `None` (the argument is the same for all), or a
            tuple of these or of prefixes of trees. Keyword arguments are mapped over axis 0.
        out_axes: where the mapped axis stands in the results: an integer or a prefix of the result's tree; `None` for what is
            the same for all.
        static_broadcasted_argnums: positions of arguments that are no arrays; the function is compiled for each of their
            values.
        devices: the devices, one for each entry; by default the first ones, and with several processes all of all of them.
        backend: the platform of the devices, where none are given.
        axis_size: the size of the mapped axis, the parts of other processes included.
        donate_argnums: positions of arguments whose memory may be taken for results.

    Returns:
        A function of arguments of shape `[n, ...]`. Its results are spread over the devices along the mapped axis.

    Raises:
        PmapError: nothing is mapped, sizes differ, there are too few devices, there is not one entry for each device of this
            process, or it is called in another function that devices run.
        PmapAxisError: an argument does not have the axis.
        ShardSpecError: `in_axes` or `out_axes` are no prefix of the tree of arguments or results, or no axes.

    It is compiled as by `jax.jit`, and can be differentiated, batched and jitted.

    >>> jax.pmap(lambda x: x / lax.psum(x, "i"), axis_name="i")(jnp.array([2.]))
    Array([1.], dtype=float32)
    """
    if not callable(fun):
        raise PmapError(function="", kind="callable", got=short_repr(fun))
    return PmapFunction(fun, axis_name, in_axes, out_axes, _positions(static_broadcasted_argnums), devices, backend, axis_size,
                        _positions(donate_argnums))


def _positions(given: Any) -> tuple[int, ...]:
    return (int(given),) if isinstance(given, (int, np.integer)) else tuple([int(i) for i in given])


@public_methods("__call__", "lower", "trace")
class PmapFunction:
    """A function wrapped by `pmap`."""

    __wrapped__: Any

    def __init__(self, fun: Callable[..., Any], axis_name: Any, in_axes: Any, out_axes: Any, static: tuple[int, ...],
                 devices: Sequence[Any] | None, backend: str | None, axis_size: int | None, donated: tuple[int, ...]) -> None:
        wraps(fun, self)
        self._fun, self._name = fun, function_name(fun)
        self._axis_name = UNNAMED if axis_name is None else axis_name
        self._in_axes, self._out_axes, self._axis_size = in_axes, out_axes, axis_size
        self._static, self._devices, self._backend, self._donated = static, devices, backend, donated
        both = [i for i in donated if i in static]
        if both:
            raise PmapError(function=self._name, kind="both", got=str(both[0]))
        self._layouts: dict[Any, tuple[Mesh, list[Any], bool]] = {}
        self._check_axes(in_axes, "in_axes")
        self._check_axes(out_axes, "out_axes")

        def run(*args: Any, **kwargs: Any) -> Any:
            return self._run(args, kwargs)

        self._jitted: JitFunction = jit(wraps(fun, run), static_argnums=static, donate_argnums=donated)

    def __repr__(self) -> str:
        return f"<pmap of {self._fun!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if manual_axes():
            raise PmapError(function=self._name, kind="nested")
        mesh, axes, leaves, in_tree, spans = self._layout(args, kwargs)
        if spans:
            return self._over_processes(mesh, axes, leaves, in_tree, args)
        return self._jitted(*self._placed(mesh, axes, leaves, in_tree, args, kwargs), **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> LoweredStage:
        """Stage and emit StableHLO for these arguments without running.

        With several processes, what is compiled of it takes and returns arrays over all of them.
        """
        args, kwargs = self._whole(args, kwargs)
        return self._jitted.lower(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> TracedStage:
        """Stage for these arguments without running; see `lower`."""
        args, kwargs = self._whole(args, kwargs)
        return self._jitted.trace(*args, **kwargs)

    def clear_cache(self) -> None:
        """Forget what was staged and compiled."""
        self._jitted.clear_cache()

    # -- what is mapped, and where

    def _check_axes(self, axes: Any, option: str) -> None:
        for axis in tree.flatten(axes, _is_none)[0]:
            if axis is not None and (not isinstance(axis, (int, np.integer)) or isinstance(axis, bool)):
                raise ShardSpecError(function=self._name, option=option, kind="axis", got=short_repr(axis), transform="pmap")

    def _flat_axes(self, axes: Any, full: Any, option: str) -> list[Any]:
        try:
            return tree.broadcast_prefix(axes, full, is_leaf=_is_none)
        except ValueError:
            from perspicax.core.tree_prefix import prefix_errors  # only an error needs it

            raise ShardSpecError(function=self._name, option=option, kind="tree", got=short_repr(axes), transform="pmap",
                                 mismatches=tuple(prefix_errors(axes, full, is_leaf=_is_none))) from None

    def _dynamic(self, args: tuple) -> tuple[tuple, Any]:
        """The positional arguments that are not static, and their axes."""
        for i in self._static:
            if not -len(args) <= i < len(args):
                raise PmapError(function=self._name, kind="static", count=len(args), wanted=i)
            try:
                hash(args[i])
            except TypeError:
                name = positional_names(self._fun, len(args))[i]
                raise PmapError(function=self._name, kind="hash", name=name, got=short_repr(args[i])) from None
        static = {i % len(args) for i in self._static} if self._static else set()
        axes = self._in_axes
        if isinstance(axes, (tuple, list)):
            if static and len(axes) == len(args):
                axes = [a for i, a in enumerate(axes) if i not in static]
            axes = tuple(axes)
        return tuple([a for i, a in enumerate(args) if i not in static]), axes

    def _layout(self, args: tuple, kwargs: dict, whole: bool = False) -> tuple[Mesh, list[Any], list[Any], Any, bool]:
        """The mesh, the axis of each flat argument, the arguments, and whether other processes have parts of the mapped axis.

        `whole` says that the arguments are whole, of all processes.
        """
        given, axes = self._dynamic(args)
        leaves, in_tree = tree.flatten((given, kwargs))
        avals = check_arguments(leaves, in_tree, self._fun, "pmap")
        several = not whole and client.several_processes()
        wide = tuple([type(x) is ArrayImpl and not x.is_fully_addressable for x in leaves]) if several else None
        key = in_tree, tuple(avals), whole, wide
        found = self._layouts.get(key)
        if found is None:
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()
            found = self._layouts[key] = self._mesh_and_axes(axes, given, in_tree, avals, whole, wide)
        return found[0], list(found[1]), leaves, in_tree, found[2]

    def _mesh_and_axes(self, axes: Any, given: tuple, in_tree: Any, avals: Sequence[Any], whole: bool,
                       wide: Sequence[bool] | None) -> tuple[Mesh, list[Any], bool]:
        """`wide` tells which arguments lie over several processes already."""
        flat = self._flat_axes(axes, given, "in_axes")
        flat += [0] * (len(avals) - len(flat))
        names = debug_info("pmap", self._fun, in_tree, static=self._static).arg_names or ()
        sizes: dict[int, int] = {}
        for i, (axis, aval) in enumerate(zip(flat, avals)):
            if axis is None:
                continue
            if not aval.shape:
                raise PmapError(function=self._name, kind="none")
            if not -aval.ndim <= axis < aval.ndim:
                raise PmapAxisError(function=self._name, kind="rank", got=str(axis), name=names[i], count=aval.ndim)
            flat[i] = int(axis) % aval.ndim
            sizes[i] = aval.shape[flat[i]]
        if not sizes:
            raise PmapError(function=self._name, kind="none")
        if wide is not None and any(wide[i] for i in sizes):  # counted here as what this process has of them
            devices = self._mesh(0).device_tuple
            mine = sum(d.process_index == client.process_index(devices[0].platform) for d in devices)
            sizes = {i: mine if wide[i] and n == len(devices) else n for i, n in sizes.items()}
        count = next(iter(sizes.values()))
        if len(set(sizes.values())) > 1:
            raise PmapError(function=self._name, kind="sizes", rows=tuple([
                (names[i], avals[i].str_short(), flat[i], n) for i, n in sizes.items()]))
        if not count:
            i = next(iter(sizes))
            raise PmapError(function=self._name, kind="empty", name=names[i], got=avals[i].str_short())
        mesh = self._mesh(count)
        spans = spans_processes(mesh)
        if spans and not whole:
            self._check_entries(mesh, count)
        elif mesh.size != count:
            raise PmapError(function=self._name, kind="devices", count=count, wanted=mesh.size)
        if self._axis_size is not None and self._axis_size != mesh.size:
            raise PmapError(function=self._name, kind="size", count=mesh.size, wanted=self._axis_size)
        return mesh, flat, spans

    def _mesh(self, count: int) -> Mesh:
        devices = None if self._devices is None else list(self._devices)
        if devices is None:
            several = client.process_count(self._backend) > 1
            devices = client.devices(self._backend) if several else client.local_devices(backend=self._backend)[:count]
        return Mesh(np.array(devices, dtype=object), (self._axis_name,))

    def _check_entries(self, mesh: Mesh, count: int) -> None:
        """Raise unless there is one entry for each device of this process."""
        devices = mesh.device_tuple
        here = client.process_index(devices[0].platform)
        mine = sum(d.process_index == here for d in devices)
        if len({*collections.Counter(d.process_index for d in devices).values()}) > 1:
            raise PmapError(function=self._name, kind="uneven", got=", ".join(map(str, devices)))
        if not mine:
            raise PmapError(function=self._name, kind="others", got=", ".join(map(str, devices)))
        if mine != count:
            raise PmapError(function=self._name, kind="processes", got=f"{len(devices)} devices", count=count, wanted=mine)

    def _spec(self, axis: int | None) -> PartitionSpec:
        return WHOLE if axis is None else PartitionSpec(*[None] * axis, self._axis_name)

    def _placed(self, mesh: Mesh, axes: list[Any], leaves: list[Any], in_tree: Any, args: tuple, kwargs: dict) -> tuple:
        """The positional arguments on the devices, before they come to `jit`."""
        if any(isinstance(x, Tracer) for x in leaves):
            return args
        if len(mesh.device_tuple) == 1:
            leaves = device_put(leaves, mesh.device_tuple[0])
        else:
            wanted = [NamedSharding(mesh, self._spec(axis)) for axis in axes]
            if all(type(x) is ArrayImpl and x._committed and x.sharding == s for x, s in zip(leaves, wanted)):
                return args
            leaves = device_put(leaves, wanted)
        given, named = in_tree.unflatten(leaves)
        kwargs.update(named)
        return self._with_statics(given, args)

    def _with_statics(self, given: Sequence[Any], args: tuple) -> tuple:
        """The positional arguments `args` with those that are not static taken from `given`."""
        rest = iter(given)
        static = {i % len(args) for i in self._static} if self._static else set()
        return tuple([a if i in static else next(rest) for i, a in enumerate(args)])

    # -- with several processes

    def _over_processes(self, mesh: Mesh, axes: list[Any], leaves: list[Any], in_tree: Any, args: tuple) -> Any:
        """The call with this process's parts: the whole function is called with the whole arrays."""
        given, named = in_tree.unflatten([whole_of_parts(x, mesh, self._spec(axis)) for x, axis in zip(leaves, axes)])
        out = self._jitted(*self._with_statics(given, args), **named)
        self._drop_donated(args)
        outs, out_tree = tree.flatten(out)
        axes = [axis if axis is None else int(axis) % x.ndim for x, axis in zip(outs, self._flat_axes(
            self._out_axes, out, "out_axes"))]
        return out_tree.unflatten([part_of_whole(x, mesh, self._spec(axis)) for x, axis in zip(outs, axes)])

    def _drop_donated(self, args: tuple) -> None:
        """The memory of donated parts went with the whole arrays that were made of them."""
        for i in self._donated:
            for x in tree.flatten(args[i])[0]:
                if type(x) is ArrayImpl and not x.is_deleted():
                    x.delete()

    def _whole(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """The arguments as the function is compiled for them: with the types of the whole arrays."""
        mesh, axes, leaves, in_tree, spans = self._layout(args, kwargs)
        if not spans:
            return args, kwargs
        whole = [eval_shape(lambda x, a=axis: whole_of_parts(x, mesh, self._spec(a)), x) for x, axis in zip(leaves, axes)]
        given, named = in_tree.unflatten([
            ShapeDtypeStruct(x.shape, x.dtype, sharding=NamedSharding(mesh, self._spec(axis))) for x, axis in zip(whole, axes)])
        return self._with_statics(given, args), named

    # -- the function that is jitted

    def _run(self, args: tuple, kwargs: dict) -> Any:
        mesh, axes, leaves, in_tree, _ = self._layout(args, kwargs, whole=True)
        specs = tuple([self._spec(axis) for axis in axes])
        manual = frozenset([self._axis_name])
        avals = check_arguments(leaves, in_tree, self._fun, "pmap")
        static = {i % len(args): args[i] for i in self._static} if self._static else {}

        def rebuild(both: Any) -> tuple[Sequence[Any], dict]:
            rest = iter(both[0])
            return [static[i] if i in static else next(rest) for i in range(len(args))], both[1]

        flat = FlatFunction(self._fun, in_tree, "pmap", rebuild)
        out_specs: list[PartitionSpec] = []

        def of_parts(*parts: Any) -> list[Any]:
            outs = flat(*[x if axis is None else squeeze(x, (axis,)) for x, axis in zip(parts, axes)])
            return self._with_axes(outs, flat.out_tree, out_specs)

        with mesh_axes(mesh, manual, False):
            closed = stage_flat(of_parts, [part_type(a, s, mesh, False) for a, s in zip(avals, specs)],
                                debug_info("pmap", self._fun, in_tree, static=self._static))
        outs = apply_shards(closed, leaves, mesh, specs, tuple(out_specs), manual, False)
        return flat.out_tree.unflatten(outs)

    def _with_axes(self, outs: Sequence[Any], out_tree: Any, specs: list[PartitionSpec]) -> list[Any]:
        """Results with an axis of size 1 where the mapped one shall stand."""
        result = out_tree.unflatten(outs)
        found = []
        for i, (x, axis) in enumerate(zip(outs, self._flat_axes(self._out_axes, result, "out_axes"))):
            if axis is not None:
                rank = np.ndim(x) if not hasattr(x, "ndim") else x.ndim
                if not -rank - 1 <= axis <= rank:
                    raise PmapAxisError(function=self._name, kind="rank", got=str(axis), name=result_path(result, i),
                                        count=rank + 1)
                axis = int(axis) % (rank + 1)
                x = expand_dims(x, (axis,))
            specs.append(self._spec(axis))
            found.append(x)
        return found


def _is_none(x: Any) -> bool:
    return x is None


__all__ = ["PmapFunction", "pmap"]
