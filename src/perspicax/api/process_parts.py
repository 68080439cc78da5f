"""Parts that processes have of arrays over all of them: from a part to the whole, and back.

Both ways are primitives, so that they can be differentiated and batched: what is linear in the parts is linear in the whole.
They run eagerly only. Within a jitted program arrays are whole, and a process has no part of its own.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.api.jit import jit
from perspicax.api.placement import device_put, make_array_from_single_device_arrays
from perspicax.api.process_errors import LocalSpecError, StagedPartError
from perspicax.core.avals import ShapedArray
from perspicax.core.option import Override
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import Tracer
from perspicax.transform.batch import BatchAxis
from perspicax.transform.jvp import LINEAR
from perspicax.xla import client
from perspicax.xla.array import ArrayImpl
from perspicax.xla.mesh import current_mesh
from perspicax.xla.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = ["block_of_process", "part_of_whole", "placed_by", "same_values", "spans_processes", "whole_of_parts"]


def spans_processes(mesh: Mesh) -> bool:
    """Whether devices of other processes are among those of a mesh."""
    devices = mesh.device_tuple
    mine = client.process_index(devices[0].platform)
    return any(d.process_index != mine for d in devices)


@functools.lru_cache(maxsize=64)  # asked for each array of each call
def block_of_process(mesh: Mesh) -> Mesh:
    """The block of a mesh that this process has.

    Raises:
        LocalSpecError: its devices form none.
    """
    index = client.process_index(mesh.devices.flat[0].platform)
    mine = np.vectorize(lambda d: d.process_index == index, otypes=[bool])(mesh.devices)
    where = np.argwhere(mine)
    if not len(where):
        raise LocalSpecError(kind="cube", mesh=str(mesh))
    block = tuple([slice(low, high + 1) for low, high in zip(where.min(0), where.max(0))])
    if not mine[block].all():
        raise LocalSpecError(kind="cube", mesh=str(mesh))
    return Mesh(mesh.devices[block], mesh.axis_names)


def _factors(mesh: Mesh, local: Mesh, spec: PartitionSpec, ndim: int) -> list[int]:
    """For each axis of an array how many times as long it is in the whole mesh as in this process's part."""
    factors = [1] * ndim
    for i, part in enumerate(spec):
        names = () if part is None or part is PartitionSpec.UNCONSTRAINED else (part,) if isinstance(part, str) else part
        factors[i] = math.prod([mesh.shape[n] // local.shape[n] for n in names])
    return factors


# -- how they run

def placed_by(function: Callable[[Any], Any], where: Any, x: Any) -> Any:
    """The result of a function, lying as `where` says, whatever mesh the user has set."""
    with Override(current_mesh, None):
        return _placing(function, where)(x)


@functools.lru_cache(maxsize=64)
def _placing(function: Callable[[Any], Any], placed: Any) -> Callable[[Any], Any]:
    """The jitted form of a function whose result lies as `placed` says; one for each, so that nothing is traced twice."""
    return jit(function, out_shardings=placed)


def same_values(x: Any) -> Any:
    """`x` itself: what is jitted to move an array."""
    return x


def _to_whole(x: Any, *, mesh: Mesh, spec: PartitionSpec) -> ArrayImpl:
    whole, local = NamedSharding(mesh, spec), block_of_process(mesh)
    part = device_put(x, NamedSharding(local, spec))
    shape = tuple([n * f for n, f in zip(part.shape, _factors(mesh, local, spec, part.ndim))])
    return make_array_from_single_device_arrays(shape, whole, [shard.data for shard in part.addressable_shards])


def _to_part(x: Any, *, mesh: Mesh, spec: PartitionSpec) -> ArrayImpl:
    whole, local = NamedSharding(mesh, spec), block_of_process(mesh)
    if type(x) is not ArrayImpl or not x.sharding.is_equivalent_to(whole, x.ndim):
        x = placed_by(same_values, whole, x)
    shape = tuple([n // f for n, f in zip(x.shape, _factors(mesh, local, spec, x.ndim))])
    return make_array_from_single_device_arrays(shape, NamedSharding(local, spec),
                                                [shard.data for shard in x.addressable_shards])


# -- their rules

def _whole_type(x: ShapedArray, *, mesh: Mesh, spec: PartitionSpec) -> ShapedArray:
    factors = _factors(mesh, block_of_process(mesh), spec, x.ndim)
    return x.at_shape(tuple([n * f for n, f in zip(x.shape, factors)]))


def _part_type(x: ShapedArray, *, mesh: Mesh, spec: PartitionSpec) -> ShapedArray:
    factors = _factors(mesh, block_of_process(mesh), spec, x.ndim)
    return x.at_shape(tuple([n // f for n, f in zip(x.shape, factors)]))


def _with_axis(spec: PartitionSpec, axis: int) -> PartitionSpec:
    """The specification of an array with one more axis, which nothing splits."""
    parts = list(spec)
    return spec if axis >= len(parts) else PartitionSpec(*parts[:axis], None, *parts[axis:])


def _whole_batch(_: BatchAxis, args: tuple, axes: tuple, *, mesh: Mesh, spec: PartitionSpec) -> tuple[Any, int]:
    return _whole_p(args[0], mesh=mesh, spec=_with_axis(spec, axes[0])), axes[0]


def _part_batch(_: BatchAxis, args: tuple, axes: tuple, *, mesh: Mesh, spec: PartitionSpec) -> tuple[Any, int]:
    return _part_p(args[0], mesh=mesh, spec=_with_axis(spec, axes[0])), axes[0]


def _whole_transpose(ct: Any, _: Any, *, mesh: Mesh, spec: PartitionSpec) -> list[Any]:
    return [_part_p(ct, mesh=mesh, spec=spec)]


def _part_transpose(ct: Any, _: Any, *, mesh: Mesh, spec: PartitionSpec) -> list[Any]:
    return [_whole_p(ct, mesh=mesh, spec=spec)]


def _refuse(b: Any, x: Any, *, mesh: Mesh, spec: PartitionSpec) -> Any:
    raise StagedPartError(program=b.module.name.removeprefix("jit_"), type_text=x.aval.str_short(), mesh=str(mesh))


_whole_p = Primitive(
    "host_local_array_to_global_array", params=("mesh", "spec"), type_rule=_whole_type, jvp=LINEAR,
    transpose=_whole_transpose, batch=_whole_batch, emit=_refuse,
    evaluate=_to_whole, handles_extended=True, source="jax.experimental.multihost_utils")

_part_p = Primitive(
    "global_array_to_host_local_array", params=("mesh", "spec"), type_rule=_part_type, jvp=LINEAR,
    transpose=_part_transpose, batch=_part_batch, emit=_refuse,
    evaluate=_to_part, handles_extended=True, source="jax.experimental.multihost_utils")


def whole_of_parts(x: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
    """The array over all processes of which `x` is this process's part; one that is over several already stays."""
    if type(x) is ArrayImpl and not x.is_fully_addressable:
        return x
    return _whole_p(x, mesh=mesh, spec=spec)


def part_of_whole(x: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
    """This process's part of an array over all processes."""
    if not isinstance(x, Tracer) and type(x) is ArrayImpl and x.is_fully_addressable and not spans_processes(mesh):
        return x
    return _part_p(x, mesh=mesh, spec=spec)
