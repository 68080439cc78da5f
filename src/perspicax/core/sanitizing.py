"""The seam of sanitizers: a trace that shows each application to the rules of interest, then hands it on.

While no sanitizer is on there is no such trace, so that nothing is looked at and nothing is paid.
"""
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Trace

Look = Callable[[Primitive, tuple, dict], None]


class WatchingTrace(Trace):
    """A trace that looks at each application of a primitive, so that none may be left out."""

    __slots__ = ()

    def runs(self, closed: Any, arrays: Sequence[Any]) -> Callable[[Sequence[Any]], None] | None:
        """Look at the call of a compiled program, which no primitive stands for.

        Args:
            closed: its jaxpr.
            arrays: its arguments.

        Returns:
            What is to be called with the results; `None` where nobody wants to see them.
        """
        return None


def compiled_runs(closed: Any, arrays: Sequence[Any]) -> list[Callable[[Sequence[Any]], None]]:
    """Show the call of a compiled program to all that watch; returns what is to be called with the results."""
    found: list[Callable[[Sequence[Any]], None]] = []
    trace = local.trace
    while trace is not None:
        if isinstance(trace, WatchingTrace):
            tell = trace.runs(closed, arrays)
            if tell is not None:
                found.append(tell)
        trace = trace.parent
    return found


class SanitizingTrace(WatchingTrace):
    """Calls `looks[name](primitive, args, params)` before each primitive that has a hook of that name."""

    __slots__ = ("looks",)

    def __init__(self, parent: Trace, looks: Mapping[str, Look]) -> None:
        self.parent: Trace = parent
        self.dead = False
        self.debug = None
        self.looks = looks

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        for name in primitive.sanitize:
            look = self.looks.get(name)
            if look is not None:
                look(primitive, args, primitive.unpack(values))
        parent = self.parent
        before = local.trace
        local.trace = parent
        try:
            return parent.process(primitive, args, values)
        finally:
            local.trace = before


@contextlib.contextmanager
def sanitizers(looks: Mapping[str, Look]) -> Iterator[None]:
    """Let sanitizers look at the primitives of the block.

    Args:
        looks: a function for each kind of hook (`bounds`, `keys`, …).
    """
    before = local.trace
    local.trace = SanitizingTrace(before, looks)
    try:
        yield
    finally:
        local.trace = before
