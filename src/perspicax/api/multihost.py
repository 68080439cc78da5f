"""What processes tell each other beside their computations: `jax.experimental.multihost_utils`."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.api.agreement import LONGEST, LONGEST_NOTE
from perspicax.api.placement import device_put, make_array_from_single_device_arrays
from perspicax.api.process_errors import LocalSpecError, ProcessesDifferError, SourceError
from perspicax.api.process_parts import part_of_whole, placed_by, same_values, whole_of_parts
from perspicax.api.wrapping import public
from perspicax.binding import coordination
from perspicax.core import tree
from perspicax.core.tree_paths import keystr
from perspicax.core.tree_prefix import broadcast_prefix
from perspicax.xla import client
from perspicax.xla.array import ArrayImpl
from perspicax.xla.processes import membership
from perspicax.xla.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = [
    "assert_equal", "broadcast_one_to_all", "global_array_to_host_local_array", "host_local_array_to_global_array",
    "process_allgather", "reached_preemption_sync_point", "sync_global_devices",
]


@public
def sync_global_devices(name: str, *, timeout: float | None = None) -> None:
    """Wait until all processes have come here.

    Args:
        name: the same in all of them.
        timeout: the most seconds to wait; by default as long as all live.

    Raises:
        ProcessesMissingError: not all came in time.
        ProcessLostError: a process is gone.
        BarrierNamesError: all wait, but not for the same.

    Differs: JAX has no `timeout`, and waits by a computation on all devices.
    """
    if membership.current() is not None or client.process_count() > 1:  # in this order: no devices are needed to wait
        membership.member("`sync_global_devices`").link.barrier(f"sync_global_devices: {name}", timeout or LONGEST, here=True)


def _over_processes(values: np.ndarray, combine: Callable[[Any], Any]) -> np.ndarray:
    """Apply `combine` to the stack of what all processes have, on the first device of each; all get the result."""
    us = membership.current()
    if us is not None:
        us.check("exchanging values")
    firsts = [client.local_devices(process_index=i)[0] for i in client.process_indices()]
    mesh = Mesh(np.array(firsts, object), ("processes",))
    mine = device_put(values[None], client.local_devices()[0])
    stacked = make_array_from_single_device_arrays((len(firsts), *values.shape),
                                                   NamedSharding(mesh, PartitionSpec("processes")), [mine])
    return np.asarray(placed_by(combine, NamedSharding(mesh, PartitionSpec()), stacked).addressable_data(0))


def _check_alike(function: str, in_tree: Any, arrays: list[np.ndarray]) -> None:
    """Compare the types of what processes exchange: XLA would end a process, or mix up values.

    Raises:
        ProcessesDifferError: they differ, in structure, shapes or dtypes.
        BarrierNamesError: another process waits for something else.
        ProcessLostError: one is gone.
    """
    us = membership.current()
    if us is None:
        return
    paths = [keystr(path) for path, _ in tree.tree_flatten_with_path(in_tree)[0]]
    mine = json.dumps([[path, f"{x.dtype}{list(x.shape)}"] for path, x in zip(paths, arrays)])
    if len(mine) > LONGEST_NOTE:  # of very many leaves only whether they differ
        mine = json.dumps([["", f"a tree of {len(arrays)} leaves, {hashlib.sha256(mine.encode()).hexdigest()[:8]}"]])
    notes = us.link.barrier(f"{function}: what is exchanged", LONGEST, here=True, note=mine)
    other = next((p for p, note in sorted(notes.items()) if note != mine), None)
    if other is not None:
        here, there = dict(json.loads(mine)), dict(json.loads(notes[other]))
        different = [(path, here.get(path, "missing"), there.get(path, "missing")) for path in {**here, **there}
                     if here.get(path) != there.get(path)]
        raise ProcessesDifferError(paths=tuple(different), me=us.process, other=other, message=f"`{function}` needs values of "
                                   "the same structure, shapes and dtypes in all processes")


def _sum(x: Any) -> Any:
    return x.sum(0, dtype=x.dtype)


def _packed(leaves: list[np.ndarray]) -> np.ndarray:
    """The bytes of arrays, one after the other."""
    return np.frombuffer(b"".join([np.ascontiguousarray(x).tobytes() for x in leaves]), np.uint8)


def _unpacked(data: np.ndarray, like: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays of the shapes and dtypes of `like`, from their bytes."""
    found, at = [], 0
    for x in like:
        found.append(np.frombuffer(data[at:at + x.nbytes].tobytes(), x.dtype).reshape(x.shape))
        at += x.nbytes
    return found


@public
def broadcast_one_to_all(in_tree: Any, is_source: bool | None = None) -> Any:
    """The values of one process, in all.

    Args:
        in_tree: a pytree of arrays and numbers, of the same structure, shapes and dtypes in all processes.
        is_source: whether this process's values are the ones; by default those of process 0 are.

    Returns:
        The tree with NumPy arrays.

    Raises:
        SourceError: no process or several are the source.
        ProcessesDifferError: the values are of other structures, shapes or dtypes in some processes.
        ProcessLostError: a process is gone.

    Bits are kept, and so are dtypes of 64 bits. Differs: JAX computes in its own dtypes.
    """
    leaves, structure = tree.tree_flatten(in_tree)
    arrays = [np.asarray(x) for x in leaves]
    if client.process_count() == 1:
        return structure.unflatten(arrays)
    _check_alike("broadcast_one_to_all", in_tree, arrays)
    chosen = client.process_index() == 0 if is_source is None else bool(is_source)
    flags = np.zeros(client.process_count(), np.uint8)
    flags[client.process_index()] = chosen
    data = np.concatenate([flags, _packed(arrays) if chosen else np.zeros(sum(x.nbytes for x in arrays), np.uint8)])
    summed = _over_processes(data, _sum)
    sources = tuple(np.flatnonzero(summed[:len(flags)]).tolist())
    if len(sources) != 1:
        raise SourceError(sources=sources)
    return structure.unflatten(_unpacked(summed[len(flags):], arrays))


@public
def process_allgather(in_tree: Any, tiled: bool = False) -> Any:
    """The values of all processes, in all.

    Args:
        in_tree: a pytree of arrays and numbers, of the same structure, shapes and dtypes in all processes. Arrays that lie
            over several processes are collected.
        tiled: whether to join the arrays along their first axis; else there is a new axis in front, for the processes.

    Returns:
        The tree with NumPy arrays. Numbers get a new axis in any case.

    Raises:
        ProcessesDifferError: the values are of other structures, shapes or dtypes in some processes.
        ProcessLostError: a process is gone.
    """
    leaves, structure = tree.tree_flatten(in_tree)
    own = [i for i, x in enumerate(leaves) if not (isinstance(x, ArrayImpl) and not x.is_fully_addressable)]
    arrays = [np.asarray(leaves[i]) for i in own]
    count = client.process_count()
    if count > 1 and len(own) == len(leaves):  # those over several processes are of all of them
        _check_alike("process_allgather", in_tree, arrays)
    rows = [arrays] if count == 1 else [
        _unpacked(row, arrays) for row in _over_processes(_packed(arrays), same_values)] if own else []
    found = dict(zip(own, zip(*rows)))
    return structure.unflatten([
        _collected(x) if i not in found else _joined(found[i], tiled, alone=count == 1) for i, x in enumerate(leaves)])


def _joined(parts: tuple[np.ndarray, ...], tiled: bool, alone: bool) -> np.ndarray:
    if tiled and alone:
        return parts[0]
    return np.concatenate(parts) if tiled and parts[0].ndim else np.stack(parts)


def _collected(x: ArrayImpl) -> np.ndarray:
    placed = x.sharding
    if placed.is_fully_replicated:
        return np.asarray(x.addressable_data(0))
    mesh = placed.mesh if isinstance(placed, NamedSharding) else Mesh(np.array(placed.devices, object), ("devices",))
    return np.asarray(placed_by(same_values, NamedSharding(mesh, PartitionSpec()), x).addressable_data(0))


@public
def assert_equal(in_tree: Any, fail_message: str = "") -> None:
    """Raise unless all processes have the same values.

    Args:
        in_tree: a pytree of arrays and numbers, of the same structure, shapes and dtypes in all processes.
        fail_message: what the error begins with.

    Raises:
        ProcessesDifferError: in process 0, and in each that has others. A NaN equals nothing, as in JAX.
    """
    leaves = tree.tree_leaves(in_tree)
    expected = tree.tree_leaves(broadcast_one_to_all(in_tree))
    paths = [keystr(path) for path, _ in tree.tree_flatten_with_path(in_tree)[0]]
    me = client.process_index()
    apart = np.array([not np.all(np.equal(mine, theirs)) for mine, theirs in zip(leaves, expected)], bool)
    others = _over_processes(apart, same_values) if client.process_count() > 1 and leaves else apart[None]
    other = next((p for p in range(len(others)) if others[p].any()), 0) if me == 0 else 0
    different = tuple([(path, _shown(mine), _shown(theirs) if me or other == 0 else "another value")
                       for path, mine, theirs, differs in zip(paths, leaves, expected, others[other if me == 0 else me])
                       if differs])
    if different:
        raise ProcessesDifferError(paths=different, me=me, message=str(fail_message), other=other)


def _shown(value: Any) -> str:
    value = np.asarray(value)
    return str(value) if value.size <= 4 else f"{value.dtype}{list(value.shape)} with {value.reshape(-1)[:3]}…"


def _specs(given: Any, values: Any) -> list[PartitionSpec]:
    if given is None:
        raise LocalSpecError(kind="none")
    return list(broadcast_prefix(given, values, is_leaf=lambda x: x is None or isinstance(x, PartitionSpec)))


@public
def host_local_array_to_global_array(local_inputs: Any, global_mesh: Mesh, pspecs: Any) -> Any:
    """Arrays over all processes, of which each has a part.

    Args:
        local_inputs: a pytree of this process's parts.
        global_mesh: the devices; those of each process must form a block of it.
        pspecs: a PartitionSpec, or a pytree prefix of `local_inputs` of them: how the mesh splits the whole arrays. Along
            an axis that nothing splits over processes, all must have the same values.

    Returns:
        A pytree of arrays. Those that lie over several processes already stay as they are.

    Raises:
        LocalSpecError: a specification is missing, or the devices of this process form no block.
        ShardingError: an axis cannot be split so.
    """
    leaves, structure = tree.tree_flatten(local_inputs)
    specs = _specs(pspecs, local_inputs)
    return structure.unflatten([_to_global(x, global_mesh, spec) for x, spec in zip(leaves, specs)])


def _to_global(x: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
    if spec is None:
        raise LocalSpecError(kind="none")
    return whole_of_parts(x, mesh, spec)


@public
def global_array_to_host_local_array(global_inputs: Any, global_mesh: Mesh, pspecs: Any) -> Any:
    """This process's parts of arrays over all processes.

    Args:
        global_inputs: a pytree of arrays.
        global_mesh: the devices; those of each process must form a block of it.
        pspecs: a PartitionSpec, or a pytree prefix of them: how the arrays are to be split for this; those that lie
            otherwise are moved.

    Returns:
        A pytree of arrays on the devices of this process.

    Raises:
        LocalSpecError: a specification is missing, or the devices of this process form no block.
    """
    leaves, structure = tree.tree_flatten(global_inputs)
    specs = _specs(pspecs, global_inputs)
    return structure.unflatten([_to_local(x, global_mesh, spec) for x, spec in zip(leaves, specs)])


def _to_local(x: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
    if spec is None:
        raise LocalSpecError(kind="none")
    return part_of_whole(x, mesh, spec)


_preemption: list[Any] = []


@public
def reached_preemption_sync_point(step_id: int) -> bool:
    """Whether all processes should save now, because one of them was told to end soon (by SIGTERM).

    Call it at each step, in all processes. After a notice, it is true at the same later step in all.

    Args:
        step_id: the step.

    Raises:
        DistributedStateError: `jax.distributed.initialize` was not called, and there are several processes.

    The first call makes this process hear the notices. Differs: in JAX `jax.distributed.initialize` does.
    """
    if membership.current() is None and client.process_count() == 1:
        return False
    us = membership.member("`reached_preemption_sync_point`")
    us.check("asking for notices of an early end")
    if not _preemption:
        _preemption.append(coordination.make_preemption_manager(us.client))
    return _preemption[0].reached_sync_point(step_id)
