"""`auto_axes` and `explicit_axes`: functions within which axes of the mesh are of another type."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.api.errors import AxisModeError
from perspicax.api.wrapping import check_callable, public
from perspicax.core.array import Array
from perspicax.core.option import Override
from perspicax.core.tracer import get_aval
from perspicax.core.tree import tree_leaves, tree_map
from perspicax.lax.constraints import recast, released, reshard
from perspicax.transform.stage import function_name, wraps
from perspicax.xla import mesh as meshes
from perspicax.xla.mesh import AbstractMesh, AxisType

__all__ = ["auto_axes", "explicit_axes"]


@public
def auto_axes(f: Callable[..., Any] | None = None, /, *, axes: str | tuple[str, ...] | None = None,
              out_sharding: Any = None) -> Any:
    """`f`, within which the compiler decides how arrays lie along explicit axes of the mesh.

    Within `f` the types of arrays do not speak of these axes, so that no operation is refused for the sake of its types.

    Args:
        f: a function of arrays. Left out, `auto_axes` is a decorator.
        axes: the axes, all explicit ones by default.
        out_sharding: how the results lie: a `PartitionSpec` in terms of the mesh, a `NamedSharding`, or a prefix of the tree
            of results of these. It may also be given to the function that is returned.

    Returns:
        A function of the arguments of `f`, and of `out_sharding`.

    Raises:
        AxisModeError: no `out_sharding` is given, or there is no mesh with explicit axes.
        ShardingFitError: a result cannot be split so.
    """
    if f is None:
        return lambda g: auto_axes(g, axes=axes, out_sharding=out_sharding)
    check_callable("auto_axes", f)
    given, fun = out_sharding, f

    @public
    def mapped(*args: Any, out_sharding: Any = None, **kwargs: Any) -> Any:
        place = given if out_sharding is None else out_sharding
        if place is None:
            raise AxisModeError(function=function_name(fun), kind="out_sharding", transform="auto_axes")
        mesh, names = _axes_here("auto_axes", fun, (args, kwargs), axes, AxisType.Explicit)
        inner = mesh.update_axis_types(dict.fromkeys(names, AxisType.Auto))

        args, kwargs = tree_map(lambda x: released(x, names) if isinstance(x, Array) else x, (args, kwargs))
        with Override(meshes.current_abstract_mesh, inner):
            outs = fun(*args, **kwargs)
        return reshard(outs, place)

    return wraps(f, mapped)


@public
def explicit_axes(f: Callable[..., Any] | None = None, /, *, axes: str | tuple[str, ...] | None = None,
                  in_sharding: Any = None) -> Any:
    """`f`, within which types tell how arrays lie along axes of the mesh that are left to the compiler outside of it.

    Args:
        f: a function of arrays. Left out, `explicit_axes` is a decorator.
        axes: the axes, all those of the type Auto by default.
        in_sharding: how the arguments lie: a `PartitionSpec` in terms of the mesh, a `NamedSharding`, or a prefix of the tree
            of positional arguments of these. It may also be given to the function that is returned.

    Returns:
        A function of the positional arguments of `f`, and of `in_sharding`. What it returns is left to the compiler again.

    Raises:
        AxisModeError: no `in_sharding` is given, or there is no mesh.
        ShardingFitError: an argument cannot be split so.
    """
    if f is None:
        return lambda g: explicit_axes(g, axes=axes, in_sharding=in_sharding)
    check_callable("explicit_axes", f)
    given, fun = in_sharding, f

    @public
    def mapped(*args: Any, in_sharding: Any = None, **kwargs: Any) -> Any:
        place = given if in_sharding is None else in_sharding
        if place is None:
            raise AxisModeError(function=function_name(fun), kind="in_sharding", transform="explicit_axes")
        mesh, names = _axes_here("explicit_axes", fun, (args, kwargs), axes, AxisType.Auto)
        inner = mesh.update_axis_types(dict.fromkeys(names, AxisType.Explicit))

        with Override(meshes.current_abstract_mesh, inner):
            outs = fun(*reshard(args, place), **kwargs)
        return tree_map(lambda x: recast(x, mesh) if isinstance(x, Array) else x, outs)

    return wraps(f, mapped)


def _axes_here(transform: str, fun: Callable[..., Any], values: Any, axes: Any,
               wanted: AxisType) -> tuple[AbstractMesh, frozenset]:
    """The axes of the mesh here, and the names of those that change their type.

    Raises:
        AxisModeError: there are none, or some that are asked for are of another type.
    """
    mesh = meshes.get_abstract_mesh()
    if mesh.empty:  # the arguments tell
        found = [get_aval(x).explicit for x in tree_leaves(values) if isinstance(x, Array)]
        mesh = next((e.mesh for e in found if e is not None), mesh)
    there = [n for n, t in zip(mesh.axis_names, mesh.axis_types) if t is wanted]
    names = frozenset(there) if axes is None else frozenset((axes,) if isinstance(axes, str) else axes)
    nothing_to_do = axes is None and not mesh.empty and wanted is AxisType.Auto and AxisType.Explicit in mesh.axis_types
    if not (names or nothing_to_do) or not names.issubset(there):
        raise AxisModeError(function=function_name(fun), kind="axes", transform=transform, wanted=wanted.name,
                            axes=tuple(sorted(names.difference(there), key=str)), mesh=str(mesh))
    return mesh, names
