"""Traced values that outlive their trace: found at their first use, or, with `jax_check_tracer_leaks`, when it ends.

The error tells who keeps the value and which line stored it (`diagnose/holders.py`, `diagnose/stores.py`); it holds
neither the value nor what keeps it.
"""
from __future__ import annotations

import gc
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

from perspicax.core.provenance import Provenance, provenance, traced_functions
from perspicax.core.trace import JaxprTracer, Trace
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import JAXTypeError
from perspicax.diagnose.frames import frames_of_threads
from perspicax.diagnose.report import Report

if TYPE_CHECKING:
    from perspicax.diagnose.stores import Keeping

__all__ = ["LeakedTracerError", "UnexpectedTracerError", "leak_at_use", "survivors"]

SECONDS = 2.0  # for the search of who keeps the second value of a trace, the third, …


class UnexpectedTracerError(JAXTypeError):
    """A value of a traced function was used after the function had been traced.

    Args:
        msg: the text, for those who raise this class themselves.

    Attributes:
        origin: what is known of the value.
        keeping: who keeps it and which line stored it.
        elsewhere: whether the function is still being traced, by another thread.
    """

    __module__ = "perspicax.errors"

    origin: Provenance | None = None
    keeping: Keeping | None = None
    elsewhere: bool = False

    @property
    def report(self) -> Report:
        from perspicax.core.leak_words import use_report  # only a printed error needs it

        return use_report(self)


class LeakedTracerError(UnexpectedTracerError):
    """A value of a traced function was still kept somewhere when the function had been traced.

    Attributes:
        more: how many further values of the same trace are kept.
    """

    __module__ = "perspicax.errors"

    more: int = 0

    @property
    def report(self) -> Report:
        from perspicax.core.leak_words import end_report

        return end_report(self)


# -- finding them

def leak_at_use(tracer: Tracer) -> Exception:
    """The error for a tracer that is used where its trace is not: after the trace, or in another thread."""
    facts = provenance(tracer)
    if not tracer._trace.dead and _in_another_thread(tracer._trace):
        return UnexpectedTracerError(origin=facts, elsewhere=True)
    return UnexpectedTracerError(origin=facts, keeping=_keeping(tracer))


def _in_another_thread(trace: Trace) -> bool:
    """Whether a function is being traced by it in another thread: a frame there has the trace in a variable."""
    me = threading.get_ident()
    for thread, top in frames_of_threads().items():
        frame: FrameType | None = None if thread == me else top
        while frame is not None:
            if any(value is trace for value in frame.f_locals.values()):
                return True
            frame = frame.f_back
    return False


def _keeping(tracer: Tracer) -> Keeping:
    from perspicax.diagnose.holders import find_holders  # here and below: no program without a leak needs it
    from perspicax.diagnose.stores import describe, find_stores

    holders = find_holders(tracer)
    return describe(holders, find_stores(holders, traced_functions(tracer._trace)))


def survivors(trace: Trace) -> None:
    """Look at a trace that has ended while something still refers to it.

    Called with `jax_check_tracer_leaks` only.

    Raises:
        LeakedTracerError: somebody keeps one of its tracers.

    Garbage that only waits for the collector (exceptions that were caught, functions that refer to themselves) is
    collected first, and what nobody can be found to keep does not count.
    """
    from perspicax.diagnose.holders import Kind, find_holders
    from perspicax.diagnose.stores import describe, find_stores

    gc.collect()
    kept = [x for x in gc.get_referrers(trace) if isinstance(x, Tracer)]
    kept.sort(key=_order)
    first, count = None, 0
    deadline = time.monotonic() + SECONDS
    for i, tracer in enumerate(kept):
        if first is not None and time.monotonic() > deadline:
            count += len(kept) - i  # most likely they are kept like the first
            break
        holders = [h for h in find_holders(tracer, ignore=(kept,), collected=True)
                   if h.kind is not Kind.LOCAL and not h.passing]
        if holders:
            count += 1
            if first is None:
                stores = find_stores(holders, traced_functions(trace))
                first = LeakedTracerError(origin=provenance(tracer), keeping=describe(holders, stores))
    tracer = None  # type: ignore[assignment]
    kept.clear()
    if first is not None:
        first.__dict__["more"] = count - 1
        raise first


def _order(tracer: Tracer) -> int:
    """In the order in which the values were computed."""
    if isinstance(tracer, JaxprTracer):
        eqns = tracer._trace.eqns  # type: ignore[attr-defined]
        return next((i for i, eqn in enumerate(eqns) if tracer.variable in eqn.outvars), -1)
    return 0
