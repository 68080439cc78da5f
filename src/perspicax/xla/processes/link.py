"""A process's connection to the hub: joining, barriers, and hearing of others' end."""
from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections import Counter
from typing import Any

from perspicax.xla.processes.errors import (
    BarrierNamesError,
    CoordinatorError,
    ProcessConflictError,
    ProcessesMissingError,
    ProcessLostError,
)
from perspicax.xla.processes.severing import Address, sever
from perspicax.xla.processes.stalls import Stall, notice
from perspicax.xla.processes.watch import PATIENCE, end_if_stuck

__all__ = ["Link"]

ANSWER_WITHIN = 5.0  # seconds, that the hub has for an answer
GRACE = 0.3  # seconds in which computations fail by themselves, with better words
LONG_PATIENCE = 30.0  # seconds in place of `PATIENCE`, in a program that is prepared to lose processes


class Link:
    """Connects to the hub, and waits until all processes have.

    Args:
        address: host and port of the hub.
        process: this process's index.
        count: how many processes there are.
        patience: for how many seconds to try, and to wait for the others.
        silence: after how many seconds without a sign of life process 0 counts as dead.

    Raises:
        CoordinatorError: there is no way to the hub.
        ProcessConflictError: the hub has another process of this index, or speaks of another number of processes.
        ProcessesMissingError: not all came.
    """

    def __init__(self, address: tuple[str, int], process: int, count: int, patience: float, silence: float) -> None:
        self.process, self.count = process, count
        self._silence = silence
        self._news = threading.Condition()
        self._answers: dict[str, dict[str, Any]] = {}
        self._gone: dict[int, str] = {}  # all that are lost, and how that was noticed
        self._forgiven: set[int] = set()  # those that the program does without
        self._gathering = False
        self.prepared = 0  # in how many blocks of `live_devices` the program is
        self.ports: set[Address] = set()  # where what carries data between processes listens
        self._uses: Counter[str] = Counter()
        self._leaving = False
        self._address = address
        self._met = False  # whether the hub has said something
        self._heard = time.monotonic()
        begun = time.monotonic()
        self._socket = self._connected(address, patience)
        self._send({"is": "hello", "process": process, "count": count})
        for work in (self._read, self._beat):
            threading.Thread(target=work, name="perspicax-link", daemon=True).start()
        answer = self._wait("", begun + patience + 5)
        self.inner_port: int = self._accepted(answer, patience)

    def _connected(self, address: tuple[str, int], patience: float) -> socket.socket:
        deadline = time.monotonic() + patience
        while True:
            try:
                made = socket.create_connection(address, timeout=max(0.1, min(5.0, deadline - time.monotonic())))
                made.settimeout(None)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return made
            except OSError as error:
                if time.monotonic() > deadline:
                    host, port = address
                    raise CoordinatorError(address=f"{host}:{port}", process=self.process, waited=patience,
                                           reason=error.strerror or str(error)) from None
            time.sleep(0.1)

    def _accepted(self, answer: dict[str, Any] | None, patience: float) -> int:
        match answer:
            case {"is": "complete", "port": port}:
                return port
            case {"is": "refused", "fault": fault, "count": expected}:
                self.close()
                raise ProcessConflictError(fault=fault, process=self.process, count=self.count, expected=expected)
        self.close()
        if not self._met:
            host, port = self._address
            raise CoordinatorError(address=f"{host}:{port}", process=self.process, waited=patience,
                                   reason="what listens there does not answer as process 0 does")
        self._check()
        raise ProcessesMissingError(barrier="", missing=tuple((answer or {}).get("absent", ())), waited=patience,
                                    count=self.count, me=self.process)

    def barrier(self, name: str, timeout: float, processes: Any = None, here: bool = False, note: str = "") -> dict[int, str]:
        """Wait until all processes (or those of `processes`) have come to the barrier `name`.

        Args:
            name: the same in all of them. It may be used again: the nth call in one meets the nth call in the others.
            timeout: the most seconds to wait.
            processes: the indices of those that take part.
            here: whether this process does nothing else meanwhile. If all wait so, for different names, they are told.
            note: something to tell the others.

        Returns:
            The notes of all that have one.

        Raises:
            BarrierNamesError: they do.
            ProcessesMissingError: not all came in time.
            ProcessLostError: one of them is gone.
        """
        members = range(self.count) if processes is None else processes
        self._check(f"the barrier {name!r}", members)
        use = self._come(name, timeout, here=here, note=note, processes=None if processes is None else sorted(processes))
        answer = self._wait(use, time.monotonic() + timeout + 10, members)
        if answer is not None and answer["is"] == "passed":
            return _notes(answer)
        self._look_for_crossing(answer)
        self._check(f"the barrier {name!r}", members)
        raise ProcessesMissingError(barrier=name, missing=tuple((answer or {}).get("absent", ())), waited=timeout,
                                    count=self.count, me=self.process)

    def _come(self, name: str, timeout: float, **more: Any) -> str:
        """Tell the hub that this process has come to a barrier; its name for this use."""
        use = f"{name}#{self._uses[name]}"
        self._uses[name] += 1
        self._send({"is": "barrier", "name": use, "timeout": timeout, **more})
        return use

    def gather(self, name: str, timeout: float, processes: list[int], note: str = "", wait: bool = True) -> tuple[
            list[int], dict[int, str]]:
        """Wait until those of `processes` that live have come to the barrier `name`; all are told the same.

        Args:
            name: the same in all of them, as in `barrier`.
            timeout: the most seconds to wait.
            processes: the indices of those that take part, this one among them.
            note: something to tell the others.
            wait: whether to wait for them.

        Returns:
            Who is there, and the notes of all that have one.

        Raises:
            BarrierNamesError: all wait, but not for the same.
            ProcessesMissingError: not all that live came in time.
            ProcessLostError: process 0 is gone, or this one counts as gone: they cannot agree.
        """
        use = self._come(name, timeout, here=True, note=note, processes=processes, tolerant=True)
        if not wait:
            return processes, {}
        self._gathering = True
        try:
            answer = self._wait(use, time.monotonic() + timeout + 10, (0, self.process), tolerant=True)
        finally:
            self._gathering = False
        if answer is not None and answer["is"] == "passed":
            return sorted(answer["here"]), _notes(answer)
        self._look_for_crossing(answer)
        self._check(f"the barrier {name!r}", (0, self.process))
        raise ProcessesMissingError(barrier=name, missing=tuple((answer or {}).get("absent", ())), waited=timeout,
                                    count=self.count, me=self.process)

    def forgive(self, processes: Any = ()) -> None:
        """From now on the program does without those that are gone, and without `processes`."""
        self._forgiven.update(self._gone, processes)

    @property
    def alone(self) -> bool:
        """Whether the program does without some processes."""
        return bool(self._forgiven)

    def reason(self, process: int) -> str:
        """How it was noticed that a process is gone."""
        return self._gone.get(process, "it did not come back")

    def _look_for_crossing(self, answer: dict[str, Any] | None) -> None:
        if answer is not None and answer["is"] == "crossed":
            raise BarrierNamesError(me=self.process, places={p: n.rpartition("#")[0] for p, n in _by_process(answer).items()})

    @property
    def lost(self) -> tuple[int, str] | None:
        """The first process that is gone, and that the program does not do without; and how that was noticed."""
        return next(((p, reason) for p, reason in list(self._gone.items()) if p not in self._forgiven), None)

    def wait_for_loss(self, seconds: float) -> tuple[int, str] | None:
        """`lost`, which may become known within `seconds`; else one that the program does without, if there is one."""
        with self._news:
            self._news.wait_for(lambda: self.lost is not None, seconds)
        return self.lost or next(iter(self._gone.items()), None)

    def places(self) -> dict[int, str]:
        """Where processes wait that have done so for long, or at a barrier."""
        use = f"where#{self._uses['where']}"
        self._uses["where"] += 1
        self._send({"is": "where", "name": use})
        answer = self._wait(use, time.monotonic() + ANSWER_WITHIN)
        return {} if answer is None else _by_process(answer)

    def leave(self, error: str = "") -> None:
        """Say goodbye, so that the end of this process is no loss; or what it ends with, which is one."""
        self._leaving = True
        self._send({"is": "failed", "error": error} if error else {"is": "bye"})
        self.close()

    def expect_end(self) -> None:
        """From now on the hub may close."""
        self._leaving = True

    def close(self) -> None:
        """End the connection."""
        self._leaving = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return self._socket.close()  # the other end was first
        self._socket.close()

    def _check(self, during: str = "", members: Any = ()) -> None:
        """Raise if a process is lost, or one of `members`, which this cannot do without."""
        lost = self.lost or next(((p, self._gone[p]) for p in members if p in self._gone), None)
        if lost is not None:
            raise ProcessLostError(process=lost[0], reason=lost[1], during=during)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._lose(0, "the connection to it broke")

    def _wait(self, name: str, deadline: float, members: Any = (), tolerant: bool = False) -> dict[str, Any] | None:
        """What the hub says of `name`; `None` when it says nothing until the deadline, or a process is lost.

        Args:
            name: of a barrier, or empty.
            deadline: when to give up.
            members: processes that it cannot do without.
            tolerant: whether it does without all others.
        """
        def over() -> bool:
            return name in self._answers or not self._gone.keys().isdisjoint(members) or not (tolerant or self.lost is None)

        with self._news:
            self._news.wait_for(over, deadline - time.monotonic())
            return self._answers.pop(name, None)

    def _lose(self, process: int, reason: str) -> None:
        with self._news:
            if process not in self._gone and not self._leaving:
                self._gone[process] = reason
                threading.Thread(target=end_if_stuck, args=(process, reason, lambda: self._patience(process)),
                                 name="perspicax-watch", daemon=True).start()
                threading.Timer(GRACE, sever, (self.ports,)).start()
            self._news.notify_all()

    def _patience(self, process: int) -> float | None:
        """For how many seconds the main thread may stay within one call, now that a process is gone."""
        if process in self._forgiven:
            return None
        if self._gathering:
            return math.inf  # it waits for the others, and is told when they come
        return LONG_PATIENCE if self.prepared else PATIENCE

    def _read(self) -> None:
        unread = b""
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                return self._lose(0, "its connection ended, so it was killed, crashed or lost its network")
            self._heard = time.monotonic()
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                try:
                    self._hear(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError):
                    return self._lose(0, "what listens at its address is another program")
                self._met = True

    def _hear(self, message: dict[str, Any]) -> None:
        match message["is"]:
            case "lost":
                self._lose(message["process"], message["reason"])
            case "alive":
                return
            case "apart":
                notice(self.process, _by_process(message))
            case _:
                with self._news:
                    self._answers[message.get("name", "")] = message
                    self._news.notify_all()

    def _beat(self) -> None:
        """Give signs of life, and look for those of the hub."""
        pause = min(self._silence / 4, 10)
        stall = Stall()
        while not self._leaving:
            time.sleep(pause)
            if self._leaving:
                return
            self._send({"is": "alive", "place": stall.place()})
            if time.monotonic() > self._heard + self._silence:
                self._lose(0, f"it gave no sign of life for {self._silence:g} s")


def _by_process(answer: dict[str, Any]) -> dict[int, str]:
    return {int(process): place for process, place in answer["places"].items()}


def _notes(answer: dict[str, Any]) -> dict[int, str]:
    return {int(process): said for process, said in answer["notes"].items()}
