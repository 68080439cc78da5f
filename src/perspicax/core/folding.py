"""Evaluating at once in the midst of tracing."""
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from perspicax.core.config import local
from perspicax.core.context import evaluator, use_trace
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Trace
from perspicax.core.tracer import Tracer

__all__ = ["ensure_compile_time_eval", "eval_context"]


class FoldingTrace(Trace):
    """Runs what depends on no traced value; hands everything else to the trace that was current before."""

    __slots__ = ("evaluate",)

    def __init__(self, parent: Trace) -> None:
        self.parent: Trace = parent
        self.dead = False
        self.debug = None
        self.evaluate = evaluator()

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        traced = any(isinstance(x, Tracer) for x in args)
        chosen = self.parent if traced else self.evaluate
        with use_trace(chosen):
            return chosen.process(primitive, args, values)


@contextlib.contextmanager
def ensure_compile_time_eval() -> Iterator[None]:
    """A context manager, or decorator, in which operations on known values run at once, also while jit traces.

    Operations on traced values are traced as ever. Use it for constants that Python code needs to know.

    >>> @jit
    ... def f(x):
    ...     with ensure_compile_time_eval():
    ...         n = int(jnp.ceil(jnp.log2(5.0)))    # a Python int, although jit traces f
    ...     return x * n
    """
    with use_trace(FoldingTrace(local.trace)):
        yield


@contextlib.contextmanager
def eval_context() -> Iterator[None]:
    """A context manager outside of all transformations: operations run at once."""
    with use_trace(evaluator()):
        yield
