"""Meshes: devices along named axes, and meshes of which only the axes are known.

Equal meshes are one object, so that whatever is kept by mesh (shardings, programs) is found by identity.
"""
from __future__ import annotations

import collections
import enum
import functools
import math
import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.binding import runtime
from perspicax.core.config import config, local
from perspicax.core.config_errors import OverrideNotActiveError
from perspicax.core.option import Override, user_context
from perspicax.diagnose.boundary import public, public_methods
from perspicax.diagnose.frames import warning_level
from perspicax.xla import client
from perspicax.xla.sharding_errors import MeshError


class AxisType(enum.Enum):
    """Who decides how arrays lie along an axis of a mesh.

    Attributes:
        Auto: the compiler.
        Explicit: the user: the axis is part of the types of arrays, and what is not told follows from them.
        Manual: the function itself, which sees one device's part (inside `shard_map`).
    """

    Auto = enum.auto()
    Explicit = enum.auto()
    Manual = enum.auto()

    def __repr__(self) -> str:
        return self.name


class AbstractDevice(NamedTuple):
    """What is known of the devices of a mesh that has none: their kind."""

    device_kind: str
    num_cores: int | None
    platform: str = ""

    def __repr__(self) -> str:
        return f"AbstractDevice(device_kind={self.device_kind}, num_cores={self.num_cores}, platform={self.platform})"


class _Axes:
    """The named axes of a mesh, and what follows from them alone."""

    __slots__ = ("__weakref__", "axis_names", "axis_sizes", "axis_types", "shape", "shape_tuple", "size")

    axis_names: tuple[Any, ...]
    axis_sizes: tuple[int, ...]
    axis_types: tuple[AxisType, ...]
    shape: Mapping[Any, int]
    shape_tuple: tuple[tuple[Any, int], ...]
    size: int

    def _fill(self, names: tuple, sizes: tuple[int, ...], types: tuple[AxisType, ...]) -> None:
        put = functools.partial(object.__setattr__, self)
        put("axis_names", names)
        put("axis_sizes", sizes)
        put("axis_types", types)
        put("shape_tuple", tuple(zip(names, sizes)))
        put("shape", collections.OrderedDict(zip(names, sizes)))
        put("size", math.prod(sizes) if sizes else 0)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a mesh does not change: cannot set {name!r}")

    def _axes_of(self, kind: AxisType) -> tuple:
        return tuple([n for n, t in zip(self.axis_names, self.axis_types) if t is kind])

    def _all_are(self, kind: AxisType) -> bool:
        return bool(self.axis_types) and all(t is kind for t in self.axis_types)

    empty = property(lambda self: not self.axis_names, doc="Whether it has no axes.")
    auto_axes = property(lambda self: self._axes_of(AxisType.Auto), doc="The axes left to the compiler.")
    explicit_axes = property(lambda self: self._axes_of(AxisType.Explicit), doc="The axes that types speak of.")
    manual_axes = property(lambda self: self._axes_of(AxisType.Manual), doc="The axes of `shard_map`.")
    are_all_axes_auto = property(lambda self: self._all_are(AxisType.Auto))
    are_all_axes_explicit = property(lambda self: self._all_are(AxisType.Explicit))
    are_all_axes_manual = property(lambda self: self._all_are(AxisType.Manual))

    def _axes_text(self) -> str:
        axes = ", ".join([f"{n!r}: {s}" for n, s in self.shape_tuple])
        return f"{axes or '()'}, axis_types={_types_text(self.axis_types)}"


def _types_text(types: Sequence[AxisType]) -> str:
    return f"({', '.join([t.name for t in types])}{',' if len(types) == 1 else ''})"


@public_methods("update", "update_axis_types")
class AbstractMesh(_Axes):
    """The axes of a mesh without its devices: enough to trace, type and lower a program.

    Args:
        axis_sizes: number of devices along each axis.
        axis_names: its name.
        axis_types: who decides along each; `AxisType.Auto` by default.
        abstract_device: the kind of device, where that matters.
    """

    __slots__ = ("abstract_device",)

    abstract_device: AbstractDevice | None

    @public
    def __new__(cls, axis_sizes: Sequence[int], axis_names: Sequence[str] | str, axis_types: Any = None, *,
                abstract_device: AbstractDevice | None = None) -> AbstractMesh:
        sizes, names = tuple(axis_sizes), _names_of(axis_names)
        if len(sizes) != len(names):
            raise MeshError(kind="rank", shape=sizes, names=names)
        return _abstract(sizes, names, _types_of(axis_types, names), abstract_device)

    abstract_mesh = property(lambda self: self)

    def update_axis_types(self, name_to_type: Mapping[str, AxisType]) -> AbstractMesh:
        """The same axes, those named of other types."""
        return self.update(axis_types=tuple([name_to_type.get(n, t) for n, t in zip(self.axis_names, self.axis_types)]))

    def update(self, axis_sizes: Any = None, axis_names: Any = None, axis_types: Any = None, **more: Any) -> AbstractMesh:
        """The same with some fields changed."""
        return AbstractMesh(self.axis_sizes if axis_sizes is None else axis_sizes,
                            self.axis_names if axis_names is None else axis_names,
                            self.axis_types if axis_types is None else axis_types,
                            abstract_device=more.get("abstract_device", self.abstract_device))

    def _refuse(self) -> Any:
        raise MeshError(kind="abstract", shape=self.axis_sizes, names=self.axis_names)

    devices = property(_refuse, doc="Of a mesh with devices, these.")
    device_ids = local_mesh = local_devices = is_multi_process = devices

    def __hash__(self) -> int:
        return hash((self.shape_tuple, self.axis_types))

    def __eq__(self, other: object) -> bool:
        return self is other

    def __reduce__(self) -> tuple:
        return _abstract, (self.axis_sizes, self.axis_names, self.axis_types, self.abstract_device)

    def __repr__(self) -> str:
        of = self.abstract_device
        more = "" if of is None else f", device_kind={of.device_kind}, num_cores={of.num_cores}, platform={of.platform}"
        return f"AbstractMesh({self._axes_text()}{more})"


_abstract_meshes: weakref.WeakValueDictionary[tuple, AbstractMesh] = weakref.WeakValueDictionary()


def _abstract(sizes: tuple, names: tuple, types: tuple, device: AbstractDevice | None) -> AbstractMesh:
    key = sizes, names, types, device
    found = _abstract_meshes.get(key)
    if found is None:
        made = object.__new__(AbstractMesh)
        made._fill(names, sizes, types)
        object.__setattr__(made, "abstract_device", device)
        found = _abstract_meshes.setdefault(key, made)
    return found


@public_methods("update")
class Mesh(_Axes):
    """Devices arranged along named axes.

    Args:
        devices: array of devices, one axis for each name.
        axis_names: the names.
        axis_types: who decides how arrays lie along each axis; `AxisType.Auto`, the compiler, by default.

    Raises:
        MeshError: the array of devices has another number of axes than there are names, or something is no device.

    Differs: a mesh can be pickled, and is rebuilt of the devices with the same numbers. An axis name given twice is
    refused.
    """

    __slots__ = ("_abstract", "_internal_device_list", "device_tuple", "devices")

    devices: np.ndarray
    device_tuple: tuple[Any, ...]
    _abstract: AbstractMesh | None
    _internal_device_list: Any

    @public
    def __new__(cls, devices: Any, axis_names: Any, axis_types: Any = None) -> Mesh:
        grid = devices if isinstance(devices, np.ndarray) and devices.dtype == object else _grid(devices)
        names = _names_of(axis_names)
        if grid.ndim != len(names):
            raise MeshError(kind="rank", shape=grid.shape, names=names)
        if 0 in grid.shape:
            raise MeshError(kind="zero", shape=grid.shape, names=names)
        types = _types_of(axis_types, names)
        flat = tuple([d for d in grid.flat if d is not None or names])
        key = flat, grid.shape, names, types
        found = _meshes.get(key)
        if found is not None:
            return found
        for device in flat:
            if not isinstance(device, runtime.Device):
                raise MeshError(kind="device", shape=grid.shape, names=names, got=repr(device)[:60])
        made = object.__new__(cls)
        made._fill(names, grid.shape, types)
        own = grid.copy()
        own.setflags(write=False)
        object.__setattr__(made, "devices", own)
        object.__setattr__(made, "device_tuple", key[0])
        object.__setattr__(made, "_internal_device_list", runtime.DeviceList(key[0]))
        object.__setattr__(made, "_abstract", None)
        return _meshes.setdefault(key, made)

    @property
    def device_ids(self) -> np.ndarray:
        """The number of each device, in their arrangement."""
        return np.array([d.id for d in self.device_tuple], dtype=int).reshape(self.devices.shape)

    @property
    def abstract_mesh(self) -> AbstractMesh:
        """The axes alone."""
        found = self._abstract
        if found is None:
            first = self.device_tuple[0] if self.device_tuple else None
            kind = None if first is None else AbstractDevice(first.device_kind, None, first.platform)
            found = _abstract(self.axis_sizes, self.axis_names, self.axis_types, kind)
            object.__setattr__(self, "_abstract", found)
        return found

    @property
    def local_devices(self) -> list[Any]:
        """Those of its devices that belong to this process."""
        return [d for d in self.device_tuple if d.process_index == d.client.process_index()]

    @property
    def is_multi_process(self) -> bool:
        """Whether it has devices of other processes."""
        return len(self.local_devices) != len(self.device_tuple)

    is_scalar = property(lambda self: not self.axis_names and bool(self.device_tuple))

    @property
    def local_mesh(self) -> Mesh:
        """The part of it with the devices of this process.

        Raises:
            MeshError: these form no block.
        """
        if not self.is_multi_process:
            return self
        mine = np.array([d.process_index == d.client.process_index() for d in self.device_tuple]).reshape(self.devices.shape)
        where = tuple([slice(found.min(), found.max() + 1) if found.size else slice(0) for found in np.nonzero(mine)])
        if not mine[where].all():
            raise MeshError(kind="local", shape=self.axis_sizes, names=self.axis_names)
        return Mesh(self.devices[where], self.axis_names, self.axis_types)

    def update(self, devices: Any = None, axis_names: Any = None, axis_types: Any = None) -> Mesh:
        """The same with some fields changed."""
        return Mesh(self.devices if devices is None else devices, self.axis_names if axis_names is None else axis_names,
                    self.axis_types if axis_types is None else axis_types)

    def __enter__(self) -> Mesh:
        if config.jax_disallow_mesh_context_manager:
            raise MeshError(kind="with", shape=self.axis_sizes, names=self.axis_names)
        warnings.warn("`with mesh:` is deprecated; `with jax.set_mesh(mesh):` does the same and more.", DeprecationWarning,
                      stacklevel=warning_level())
        Override(entered_mesh, self).__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        active = local.active.get(entered_mesh, [])  # those of this thread
        entered = next((override for override, mesh in reversed(active) if mesh is self), None)
        if entered is None:
            raise OverrideNotActiveError(option="with mesh")
        entered.__exit__(*exception)

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __reduce__(self) -> tuple:
        platform = self.device_tuple[0].platform if self.device_tuple else None
        return _rebuilt, (platform, self.device_ids, self.axis_names, self.axis_types)

    def __str__(self) -> str:
        return f"Mesh({self._axes_text()})" if self.axis_names else "Mesh()"

    def __repr__(self) -> str:
        types = f", axis_types={_types_text(self.axis_types)}" if self.device_tuple else ""
        return f"Mesh(axis_sizes={self.axis_sizes}, axis_names={self.axis_names}{types})"


_meshes: weakref.WeakValueDictionary[tuple, Mesh] = weakref.WeakValueDictionary()


def _grid(devices: Any) -> np.ndarray:
    """Devices in nested lists, as an array of objects."""
    return np.asarray(devices, dtype=object)


def _rebuilt(platform: str | None, ids: np.ndarray, names: tuple, types: tuple) -> Mesh:
    if platform is None:
        return empty_mesh()
    there = {d.id: d for d in client.devices(platform)}
    grid = np.empty(ids.shape, object)
    for where, number in np.ndenumerate(ids):
        if int(number) not in there:
            raise MeshError(kind="pickled", shape=ids.shape, names=names, got=f"{platform} device {number}")
        grid[where] = there[int(number)]
    return Mesh(grid, names, types)


def _names_of(given: Any) -> tuple:
    names = (given,) if isinstance(given, str) else tuple(given)
    if None in names or len(set(names)) != len(names):
        raise MeshError(kind="names", shape=(), names=names)
    return names


def _types_of(given: Any, names: tuple) -> tuple[AxisType, ...]:
    if given is None:
        return (AxisType.Auto,) * len(names)
    types = (given,) if isinstance(given, AxisType) else tuple(given)
    if not all(isinstance(t, AxisType) for t in types):
        raise MeshError(kind="type", shape=(), names=names, got=repr(given)[:80])
    if len(types) != len(names):
        raise MeshError(kind="types", shape=(), names=names, got=_types_text(types))
    return types


@functools.cache
def empty_mesh() -> Mesh:
    """The mesh of no devices: the current one where none was set."""
    return Mesh(np.empty((), object), ())


@functools.cache
def empty_abstract_mesh() -> AbstractMesh:
    """Its axes: none."""
    return AbstractMesh((), ())


# -- the current mesh: a part of the state that traced functions depend on

current_mesh = user_context(None)
"""What `set_mesh` has set: a `Mesh`, or `None`."""
current_abstract_mesh = user_context(None)
"""What `use_abstract_mesh` has set, over the axes of the current mesh."""
entered_mesh = user_context(None)
"""The mesh of the innermost `with mesh:`."""


def get_concrete_mesh() -> Mesh | None:
    """The mesh that `set_mesh` has set."""
    return current_mesh.value


def get_abstract_mesh() -> AbstractMesh:
    """The axes of the mesh that is current where a function is traced; an empty one where there is none."""
    found = current_abstract_mesh.value
    if found is not None:
        return found
    mesh = current_mesh.value
    return empty_abstract_mesh() if mesh is None else mesh.abstract_mesh


def spec_mesh() -> Mesh | AbstractMesh | None:
    """The mesh in whose terms a bare `PartitionSpec` is: the one that was set, else that of `with mesh:`."""
    mesh = current_mesh.value
    if mesh is not None:
        return mesh
    abstract = current_abstract_mesh.value
    if abstract is not None and not abstract.empty:
        return abstract
    return entered_mesh.value


__all__ = ["AbstractDevice", "AbstractMesh", "AxisType", "Mesh", "current_abstract_mesh", "current_mesh",
           "empty_abstract_mesh", "empty_mesh", "entered_mesh", "get_abstract_mesh", "get_concrete_mesh", "spec_mesh"]
