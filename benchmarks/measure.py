"""Clocks and repetition, and loading the implementation under test. Only the standard library is imported."""

import importlib
import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

CLOCK = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter

Thunk = Callable[[], Any]


def is_real_jax(impl: str) -> bool:
    """`jax` and `jax+cache` (its persistent compilation cache turned on) name JAX itself."""
    return impl in ("jax", "jax+cache")


def load(impl: str) -> ModuleType:
    """The module `jax` of an implementation: JAX's own, or what `IMPL.compat.install()` puts in its place."""
    if not is_real_jax(impl):
        importlib.import_module(f"{impl}.compat").install()
    jax = importlib.import_module("jax")
    importlib.import_module("jax.numpy")
    return jax


def refuse_real_jax(impl: str) -> None:
    """Else an installation that left the real JAX in reach would be measured as JAX, and nobody would notice."""
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    inside = os.path.join("", "jax", "_src", "")
    if not is_real_jax(impl) and any(inside in file for file in files):
        raise SystemExit(f"{impl}: the real jax package was imported")


def once(call: Thunk) -> float:
    """Seconds that one call takes."""
    start = CLOCK()
    call()
    return CLOCK() - start


def best(call: Thunk, seconds: float = 0.3) -> float:
    """Seconds of one warm call: the best mean over many rounds of about 1 ms.

    Rounds so short fit between the time slices of other processes, and noise only ever adds time, so that the minimum
    stands even on a busy machine.
    """
    call()
    call()
    estimate = min(once(call) for _ in range(5))
    calls = max(1, min(1000, int(0.001 / max(estimate, 1e-7))))
    shortest, rounds, end = float("inf"), 0, time.perf_counter() + seconds
    while rounds < 7 or time.perf_counter() < end:
        start = CLOCK()
        for _ in range(calls):
            call()
        shortest = min(shortest, (CLOCK() - start) / calls)
        rounds += 1
    return shortest


def best_fresh(make: Thunk, run: Callable[[Any], Any], rounds: int = 5) -> float:
    """Seconds of `run(make())` without `make`: a new function object each time, which no trace cache has seen.

    The first round fills the caches that belong to the implementation, and is not counted.
    """
    run(make())
    shortest = float("inf")
    for _ in range(rounds):
        fresh = make()
        shortest = min(shortest, once(lambda: run(fresh)))
    return shortest


def loop_ms() -> float:
    """Milliseconds of a fixed loop of plain Python: how fast the machine is just now."""

    def loop() -> int:
        total = 0
        for i in range(100_000):
            total += i & 3
        return total

    start = time.perf_counter()
    loop()
    return (time.perf_counter() - start) * 1e3
