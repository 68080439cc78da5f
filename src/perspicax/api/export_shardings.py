"""Exported functions of several devices: how they are spread, in terms of axes and not of devices.

A program for n devices is called on any n; its meshes number them in the order of the caller's. The shardings of arguments and
results are kept as `NamedSharding`s on abstract meshes, and stand around the call as constraints: what they were attributes of,
in the program, is no `main` any more.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from perspicax.api.export_errors import ExportedCallError, ExportError, ExportUnsupportedError
from perspicax.core.avals import MemorySpace
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.diagnose.report import Fix
from perspicax.transform.jit_primitive import inner_shardings
from perspicax.xla.explicit import part_of_type
from perspicax.xla.mesh import AbstractDevice, AbstractMesh, AxisType
from perspicax.xla.partition import PartitionSpec
from perspicax.xla.sharding import HOST_KIND, NamedSharding, mesh_words

if TYPE_CHECKING:
    from perspicax.api.exported import Exported

__all__ = ["Spread", "at_callers", "check_device_count", "of_cotangents", "of_mesh", "read_shardings", "said_shardings",
           "spread_of", "types_as_asked"]

Shardings = tuple[Any, ...]  # a `NamedSharding` on an abstract mesh for each value, or `None`


class Spread(NamedTuple):
    """How a function is spread over devices.

    Attributes:
        number: how many there are.
        devices: those that it was written for, in their order; empty where its meshes have none.
        arguments, results: the shardings that were asked for.
    """

    number: int
    devices: tuple[Any, ...]
    arguments: Shardings
    results: Shardings


def spread_of(closed: ClosedJaxpr, name: str, arguments: Sequence[Any] | None, results: Sequence[Any] | None) -> Spread:
    """How a staged function is spread: by its arguments, results, and what it mentions.

    Raises:
        ExportUnsupportedError: a sharding over several devices is no `NamedSharding`.
        ExportError: it mentions meshes of different sizes, or different devices.
    """
    given = list(arguments or [None] * len(closed.in_avals))
    typed = next((a.explicit.mesh for a in closed.in_avals if a.explicit is not None), None)
    if typed is not None and not typed.are_all_axes_explicit:
        typed = None
    wanted = [s or _told_by_type(a, typed) for s, a in zip(results or [None] * len(closed.out_avals), closed.out_avals)]
    all_of_them = [s for s in (*given, *wanted, *inner_shardings(closed)) if s is not None]
    many = [s for s in all_of_them if _count(s) > 1]
    other = next((s for s in many if not isinstance(s, NamedSharding)), None)
    if other is not None:
        raise ExportUnsupportedError(says=f"`{name}` has the sharding {other}, which cannot be exported.",
                                     why="what is exported is called on other devices: it can only speak of axes of a mesh",
                                     fixes=(Fix("place the argument by a `NamedSharding`"),))
    devices = next((s.devices for s in many if s.devices), ())
    count = _count(many[0]) if many else 1
    apart = next((s for s in many if _count(s) != count or (s.devices and set(s.devices) != set(devices))), None)
    if apart is not None:
        raise ExportError(says=f"`{name}` is spread over different devices: {many[0]} and {apart}.",
                          why="a program runs on all devices that it speaks of")
    return Spread(count, devices if count > 1 else (), _abstract(given), _abstract(wanted))


def _told_by_type(aval: Any, typed: Any) -> NamedSharding | None:
    """How a result lies for which nothing was asked: over explicit axes as its type says, on the mesh of arguments' types."""
    told = aval.explicit or (None if typed is None else NamedSharding(typed, PartitionSpec(*[None] * aval.ndim)))
    return told if told is None or aval.memory is not MemorySpace.Host else told.update(memory_kind=HOST_KIND)


def types_as_asked(avals: Sequence[Any], asked: Sequence[Any] | None) -> tuple[Any, ...]:
    """The types of values that lie as was asked: in which memory, and how split over explicit axes."""
    return tuple(avals) if asked is None else tuple([
        a if s is None else a.laid(part_of_type(s, a.ndim)).in_memory(s.memory) for s, a in zip(asked, avals)])


def of_cotangents(given: Shardings) -> Shardings:
    """The shardings of the cotangents of values that lie so."""
    return tuple([s if s is None else s.update(spec=s.spec.to_ct_spec()) for s in given])


def at_callers(explicit: NamedSharding | None, meshes: Iterable[Any]) -> NamedSharding | None:
    """How a type is split over explicit axes, told of that one of the caller's meshes that has these axes, if there is one.

    A function may have been exported where the devices are of another kind, which meshes tell as well.
    """
    if explicit is None:
        return None
    axes = explicit.mesh.shape_tuple, explicit.mesh.axis_types
    mesh = next((m for m in meshes if (m.shape_tuple, m.axis_types) == axes), explicit.mesh)
    return part_of_type(explicit.update(mesh=mesh), len(explicit.spec))


def _count(sharding: Any) -> int:
    return sharding.mesh.size if isinstance(sharding, NamedSharding) else len(sharding.devices)


def _abstract(given: Sequence[Any]) -> Shardings:
    return tuple([s.update(mesh=s.mesh.abstract_mesh) if isinstance(s, NamedSharding) else None for s in given])


def of_mesh(given: Shardings, mesh: Any, name: str) -> Shardings:
    """The shardings on the devices of a mesh.

    Raises:
        ExportedCallError: it has other axes than the one that the function was exported with.
    """
    other = next((s.mesh for s in given if s is not None and s.mesh.shape_tuple != mesh.shape_tuple), None)
    if other is not None:
        raise ExportedCallError(says=f"`{name}` was exported for {mesh_words(other)}; its shardings were asked for on "
                                     f"{mesh_words(mesh)}.",
                                why="names and sizes of the axes are the same, whatever the devices",
                                fixes=(Fix(code=f"jax.make_mesh({other.axis_sizes}, {other.axis_names})"),))
    return tuple([None if s is None else s.update(mesh=mesh) for s in given])


def check_device_count(exported: Exported, found: int) -> None:
    """Raise for a call of a function of several devices in a program of another number of them."""
    if exported.nr_devices in (1, found):
        return
    meshes = [s.mesh for s in (*exported._in_named_shardings, *exported._out_named_shardings) if s is not None]
    shape = f"{meshes[0].axis_sizes}, {meshes[0].axis_names}" if meshes else f"({exported.nr_devices},), ('x',)"
    raise ExportedCallError(
        says=f"`{exported.fun_name}` was exported for {exported.nr_devices} devices, and called on {found}.",
        why="its program says what each of them does; where it is called, arguments lie on as many, or `jit` is told so",
        fixes=(Fix("place the arguments, for example so", code=f"mesh = jax.make_mesh({shape})\n"
                   "x = jax.device_put(x, jax.sharding.NamedSharding(mesh, jax.P()))"),))


# -- as JSON

def said_shardings(given: Shardings) -> list[Any]:
    """For each sharding its axes (name, size, type) and, for each axis of the array, the names that split it; its memory; and
    where axes are explicit, those along which it is a sum that has not been made yet, those along which its cotangent is, and
    the kind of the devices."""
    return [None if s is None else [
        [[name, size, kind.name] for (name, size), kind in zip(s.mesh.shape_tuple, s.mesh.axis_types)],
        [list(p) if isinstance(p, tuple) else p if isinstance(p, str) or p is None else "?" for p in s.spec],
        s.chosen_kind,
        *([sorted(s.spec.unreduced), sorted(s.spec.reduced), s.mesh.abstract_device] if s.splits_types else []),
    ] for s in given]


def read_shardings(said: Sequence[Any]) -> Shardings:
    """Back from there."""
    return tuple([None if each is None else _read(*each) for each in said])


def _read(axes: Any, parts: Any, memory: str | None, unreduced: Sequence[str] = (), reduced: Sequence[str] = (),
          device: Any = None) -> NamedSharding:
    mesh = AbstractMesh([size for _, size, _ in axes], [name for name, _, _ in axes],
                        tuple([AxisType[kind] for _, _, kind in axes]),
                        abstract_device=None if device is None else AbstractDevice(*device))
    spec = PartitionSpec(*[tuple(p) if isinstance(p, list) else PartitionSpec.UNCONSTRAINED if p == "?" else p for p in parts],
                         unreduced=frozenset(unreduced), reduced=frozenset(reduced))
    return NamedSharding(mesh, spec, memory_kind=memory)
