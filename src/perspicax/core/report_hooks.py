"""What traces and tracers call when something must be reported; what makes the reports is loaded with the first one."""
from __future__ import annotations

from collections.abc import Callable

from perspicax.core.config import check_tracer_leaks
from perspicax.core.trace import Trace, set_leak_reports
from perspicax.core.tracer import Tracer, set_question_error

__all__ = ["ends_watched"]

ends_watched: list[Callable[[Trace], None]] = []
"""Sanitizers that are told of a trace that has ended while something still refers to it."""


def _question(tracer: Tracer, kind: str) -> Exception:
    from perspicax.core.tracer_errors import question_error

    return question_error(tracer, kind)


def _use(tracer: Tracer) -> Exception:
    from perspicax.core.leaks import leak_at_use

    return leak_at_use(tracer)


def _end(trace: Trace) -> None:
    if check_tracer_leaks.value:
        from perspicax.core.leaks import survivors

        survivors(trace)
    for watch in ends_watched:
        watch(trace)


set_question_error(_question)
set_leak_reports(_use, _end)
