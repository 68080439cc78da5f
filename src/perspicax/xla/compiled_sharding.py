"""The shardings that the compiler chose, in terms of the user's mesh where they can be said so."""
from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.xla.mesh import Mesh
from perspicax.xla.partition import PartitionSpec
from perspicax.xla.sharding import Indices, NamedSharding, like_sharding, whole_text


@like_sharding
class CompiledSharding(runtime.BaseGSPMDSharding):
    """A sharding that no specification over a mesh of the user's says."""

    chosen_kind = None

    def __init__(self, devices: Any, op_sharding: Any) -> None:
        self.devices = tuple(devices)
        self._hlo = as_hlo(op_sharding)
        self.committed_place = (self, True)
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

    def _places(self, ndim: int) -> np.ndarray:
        """The positions of devices, one axis for each axis of the array and one for copies."""
        return np.asarray(self._hlo.tile_assignment_devices()).reshape([*self._splits(ndim), -1])

    def devices_indices_map(self, global_shape: tuple[int, ...]) -> Indices:
        if self._hlo.is_replicated():
            return {d: (slice(None),) * len(global_shape) for d in self.devices}
        splits = self._splits(len(global_shape))
        piece = self.shard_shape(global_shape)
        found = {}
        for where, position in np.ndenumerate(self._places(len(global_shape))):
            found[self.devices[position]] = tuple([slice(k * n, (k + 1) * n) if s > 1 else slice(None)
                                                   for k, n, s in zip(where[:-1], piece, splits)])
        return {d: found[d] for d in self.devices}

    def shardy(self, ndim: int) -> tuple[tuple, tuple[Any, ...], str]:
        if self._hlo.is_replicated():
            return (), self.devices, whole_text(ndim)
        places = self._places(ndim)
        axes = tuple([(f"_{i}", n) for i, n in enumerate(places.shape)])
        parts = [f'{{"_{i}"}}' if n > 1 else "{}" for i, n in enumerate(places.shape[:-1])]
        return axes, tuple([self.devices[i] for i in places.flat]), f"[{', '.join(parts)}]"

    def __hash__(self) -> int:
        return hash((self.devices, str(self._hlo)))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, CompiledSharding)
                                 and (self.devices, self._hlo) == (other.devices, other._hlo))

    def __repr__(self) -> str:
        return f"CompiledSharding({self._hlo})"


def as_hlo(op_sharding: Any) -> Any:
    """XLA's object for a sharding, of it or of its serial form."""
    return op_sharding if isinstance(op_sharding, runtime.HloSharding) else runtime.HloSharding.from_proto(op_sharding)


def with_leading_axis(placed: Any, mesh_axis: Any) -> Any:
    """The sharding of arrays with one more axis in front, which `mesh_axis` splits (`None`: nothing does); `None` where
    that cannot be told."""
    if len(placed.devices) == 1 or placed.is_fully_replicated:
        return placed
    return NamedSharding(placed.mesh, PartitionSpec(mesh_axis, *placed.spec)) if isinstance(placed, NamedSharding) else None


def replicated_like(placed: Any) -> Any:
    """A whole copy on each of the devices of `placed`, in terms of its mesh where it has one."""
    if isinstance(placed, NamedSharding):
        return NamedSharding(placed.mesh, PartitionSpec())
    return _replicated(tuple(placed.devices))


@functools.lru_cache(maxsize=64)
def _replicated(devices: tuple) -> CompiledSharding:
    return CompiledSharding(devices, runtime.HloSharding.replicate())


def compiled_sharding(devices: Any, op_sharding: Any, ndim: int, meshes: Iterable[Mesh]) -> Any:
    """A sharding that the compiler chose for a value of `ndim` axes, in terms of the first mesh in which it can be said."""
    devices, hlo = tuple(devices), as_hlo(op_sharding)
    for mesh in meshes:
        named = _in_terms_of(mesh, hlo, ndim) if mesh.device_tuple == devices else None
        if named is not None:
            return named
    return CompiledSharding(devices, hlo)


def _in_terms_of(mesh: Mesh, hlo: Any, ndim: int) -> NamedSharding | None:
    least = ndim if mesh.explicit_axes else 0  # as JAX has them: a type speaks of all axes
    if hlo.is_replicated():
        return NamedSharding(mesh, PartitionSpec(*[None] * least))
    splits = list(hlo.tile_assignment_dimensions())[:ndim]
    while splits and splits[-1] == 1:  # axes beyond the specification are whole
        splits.pop()
    for spec in _specs(splits, mesh.shape):
        named = NamedSharding(mesh, PartitionSpec(*spec, *[None] * (least - len(spec))))
        if named._to_xla_hlo_sharding(ndim) == hlo:
            return named
    return None


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


__all__ = ["CompiledSharding", "as_hlo", "compiled_sharding", "replicated_like", "with_leading_axis"]
