"""`pmap`: a function run by several devices, each on one entry of a mapped axis. It is `shard_map` over one axis, jitted."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.jit import jit
from perspicax.api.placement import device_put
from perspicax.api.shard_errors import PmapAxisError, PmapError, ShardSpecError
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer
from perspicax.diagnose.boundary import public, public_methods
from perspicax.lax.shape import expand_dims, squeeze
from perspicax.lax.shard_map import apply_shards, part_type
from perspicax.transform import trees as tree
from perspicax.transform.ahead import LoweredStage, TracedStage
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
        devices: the devices, one for each entry; by default the first ones.
        backend: the platform of the devices, where none are given.
        axis_size: the size of the mapped axis.
        donate_argnums: positions of arguments whose memory may be taken for results.

    Returns:
        A function of arguments of shape `[n, ...]`. Its results are spread over the devices along the mapped axis.

    Raises:
        PmapError: nothing is mapped, sizes differ, there are too few devices, or it is called in another function that devices
            run.
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
        self._static, self._devices, self._backend = static, devices, backend
        both = [i for i in donated if i in static]
        if both:
            raise PmapError(function=self._name, kind="both", got=str(both[0]))
        self._layouts: dict[Any, tuple[Mesh, list[Any]]] = {}
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
        return self._jitted(*self._placed(args, kwargs), **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> LoweredStage:
        """Stage and emit StableHLO for these arguments without running."""
        self._layout(args, kwargs)
        return self._jitted.lower(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> TracedStage:
        """Stage for these arguments without running."""
        self._layout(args, kwargs)
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

    def _layout(self, args: tuple, kwargs: dict) -> tuple[Mesh, list[Any], list[Any], Any]:
        """The mesh, the axis of each flat argument, and the arguments."""
        given, axes = self._dynamic(args)
        leaves, in_tree = tree.flatten((given, kwargs))
        avals = check_arguments(leaves, in_tree, self._fun, "pmap")
        key = in_tree, tuple(avals)
        found = self._layouts.get(key)
        if found is None:
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()
            found = self._layouts[key] = self._mesh_and_axes(axes, given, in_tree, avals)
        return found[0], list(found[1]), leaves, in_tree

    def _mesh_and_axes(self, axes: Any, given: tuple, in_tree: Any, avals: Sequence[Any]) -> tuple[Mesh, list[Any]]:
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
        count = next(iter(sizes.values()))
        if len(set(sizes.values())) > 1:
            raise PmapError(function=self._name, kind="sizes", rows=tuple([
                (names[i], avals[i].str_short(), flat[i], n) for i, n in sizes.items()]))
        if self._axis_size is not None and self._axis_size != count:
            raise PmapError(function=self._name, kind="size", count=count, wanted=self._axis_size)
        if not count:
            i = next(iter(sizes))
            raise PmapError(function=self._name, kind="empty", name=names[i], got=avals[i].str_short())
        return self._mesh(count), flat

    def _mesh(self, count: int) -> Mesh:
        devices = list(self._devices) if self._devices is not None else client.local_devices(backend=self._backend)[:count]
        if len(devices) != count:
            raise PmapError(function=self._name, kind="devices", count=count, wanted=len(devices))
        return Mesh(np.array(devices, dtype=object), (self._axis_name,))

    def _spec(self, axis: int | None) -> PartitionSpec:
        return WHOLE if axis is None else PartitionSpec(*[None] * axis, self._axis_name)

    def _placed(self, args: tuple, kwargs: dict) -> tuple:
        """The positional arguments on the devices, before they come to `jit`."""
        mesh, axes, leaves, in_tree = self._layout(args, kwargs)
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
        rest = iter(given)
        static = {i % len(args) for i in self._static} if self._static else set()
        return tuple([a if i in static else next(rest) for i, a in enumerate(args)])

    # -- the function that is jitted

    def _run(self, args: tuple, kwargs: dict) -> Any:
        mesh, axes, leaves, in_tree = self._layout(args, kwargs)
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
