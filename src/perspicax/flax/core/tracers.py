"""Which trace is current: `flax.core.tracers`."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import ref

from perspicax import tree_util
from perspicax.core import DeferringTrace, Tracer
from perspicax.extend.core import find_top_trace
from perspicax.flax.scope_errors import JaxTransformError

__all__ = ["TraceMark", "check_trace_level", "current_trace", "is_inner_value"]


class TraceMark:
    """The trace that was current when it was made; it keeps no trace alive, so that leaks are still found."""

    __slots__ = ("_trace",)

    def __init__(self) -> None:
        self._trace = ref(_transforming())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TraceMark) and self._trace() is other._trace()

    def __hash__(self) -> int:
        return hash(self._trace)

    def is_current(self) -> bool:
        """Whether operations are processed by that trace now."""
        return self._trace() is _transforming()

    def newer(self) -> Iterator[Any]:
        """The traces that were opened since and are still open, the innermost first."""
        mine = self._trace()
        trace: Any = find_top_trace()
        while trace is not None and trace is not mine:
            if not isinstance(trace, DeferringTrace):
                yield trace
            trace = trace.parent


def _transforming() -> Any:
    """The current trace; for one that only puts operations off, that which will run them: it transforms nothing."""
    trace: Any = find_top_trace()
    return trace.parent if isinstance(trace, DeferringTrace) else trace


def current_trace() -> TraceMark:
    """A mark of the current trace, for `check_trace_level`."""
    return TraceMark()


def check_trace_level(base_level: TraceMark) -> None:
    """Check that no transformation was opened since.

    Args:
        base_level: what `current_trace` returned then.

    Raises:
        JaxTransformError: one was.
    """
    if not base_level.is_current():
        raise JaxTransformError(transform=transform_of(find_top_trace()))


def is_inner_value(mark: TraceMark, value: Any) -> bool:
    """Whether a tree has values of a trace that was opened since `mark`."""
    if mark.is_current():
        return False
    inner = [id(trace) for trace in mark.newer()]
    return any(isinstance(leaf, Tracer) and id(leaf._trace) in inner for leaf in tree_util.tree_leaves(value))


def transform_of(trace: Any) -> str:
    """The transformation that opened a trace, `"jit"`; empty where it does not say."""
    return getattr(getattr(trace, "debug", None), "transform", "") or ""
