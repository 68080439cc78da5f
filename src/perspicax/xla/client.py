"""Backends and devices. The client is made on first use, after the environment and the configuration were read."""
from __future__ import annotations

import os
import threading
import warnings
from typing import Any

from perspicax.binding import runtime
from perspicax.core import config as config_module
from perspicax.core.config import config
from perspicax.diagnose.boundary import public
from perspicax.diagnose.frames import warning_level
from perspicax.xla.client_errors import ClientStartedError, ProcessIndexError
from perspicax.xla.errors import UnknownPlatformError

PLATFORM_ALIASES = {"gpu": ("cuda", "rocm"), "cuda": ("cuda",), "rocm": ("rocm",), "tpu": ("tpu",), "cpu": ("cpu",)}

_lock = threading.RLock()
_clients: dict[str, runtime.Client] = {}
_default: list[str] = []


def _make(platform: str) -> runtime.Client:
    if platform == "cpu":
        count = config.jax_num_cpu_devices
        return runtime.make_cpu_client(num_devices=count if count and count > 0 else None,
                                       asynchronous=config.jax_cpu_enable_async_dispatch, **_of_processes())
    raise UnknownPlatformError(platform=platform, known=("cpu", *runtime.discover_plugins()))


def _of_processes() -> dict[str, Any]:
    """The client's options by which it joins those of other processes; none where there are no others."""
    if not membership:
        return {}
    us = membership[0]()
    if us is None:
        return {}
    from perspicax.binding import coordination  # only programs of several processes need it

    # XLA's own wait for the others is deaf: who has ended, is lost or waits for something else is told here
    us.link.barrier("starting the devices", 60 * config.jax_cpu_get_global_topology_timeout_minutes, here=True)
    chosen = config.jax_cpu_collectives_implementation
    return {"distributed_client": us.client, "node_id": us.process, "num_nodes": us.count,
            "collectives": None if chosen is None else us.collectives(
                lambda: coordination.make_collectives(chosen, us.client)),
            "get_local_topology_timeout_minutes": config.jax_cpu_get_local_topology_timeout_minutes,
            "get_global_topology_timeout_minutes": config.jax_cpu_get_global_topology_timeout_minutes}


membership: list[Any] = []
"""What tells this process's membership, filled by `jax.distributed`, which most programs never load."""


def several_processes() -> bool:
    """Whether this process works with others."""
    return bool(membership) and membership[0]() is not None


def loss_behind(message: str) -> Exception | None:
    """What to raise in place of a failure of XLA that comes from the loss of a process; `None` if it does not."""
    us = membership[0]() if membership else None
    return None if us is None else us.loss_behind(message)


def started() -> bool:
    """Whether there is a client."""
    return bool(_clients)


def client(platform: str | None = None) -> runtime.Client:
    """The client of a platform (`cpu`, `gpu`, …), made on first use; the default one without a name.

    Raises:
        UnknownPlatformError: no such platform here.
    """
    name = platform or default_backend()
    found = _clients.get(name)
    if found is not None:
        return found
    with _lock:
        if name not in _clients:
            if name != "cpu" and name not in (plugins := runtime.discover_plugins()):  # a search of 30 ms
                raise UnknownPlatformError(platform=name, known=("cpu", *plugins))
            _clients[name] = _make(name)
            if not _watching_forks:
                _watching_forks.append(True)
                os.register_at_fork(before=_warn_of_fork)
        return _clients[name]


_watching_forks: list[bool] = []


def _warn_of_fork() -> None:
    """The runtime's threads do not exist in a forked process, which then waits for them for ever."""
    if _clients:
        warnings.warn("This process is forked, and array work that the new one does may wait for ever: it has none of the "
                      "runtime's threads. Start processes by multiprocessing.get_context('spawn'), or fork before the first "
                      "array is made.", RuntimeWarning, stacklevel=warning_level())


def default_backend() -> str:
    """Name of the platform that runs what is not placed elsewhere."""
    if not _default:
        wanted = config.jax_platforms or config.jax_platform_name
        names = [n.strip() for n in (wanted or "cpu").split(",") if n.strip()] or ["cpu"]
        known = ("cpu", *runtime.discover_plugins()) if names != ["cpu"] else ("cpu",)
        for name in names:  # each that is named must be there, not the first alone
            if name not in known:
                raise UnknownPlatformError(platform=name, known=known, setting="JAX_PLATFORMS")
        _default.append(names[0])
    return _default[0]


@public
def devices(backend: str | None = None) -> list[runtime.Device]:
    """All devices of a backend (`None`: the default one), those of other processes included."""
    return list(client(backend).devices())


@public
def local_devices(process_index: int | None = None, backend: str | None = None,
                  host_id: int | None = None) -> list[runtime.Device]:
    """The devices of this process, or of the process `process_index`.

    Raises:
        ProcessIndexError: there is no such process.
    """
    index = host_id if process_index is None else process_index
    of = client(backend)
    if index is None:
        index = of.process_index()
    elif index not in process_indices(backend):
        raise ProcessIndexError(index=index, count=process_count(backend))
    return [d for d in of.devices() if d.process_index == index]


@public
def device_count(backend: str | None = None) -> int:
    """Number of devices of a backend, in all processes."""
    return client(backend).device_count()


@public
def local_device_count(backend: str | None = None) -> int:
    """Number of devices of a backend in this process."""
    return client(backend).local_device_count()


@public
def process_index(backend: str | None = None) -> int:
    """Which process this is, from 0."""
    return client(backend).process_index()


host_id = process_index


@public
def process_count(backend: str | None = None) -> int:
    """Number of processes."""
    return max(d.process_index for d in client(backend).devices()) + 1


def process_indices(backend: str | None = None) -> list[int]:
    """The indices of all processes."""
    return list(range(process_count(backend)))


host_count = process_count


def host_ids(backend: str | None = None) -> list[int]:
    """The indices of all processes."""
    return process_indices(backend)


def default_device() -> runtime.Device:
    """The device of arrays that nothing places elsewhere: `jax_default_device`, or the first one."""
    wanted = config.jax_default_device
    if wanted is None:
        found = _first.get("device")
        if found is None:
            found = _first["device"] = local_devices()[0]
        return found
    return local_devices(backend=wanted)[0] if isinstance(wanted, str) else wanted


_first: dict[str, Any] = {}


def _refuse_late_count(value: Any) -> None:
    """The number of CPU devices is read when the client is made."""
    started = _clients.get("cpu")
    if started is not None and value is not None and value != -1:
        raise ClientStartedError(option="jax_num_cpu_devices", value=repr(value), count=started.device_count())


config_module.before_change("jax_num_cpu_devices", _refuse_late_count)


def clear_backends() -> None:
    """Forget the clients; arrays made by them must not be used afterwards."""
    with _lock:
        _clients.clear()
        _default.clear()
        _first.clear()


__all__ = ["client", "config_module", "default_backend", "devices", "local_devices", "device_count",
           "local_device_count", "process_index", "process_count", "default_device", "clear_backends"]
