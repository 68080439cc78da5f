"""Where a process waits: the place in the user's program at which its main thread has been within one call of ours for long.

Processes that run different programs on arrays over all of them wait for each other for ever, and XLA says nothing. So each
tells the hub where it waits; when all do, and not at one place, all are told.
"""
from __future__ import annotations

import os
import sys
import threading
import time
from types import FrameType
from typing import Any

from perspicax.diagnose.frames import INTERNAL, USER, frames_of_threads, kind_of
from perspicax.xla.pacing import latest_program
from perspicax.xla.processes.errors import ProcessesApartError

__all__ = ["ITS_END", "LONG", "Stall", "notice"]

LONG = 20.0  # seconds within one call, after which a process is taken to wait
ITS_END = "its end"


class Stall:
    """Looks at the main thread from another one, every now and then."""

    def __init__(self) -> None:
        self._before: Any = None
        self._since = time.monotonic()

    def place(self) -> str | None:
        """Where in the user's program the main thread has waited for long; `None` while it does not."""
        frame = frames_of_threads().get(threading.main_thread().ident or 0)
        while frame is not None and _passes(frame.f_code.co_filename):
            frame = frame.f_back
        here = None if frame is None else (frame.f_code, frame.f_lasti, id(frame))
        if frame is None or here != self._before or kind_of(frame.f_code.co_filename) != INTERNAL:
            self._before, self._since = here, time.monotonic()
            return None
        return _users_place(frame) if time.monotonic() >= self._since + LONG else None


def _passes(filename: str) -> bool:
    """Whether what waits in a file waits for its caller: in jaxlib, or for another thread."""
    return f"{os.sep}jaxlib{os.sep}" in filename or filename == threading.__file__


def _user_frame(frame: FrameType | None) -> FrameType | None:
    while frame is not None and kind_of(frame.f_code.co_filename) != USER:
        frame = frame.f_back
    return frame


def _users_place(frame: FrameType | None) -> str:
    frame = _user_frame(frame)
    if frame is None:
        return ITS_END
    name = frame.f_code.co_name
    within = "" if name == "<module>" else f" in `{name}`"
    started = latest_program()
    return (f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}{within}"
            + (f", after it started {started}" if started else ""))


def notice(me: int, places: dict[int, str]) -> None:
    """Tell on standard error that processes wait at different places; they may still go on."""
    if sys.stderr is None:
        return
    frame = _user_frame(frames_of_threads().get(threading.main_thread().ident or 0))
    error = ProcessesApartError(me=me, places=places, waited=LONG,
                                position=None if frame is None else (frame.f_code, frame.f_lasti))
    print(f"notice: {error.report.says if frame is None else error}", file=sys.stderr, flush=True)
