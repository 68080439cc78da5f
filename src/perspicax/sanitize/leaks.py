"""The sanitizer `leaks`: traced values that are kept somewhere are told of when the trace ends, not when they are used."""
from __future__ import annotations

from perspicax.core.config import check_tracer_leaks, sanitize
from perspicax.core.leaks import LeakedTracerError, survivors
from perspicax.core.trace import Trace
from perspicax.sanitize.findings import LeakedTracer
from perspicax.sanitize.names import parse
from perspicax.sanitize.telling import found


def watch_end(trace: Trace) -> None:
    """Look at a trace that has ended while something still refers to it."""
    if "leaks" not in parse(sanitize.value) or check_tracer_leaks.value:  # which raises by itself
        return
    leak = None
    try:
        survivors(trace)
    except LeakedTracerError as error:
        leak = error
    if leak is not None and leak.origin is not None and leak.keeping is not None:
        found(LeakedTracer(origin=leak.origin, keeping=leak.keeping, more=leak.more, position=leak.position))


__all__ = ["watch_end"]
