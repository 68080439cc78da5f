"""Functions of several operations: compiled as one program when nothing is traced, recorded flat when something is.

Eager evaluation compiles one kernel for each operation and type; a function of ten operations would compile ten. Under a
transformation the operations themselves are recorded, without an equation around them.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.core.deferral import DeferringTrace
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions

_programs: dict[tuple, JitFunction] = {}


def fused_call(f: Callable[..., Any], arrays: tuple, **static: Any) -> Any:
    """`f(*arrays, **static)`; as one compiled program when nothing is traced.

    Args:
        f: a function at module level; its arguments are arrays or numbers, its keyword arguments hashable.
    """
    trace = local.trace
    if trace is not evaluator() and type(trace) is not DeferringTrace:  # a program that waits is one program as well
        return f(*arrays, **static)
    key = (f, *static.items())
    program = _programs.get(key)
    if program is None:
        program = JitFunction(functools.partial(f, **static) if static else f, JitOptions())
        _programs[key] = program
    return program(*arrays)


def fused(f: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of arrays (keyword arguments are static) be one program when nothing is traced."""
    @functools.wraps(f)
    def call(*arrays: Any, **static: Any) -> Any:
        return fused_call(f, arrays, **static)

    return call


__all__ = ["fused", "fused_call"]
