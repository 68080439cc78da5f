"""Arrays over meshes whose axes are of different types, in one operation.

A type tells how an array lies along explicit axes, and nothing of axes that are left to the compiler. Operands over meshes of
which one has axes that are not left to it have no common type; so they are refused, before the program that they meet in is
compiled. Few programs have arrays over several such meshes: a look at the arguments settles it for all others.

Operations with `out_sharding` leave their operands to the compiler for a while, and these then lie over a mesh without
explicit axes. So there must be an argument whose type tells how it lies, and entries are taken and put by indices that lie over
any mesh.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from perspicax.core.jaxpr import ClosedJaxpr, JaxprEqn, Var
from perspicax.xla.array import ArrayImpl
from perspicax.xla.mesh import current_abstract_mesh, current_mesh
from perspicax.xla.sharding import NamedSharding
from perspicax.xla.sharding_errors import MixedMeshesError

__all__ = ["refuse_mixed_meshes"]

_MOVES = ("device_put", "gather", "mesh_cast", "reshard", "scatter", "sharding_constraint")


class _Lies(NamedTuple):
    """The axes of the mesh that a value lies on, and the argument that it has this from."""

    mesh: Any
    argument: str


def refuse_mixed_meshes(closed: ClosedJaxpr, arrays: Sequence[Any], names: Callable[[], Sequence[str]] | None = None) -> None:
    """Raise where an operation of a program has operands over meshes with axes of different types.

    Args:
        closed: the program.
        arrays: its arguments, which lie on several devices.
        names: theirs, for the report.

    Raises:
        MixedMeshesError: of the first such operation, also if it has operands over another mesh than the one that is set.
    """
    if not any(type(x) is ArrayImpl and x.aval.explicit is not None for x in (*arrays, *closed.consts)):
        return
    meshes = [_mesh_of(x) for x in arrays]
    current = current_mesh.value if current_abstract_mesh.value is None else None
    scope = current.abstract_mesh if current is not None and current.device_tuple else None
    different = {mesh for mesh in (*meshes, *map(_mesh_of, closed.consts), scope) if mesh is not None}
    if len(different) < 2 or all(mesh.are_all_axes_auto for mesh in different):
        return
    told = names() if names is not None else ()
    given = [None if mesh is None else _Lies(mesh, told[i] if i < len(told) else "") for i, mesh in enumerate(meshes)]
    _follow(closed, given, scope)


def _mesh_of(x: Any) -> Any:
    placed = x._place if type(x) is ArrayImpl else None
    return placed[0].mesh.abstract_mesh if placed is not None and isinstance(placed[0], NamedSharding) else None


def _follow(closed: ClosedJaxpr, given: Sequence[_Lies | None], scope: Any) -> list[_Lies | None]:
    """Where the results of a jaxpr lie, for arguments that lie like this; `None` where that is not known."""
    jaxpr = closed.jaxpr
    known: dict[Any, _Lies | None] = dict(zip(jaxpr.invars, given))
    for v, x in zip(jaxpr.constvars, closed.consts):
        mesh = _mesh_of(x)
        known[v] = None if mesh is None else _Lies(mesh, "")
    for eqn in jaxpr.eqns:
        operands = [known.get(v) if isinstance(v, Var) else None for v in eqn.invars]
        if any(operands):
            known.update(zip(eqn.outvars, _results(eqn, operands, scope)))
    return [known.get(v) if isinstance(v, Var) else None for v in jaxpr.outvars]


def _results(eqn: JaxprEqn, operands: Sequence[_Lies | None], scope: Any) -> Sequence[_Lies | None]:
    primitive, nowhere = eqn.primitive, [None] * len(eqn.outvars)
    inside = primitive.inside
    if inside is not None:
        run = inside(**eqn.params)
        if run is None or run.kind != "call" or primitive.name != "jit":
            return nowhere  # each has a mesh of its own within, or rounds whose values lie as the compiler says
        return _follow(run.inner[0].jaxpr, operands, scope)
    if primitive.name.startswith(_MOVES) or "callback" in primitive.extra or not primitive.cache_types:
        return nowhere
    first = next(i for i, lies in enumerate(operands) if lies is not None)
    for index, lies in enumerate(operands):
        if lies is not None and scope is not None and lies.mesh is not scope and not lies.mesh.are_all_axes_auto:
            raise MixedMeshesError(operation=primitive.name, names=(lies.argument,), operands=(index,),
                                   meshes=(_axes(lies.mesh), _axes(scope)), place=eqn.position)
        if lies is not None and _differ(lies.mesh, operands[first].mesh):  # type: ignore[union-attr]
            other: Any = operands[first]
            raise MixedMeshesError(operation=primitive.name, names=(other.argument, lies.argument), operands=(first, index),
                                   meshes=(_axes(other.mesh), _axes(lies.mesh)), place=eqn.position)
    return [operands[first]] * len(eqn.outvars)


def _differ(one: Any, other: Any) -> bool:
    return one is not other and not (one.are_all_axes_auto and other.are_all_axes_auto)


def _axes(mesh: Any) -> str:
    """The axes of a mesh, with their sizes and types."""
    return ", ".join([f"{n!r}: {size} {kind.name}" for (n, size), kind in zip(mesh.shape_tuple, mesh.axis_types)])
