"""Events that programs may listen to (`jax.monitoring`): Perspicax tells of traces, compilations and its disk cache.

The names of Perspicax's own events are JAX's, so that what listens to JAX hears the same.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from perspicax.core.monitoring_errors import ListenerError
from perspicax.diagnose.boundary import public

Listener = Callable[..., Any]

TRACING = "/jax/core/compile/jaxpr_trace_duration"
LOWERING = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILING = "/jax/core/compile/backend_compile_duration"
CACHE_ASKED = "/jax/compilation_cache/compile_requests_use_cache"
CACHE_HIT = "/jax/compilation_cache/cache_hits"
CACHE_MISS = "/jax/compilation_cache/cache_misses"

_events: list[Listener] = []
_durations: list[Listener] = []
_spans: list[Listener] = []
_scalars: list[Listener] = []


def record_event(event: str, **kwargs: str | int) -> None:
    """Tell the listeners of an event.

    Args:
        event: its name, by convention a path: `"/my_library/step"`.
        kwargs: facts about it.
    """
    for listener in tuple(_events):
        listener(event, **kwargs)


def record_event_duration_secs(event: str, duration: float, **kwargs: str | int) -> None:
    """Tell the listeners how long something took.

    Args:
        event: its name.
        duration: in seconds.
        kwargs: facts about it.
    """
    for listener in tuple(_durations):
        listener(event, duration, **kwargs)


def record_event_time_span(event: str, start_time: float, end_time: float, **kwargs: str | int) -> None:
    """Tell the listeners when something began and ended.

    Args:
        event: its name.
        start_time, end_time: seconds since the epoch, as of `time.time()`.
        kwargs: facts about it.
    """
    for listener in tuple(_spans):
        listener(event, start_time, end_time, **kwargs)


def record_scalar(event: str, value: float | int, **kwargs: str | int) -> None:
    """Tell the listeners of a number.

    Args:
        event: its name.
        value: the number.
        kwargs: facts about it.
    """
    for listener in tuple(_scalars):
        listener(event, value, **kwargs)


@public
def register_event_listener(callback: Listener) -> None:
    """Listen to events.

    Args:
        callback: is called `callback(event, **facts)` for each, where it happens; what it raises is raised there.

    Raises:
        ListenerError: it cannot be called.
    """
    _register(_events, callback)


@public
def register_event_duration_secs_listener(callback: Listener) -> None:
    """Listen to durations: `callback(event, seconds, **facts)`.

    Args:
        callback: the function.

    Raises:
        ListenerError: it cannot be called.
    """
    _register(_durations, callback)


@public
def register_event_time_span_listener(callback: Listener) -> None:
    """Listen to spans of time: `callback(event, start, end, **facts)`, in seconds since the epoch.

    Args:
        callback: the function.

    Raises:
        ListenerError: it cannot be called.
    """
    _register(_spans, callback)


@public
def register_scalar_listener(callback: Listener) -> None:
    """Listen to numbers: `callback(event, value, **facts)`. What is measured tells when it begins, too.

    Args:
        callback: the function.

    Raises:
        ListenerError: it cannot be called.
    """
    _register(_scalars, callback)


@public
def unregister_event_listener(callback: Listener) -> None:
    """Do not listen to events any more.

    Args:
        callback: what was registered.

    Raises:
        ListenerError: it was not.
    """
    _unregister(_events, callback, "event")


@public
def unregister_event_duration_listener(callback: Listener) -> None:
    """Do not listen to durations any more.

    Args:
        callback: what was registered.

    Raises:
        ListenerError: it was not.
    """
    _unregister(_durations, callback, "event duration")


@public
def unregister_event_time_span_listener(callback: Listener) -> None:
    """Do not listen to spans of time any more.

    Args:
        callback: what was registered.

    Raises:
        ListenerError: it was not.
    """
    _unregister(_spans, callback, "time span")


@public
def unregister_scalar_listener(callback: Listener) -> None:
    """Do not listen to numbers any more.

    Args:
        callback: what was registered.

    Raises:
        ListenerError: it was not.
    """
    _unregister(_scalars, callback, "scalar")


def clear_event_listeners() -> None:
    """Forget all listeners, those of durations, spans and numbers too."""
    for listeners in (_events, _durations, _spans, _scalars):
        listeners.clear()


def _register(listeners: list[Listener], callback: Listener) -> None:
    if not callable(callback):
        raise ListenerError(kind="function", what=type(callback).__name__)
    listeners.append(callback)


def _unregister(listeners: list[Listener], callback: Listener, what: str) -> None:
    if callback not in listeners:
        raise ListenerError(kind="unknown", what=what)
    listeners.remove(callback)


# -- what Perspicax tells itself

def measured(event: str, fun_name: str) -> AbstractContextManager[None]:
    """Tell how long the block takes; costs next to nothing while nobody listens."""
    return _measured(event, fun_name) if _durations or _spans or _scalars else nullcontext()


@contextmanager
def _measured(event: str, fun_name: str) -> Any:
    start = time.time()
    record_scalar(event, start, fun_name=fun_name)
    yield
    end = time.time()
    record_event_duration_secs(event, end - start, fun_name=fun_name)
    record_event_time_span(event, start, end, fun_name=fun_name)


__all__ = [
    "clear_event_listeners", "measured", "record_event", "record_event_duration_secs", "record_event_time_span",
    "record_scalar", "register_event_duration_secs_listener", "register_event_listener",
    "register_event_time_span_listener", "register_scalar_listener", "unregister_event_duration_listener",
    "unregister_event_listener", "unregister_event_time_span_listener", "unregister_scalar_listener",
]
