"""Connections that carry data between processes, ended by force.

When a process dies in the middle of a collective operation, its neighbours fail, but the others wait for what the neighbours do
not send any more: their connections stay open, and XLA sets no time limit. So each process that hears of the loss ends these
connections: all fail, tell of the loss, and a program that is prepared for it (`live_devices`) goes on with those that live.
They are those that were accepted at the port where Gloo listens; on a system that does not show a process its open files,
there is nothing to end, and the process ends itself instead (`watch`).
"""
from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator

__all__ = ["listening", "sever"]

_OPEN = "/proc/self/fd"

Address = tuple[str, int]


def _sockets() -> Iterator[socket.socket]:
    """A second handle to each socket of this process."""
    if not os.path.isdir(_OPEN):
        return
    for name in os.listdir(_OPEN):
        try:
            if not stat.S_ISSOCK(os.stat(f"{_OPEN}/{name}").st_mode):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue  # it was closed meanwhile
        with found:
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM:
                yield found


def listening() -> set[Address]:
    """Where this process listens."""
    return {found.getsockname()[:2] for found in _sockets() if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)}


def sever(addresses: set[Address]) -> int:
    """End the connections that were accepted at some addresses; how many."""
    count = 0
    for found in _sockets():
        try:
            if found.getsockname()[:2] in addresses and not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.shutdown(socket.SHUT_RDWR)
                count += 1
        except OSError:
            continue  # the other end was first
    return count
