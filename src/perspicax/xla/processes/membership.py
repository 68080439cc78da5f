"""This process among the others: made by `jax.distributed.initialize`, used where the client of the devices is made."""
from __future__ import annotations

import atexit
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from perspicax.binding import coordination
from perspicax.xla.processes.errors import (
    BarrierNamesError,
    CoordinatorError,
    DistributedStateError,
    ProcessesApartError,
    ProcessesMissingError,
    ProcessLostError,
)
from perspicax.xla.processes.hub import Hub
from perspicax.xla.processes.link import Link
from perspicax.xla.processes.relay import Relay
from perspicax.xla.processes.severing import listening

__all__ = ["Membership", "current", "member", "split_address"]

NEVER = 10**6  # seconds: jaxlib's own heartbeats, whose failure ends the process, never fail; the link's do the work

GOODBYE = 0.5  # seconds in which the others hear that they may go, before their connection ends

HEARD_WITHIN = 2.0  # seconds from a failure of the network until the hub tells whose it is


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[::1]:port`.

    Raises:
        ValueError: there is no port.
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Membership:
    """A process that has found the others.

    Args:
        address: of the coordinator, `host:port`.
        bind_address: where the coordinator listens; by default on all addresses, at the same port.
        process, count: this process's index, and how many there are.
        patience: seconds to wait for all to come.
        silence: seconds without a sign of life after which a process counts as dead.
        farewell: seconds to wait for all at the end.

    Raises:
        CoordinatorError, ProcessConflictError, ProcessesMissingError: the others are not found.
    """

    def __init__(self, address: str, bind_address: str | None, process: int, count: int, *, patience: float, silence: float,
                 farewell: float) -> None:
        self.address, self.process, self.count, self._farewell = address, process, count, farewell
        self._left = False
        self._hub: Hub | None = None
        self._service: Any = None
        host, port = split_address(address)
        if process == 0:
            bound = split_address(bind_address) if bind_address else ("", port)
            try:
                inner = _free_port()
                self._hub = Hub(bound, count, inner, patience, silence)
            except OSError as error:
                raise CoordinatorError(address=bind_address or address, process=0,
                                       reason=os.strerror(error.errno) if error.errno else str(error)) from None
            self._service = coordination.make_coordination_service(f"[::]:{inner}", count, NEVER, int(patience), int(farewell))
            host = bound[0] if bound[0] not in ("", "0.0.0.0", "::") else "localhost"
        try:
            self.link = Link((host, port), process, count, patience, silence)
        except BaseException:
            if self._hub is not None:
                self._hub.close()
                self._service.shutdown()
            raise
        self._relay = Relay(host, self.link.inner_port)
        self.client = coordination.make_coordination_client(f"127.0.0.1:{self._relay.port}", process, NEVER, int(patience),
                                                       int(farewell))
        self.client.connect()

    def check(self, during: str = "") -> None:
        """Raise if a process is gone.

        Raises:
            ProcessLostError: one is.
        """
        if self.link.lost is not None:
            process, reason = self.link.lost
            raise ProcessLostError(process=process, reason=reason, during=during)

    def collectives(self, make: Callable[[], Any]) -> Any:
        """What carries data between the processes; where it listens is kept."""
        before = listening()
        made = make()
        self.link.ports = listening() - before
        return made

    def loss_behind(self, message: str) -> ProcessLostError | ProcessesApartError | None:
        """The loss that makes XLA fail with `message`; `None` if it is no failure of the network, or nobody is lost.

        When XLA has waited in vain for processes that live, they wait elsewhere, and that is told.
        """
        if not any(word in message for word in ("gloo", "Gloo", "coordination", "UNAVAILABLE")):
            return None
        lost = self.link.wait_for_loss(HEARD_WITHIN)
        if lost is not None:
            return ProcessLostError(process=lost[0], reason=lost[1], during="a computation that it takes part in")
        if "DEADLINE_EXCEEDED" in message and "loo" in message:
            return ProcessesApartError(me=self.process, places=self.link.places())
        return None

    def leave(self) -> None:
        """Wait for all others to leave as well, and end the connections.

        Raises:
            ProcessesMissingError: some do not leave in time.
            ProcessLostError: one is gone.
            BarrierNamesError: some wait for something else.
        """
        try:
            if self.link.alone:
                return self._leave_with_survivors()
            self.link.barrier("the end of jax.distributed", self._farewell, here=True)
            self.link.expect_end()
            self.client.shutdown()
            self._left = True
            self.link.leave()
        finally:
            self._close()

    def _leave_with_survivors(self) -> None:
        """jaxlib's own way to leave would wait for those that are gone."""
        self.link.gather("the end of jax.distributed, for those that live", self._farewell, list(range(self.count)))
        self.link.expect_end()
        if self._hub is not None:
            time.sleep(GOODBYE)
        self.link.leave()

    def fail(self, error: str) -> None:
        """Tell the others that this process ends with an error."""
        self.link.leave(error)
        self._close()

    def _close(self) -> None:
        self._relay.close()
        if not self._left:
            self._relay.mute()
            _abandoned.append(self)  # whose destruction would end the process
        elif self._service is not None:
            self._service.shutdown()
        if self._hub is not None:
            self._hub.close()


def _free_port() -> int:
    with socket.create_server(("", 0)) as found:
        return found.getsockname()[1]


_current: list[Membership] = []
_abandoned: list[Membership] = []
_lock = threading.Lock()
_at_exit: list[Any] = []


def current() -> Membership | None:
    """The membership of this process; `None` while it works alone."""
    return _current[0] if _current else None


def member(doing: str) -> Membership:
    """The membership of this process.

    Raises:
        DistributedStateError: it works alone.
    """
    if not _current:
        raise DistributedStateError(kind="missing", doing=doing)
    return _current[0]


def join(make: Any) -> None:
    """Keep what `make()` gives as this process's membership.

    Raises:
        DistributedStateError: it has one.
    """
    with _lock:
        if _current:
            raise DistributedStateError(kind="twice")
        _current.append(make())
        if not _at_exit:
            _at_exit.append(atexit.register(_end))


def leave() -> None:
    """Leave the others; nothing where there are none."""
    with _lock:
        found = _current.pop() if _current else None
    if found is not None:
        found.leave()


def _end() -> None:
    """At the end of the program: what `leave` does, but its errors are only told; or tell the others of a failure."""
    with _lock:
        found = _current.pop() if _current else None
    if found is None:
        return
    failed = getattr(sys, "last_type", None)
    if failed is not None and not hasattr(sys, "ps1"):
        return found.fail(f"{failed.__name__}: {next(iter(str(sys.last_value).splitlines()), '')}"[:300])
    try:
        found.leave()
    except (ProcessLostError, ProcessesMissingError, BarrierNamesError) as error:
        if sys.stderr is not None:
            print(f"Perspicax: process {found.process} ({os.getpid()}) ends without the others.\n  {error.report.says}",
                  file=sys.stderr)
