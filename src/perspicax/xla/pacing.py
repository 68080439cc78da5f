"""Programs on several processors that talk to each other, one after the other.

On processors XLA runs the devices of one program as tasks of one pool of threads, and a collective keeps its thread until all
devices have come to it. When a second program starts before the first has ended, its tasks may hold the threads that the first
still needs: after 40 seconds XLA ends the process. So such a program waits for the one before it.
"""
from __future__ import annotations

import contextlib
import re
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.binding import runtime

_COLLECTIVE = re.compile(
    r" (?:all-reduce|all-gather|all-to-all|collective-permute|collective-broadcast|reduce-scatter)(?:-start)?\(")

_lock = threading.Lock()
_previous: list[Any] = []


class _Started:
    """A program that was started: its results, and the token that tells when it has ended."""

    __slots__ = ("_results", "_token")

    def __init__(self, results: Any, token: Any) -> None:
        self._results, self._token = results, token

    def consume_with_handlers(self, handlers: Sequence[Any]) -> list[Any]:
        """The results, wrapped."""
        return self._results.consume_with_handlers(handlers)

    def consume_token(self) -> Any:
        """The token."""
        return self._token


def way_to_run(loaded: Any, devices: Sequence[Any], calls_back: bool, name: str = "", text: str = "") -> Callable[..., Any]:
    """`execute_sharded` of a compiled program; one that waits for the program before it, where both need all threads.

    Args:
        loaded: the program.
        devices: those that it runs on.
        calls_back: whether it calls Python, which may start others: these would wait for it, and it for them.
        name, text: of the program, by which processes tell each other what they run.
    """
    if len(devices) == 1 or devices[0].platform != "cpu" or calls_back:
        return loaded.execute_sharded
    if not _COLLECTIVE.search(runtime.parse_hlo_text(loaded)):
        return loaded.execute_sharded
    return _paced(loaded.execute_sharded, f"`{name.removeprefix('jit_')}` ({zlib.crc32(text.encode()):08x})")


_started: list[Any] = [0, ""]
"""How many programs with collectives this process has started, and the last one."""


def latest_program() -> str:
    """The program with collectives that this process has started last, for a report; empty if there is none."""
    return f"program {_started[0]} over several devices, {_started[1]}" if _started[0] else ""


def _paced(execute: Callable[..., Any], label: str) -> Callable[..., Any]:
    def run(buffers: Sequence[Any], with_tokens: bool = False) -> _Started:
        with _lock:
            _started[:] = _started[0] + 1, label
            if _previous:
                with contextlib.suppress(runtime.RuntimeFailure):  # whoever reads the results of that program is told
                    _previous.pop().block_until_ready()
            results = execute(buffers, with_tokens=True)
            token = results.consume_token()
            _previous.append(token)
        return _Started(results, token)

    return run


__all__ = ["latest_program", "way_to_run"]
