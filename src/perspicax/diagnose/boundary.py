"""Where an error leaves Perspicax: its traceback is cut down to the user's frames."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from perspicax.diagnose.frames import INTERNAL, LIBRARY, kind_of

__all__ = ["public", "public_methods", "set_filtering_source", "trim"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)

_filtering: Callable[[], str | None] = lambda: None


def set_filtering_source(read: Callable[[], str | None]) -> None:
    """Let the configuration say how tracebacks are filtered: `read` answers as `JAX_TRACEBACK_FILTERING` would."""
    global _filtering
    _filtering = read


def _keeps_all() -> bool:
    chosen = _filtering() or os.environ.get("JAX_TRACEBACK_FILTERING", "")
    return chosen.lower() == "off" or os.environ.get("PERSPICAX_TRACEBACK", "").lower() == "full"


def public(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: errors leave it with the user's frames only.

    A bare `raise` in a handler neither adds this frame again nor uses another traceback than the error's own, so that
    even the wrapper disappears.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            trim(error)
            raise

    return call


def public_methods(*names: str) -> Callable[[C], C]:
    """Decorate a class: errors leave these of its methods and properties with the user's frames only.

    Name what a user's line calls (the protocols of Python and NumPy too) and what can fail; what the hot paths use inside
    stays as it is.
    """
    def decorate(cls: C) -> C:
        for name in names:
            member = cls.__dict__[name]
            if isinstance(member, property):
                setattr(cls, name, property(_public(member.fget), member.fset, member.fdel, member.__doc__))
            else:
                setattr(cls, name, _public(member))
        return cls

    return decorate


_VARIADIC = 0x04 | 0x08  # CO_VARARGS, CO_VARKEYWORDS; `inspect`, which names them, is heavy to import


def _public(function: Any) -> Any:
    """`public`, but without the cost of packing arguments where there is only `self`."""
    code = function.__code__
    if code.co_argcount != 1 or code.co_kwonlyargcount or code.co_flags & _VARIADIC:
        return public(function)

    @functools.wraps(function)
    def call(self: Any) -> Any:
        try:
            return function(self)
        except Exception as error:
            trim(error)
            raise

    return call


def trim(error: BaseException) -> BaseException:
    """Take Perspicax's own frames out of the traceback of an error, of its causes and contexts; returns the error.

    Frames of the user's functions that Perspicax called (a loss under `grad`) stay. Nothing happens with
    `JAX_TRACEBACK_FILTERING=off` or `PERSPICAX_TRACEBACK=full`, which are read now.
    """
    if _keeps_all():
        return error
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        at = waiting.pop()
        if at is not None and id(at) not in seen:
            seen.add(id(at))
            at.__traceback__ = _users(at.__traceback__)
            waiting += [at.__cause__, at.__context__]
    return error


def _users(traceback: TracebackType | None) -> TracebackType | None:
    """A copy of a traceback without our frames, and without the library frames that we called (`functools` and such).

    A copy, because a debugger or a test may hold the original.
    """
    kept: list[TracebackType] = []
    ours = False
    entry = traceback
    while entry is not None:
        kind = kind_of(entry.tb_frame.f_code.co_filename)
        ours = kind == INTERNAL or (ours and kind == LIBRARY and _is_standard(entry))
        if not ours:
            kept.append(entry)
        entry = entry.tb_next
    result: TracebackType | None = None
    for entry in reversed(kept):
        result = TracebackType(result, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return result


def _is_standard(entry: TracebackType) -> bool:
    """Whether a library frame is of the standard library: installed packages are users of ours, not helpers."""
    path = entry.tb_frame.f_code.co_filename
    return "site-packages" not in path and "dist-packages" not in path
