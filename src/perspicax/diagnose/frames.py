"""Finding the user's frame: the first one outside Perspicax, and outside libraries where there is one."""

from __future__ import annotations

import gc
import os
import sys
import threading
from sys import _getframe
from types import CodeType, FrameType

from perspicax.diagnose.place import Position

__all__ = ["INTERNAL", "LIBRARY", "USER", "frames_of_threads", "kind_of", "mark_internal", "user_frame", "user_place",
           "user_position", "user_stack", "warning_level"]

USER, INTERNAL, LIBRARY = 0, 1, 2  # USER is false, so that the hot loop tests it without a comparison

_PACKAGE = os.path.dirname(os.path.dirname(_getframe().f_code.co_filename)) + os.sep
_internal = [_PACKAGE, *filter(None, os.environ.get("PERSPICAX_INTERNAL", "").split(os.pathsep))]
_STANDARD = os.path.dirname(os.__file__) + os.sep


def _kind(filename: str) -> int:
    if filename.startswith(tuple(_internal)):
        return INTERNAL
    if filename.startswith((_STANDARD, "<frozen ")):
        return LIBRARY
    parts = filename.replace("\\", "/").split("/")
    return LIBRARY if "site-packages" in parts or "dist-packages" in parts else USER


_kinds: dict[str, int] = {}


def kind_of(filename: str) -> int:
    """`USER`, `INTERNAL` (ours, or marked so) or `LIBRARY` (the standard library and installed packages)."""
    kind = _kinds.get(filename)
    if kind is None:
        kind = _kinds[filename] = _kind(filename)
    return kind


def mark_internal(prefix: str) -> None:
    """Treat files whose name begins with `prefix` as Perspicax's own: never a primary place, hidden in tracebacks.

    The environment variable `PERSPICAX_INTERNAL` does the same for a list of prefixes.
    """
    if prefix not in _internal:
        _internal.append(prefix)
        _kinds.clear()


_looking = threading.Lock()


def frames_of_threads() -> dict[int, FrameType]:
    """The running frame of each thread, by the thread's identifier; of this one the caller's.

    In some versions of Python `sys._current_frames` holds a lock of the interpreter while it allocates. If the garbage
    collector runs then, and what it calls lets other threads run, the next one that looks at frames or starts a thread waits
    for that lock with the interpreter's own in its hands: all threads wait for ever. So there is no collection meanwhile.
    """
    alone = _looking.acquire(timeout=1)  # not for longer: in a process that was forked off meanwhile, nobody releases it
    collecting = gc.isenabled()
    gc.disable()
    try:
        found = sys._current_frames()
        found[threading.get_ident()] = _getframe(1)
        return found
    finally:
        if collecting:
            gc.enable()
        if alone:
            _looking.release()


def user_place(depth: int = 1) -> tuple[CodeType, int] | None:
    """(code object, instruction offset) of the user's frame; None if there is none. Called for every equation.

    Args:
        depth: how many frames up to begin. A caller that knows of two more of our own frames above it says 3: every
            frame looked at costs 0.06 µs, because Python makes an object of it.
    """
    frame: FrameType | None = _getframe(depth)
    kinds = _kinds
    try:
        while frame is not None:
            code = frame.f_code
            if not kinds[code.co_filename]:
                return code, frame.f_lasti
            frame = frame.f_back
    except KeyError:  # a file seen for the first time; a plain dict is faster than one with `__missing__`
        kind_of(code.co_filename)
        return user_place(depth + 1)
    return _library_place(depth + 1)


def _library_place(depth: int) -> tuple[CodeType, int] | None:
    """The nearest frame outside Perspicax, for programs that live in site-packages altogether."""
    frame: FrameType | None = _getframe(depth)
    while frame is not None:
        code = frame.f_code
        if kind_of(code.co_filename) != INTERNAL:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def user_frame(depth: int = 1) -> FrameType | None:
    """The frame that `user_place` finds; let go of it soon, since it holds all local variables."""
    frame: FrameType | None = _getframe(depth)
    nearest: FrameType | None = None
    while frame is not None:
        kind = kind_of(frame.f_code.co_filename)
        if kind == USER:
            return frame
        if kind == LIBRARY and nearest is None:
            nearest = frame
        frame = frame.f_back
    return nearest


def user_position(depth: int = 1) -> Position | None:
    """The user's place `depth` frames up or further, as a `Position`."""
    try:
        frame: FrameType | None = _getframe(depth)
    except ValueError:
        return None
    nearest: Position | None = None
    while frame is not None:
        code = frame.f_code
        kind = kind_of(code.co_filename)
        if kind == USER:
            return Position(code, frame.f_lasti)
        if kind == LIBRARY and nearest is None:
            nearest = Position(code, frame.f_lasti)
        frame = frame.f_back
    return nearest


def warning_level() -> int:
    """The `stacklevel` of the user's line, for a warning by the caller of this function."""
    wanted = user_frame(2)
    frame: FrameType | None = _getframe(1)
    level = 1
    while frame is not None and frame is not wanted:
        frame, level = frame.f_back, level + 1
    return level


def user_stack(limit: int = 10) -> list[Position]:
    """Places of the user's frames, innermost first, at most `limit`; library frames only if there is no other."""
    frame: FrameType | None = _getframe(1)
    users: list[Position] = []
    others: list[Position] = []
    while frame is not None and len(users) < limit:
        code = frame.f_code
        kind = kind_of(code.co_filename)
        if kind != INTERNAL and (kind == USER or len(others) < limit):
            (others if kind else users).append(Position(code, frame.f_lasti))
        frame = frame.f_back
    return users or others
