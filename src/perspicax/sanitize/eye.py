"""The trace of the sanitizers that look at what runs: single operations as they are applied, and whole programs."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.sanitizing import WatchingTrace
from perspicax.core.trace import Trace
from perspicax.sanitize.programs import Programs

Look = Callable[[Primitive, tuple, tuple, Sequence[Any]], None]
"""Called with the primitive, its operands, its parameters, and its results."""


class Eye(WatchingTrace):
    """Stands between the evaluator and those who use it.

    Attributes:
        looks: called after each operation.
        programs: runs jitted functions and loops under the checks that are wanted; `None` where none are.
    """

    __slots__ = ("looks", "programs")

    base = True

    def __init__(self, parent: Trace, looks: Sequence[Look], programs: Programs | None) -> None:
        self.parent: Trace = parent
        self.dead = False
        self.debug = None
        self.looks = tuple(looks)
        self.programs = programs

    def ignores(self, closed: ClosedJaxpr) -> bool:
        return self.programs is None or not self.programs.concerns(closed)

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        parent: Any = self.parent
        if primitive.in_sight:
            return parent.process(primitive, args, values)
        before = local.trace
        local.trace = parent
        try:
            out = None if self.programs is None else self.programs.run(primitive, args, values)
            if out is None:
                out = parent.process(primitive, args, values)
            if self.looks:
                results = out if primitive.multiple_results else (out,)
                for look in self.looks:
                    look(primitive, args, values, results)
        finally:
            local.trace = before
        return out


__all__ = ["Eye", "Look"]
