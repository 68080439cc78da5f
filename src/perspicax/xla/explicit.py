"""Sharding in types: how arrays lie along axes of a mesh that are of the type Explicit.

A type holds what its sharding says of explicit axes (`aval.explicit`): a `NamedSharding` over the axes of the mesh alone, with
one entry for each axis of the array. It is `None` where no explicit axis splits the array, as in all programs without such
axes, whose types are what they would be without this file.
"""
from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import set_sharding_hooks
from perspicax.xla.manual_axis_type import ManualAxisType
from perspicax.xla.mesh import AxisType, Mesh, get_abstract_mesh
from perspicax.xla.partition import PartitionSpec, names_in
from perspicax.xla.sharding import NamedSharding

in_use: list[bool] = []  # holds something once any type of the process is split


# -- what types ask

def part_of_type(sharding: Any, ndim: int) -> NamedSharding | None:
    """What of a sharding is part of the type of an array of `ndim` axes."""
    return _part_of_type(sharding.mesh, sharding.spec, ndim) if sharding is not None and sharding.splits_types else None


@functools.lru_cache(maxsize=8192)
def _part_of_type(mesh: Any, spec: PartitionSpec, ndim: int) -> NamedSharding | None:
    kept = frozenset(mesh.explicit_axes)
    parts = [tuple([n for n in names_in(part) if n in kept]) for part in spec.partitions[:ndim]]
    sums = spec.unreduced & kept, spec.reduced & kept
    if not any(parts) and not any(sums):
        return None
    in_use[:] = [True]
    full = PartitionSpec(*parts, *[None] * (ndim - len(parts)), unreduced=sums[0], reduced=sums[1])
    return NamedSharding(mesh.abstract_mesh, full)


def of_parts(mesh: Any, parts: Sequence[Any], like: Any = None, **sums: frozenset) -> NamedSharding | None:
    """The part of a type that splits its axes like this; `like` or `sums` give the sums that are not made yet."""
    if like is not None:
        sums = {"unreduced": like.spec.unreduced, "reduced": like.spec.reduced}
    return _part_of_type(mesh, PartitionSpec(*parts, **sums), len(parts))


def with_axis(explicit: NamedSharding, axis: int, part: NamedSharding | None) -> NamedSharding | None:
    """The same for arrays with one more axis, split as the one axis of `part`."""
    parts = list(explicit.spec.partitions)
    parts.insert(axis, None if part is None else part.spec.partitions[0])
    return of_parts(explicit.mesh, parts, explicit)


def without_axis(explicit: NamedSharding, axis: int) -> NamedSharding | None:
    """The same for arrays without one of the axes."""
    return of_parts(explicit.mesh, [p for i, p in enumerate(explicit.spec.partitions) if i != axis], explicit)


def along(ndim: int, axis: int, part: NamedSharding) -> NamedSharding | None:
    """For an array of `ndim` axes that is split along one axis alone, as the one axis of `part`."""
    return of_parts(part.mesh, [part.spec.partitions[0] if i == axis else None for i in range(ndim)])


def axis_part(aval: Any, axis: int) -> NamedSharding | None:
    """How one axis of a type is split, as of a vector; `None` where it is whole."""
    explicit = aval.explicit
    return None if explicit is None else of_parts(explicit.mesh, (explicit.spec.partitions[axis],))


def on_axis(aval: Any, axis: int, part: NamedSharding) -> NamedSharding | None:
    """The part of a type with one axis, which was whole, split as the one axis of `part`."""
    parts = [None] * aval.ndim if aval.explicit is None else list(aval.explicit.spec.partitions)
    parts[axis] = part.spec.partitions[0]
    return of_parts(part.mesh, parts, aval.explicit)


def sums_of(aval: Any) -> frozenset:
    """The axes of the mesh along which an array of this type is a sum that has not been made yet."""
    return frozenset() if aval.explicit is None else aval.explicit.spec.unreduced


def dual(explicit: NamedSharding | None) -> NamedSharding | None:
    """The part of the type of a cotangent: a sum that is not made yet is the same for all there, and the reverse."""
    if explicit is None or not (explicit.spec.unreduced or explicit.spec.reduced):
        return explicit
    return _part_of_type(explicit.mesh, explicit.spec.to_ct_spec(), len(explicit.spec))


def not_reduced(explicit: NamedSharding, axes: frozenset) -> NamedSharding | None:
    """The same for values whose cotangents are no sums along these axes that are not made yet."""
    reduced = explicit.spec.reduced
    return explicit if reduced.isdisjoint(axes) else _part_of_type(
        explicit.mesh, explicit.spec.update(reduced=reduced - axes), len(explicit.spec))


def manual_axis_type(vma: frozenset, explicit: NamedSharding | None, here: frozenset) -> ManualAxisType:
    """Of which kind a value is along the axes in `here`, over which `shard_map` maps."""
    if explicit is None:
        return ManualAxisType(varying=vma)
    return ManualAxisType(varying=vma, unreduced=explicit.spec.unreduced & here, reduced=explicit.spec.reduced & here)


def whole(ndim: int) -> NamedSharding:
    """The sharding in the type of an array that no explicit axis splits: it is whole on the current mesh."""
    return whole_on(get_abstract_mesh(), ndim)


@functools.lru_cache(maxsize=1024)
def whole_on(mesh: Any, ndim: int) -> NamedSharding:
    """The sharding of an array of `ndim` axes that is whole on each device of a mesh."""
    return NamedSharding(mesh, PartitionSpec(*[None] * ndim))


def sizes_text(shape: Sequence[Any], explicit: NamedSharding) -> list[str]:
    """The sizes of axes as types show them: `8@x`, `8@(x,y)`."""
    return [f"{n}{part_text(p)}" for n, p in zip(shape, explicit.spec.partitions)]


def part_text(part: Any) -> str:
    """How one axis is split, as types show it; nothing for a whole axis."""
    if part is None:
        return ""
    return f"@({','.join(map(str, part))})" if isinstance(part, tuple) else f"@{part}"


def sums_text(explicit: NamedSharding) -> str:
    """The axes along which the sum is not made yet, as types show them: `{U:x}`; `{R:x}` where that of the cotangent is not."""
    spec = explicit.spec
    found = [f"{letter}:{names if len(axes) == 1 else f'({names})'}" for letter, axes in (
        ("U", spec.unreduced), ("R", spec.reduced)) if axes for names in [",".join(sorted(map(str, axes)))]]
    return f"{{{', '.join(found)}}}" if found else ""


# -- from types to devices

@functools.lru_cache(maxsize=4096)
def on_devices(explicit: NamedSharding, devices: tuple) -> NamedSharding | None:
    """The sharding over devices, in the order of a mesh, that a type speaks of; `None` where they are not as many."""
    mesh = explicit.mesh
    if mesh.size != len(devices):
        return None
    grid = np.empty(len(devices), object)
    grid[:] = devices
    return NamedSharding(Mesh(grid.reshape(mesh.axis_sizes), mesh.axis_names, mesh.axis_types), explicit.spec)


def laid_results(avals: Sequence[Any], given: Sequence[Any] | None, placed: Any) -> list[Any] | None:
    """The shardings of a program's results, as their types say; `None` for each that the compiler places.

    Args:
        avals: types of the results.
        given: shardings that the user asks for, `None` for each that he does not.
        placed: a sharding on the program's devices.
    """
    mesh = placed.mesh if isinstance(placed, NamedSharding) and len(placed.devices) > 1 else None
    closed = mesh is not None and mesh.are_all_axes_explicit
    if not closed and not any(a.explicit is not None for a in avals):
        return None if given is None else list(given)
    found = list(given) if given is not None else [None] * len(avals)
    for i, (aval, sharding) in enumerate(zip(avals, found)):
        if sharding is None and aval.explicit is not None:
            laid = on_devices(aval.explicit, placed.devices)
            found[i] = None if laid is None else laid.closed_on_explicit
        elif sharding is None and closed and aval.mlir != "!stablehlo.token":
            found[i] = NamedSharding(mesh, PartitionSpec(*[None] * aval.ndim))  # type: ignore[arg-type]
    return found


def released(explicit: NamedSharding, axes: frozenset | None = None) -> NamedSharding:
    """The same sharding over a mesh of which `axes` (by default all explicit ones) are left to the compiler."""
    mesh = explicit.mesh
    names = frozenset(mesh.explicit_axes) if axes is None else axes
    types = tuple([AxisType.Auto if n in names and t is AxisType.Explicit else t
                   for n, t in zip(mesh.axis_names, mesh.axis_types)])
    return NamedSharding(mesh.update(axis_types=types), explicit.spec.update(unreduced=(), reduced=()))


set_sharding_hooks(sys.modules[__name__])  # type: ignore[arg-type]

__all__ = ["along", "axis_part", "dual", "in_use", "laid_results", "manual_axis_type", "not_reduced", "of_parts", "on_axis",
           "on_devices", "part_of_type", "part_text", "released", "sizes_text", "sums_of", "sums_text", "whole", "whole_on",
           "with_axis", "without_axis"]
