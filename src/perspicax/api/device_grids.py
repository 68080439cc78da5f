"""Grids of devices for a mesh: `jax.experimental.mesh_utils`."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.process_errors import DeviceGridError
from perspicax.api.wrapping import public
from perspicax.xla import client

__all__ = ["create_device_mesh", "create_hybrid_device_mesh"]


@public
def create_device_mesh(mesh_shape: Sequence[int], devices: Sequence[Any] | None = None, *,
                       contiguous_submeshes: bool = False, allow_split_physical_axes: bool = False) -> np.ndarray:
    """Devices arranged for `jax.sharding.Mesh`.

    Args:
        mesh_shape: devices along each axis; the last ones exchange most.
        devices: the devices; by default all.
        contiguous_submeshes: whether those of each process must form a block.
        allow_split_physical_axes: accepted; it concerns machines whose devices are wired as a torus.

    Returns:
        NumPy array of devices, of shape `mesh_shape`, in their order.

    Raises:
        DeviceGridError: there are more or fewer devices, or those of a process form no block.

    >>> create_device_mesh((1, 1), devices=client.local_devices()[:1]).shape
    (1, 1)
    """
    del allow_split_physical_axes
    shape = tuple(int(n) for n in mesh_shape)
    grid = _arranged(shape, list(client.devices() if devices is None else devices))
    if contiguous_submeshes and not _in_blocks(grid):
        raise DeviceGridError(kind="blocks", shape=shape, count=grid.size)
    return grid


def _arranged(shape: tuple[int, ...], devices: list[Any]) -> np.ndarray:
    if math.prod(shape) != len(devices):
        raise DeviceGridError(kind="size", shape=shape, count=len(devices))
    grid = np.empty(len(devices), object)
    grid[:] = devices
    return grid.reshape(shape)


def _in_blocks(grid: np.ndarray) -> bool:
    """Whether the devices of each process fill a box of the grid."""
    of = np.vectorize(lambda d: d.process_index, otypes=[int])(grid)
    for process in np.unique(of):
        where = np.argwhere(of == process)
        box = where.max(0) - where.min(0) + 1 if where.size else np.ones(1)
        if int(np.prod(box)) != len(where):
            return False
    return True


@public
def create_hybrid_device_mesh(mesh_shape: Sequence[int], dcn_mesh_shape: Sequence[int], devices: Sequence[Any] | None = None,
                              *, process_is_granule: bool = False, should_sort_granules_by_key: bool = True,
                              allow_split_physical_axes: bool = False) -> np.ndarray:
    """Devices arranged for a mesh over groups, within which the network is faster than between them.

    Args:
        mesh_shape: devices along each axis within a group.
        dcn_mesh_shape: groups along each axis.
        devices: the devices; by default all.
        process_is_granule: whether the devices of a process are a group; else their `slice_index` says the group.
        should_sort_granules_by_key: whether groups are in the order of their index; else in that of `devices`.
        allow_split_physical_axes: as for `create_device_mesh`.

    Returns:
        NumPy array of devices, of shape `mesh_shape * dcn_mesh_shape`.

    Raises:
        DeviceGridError: a shape does not fit, or the devices do not say their group.
    """
    del allow_split_physical_axes
    shape, groups = tuple(int(n) for n in mesh_shape), tuple(int(n) for n in dcn_mesh_shape)
    found = list(client.devices() if devices is None else devices)
    attribute = "process_index" if process_is_granule else "slice_index"
    if not all(hasattr(d, attribute) for d in found):
        raise DeviceGridError(kind="attribute", shape=shape, count=len(found), other=attribute)
    if len(shape) != len(groups):  # a shorter one has ones in front
        longer = max(len(shape), len(groups))
        shape, groups = ((1,) * (longer - len(shape)) + shape), ((1,) * (longer - len(groups)) + groups)
    members: dict[int, list[Any]] = {}
    for device in found:
        members.setdefault(getattr(device, attribute), []).append(device)
    order = sorted(members) if should_sort_granules_by_key else list(members)
    if math.prod(groups) != len(order):
        raise DeviceGridError(kind="groups", shape=groups, count=len(order))
    grids = np.empty(len(order), object)
    for i, key in enumerate(order):
        grids[i] = _arranged(shape, members[key])
    whole = np.empty([n * m for n, m in zip(shape, groups)], object)
    for where, grid in np.ndenumerate(grids.reshape(groups)):
        whole[tuple([slice(i * n, (i + 1) * n) for i, n in zip(where, shape)])] = grid
    return whole
