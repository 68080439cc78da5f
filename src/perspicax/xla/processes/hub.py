"""The meeting place of all processes, a thread of process 0: who is there, who waits at which barrier, who is gone."""
from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Hub"]

LONGEST_LINE = 2**20  # bytes; a link's are far shorter
GRACE = 1.0  # seconds after which processes that wait at different barriers are told so


@dataclass
class _Member:
    """One connection; which process it is, is known when it has said so."""

    socket: socket.socket
    unread: bytes = b""
    process: int | None = None
    seen: float = 0.0  # when it last gave a sign of life
    place: str | None = None  # where in its program it has waited for long
    leaving: bool = False


@dataclass
class _Barrier:
    """Who waits there, and until when."""

    deadline: float
    waited: float
    members: tuple[int, ...]
    arrived: set[int] = field(default_factory=set)
    over: bool = False
    notes: dict[str, str] = field(default_factory=dict)  # what processes have to say there
    here: bool = False  # whether all else in these processes waits for it
    since: float = 0.0  # when the last process came
    tolerant: bool = False  # whether it opens without those that are lost

    def complete(self, lost: Collection[int]) -> bool:
        """Whether all have come that are waited for."""
        return self.arrived.issuperset([p for p in self.members if p not in lost] if self.tolerant else self.members)


class Hub:
    """Answers all links until it is closed.

    Args:
        address: host and port to listen on.
        count: how many processes there are.
        inner_port: the port of jaxlib's service, told to all when they are complete.
        patience: how many seconds to wait for all to come.
        silence: after how many seconds without a sign of life a process counts as dead.
    """

    def __init__(self, address: tuple[str, int], count: int, inner_port: int, patience: float, silence: float) -> None:
        self._count, self._inner_port = count, inner_port
        self._patience, self._silence = patience, silence
        self._listener = _listen(address)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._members: dict[int, _Member] = {}
        self._barriers: dict[str, _Barrier] = {}
        self._lost: dict[int, str] = {}
        self._apart: dict[str, str | None] = {}
        self._complete = self._failed = False
        self._begun = time.monotonic()
        self._next_beat = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="perspicax-hub", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering; the sockets are closed."""
        self._closing.set()
        self._thread.join(5)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                for key, _ in self._selector.select(0.05):
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._read(key.data)
                self._look_at_clock()
        finally:  # also after a fault of ours: the others must not wait for what has ended
            for key in list(self._selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # only sockets are registered
            self._selector.close()

    def _accept(self) -> None:
        made, _ = self._listener.accept()
        made.setblocking(True)
        made.settimeout(5)  # a link that does not read its few bytes is no link
        self._selector.register(made, selectors.EVENT_READ, _Member(made, seen=time.monotonic()))

    def _read(self, member: _Member) -> None:
        try:
            data = member.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            return self._drop(member)
        member.seen = time.monotonic()
        *lines, member.unread = (member.unread + data).split(b"\n")
        if len(member.unread) > LONGEST_LINE:
            return self._drop(member)
        for line in lines:
            try:
                self._take(member, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):  # somebody else's program has found our port
                return self._drop(member)

    def _drop(self, member: _Member) -> None:
        self._selector.unregister(member.socket)
        member.socket.close()
        if member.process is not None and not member.leaving and not self._failed:
            self._lose(member.process, "its connection ended, so it was killed, crashed or lost its network")

    def _take(self, member: _Member, message: dict[str, Any]) -> None:
        match message.get("is"):
            case "hello":
                self._greet(member, message["process"], message["count"])
            case "barrier" if member.process is not None:
                self._arrive(member.process, message)
            case "alive":
                member.place = message.get("place")
            case "where" if member.process is not None:
                self._send(member, {"is": "places", "name": message["name"], "places": self._places()})
            case "bye":
                member.leaving = True
            case "failed" if member.process is not None:
                member.leaving = True
                self._lose(member.process, f"it ended with {message['error']}")

    def _greet(self, member: _Member, process: int, count: int) -> None:
        fault = ""
        if count != self._count:
            fault = "count"
        elif not 0 <= process < count:
            fault = "range"
        elif process in self._members:
            fault = "twice"
        if fault:
            self._send(member, {"is": "refused", "fault": fault, "process": process, "count": self._count})
            return
        member.process = process
        self._members[process] = member
        if len(self._members) == self._count:
            self._complete = True
            self._tell_all({"is": "complete", "port": self._inner_port})

    def _arrive(self, process: int, message: dict[str, Any]) -> None:
        name, waited = message["name"], float(message["timeout"])
        members = tuple(message.get("processes") or range(self._count))
        found = self._barriers.get(name)
        if found is None:
            found = self._barriers[name] = _Barrier(time.monotonic() + waited, waited, members,
                                                    tolerant=bool(message.get("tolerant")))
        if found.over:
            self._send(self._members[process], {"is": "absent", "name": name, "absent": [process], "waited": found.waited})
            return
        found.arrived.add(process)
        if message.get("note"):
            found.notes[str(process)] = message["note"]
        found.here, found.since = bool(message.get("here")), time.monotonic()
        if not found.tolerant and any(p in self._lost for p in found.members):
            return  # it was told of the loss, which ends its wait
        self._open_if_complete(name, found)

    def _open_if_complete(self, name: str, barrier: _Barrier) -> None:
        if barrier.complete(self._lost):
            here = [p for p in barrier.arrived if p not in self._lost]
            self._tell(here, {"is": "passed", "name": name, "notes": barrier.notes, "here": here})
            del self._barriers[name]

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        if not self._complete and not self._failed and now > self._begun + self._patience:
            self._failed = True
            absent = [p for p in range(self._count) if p not in self._members]
            self._tell_all({"is": "absent", "name": "", "absent": absent, "waited": self._patience})
        for name, barrier in self._barriers.items():
            if not barrier.over and now > barrier.deadline:
                barrier.over = True
                self._tell(barrier.arrived, {"is": "absent", "name": name, "waited": barrier.waited,
                                             "absent": [p for p in barrier.members if p not in barrier.arrived]})
        self._look_for_crossed(now)
        if now < self._next_beat:
            return
        self._next_beat = now + min(self._silence / 4, 10)
        self._tell_all({"is": "alive"})
        self._look_for_apart()
        for process, member in list(self._members.items()):
            if not member.leaving and process not in self._lost and now > member.seen + self._silence:
                self._lose(process, f"it gave no sign of life for {self._silence:g} s")

    def _look_for_crossed(self, now: float) -> None:
        """Processes that all wait, at different barriers, would wait for ever."""
        waiting = [(name, b) for name, b in self._barriers.items() if b.here and not b.over]
        if len(waiting) > 1 and all(now > b.since + GRACE for _, b in waiting) and (
                set(self._lost).union(*(b.arrived for _, b in waiting)).issuperset(range(self._count))):
            places = {str(process): name for name, b in waiting for process in b.arrived}
            for name, barrier in waiting:
                barrier.over = True
                self._tell(barrier.arrived, {"is": "crossed", "name": name, "places": places})

    def _places(self) -> dict[str, str]:
        """Where processes wait, of those that do: at a barrier, or at a place in the program."""
        found = {str(p): m.place for p, m in self._members.items() if m.place is not None}
        for name, barrier in self._barriers.items():
            if barrier.here and not barrier.over:
                found |= {str(p): f"the barrier {name.rpartition('#')[0]!r}" for p in barrier.arrived}
        return found

    def _look_for_apart(self) -> None:
        """Processes that all have waited for long, at different places, are told of it; once for the same places."""
        places = {str(p): m.place for p, m in self._members.items() if p not in self._lost and not m.leaving}
        if None not in places.values() and len(set(places.values())) > 1 and places != self._apart:
            self._apart = places
            self._tell_all({"is": "apart", "places": places})

    def _lose(self, process: int, reason: str) -> None:
        if process in self._lost:
            return
        self._tell_all({"is": "lost", "process": process, "reason": reason})  # itself, too: it may hear it one day
        self._lost[process] = reason
        for name, barrier in list(self._barriers.items()):
            if barrier.tolerant and not barrier.over:
                self._open_if_complete(name, barrier)

    def _tell_all(self, message: dict[str, Any]) -> None:
        self._tell(self._members, message)

    def _tell(self, processes: Any, message: dict[str, Any]) -> None:
        for process in list(processes):
            self._send(self._members[process], message)

    def _send(self, member: _Member, message: dict[str, Any]) -> None:
        if member.process in self._lost:
            return
        try:
            member.socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # its end is read, too, and told then


def _listen(address: tuple[str, int]) -> socket.socket:
    """A socket that listens on a host (empty: on all addresses of the machine) and port."""
    host, port = address
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)
