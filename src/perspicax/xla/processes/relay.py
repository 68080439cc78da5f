"""A way to jaxlib's service that stays open when the service is gone.

jaxlib ends the process when its connection to the service breaks. It is connected to a relay in its own process instead,
which passes bytes on in both directions; when the far end closes, the near end stays as it is, and the link tells of the
loss.
"""
from __future__ import annotations

import socket
import threading

__all__ = ["Relay"]


class Relay:
    """Listens on a port of this machine, and passes on what comes to `host` and `port`."""

    def __init__(self, host: str, port: int) -> None:
        self._far = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._muted = False
        self._kept: list[socket.socket] = []  # near ends whose far end is gone: open, and silent
        threading.Thread(target=self._accept, name="perspicax-relay", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that there are go on until jaxlib closes them."""
        self._listener.close()

    def mute(self) -> None:
        """Pass nothing on any more that comes from the service: it may say that it ends."""
        self._muted = True

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(near,), name="perspicax-relay", daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        self._kept.append(near)
        try:
            far = socket.create_connection(self._far, timeout=30)
        except OSError:
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._pass_on, args=(far, near), name="perspicax-relay", daemon=True).start()
        if self._pass_on(near, far):
            self._kept.remove(near)
            near.close()
        far.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> bool:
        """Pass bytes on until one end is gone; whether that was the source."""
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                return True
            if not data or (self._muted and source not in self._kept):
                return True
            try:
                sink.sendall(data)
            except OSError:
                return False
