"""Functions of several operations: compiled as one program when nothing is traced, recorded flat when something is.

Eager evaluation compiles one kernel for each operation and type; a function of ten operations would compile ten. Under a
transformation the operations themselves are recorded, without an equation around them; a function that is staged runs once
for each combination of types, and what it recorded is copied from then on.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core.config import local, state_key
from perspicax.core.context import evaluator
from perspicax.core.deferral import DeferringTrace
from perspicax.core.replay import Recording
from perspicax.core.trace import JaxprTrace, JaxprTracer, stage_flat
from perspicax.diagnose.watched import broadcasts_watched, casts_watched, promotions_watched, requests_watched, results_watched
from perspicax.transform import trees as tree
from perspicax.transform.jit import JitFunction, also_cleared
from perspicax.transform.jit_options import JitOptions
from perspicax.xla.array import ArrayImpl

MAX_RECORDINGS = 2048

_programs: dict[tuple, JitFunction] = {}
_recordings: dict[tuple, tuple[Recording, Any] | None] = {}
also_cleared.append(_recordings.clear)


def fused_call(f: Callable[..., Any], arrays: tuple, **static: Any) -> Any:
    """`f(*arrays, **static)`; as one compiled program when nothing is traced.

    Args:
        f: a function at module level; its arguments are arrays or numbers, its keyword arguments hashable.
    """
    trace = local.trace
    if type(trace) is JaxprTrace:
        return _recorded(trace, f, arrays, static)
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


# -- recording

def _recorded(trace: JaxprTrace, f: Callable[..., Any], arrays: tuple, static: dict[str, Any]) -> Any:
    """`f(*arrays, **static)`, recorded by `trace`: a copy of what it has recorded at these types before."""
    entries: list[Any] = [f, state_key(), *static.items()]
    tracers = []
    for x in arrays:
        if type(x) is JaxprTracer and x._trace is trace:
            entries.append(x.aval)
            tracers.append(x)
        else:
            known = _constant_key(x)
            if known is None:
                return f(*arrays, **static)
            entries.append(known)
    if broadcasts_watched or casts_watched or promotions_watched or requests_watched or results_watched:
        return f(*arrays, **static)  # every place is looked at
    key = tuple(entries)
    found = _recordings.get(key)
    if found is None and key not in _recordings:
        if len(_recordings) >= MAX_RECORDINGS:
            _recordings.clear()
        found = _recordings[key] = _record(f, arrays, static)
    if found is None:
        return f(*arrays, **static)
    recording, out_tree = found
    return out_tree.unflatten(recording.replay(trace, tracers))


def _constant_key(x: Any) -> Any:
    """What tells an operand that is no tracer from others: its value, which the function may look at."""
    kind = type(x)
    if x is None or kind is bool or kind is int:
        return kind, x
    if kind is float or kind is complex:
        return kind, repr(x)  # 0.0 and -0.0 are equal, NaN is not
    if kind is ArrayImpl:
        aval = x.aval
        if aval.shape == () and x._np is not None and not aval.extended:
            return aval, x._np.tobytes()
        return None
    if isinstance(x, np.generic):
        return kind, x.tobytes()
    return None


def _record(f: Callable[..., Any], arrays: tuple, static: dict[str, Any]) -> tuple[Recording, Any] | None:
    """What `f` records, and the structure of its result; `None` where that is not the same each time."""
    moving = [i for i, x in enumerate(arrays) if type(x) is JaxprTracer]
    trees: list[Any] = []

    def flat(*tracers: Any) -> Any:
        args = list(arrays)
        for i, x in zip(moving, tracers):
            args[i] = x
        leaves, out_tree = tree.flatten(f(*args, **static))
        trees.append(out_tree)
        return leaves

    try:
        closed = stage_flat(flat, [arrays[i].aval for i in moving])
    except Exception:  # `f` itself reports it, where the operands' own trace tells of them
        return None
    recording = Recording.of(closed)
    return None if recording is None else (recording, trees[0])


__all__ = ["fused", "fused_call"]
