"""jaxlib's distributed runtime: how processes tell each other of their devices, and what carries data between them."""
from __future__ import annotations

from typing import Any

from jaxlib import _jax


def make_coordination_service(address: str, count: int, heartbeat: int, patience: int, farewell: int) -> Any:
    """The service of process 0 by which `count` processes tell each other of their devices; times in seconds."""
    return _jax.get_distributed_runtime_service(address, count, heartbeat_timeout=heartbeat,
                                                cluster_register_timeout=patience, shutdown_timeout=farewell)


def make_coordination_client(address: str, process: int, heartbeat: int, patience: int, farewell: int) -> Any:
    """A process's client of that service, which is not connected yet."""
    return _jax.get_distributed_runtime_client(address, process, init_timeout=patience, shutdown_timeout=farewell,
                                               heartbeat_timeout=heartbeat, shutdown_on_destruction=False,
                                               use_compression=True)


def make_collectives(implementation: str, coordination: Any) -> Any:
    """What carries data between the CPU devices of several processes: "gloo" (TCP) or "mpi"."""
    if implementation == "mpi":
        collectives = _jax.make_mpi_collectives()
        collectives.Init()
        return collectives
    return _jax.make_gloo_tcp_collectives(coordination)


def make_preemption_manager(coordination: Any) -> Any:
    """What hears SIGTERM, and agrees with the managers of other processes on a step: `reached_sync_point(step)`."""
    manager = _jax.create_preemption_sync_manager()
    manager.initialize(coordination)
    return manager
