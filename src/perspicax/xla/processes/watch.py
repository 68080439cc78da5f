"""What happens to a process that waits within XLA for one that is gone: Python cannot raise there, so it ends.

Mostly a computation fails when a process is gone: its connections are closed, or ended by `severing`. When XLA waits for
something else, as to connect with a process that is gone already, nothing tells it.
"""
from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from perspicax.diagnose.frames import INTERNAL, USER, frames_of_threads, kind_of
from perspicax.xla.processes.errors import ProcessLostError

__all__ = ["PATIENCE", "end_if_stuck"]

PATIENCE = 5.0  # seconds within one operation of XLA, after which it is taken to wait for the process that is gone


def end_if_stuck(process: int, reason: str, patience: Callable[[], float | None] = lambda: PATIENCE) -> None:
    """Watch the main thread; when it stays within one call of ours, tell of the loss on standard error, and end the process.

    Args:
        process: the one that is lost.
        reason: how that was noticed.
        patience: for how many seconds it may stay there; `None` once the program does without that process.

    A program that goes on (to save what it has, say) is left alone.
    """
    main = threading.main_thread().ident
    before: Any = None
    since = time.monotonic()
    while True:
        frame: FrameType | None = None  # which would keep all that the functions have in hand
        time.sleep(0.5)
        frame = _ours(frames_of_threads().get(main or 0))
        longest = patience()
        if frame is None or longest is None:
            return  # it has ended, or has nothing to do with that process any more
        where = (frame.f_code, frame.f_lasti, id(frame))
        if where != before or kind_of(frame.f_code.co_filename) != INTERNAL:
            before, since = where, time.monotonic()
        elif time.monotonic() > since + longest:
            _end(process, reason, frame)


def _ours(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is not jaxlib's."""
    while frame is not None and f"{os.sep}jaxlib{os.sep}" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame


def _end(process: int, reason: str, frame: FrameType) -> None:
    within: FrameType | None = frame
    while within is not None and kind_of(within.f_code.co_filename) != USER:
        within = within.f_back
    place = None if within is None else (within.f_code, within.f_lasti)
    error = ProcessLostError(process=process, reason=reason, during="this process waits for it within a computation, and ends",
                             position=place)
    if sys.stderr is not None:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    if sys.stdout is not None:
        sys.stdout.flush()
    os._exit(1)
