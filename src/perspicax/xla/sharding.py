"""Shardings: on which devices an array's pieces live, and which piece on which.

Every array has one, and every executable a device list; one device is the default case, not a special one.
"""
from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.diagnose.boundary import public_methods
from perspicax.xla import client
from perspicax.xla.array_errors import NotADeviceError
from perspicax.xla.errors import ShardingError

Sharding = runtime.BaseSharding
"""How an array is spread over devices; the base of all shardings."""


class _Common:
    """What all shardings answer to. jaxlib's classes cannot be mixed with others: `_sharding` copies this in."""

    memory_kind: Any = None

    @property
    def device_set(self) -> set:
        return set(self.devices)  # type: ignore[attr-defined]

    addressable_devices = property(lambda self: {d for d in self.devices if d.process_index == d.client.process_index()})
    num_devices = property(lambda self: len(self.devices))
    is_fully_replicated = False
    is_fully_addressable = property(lambda self: len(self.addressable_devices) == len(self.devices))

    def shard_shape(self, global_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one device's piece."""
        return tuple(global_shape)

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Mapping[Any, tuple[slice, ...]]:
        """Which piece (one slice for each axis) lives on which device."""
        raise NotImplementedError

    def addressable_devices_indices_map(self, global_shape: tuple[int, ...]) -> Mapping[Any, tuple[slice, ...]]:
        """`devices_indices_map`, for the devices of this process."""
        mine = self.addressable_devices
        return {d: i for d, i in self.devices_indices_map(global_shape).items() if d in mine}

    def is_equivalent_to(self, other: Any, ndim: int) -> bool:
        """Whether both spread an array of `ndim` axes alike."""
        return (list(self.devices) == list(other.devices)  # type: ignore[attr-defined]
                and self._to_xla_hlo_sharding(ndim) == other._to_xla_hlo_sharding(ndim))

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        raise NotImplementedError

    def hlo_text(self, ndim: int) -> str:
        """The sharding as XLA's annotation spells it."""
        return str(self._to_xla_hlo_sharding(ndim))


def _sharding(cls: type) -> type:
    """Class decorator: give `cls` the members of `_Common` that it does not define itself."""
    for name, member in vars(_Common).items():
        if name not in vars(cls) and not (name.startswith("__") and name.endswith("__")):
            setattr(cls, name, member)
    return cls


@_sharding
class SingleDeviceSharding(runtime.BaseSingleDeviceSharding):
    """All of an array on one device."""

    is_fully_replicated = True

    def __init__(self, device: Any, *, memory_kind: str | None = None) -> None:
        super().__init__(device)
        self.devices = (device,)
        self.device = device
        self.memory_kind = memory_kind

    def __reduce__(self) -> tuple:
        return _single_device, (self.device.platform, self.device.id)

    def __hash__(self) -> int:
        return hash((SingleDeviceSharding, self.device.id, self.device.platform))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SingleDeviceSharding) and self.device == other.device

    def __repr__(self) -> str:
        return f"SingleDeviceSharding(device={self.device!r})"

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Mapping[Any, tuple[slice, ...]]:
        return {self.device: (slice(None),) * len(global_shape)}

    def with_memory_kind(self, kind: str) -> SingleDeviceSharding:
        """The same device, another of its memories."""
        return SingleDeviceSharding(self.device, memory_kind=kind)

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        return runtime.HloSharding.replicate()


def _single_device(platform: str, device_id: int) -> SingleDeviceSharding:
    for device in client.devices(platform):
        if device.id == device_id:
            return on_device(device)
    raise ShardingError(says=f"The array was on {platform} device {device_id}, which this process does not have.",
                        why=f"its devices are {client.devices(platform)}")


@functools.cache
def on_device(device: Any) -> SingleDeviceSharding:
    """The sharding of one device; one object for each.

    Raises:
        NotADeviceError: `device` is none.
    """
    if not isinstance(device, runtime.Device):
        raise NotADeviceError(value=repr(device)[:60])
    return SingleDeviceSharding(device)


_first: list[SingleDeviceSharding] = []


def first_sharding() -> SingleDeviceSharding:
    """The first device of this process."""
    if not _first:
        _first.append(on_device(client.local_devices()[0]))
    return _first[0]


def default_sharding() -> SingleDeviceSharding:
    """Where arrays go that nothing places elsewhere."""
    return on_device(client.default_device())


class PartitionSpec(tuple):
    """For each axis of an array: the mesh axis (or axes) that it is split over, or `None`."""

    def __new__(cls, *parts: Any) -> PartitionSpec:
        return super().__new__(cls, parts)

    def __repr__(self) -> str:
        return f"PartitionSpec({', '.join(map(repr, self))})"

    def __reduce__(self) -> tuple:
        return PartitionSpec, tuple(self)


@public_methods("__init__")
class Mesh:
    """Devices arranged along named axes.

    Args:
        devices: array of devices, one axis for each name.
        axis_names: the names.
    """

    def __init__(self, devices: Any, axis_names: Any) -> None:
        self.devices = np.asarray(devices, dtype=object)
        self.axis_names = (axis_names,) if isinstance(axis_names, str) else tuple(axis_names)
        if self.devices.ndim != len(self.axis_names):
            raise ShardingError(
                says=f"A mesh of {self.devices.ndim} axes was given {len(self.axis_names)} names.",
                why=f"the devices have shape {self.devices.shape}, the names are {self.axis_names}")
        self.shape = dict(zip(self.axis_names, self.devices.shape))
        self._internal_device_list = runtime.DeviceList(tuple(self.devices.flat))

    size = property(lambda self: self.devices.size)

    def _key(self) -> tuple:
        return self.axis_names, self.devices.shape, tuple(d.id for d in self.devices.flat)

    def __hash__(self) -> int:
        return hash(self._key())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mesh) and self._key() == other._key()

    def __repr__(self) -> str:
        return f"Mesh({', '.join(f'{n!r}: {s}' for n, s in self.shape.items())})"


@_sharding
@public_methods("__init__")
class NamedSharding(runtime.BaseGSPMDSharding):
    """An array spread over a mesh, as a PartitionSpec says.

    Args:
        mesh: the devices.
        spec: for each axis of the array the mesh axes that split it; axes beyond it are whole on every device.
    """

    def __init__(self, mesh: Mesh, spec: Any) -> None:
        self.mesh, self.spec = mesh, PartitionSpec(*spec)
        used = [name for part in self.spec for name in _names(part)]
        unknown = [name for name in used if name not in mesh.shape]
        if unknown:
            raise ShardingError(says=f"{self.spec} names {unknown[0]!r}, which is no axis of the mesh.",
                                why=f"the axes of the mesh are {', '.join(map(repr, mesh.axis_names))}")
        if len(set(used)) != len(used):
            raise ShardingError(says=f"{self.spec} uses a mesh axis twice.",
                                why="each axis of the mesh can split one axis of the array")
        self.devices = tuple(mesh.devices.flat)
        super().__init__(mesh._internal_device_list, self._to_xla_hlo_sharding(len(self.spec)))

    def _splits(self, ndim: int) -> list[int]:
        parts = list(self.spec) + [None] * (ndim - len(self.spec))
        return [int(np.prod([self.mesh.shape[n] for n in _names(p)], dtype=int)) for p in parts]

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        splits = self._splits(num_dimensions)
        if all(s == 1 for s in splits):
            return runtime.HloSharding.replicate()
        used = [self.mesh.axis_names.index(n) for p in self.spec for n in _names(p)]
        rest = [i for i in range(len(self.mesh.axis_names)) if i not in used]
        order = np.arange(self.mesh.size).reshape(self.mesh.devices.shape).transpose(used + rest)
        copies = int(np.prod([self.mesh.devices.shape[i] for i in rest], dtype=int))
        return runtime.HloSharding.iota_tile(
            (*splits, copies) if copies > 1 else tuple(splits), reshape_dims=self.mesh.devices.shape,
            transpose_perm=used + rest,
            subgroup_types=[runtime.OpSharding.Type.REPLICATED] if copies > 1 else []) if order.size else None

    is_fully_replicated = property(lambda self: all(s == 1 for s in self._splits(len(self.spec))))

    def shard_shape(self, global_shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(self.spec) > len(global_shape):
            raise ShardingError(says=f"{self.spec} cannot split an array of {len(global_shape)} axes.",
                                why=f"it speaks of {len(self.spec)} axes, and the array has shape {tuple(global_shape)}")
        splits = self._splits(len(global_shape))
        uneven = [i for i, (n, s) in enumerate(zip(global_shape, splits)) if n % s]
        if uneven:
            i = uneven[0]
            raise ShardingError(says=f"Axis {i} of size {global_shape[i]} cannot be split evenly in {splits[i]}.",
                                why=f"axis {i} of the shape {tuple(global_shape)} has {global_shape[i]} entries, and "
                                    f"{self.spec} splits it in {splits[i]} equal parts over {self.mesh}")
        return tuple([n // s for n, s in zip(global_shape, splits)])

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Mapping[Any, tuple[slice, ...]]:
        piece = self.shard_shape(global_shape)
        parts = list(self.spec) + [None] * (len(global_shape) - len(self.spec))
        found = {}
        for where, device in np.ndenumerate(self.mesh.devices):
            coordinates = dict(zip(self.mesh.axis_names, where))
            index = []
            for part, size in zip(parts, piece):
                k = 0
                for name in _names(part):
                    k = k * self.mesh.shape[name] + coordinates[name]
                index.append(slice(k * size, (k + 1) * size) if _names(part) else slice(None))
            found[device] = tuple(index)
        return found

    def __hash__(self) -> int:
        return hash((self.mesh, self.spec))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedSharding) and (self.mesh, self.spec) == (other.mesh, other.spec)

    def __repr__(self) -> str:
        return f"NamedSharding(mesh={self.mesh!r}, spec={self.spec!r})"


def _names(part: Any) -> tuple:
    if part is None:
        return ()
    return (part,) if isinstance(part, str) else tuple(part)


@_sharding
class CompiledSharding(runtime.BaseGSPMDSharding):
    """A sharding that the compiler chose for a result."""

    def __init__(self, devices: Any, op_sharding: Any) -> None:
        self.devices = tuple(devices)
        self._hlo = runtime.HloSharding.from_proto(op_sharding) if not isinstance(
            op_sharding, runtime.HloSharding) else op_sharding
        super().__init__(runtime.DeviceList(self.devices), self._hlo)

    def _to_xla_hlo_sharding(self, num_dimensions: int) -> Any:
        return self._hlo

    is_fully_replicated = property(lambda self: self._hlo.is_replicated())

    def _splits(self, ndim: int) -> list[int]:
        if self._hlo.is_replicated():
            return [1] * ndim
        return list(self._hlo.tile_assignment_dimensions())[:ndim]

    def shard_shape(self, global_shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([-(-n // s) for n, s in zip(global_shape, self._splits(len(global_shape)))])

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Mapping[Any, tuple[slice, ...]]:
        splits = self._splits(len(global_shape))
        piece = self.shard_shape(global_shape)
        if self._hlo.is_replicated():
            return {d: (slice(None),) * len(global_shape) for d in self.devices}
        order = np.asarray(self._hlo.tile_assignment_devices()).reshape([*splits, -1])
        found = {}
        for where, position in np.ndenumerate(order):
            index = [slice(k * n, (k + 1) * n) if s > 1 else slice(None)
                     for k, n, s in zip(where[:-1], piece, splits)]
            found[self.devices[position]] = tuple(index)
        return found

    def __hash__(self) -> int:
        return hash((self.devices, str(self._hlo)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompiledSharding) and (self.devices, self._hlo) == (other.devices, other._hlo)

    def __repr__(self) -> str:
        return f"CompiledSharding({self._hlo})"


def with_leading_axis(placed: Any, mesh_axis: Any) -> Any:
    """The sharding of arrays with one more axis in front, which `mesh_axis` splits (`None`: nothing does); `None` where
    that cannot be told."""
    if len(placed.devices) == 1 or placed.is_fully_replicated:
        return placed
    return NamedSharding(placed.mesh, (mesh_axis, *placed.spec)) if isinstance(placed, NamedSharding) else None


def replicated_like(placed: Any) -> Any:
    """A whole copy on each of the devices of `placed`."""
    return _replicated(tuple(placed.devices))


@functools.lru_cache(maxsize=64)
def _replicated(devices: tuple) -> CompiledSharding:
    return CompiledSharding(devices, runtime.HloSharding.replicate())


def compiled_sharding(devices: Any, op_sharding: Any, ndim: int, mesh: Mesh | None) -> Any:
    """A sharding that the compiler chose for a result of `ndim` axes, in terms of `mesh` where it can be said so."""
    found = CompiledSharding(devices, op_sharding)
    if mesh is None or tuple(mesh.devices.flat) != found.devices:
        return found
    splits = found._splits(ndim)
    while splits and splits[-1] == 1:  # axes beyond the specification are whole
        splits.pop()
    for spec in _specs(splits, mesh.shape):
        named = NamedSharding(mesh, spec)
        if named._to_xla_hlo_sharding(ndim) == found._hlo:
            return named
    return found


def _specs(splits: list[int], axes: Mapping[str, int]) -> Iterator[tuple]:
    """Every way to split axes `splits[i]`-fold by distinct mesh axes."""
    if not splits:
        yield ()
        return
    for part in _parts_of(splits[0], axes):
        rest = {name: size for name, size in axes.items() if name not in part}
        for others in _specs(splits[1:], rest):
            yield (part if len(part) > 1 else part[0] if part else None, *others)


def _parts_of(split: int, axes: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    if split == 1:
        yield ()
        return
    for name, size in axes.items():
        if size > 1 and split % size == 0:
            for rest in _parts_of(split // size, {n: s for n, s in axes.items() if n != name}):
                yield (name, *rest)
