"""Shardings: on which devices an array's pieces live, and which piece on which.

Every array has one, and every executable a device list; one device is the default case, not a special one.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core.avals import MemorySpace
from perspicax.diagnose.boundary import public_methods
from perspicax.xla import client
from perspicax.xla.array_errors import NotADeviceError
from perspicax.xla.emit import quoted
from perspicax.xla.errors import ShardingError
from perspicax.xla.mesh import AbstractMesh, AxisType, Mesh, current_abstract_mesh, current_mesh, entered_mesh
from perspicax.xla.partition import UNCONSTRAINED, PartitionSpec, names_in
from perspicax.xla.sharding_errors import MeshAxisError, MeshContextError, MeshError, ShardingFitError, SpecError, drawing

Sharding = runtime.BaseSharding
"""How an array is spread over devices; the base of all shardings."""

Indices = Mapping[Any, tuple[slice, ...]]


Pieces = tuple[tuple[Any, ...], list[tuple[tuple[slice, ...], bool]]]


def _pieces(shape: tuple[int, ...], indices: Indices) -> Pieces:
    seen: set = set()
    found = []
    for index in indices.values():
        key = tuple([(s.start, s.stop) for s in index])
        found.append((index, key in seen or 0 in shape))
        seen.add(key)
    return tuple(indices), found


class _Common:
    """What all shardings answer to. jaxlib's classes cannot be mixed with others: `like_sharding` copies this in."""

    devices: tuple[Any, ...]
    chosen_kind: str | None
    is_fully_replicated = False
    open = False  # whether it leaves an axis to the compiler
    splits_types = False  # whether it may be part of types: it is over a mesh with explicit axes

    device_set = property(lambda self: set(self.devices))
    num_devices = property(lambda self: len(self.devices))

    @property
    def memory_kind(self) -> str | None:
        """The memory of the devices that holds the pieces."""
        return self.chosen_kind or (default_memory_kind(self.devices[0]) if self.devices else None)

    @property
    def addressable_devices(self) -> set:
        """Those of the devices that belong to this process."""
        return {d for d in self.devices if d.process_index == d.client.process_index()}

    @property
    def memory(self) -> MemorySpace | None:
        """The memory of the devices that types tell, `None` for that in which they compute."""
        return MemorySpace.Host if self.chosen_kind == HOST_KIND else None

    has_addressable_devices = property(lambda self: bool(self.addressable_devices))
    is_fully_addressable = property(lambda self: len(self.addressable_devices) == len(self.devices))

    def shard_shape(self, global_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one device's piece."""
        return tuple(global_shape)

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Indices:
        """Which piece (one slice for each axis) lives on which device."""
        raise NotImplementedError

    def addressable_devices_indices_map(self, global_shape: tuple[int, ...]) -> Indices:
        """`devices_indices_map`, for the devices of this process."""
        found = self.devices_indices_map(global_shape)
        mine = self.addressable_devices
        return found if len(mine) == len(found) else {d: i for d, i in found.items() if d in mine}

    def pieces(self, shape: tuple[int, ...]) -> Pieces:
        """The devices of this process, and for each the index of its piece and whether one before it has the same."""
        return _pieces(shape, self.addressable_devices_indices_map(shape))

    def check_compatible_aval(self, aval_shape: tuple[int, ...]) -> None:
        """Raise where the sharding speaks of more axes than there are."""

    def is_equivalent_to(self, other: Any, ndim: int) -> bool:
        """Whether both spread an array of `ndim` axes alike."""
        if self is other:
            return True
        return (self.devices == other.devices and self.memory_kind == other.memory_kind
                and self._to_xla_hlo_sharding(ndim) == other._to_xla_hlo_sharding(ndim))

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        raise NotImplementedError

    def shardy(self, ndim: int) -> tuple[tuple, tuple[Any, ...], str]:
        """The sharding in Shardy's terms: sizes of named mesh axes, the devices in their order, the text of its parts."""
        raise NotImplementedError


def like_sharding(cls: type) -> type:
    """Class decorator: give `cls` the members of `_Common` that it does not define itself."""
    for name, member in vars(_Common).items():
        if name not in vars(cls) and not (name.startswith("__") and name.endswith("__")):
            setattr(cls, name, member)
    return cls


@functools.cache
def default_memory_kind(device: Any) -> str:
    """The memory in which a device computes."""
    return device.default_memory().kind


def in_memory_of(placed: Any, aval: Any) -> Any:
    """The same pieces on the same devices, in the memory that a type tells; what the compiler chose has one memory."""
    kind = None if aval.memory is None else HOST_KIND
    if placed.chosen_kind == kind or not hasattr(placed, "with_memory_kind"):
        return placed
    return placed.with_memory_kind(kind or default_memory_kind(placed.devices[0]))


def in_memories(avals: Sequence[Any], asked: Sequence[Any] | None, found: Sequence[Any] | None) -> Sequence[Any] | None:
    """The shardings of results, each in the memory that its type tells, but for those that the user asked for."""
    if found is None:
        return None
    return tuple([s if s is None or (asked is not None and asked[i] is not None) else in_memory_of(s, a)
                  for i, (s, a) in enumerate(zip(found, avals))])


def in_computing_memory(placed: Any) -> Any:
    """The same pieces on the same devices, in the memory in which these compute."""
    return placed if placed.chosen_kind is None else placed.with_memory_kind(default_memory_kind(placed.devices[0]))


HOST_KIND = "pinned_host"
"""The memory of a device that is `MemorySpace.Host`."""


def chosen_memory_kind(kind: str | None, devices: tuple[Any, ...]) -> str | None:
    """`kind` where it is another memory than that in which the devices compute.

    Raises:
        ShardingError: the devices have no such memory.
    """
    if kind is None or not devices or kind == default_memory_kind(devices[0]):
        return None
    known = [m.kind for m in devices[0].addressable_memories()]
    if kind not in known:
        raise ShardingError(says=f"The device {devices[0]} has no memory of the kind {kind!r}.",
                            why=f"its memories are {', '.join(map(repr, known))}")
    return kind


@like_sharding
@public_methods("__init__", "with_memory_kind")
class SingleDeviceSharding(runtime.BaseSingleDeviceSharding):
    """All of an array on one device.

    Args:
        device: the device.
        memory_kind: which of its memories; by default that in which it computes.

    Raises:
        NotADeviceError: `device` is none.
        ShardingError: the device has no such memory.
    """

    is_fully_replicated = True

    def __init__(self, device: Any, *, memory_kind: str | None = None) -> None:
        if not isinstance(device, runtime.Device):
            raise NotADeviceError(value=repr(device)[:60])
        self.devices = (device,)
        self.chosen_kind = chosen_memory_kind(memory_kind, self.devices)
        super().__init__(device, self.chosen_kind)
        self.device = device
        self.committed_place = (self, True)

    def __reduce__(self) -> tuple:
        return _single_device, (self.device.platform, self.device.id, self.chosen_kind)

    def __hash__(self) -> int:
        return hash((SingleDeviceSharding, self.device.id, self.device.platform))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, SingleDeviceSharding) and self.device == other.device
                                 and self.chosen_kind == other.chosen_kind)

    def __repr__(self) -> str:
        return f"SingleDeviceSharding(device={self.device!r}, memory_kind={self.memory_kind})"

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Indices:
        return {self.device: (slice(None),) * len(global_shape)}

    def with_memory_kind(self, kind: str) -> SingleDeviceSharding:
        """The same device, another of its memories."""
        return SingleDeviceSharding(self.device, memory_kind=kind)

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        return runtime.HloSharding.replicate()

    def shardy(self, ndim: int) -> tuple[tuple, tuple[Any, ...], str]:
        return (), self.devices, whole_text(ndim)


def whole_text(ndim: int) -> str:
    """The parts of an array that nothing splits, as Shardy writes them."""
    return f"[{', '.join(['{}'] * ndim)}]"


def _single_device(platform: str, device_id: int, memory_kind: str | None = None) -> SingleDeviceSharding:
    for device in client.devices(platform):
        if device.id == device_id:
            return on_device(device) if memory_kind is None else SingleDeviceSharding(device, memory_kind=memory_kind)
    raise ShardingError(says=f"The array was on {platform} device {device_id}, which this process does not have.",
                        why=f"its devices are {client.devices(platform)}")


@functools.cache
def on_device(device: Any) -> SingleDeviceSharding:
    """The sharding of one device; one object for each.

    Raises:
        NotADeviceError: `device` is none.
    """
    return SingleDeviceSharding(device)


_first: list[SingleDeviceSharding] = []


def first_sharding() -> SingleDeviceSharding:
    """The first device of this process."""
    if not _first:
        _first.append(on_device(client.local_devices()[0]))
    return _first[0]


def default_sharding() -> Any:
    """Where arrays go that nothing places elsewhere: a copy on each device of the mesh that was set, or one device."""
    mesh = current_mesh.value
    if mesh is not None and mesh.device_tuple:
        return NamedSharding(mesh, WHOLE)
    return default_device_sharding()


def default_device_sharding() -> SingleDeviceSharding:
    """The one device of arrays that nothing places, whatever mesh is set."""
    return on_device(client.default_device())


def in_current_mesh(spec: PartitionSpec, function: str, option: str, *, entered: bool = False) -> NamedSharding:
    """The sharding that a bare specification means.

    Args:
        spec: in terms of the mesh that `set_mesh` has set.
        function, option: what it was given to, for the report.
        entered: whether the mesh of `with mesh:` is meant, too.

    Raises:
        MeshContextError: there is no such mesh.
    """
    mesh = current_mesh.value or (entered_mesh.value if entered else None) or current_abstract_mesh.value
    abstract = current_abstract_mesh.value
    if isinstance(mesh, Mesh) and abstract is not None and abstract.shape_tuple == mesh.shape_tuple:
        mesh = mesh.update(axis_types=abstract.axis_types)  # within `auto_axes`, say
    if mesh is None or mesh.empty:
        raise MeshContextError(function=function, option=option, spec=repr(spec), entered=entered_mesh.value is not None)
    return NamedSharding(mesh, spec)


WHOLE = PartitionSpec()


class _Layout:
    """What follows from a mesh and a specification; one for each pair, whatever was asked of it before kept."""

    __slots__ = ("_hlo", "_indices", "_pieces", "committed", "explicit", "mesh", "open", "parts", "spec", "splits", "whole")

    def __init__(self, mesh: Any, spec: PartitionSpec) -> None:
        self.mesh, self.spec = mesh, spec
        self.parts = tuple([names_in(p) for p in spec.partitions])
        self._check()
        self.splits = tuple([math.prod([mesh.shape[n] for n in names]) for names in self.parts])
        self.open = any(p is UNCONSTRAINED for p in spec.partitions)
        self.explicit = bool(mesh.explicit_axes)
        self.whole = all(s == 1 for s in self.splits) and not spec.unreduced
        self._hlo: dict[int, Any] = {}
        self._indices: dict[tuple[int, ...], Indices] = {}
        self._pieces: dict[tuple[int, ...], Pieces] = {}
        self.committed: dict[str | None, tuple] = {}

    def _check(self) -> None:
        mesh, spec = self.mesh, self.spec
        seen: set = set()
        for name in [n for names in self.parts for n in names] + sorted(spec.unreduced | spec.reduced, key=str):
            kind = "unknown" if name not in mesh.shape else "twice" if name in seen else ""
            if kind:
                raise MeshAxisError(kind=kind, spec=repr(spec), axis=name, mesh=mesh_words(mesh), axes=mesh.axis_names)
            seen.add(name)
        for name in sorted(spec.unreduced | spec.reduced, key=str):
            if mesh.axis_types[mesh.axis_names.index(name)] is AxisType.Auto:
                raise MeshAxisError(kind="unreduced", spec=repr(spec), axis=name, mesh=str(mesh), axes=mesh.axis_names)

    def splits_of(self, ndim: int) -> tuple[int, ...]:
        """Into how many pieces each of `ndim` axes is split."""
        return self.splits[:ndim] + (1,) * (ndim - len(self.splits))

    def hlo(self, ndim: int) -> Any:
        """The sharding as XLA has it."""
        found = self._hlo.get(ndim)
        if found is None:
            found = self._hlo[ndim] = self._make_hlo(self.splits_of(ndim))
        return found

    def _make_hlo(self, splits: tuple[int, ...]) -> Any:
        if all(s == 1 for s in splits):
            return runtime.HloSharding.replicate()
        mesh = self.mesh
        used = [mesh.axis_names.index(n) for names in self.parts for n in names]
        rest = [i for i in range(len(mesh.axis_names)) if i not in used]
        copies = math.prod([mesh.axis_sizes[i] for i in rest])
        return runtime.HloSharding.iota_tile(
            (*splits, copies) if copies > 1 else splits, reshape_dims=mesh.axis_sizes, transpose_perm=used + rest,
            subgroup_types=[runtime.OpSharding.Type.REPLICATED] if copies > 1 else [])

    def piece(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one device's piece."""
        if len(self.parts) > len(shape):
            raise ShardingFitError(kind="rank", shape=shape, parts=self.parts, splits=self.splits, spec=repr(self.spec),
                                   mesh=mesh_words(self.mesh))
        splits = self.splits_of(len(shape))
        for i, (n, s) in enumerate(zip(shape, splits)):
            if n % s:
                raise ShardingFitError(kind="uneven", shape=shape, axis=i, parts=self.parts, splits=self.splits,
                                       spec=repr(self.spec), mesh=mesh_words(self.mesh))
        return tuple([n // s for n, s in zip(shape, splits)])

    def indices(self, shape: tuple[int, ...]) -> Indices:
        """Which piece lives on which device."""
        found = self._indices.get(shape)
        if found is None:
            if len(self._indices) >= MAX_SHAPES:
                self._indices.clear()
            found = self._indices[shape] = self._make_indices(shape)
        return found

    def pieces(self, shape: tuple[int, ...]) -> Pieces:
        """The devices of this process, and for each the index of its piece and whether one before it has the same."""
        found = self._pieces.get(shape)
        if found is None:
            if len(self._pieces) >= MAX_SHAPES:
                self._pieces.clear()
            mine = set(self.mesh.local_devices)
            found = self._pieces[shape] = _pieces(shape, {d: i for d, i in self.indices(shape).items() if d in mine})
        return found

    def _make_indices(self, shape: tuple[int, ...]) -> Indices:
        if self.open:
            raise SpecError(kind="open", what=repr(self.spec), got="")
        piece, mesh = self.piece(shape), self.mesh
        numbers = []  # for each axis of the array, the number of the piece at each place of the mesh
        for names in self.parts:
            number = np.zeros(mesh.axis_sizes, int)
            for name in names:
                number = number * mesh.shape[name] + _along(mesh, name)
            numbers.append(number.reshape(-1).tolist())
        rest = (slice(None),) * (len(shape) - len(numbers))
        cuts = [[slice(None)] if s == 1 else [slice(k * n, (k + 1) * n) for k in range(s)]
                for s, n in zip(self.splits, piece)]
        rows = zip(*numbers) if numbers else [()] * len(mesh.device_tuple)
        return {device: tuple([cut[k] for cut, k in zip(cuts, row)]) + rest for device, row in zip(mesh.device_tuple, rows)}


MAX_SHAPES = 1024


def mesh_words(mesh: Any) -> str:
    """The sizes of a mesh, as a report shows them."""
    return f"Mesh({', '.join([f'{n!r}: {s}' for n, s in mesh.shape_tuple])})"


def drawn(placed: Any, shape: tuple[int, ...]) -> str:
    """How an array of this shape lies, for a report."""
    memory = "" if placed.chosen_kind is None else f", in the memory {placed.chosen_kind!r}"
    if isinstance(placed, NamedSharding):
        rows = "\n".join(drawing(shape, placed._layout.parts, placed._layout.splits))
        return f"as {placed.spec} over {mesh_words(placed.mesh)}{memory}:\n{rows}".rstrip("\n")
    if len(placed.devices) == 1:
        return f"    on {placed.devices[0].platform}:{placed.devices[0].id}{memory}"
    return f"    as {placed}"


def _along(mesh: Any, name: Any) -> np.ndarray:
    """The coordinate of each place of a mesh along one of its axes."""
    axis = mesh.axis_names.index(name)
    shape = [1] * len(mesh.axis_names)
    shape[axis] = -1
    return np.arange(mesh.axis_sizes[axis]).reshape(shape)


@functools.lru_cache(maxsize=8192)
def _layout(mesh: Any, spec: PartitionSpec) -> _Layout:
    return _Layout(mesh, spec)


@like_sharding
@public_methods("__init__", "shard_shape", "devices_indices_map", "check_compatible_aval",
                "update", "with_memory_kind", "is_equivalent_to")
class NamedSharding(runtime.BaseGSPMDSharding):
    """An array spread over a mesh, as a PartitionSpec says.

    Args:
        mesh: the devices, or an abstract mesh: then it serves types and lowering alone.
        spec: for each axis of the array the mesh axes that split it; axes beyond it are whole on every device.
        memory_kind: which memory of the devices; by default that in which they compute.

    Raises:
        MeshAxisError: `spec` names an axis that the mesh lacks, or one twice.
        MeshError: `mesh` is none.
        SpecError: `spec` is none.
        ShardingError: the devices have no such memory.

    Differs: it can be pickled, as its mesh can.
    """

    def __init__(self, mesh: Mesh | AbstractMesh, spec: PartitionSpec, memory_kind: str | None = None, **_: Any) -> None:
        if type(spec) is not PartitionSpec:
            raise SpecError(kind="spec", what="`NamedSharding`", got=repr(spec)[:60])
        if not isinstance(mesh, Mesh | AbstractMesh):
            raise MeshError(kind="mesh", shape=(), names=(), got=repr(mesh)[:60])
        self.mesh, self.spec = mesh, spec
        self._layout = layout = _layout(mesh, spec)
        self._hash = hash((mesh, spec, memory_kind))
        if isinstance(mesh, AbstractMesh):
            self.devices, self.chosen_kind = (), memory_kind
            # The base class ends the process when it is given no devices; nothing asks it for these.
            super().__init__(first_sharding()._internal_device_list, _REPLICATED)
            return
        self.devices = mesh.device_tuple
        self.chosen_kind = None
        if memory_kind is not None:
            self.chosen_kind = chosen_memory_kind(memory_kind, self.devices)
            self._hash = hash((mesh, spec, self.chosen_kind))
        super().__init__(mesh._internal_device_list, layout.hlo(len(spec)), self.chosen_kind)

    @property
    def committed_place(self) -> tuple:
        """What an array that was put here has for its place; one object for all of them."""
        places = self._layout.committed
        found = places.get(self.chosen_kind)
        if found is None:
            found = places[self.chosen_kind] = (self, True)
        return found

    is_fully_replicated = property(lambda self: self._layout.whole)
    open = property(lambda self: self._layout.open)
    splits_types = property(lambda self: self._layout.explicit)

    @property
    def closed_on_explicit(self) -> NamedSharding:
        """What it says of explicit axes of its mesh; where there are others, the compiler may split what is whole by them."""
        if self.mesh.are_all_axes_explicit:
            return self
        return self.update(spec=self.spec.update(partitions=tuple([
            UNCONSTRAINED if p is None else p for p in self.spec.partitions])))

    @property
    def device_set(self) -> set:
        """The devices.

        Raises:
            MeshError: the mesh has none.
        """
        return set(self.mesh.devices.flat)

    @property
    def addressable_devices(self) -> set:
        """Those of the devices that belong to this process."""
        return set(self.mesh.local_devices)

    @property
    def num_devices(self) -> int:
        """Number of devices."""
        return self.mesh.size

    @property
    def replicated_axes(self) -> frozenset:
        """The axes of the mesh along which the pieces are the same."""
        used = {n for names in self._layout.parts for n in names}
        return frozenset([n for n in self.mesh.axis_names if n not in used and n not in self.spec.unreduced])

    def shard_shape(self, global_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one device's piece.

        Raises:
            ShardingFitError: the specification has more axes than the array, or a mesh axis does not divide one.
        """
        return self._layout.piece(tuple(global_shape))

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Indices:
        """Which piece (one slice for each axis) lives on which device.

        Raises:
            ShardingFitError: as of `shard_shape`.
        """
        return self._layout.indices(tuple(global_shape))

    def pieces(self, shape: tuple[int, ...]) -> Pieces:
        """The devices of this process, and for each the index of its piece and whether one before it has the same."""
        return self._layout.pieces(shape)

    def check_compatible_aval(self, aval_shape: tuple[int, ...]) -> None:
        """Raise where the sharding speaks of more axes than there are."""
        if len(self.spec) > len(aval_shape):
            self._layout.piece(tuple(aval_shape))

    def is_equivalent_to(self, other: Any, ndim: int) -> bool:
        """Whether both spread an array of `ndim` axes alike."""
        if self is other:
            return True
        if isinstance(other, NamedSharding) and self._layout is other._layout:
            return self.chosen_kind == other.chosen_kind
        if self.spec.unreduced or (isinstance(other, NamedSharding) and other.spec.unreduced):
            return (isinstance(other, NamedSharding) and self.mesh is other.mesh and self.spec.unreduced == other.spec.unreduced
                    and self._layout.splits_of(ndim) == other._layout.splits_of(ndim)
                    and self._layout.hlo(ndim) == other._layout.hlo(ndim))
        if isinstance(self.mesh, AbstractMesh):
            return (isinstance(other, NamedSharding) and self.mesh.shape_tuple == other.mesh.shape_tuple
                    and self._layout.hlo(ndim) == other._layout.hlo(ndim))
        return (self.devices == other.devices and self.memory_kind == other.memory_kind
                and self._layout.hlo(ndim) == other._to_xla_hlo_sharding(ndim))

    def update(self, **changes: Any) -> NamedSharding:
        """The same with some fields (`mesh`, `spec`, `memory_kind`) changed."""
        return NamedSharding(changes.get("mesh", self.mesh), changes.get("spec", self.spec),
                             changes.get("memory_kind", self.chosen_kind))

    def with_spec(self, spec: Any) -> NamedSharding:
        """The same mesh, another specification."""
        return self.update(spec=spec if isinstance(spec, PartitionSpec) else PartitionSpec(*spec))

    def with_memory_kind(self, kind: str) -> NamedSharding:
        """The same pieces, in another memory of the devices."""
        return self.update(memory_kind=kind)

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        return self._layout.hlo(num_dimensions)

    def shardy(self, ndim: int) -> tuple[tuple, tuple[Any, ...], str]:
        parts = [_part_text(p) for p in self.spec.partitions] + ["{}"] * (ndim - len(self.spec))
        text = f"[{', '.join(parts)}]"
        if self.spec.unreduced:
            text += f", unreduced={{{', '.join([quoted(n) for n in self.mesh.axis_names if n in self.spec.unreduced])}}}"
        return self.mesh.shape_tuple, self.devices, text

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, NamedSharding) and self.mesh is other.mesh and self.spec == other.spec
                                 and self.chosen_kind == other.chosen_kind)

    def __reduce__(self) -> tuple:
        return NamedSharding, (self.mesh, self.spec, self.chosen_kind)

    def __repr__(self) -> str:
        kind = self.memory_kind
        return f"NamedSharding(mesh={self.mesh!s}, spec={self.spec!r}{'' if kind is None else f', memory_kind={kind}'})"


_REPLICATED = runtime.HloSharding.replicate()


def _part_text(part: Any) -> str:
    if part is UNCONSTRAINED:
        return "{?}"
    return f"{{{', '.join([quoted(n) for n in names_in(part)])}}}"


__all__ = ["AbstractMesh", "AxisType", "Mesh", "NamedSharding", "PartitionSpec", "Sharding", "ShardingError",
           "SingleDeviceSharding", "default_device_sharding", "default_sharding",
           "first_sharding", "in_current_mesh", "like_sharding", "on_device", "whole_text"]
