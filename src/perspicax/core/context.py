"""The trace context: which trace processes the next primitive, in this thread.

The state lives in the same thread-local object as the overrides of configuration, so that one lookup serves both.
`local.trace` is never `None` once the evaluator is installed (`set_evaluator`).
"""
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perspicax.core.config import local

if TYPE_CHECKING:
    from perspicax.core.trace import Trace

__all__ = ["local", "set_evaluator", "evaluator", "use_trace", "eager"]

_evaluator: list[Trace] = []


def set_evaluator(trace: Trace) -> None:
    """Install the trace that runs primitives at once; every thread starts with it."""
    _evaluator[:] = [trace]
    type(local).trace = trace
    local.trace = trace


def evaluator() -> Trace:
    """The trace that runs primitives at once."""
    return _evaluator[0]


def eager() -> bool:
    """Whether no transformation is tracing in this thread."""
    return local.trace is _evaluator[0]


@contextlib.contextmanager
def use_trace(trace: Trace) -> Iterator[None]:
    """Let `trace` process the primitives of the block."""
    before = local.trace
    local.trace = trace
    try:
        yield
    finally:
        local.trace = before
