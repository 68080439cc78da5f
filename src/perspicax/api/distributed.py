"""Programs of several processes: `jax.distributed`."""
from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from perspicax.api.wrapping import public
from perspicax.xla import client
from perspicax.xla.processes import membership
from perspicax.xla.processes.clusters import detect
from perspicax.xla.processes.errors import DistributedStateError, ProcessSettingError

__all__ = ["initialize", "is_initialized", "shutdown"]


@public
def initialize(coordinator_address: str | None = None, num_processes: int | None = None, process_id: int | None = None,
               local_device_ids: int | Sequence[int] | None = None, cluster_detection_method: str | None = None,
               initialization_timeout: int = 300, heartbeat_timeout_seconds: int = 100, shutdown_timeout_seconds: int = 300,
               coordinator_bind_address: str | None = None, slice_index: int | None = None,
               partition_index: int | None = None) -> None:
    """Let this process and others of the same program work as one: afterwards `jax.devices()` are those of all.

    Call it in every process, before anything that needs a device.

    Args:
        coordinator_address: host and port where process 0 listens, `"10.0.0.1:1234"`; the same in all processes.
        num_processes: how many there are.
        process_id: which this is, from 0.
        local_device_ids: which devices of the machine are this process's. CPU devices are each process's own: there is
            nothing to choose among them.
        cluster_detection_method: where to find what is not given: "slurm", "ompi", "k8s", "mpi4py"; by default, the first
            three are tried. "deactivate" for nowhere.
        initialization_timeout: seconds to wait for all processes.
        heartbeat_timeout_seconds: seconds without a sign of life after which a process counts as dead. One whose
            connection ends does so at once.
        shutdown_timeout_seconds: seconds to wait for all at the end.
        coordinator_bind_address: address and port at which process 0 listens; by default all its addresses.
        slice_index, partition_index: accepted; they concern accelerators in several parts.

    Raises:
        DistributedStateError: it was called before, or devices have been started.
        ProcessSettingError: something is not given, and not found.
        CoordinatorError: process 0 cannot listen at the address, or is not reached there.
        ProcessConflictError: another process has the same `process_id`, or the processes differ about their number.
        ProcessesMissingError: not all came in time.
        ProcessLostError: one died.

    A process that dies later ends what the others wait for with a `ProcessLostError`.
    """
    del slice_index, partition_index
    if local_device_ids is not None:
        several = isinstance(local_device_ids, Iterable) and not isinstance(local_device_ids, str)
        for number in local_device_ids if several else (local_device_ids,):  # type: ignore[union-attr]  # it is a Sequence
            _integer("local_device_ids", number)
    if membership.current() is not None:
        raise DistributedStateError(kind="twice")
    known = coordinator_address is not None and num_processes is not None and process_id is not None
    found = None if known else detect(cluster_detection_method)
    if found is not None:
        coordinator_address = coordinator_address or found.address
        num_processes = found.count if num_processes is None else num_processes
        process_id = found.process if process_id is None else process_id
    address = _address("coordinator_address", coordinator_address)
    count, process = _numbers(num_processes, process_id)
    if coordinator_bind_address is not None:
        _address("coordinator_bind_address", coordinator_bind_address)
    for name, seconds in (("initialization_timeout", initialization_timeout),
                          ("heartbeat_timeout_seconds", heartbeat_timeout_seconds),
                          ("shutdown_timeout_seconds", shutdown_timeout_seconds)):
        if not (isinstance(seconds, (int, float)) and seconds > 0):
            raise ProcessSettingError(name=name, given=repr(seconds), why="a time limit is a number of seconds above 0")
    if client.started():
        raise DistributedStateError(kind="late")
    client.membership[:] = [membership.current]
    membership.join(lambda: membership.Membership(
        address, coordinator_bind_address, process, count, patience=initialization_timeout,
        silence=heartbeat_timeout_seconds, farewell=shutdown_timeout_seconds))


def _address(name: str, given: str | None) -> str:
    if given is None:
        raise ProcessSettingError(name=name)
    try:
        host, port = membership.split_address(given)
    except (ValueError, AttributeError):
        raise ProcessSettingError(name=name, given=repr(given), why="an address is a host and a port, "
                                                                    '"10.0.0.1:1234"') from None
    if not host and name == "coordinator_address":
        raise ProcessSettingError(name=name, given=repr(given), why="there is no host before the colon")
    if not 0 < port < 65536:
        raise ProcessSettingError(name=name, given=repr(given), why="a port is a number from 1 to 65535")
    return given


def _integer(name: str, given: Any) -> int:
    if given is None:
        raise ProcessSettingError(name=name)
    try:
        return operator.index(given)
    except TypeError:
        raise ProcessSettingError(name=name, given=repr(given), why=f"it is an integer, not a {type(given).__name__}") from None


def _numbers(count: Any, process: Any) -> tuple[int, int]:
    count, process = _integer("num_processes", count), _integer("process_id", process)
    if count < 1:
        raise ProcessSettingError(name="num_processes", given=repr(count), why="there is at least this process")
    if not 0 <= process < count:
        raise ProcessSettingError(name="process_id", given=repr(process),
                                  why=f"with {count} processes, the indices are 0 to {count - 1}" if count > 1 else
                                  "the only process has index 0")
    return count, process


@public
def shutdown() -> None:
    """Leave the other processes, once all want to; nothing where `initialize` was not called.

    It happens by itself at the end of the program.

    Raises:
        ProcessesMissingError: not all came in time.
        ProcessLostError: one died.
    """
    membership.leave()


@public
def is_initialized() -> bool:
    """Whether this process has joined others.

    >>> is_initialized()
    False
    """
    return membership.current() is not None
