"""Axes of a mesh in scope: inside of `shard_map` a function sees one device's part, and collectives name the axes.

Each value's type tells along which of these axes it may differ from device to device (`aval.vma`). Nothing is inserted where a
value that is the same for all meets one that is not: the result varies along the axes of both, and the cotangent that comes
back is summed over the axes that the value does not have (`hooks.flowing_to`).
"""
from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from perspicax.core.avals import manual_scope
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Trace
from perspicax.transform.batch import axis_frames
from perspicax.xla.partition import names_in
from perspicax.xla.sharding import NamedSharding, SingleDeviceSharding
from perspicax.xla.sharding_errors import MeshAxisError


class MeshAxis:
    """A manual axis of a mesh, by its name in scope.

    Attributes:
        name, size: of the axis.
        checks: whether types tell what varies along it.
        mesh: `(mesh, manual axes, checks, eager)`, for the keys of caches; `eager` where no program is being traced around it.
    """

    __slots__ = ("checks", "mesh", "name", "size")

    def __init__(self, name: Any, mesh: Any, manual: frozenset, checks: bool, eager: bool = False) -> None:
        self.name, self.size, self.checks = name, mesh.shape[name], checks
        self.mesh = (mesh, manual, checks, eager)


class MeshTrace(Trace):
    """Brings the axes of a mesh into scope; what is applied goes on to its parent."""

    __slots__ = ("frames",)

    def __init__(self, parent: Trace, frames: Sequence[MeshAxis]) -> None:
        self.parent = parent
        self.dead = False
        self.debug = None
        self.frames = tuple(frames)

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        return self.hand_on(primitive, args, values)


@contextlib.contextmanager
def mesh_axes(mesh: Any, manual: frozenset, checks: bool, eager: bool = False) -> Iterator[None]:
    """Let the axes in `manual` be in scope, for what is staged in the block."""
    before = local.trace
    local.trace = MeshTrace(before, [MeshAxis(name, mesh, manual, checks, eager)
                                     for name in mesh.axis_names if name in manual])
    try:
        yield
    finally:
        local.trace = before


def checked_axes(names: Sequence[Any]) -> frozenset:
    """Those of the names that are axes of a mesh along which types tell what varies."""
    here = {f.name: f for f in reversed(axis_frames())}
    return frozenset([n for n in names if isinstance(here.get(n), MeshAxis) and here[n].checks])


def manual_axes() -> frozenset:
    """All axes of meshes in scope."""
    return frozenset([f.name for f in axis_frames() if isinstance(f, MeshAxis)])


def mesh_in_scope() -> Any:
    """The mesh whose axes are in scope, innermost; `None` outside of `shard_map`."""
    return next((f.mesh[0] for f in axis_frames() if isinstance(f, MeshAxis)), None)


def refuse_manual(sharding: Any, function: str) -> None:
    """Raise where a sharding splits, or sums, by an axis of a mesh along which each device runs its own part here.

    Raises:
        MeshAxisError: it names such an axis.
    """
    here = manual_axes() if isinstance(sharding, NamedSharding) else frozenset()
    if not here:
        return
    spec = sharding.spec
    for name in [*[n for part in spec for n in names_in(part)], *sorted(spec.unreduced | spec.reduced, key=str)]:
        if name in here:
            raise MeshAxisError(kind="manual", spec=repr(sharding.spec), axis=name, mesh=str(sharding.mesh),
                                axes=sharding.mesh.axis_names, function=function)


def other_devices_within(sharding: Any, *, eager: bool = False) -> Any:
    """The mesh in scope, where one device was asked for, and each device of the mesh runs a part of the program; else `None`.

    Args:
        eager: look at meshes alone that no program is being traced around: within one JAX leaves out such requests.
    """
    if not isinstance(sharding, SingleDeviceSharding):
        return None
    frames = [f for f in axis_frames() if isinstance(f, MeshAxis)]
    if not frames or (eager and not any(f.mesh[3] for f in frames)):
        return None
    return frames[0].mesh[0] if frames[0].mesh[0].size > 1 else None


manual_scope[:] = [manual_axes]

__all__ = ["MeshAxis", "MeshTrace", "checked_axes", "manual_axes", "mesh_axes", "mesh_in_scope", "other_devices_within",
           "refuse_manual"]
