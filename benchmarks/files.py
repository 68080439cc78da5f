"""Workloads of Flax's files: bytes of a tree, state dicts, checkpoints in the foreground and in the background."""

import importlib
import re
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import Thunk, best, once

ARRAYS, SIDE = 100, 512  # float32: 105 MB


def large_tree(jnp: ModuleType) -> dict[str, Any]:
    """A tree of 105 MB, in arrays of 1 MB."""
    return {f"layer_{i}": {"kernel": jnp.full((SIDE, SIDE), float(i))} for i in range(ARRAYS)}


def wide_tree() -> dict[str, Any]:
    """A tree of 5,000 small leaves."""
    return {f"layer_{i}": {f"leaf_{j}": np.zeros(2) for j in range(10)} for i in range(500)}


def peak_mb(call: Thunk) -> float:
    """By how much the resident memory of this process rises at most while a call runs, in MB (Linux)."""
    def status(key: str) -> float:
        found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found is None:
            raise SystemExit(f"/proc/self/status has no {key}")
        return int(found[1]) / 1024

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status("VmRSS")
    call()
    return max(0.1, status("VmHWM") - before)


def files(jax: ModuleType) -> dict[str, float]:
    """All of them, with Flax's own format on both sides."""
    flax = importlib.import_module("flax")
    flax.config.update("flax_use_orbax_checkpointing", False)
    serialization = importlib.import_module("flax.serialization")
    checkpoints = importlib.import_module("flax.training.checkpoints")
    tree = jax.block_until_ready(large_tree(jax.numpy))
    size = ARRAYS * SIDE * SIDE * 4 / 2**20
    wide = wide_tree()
    state = serialization.to_state_dict(wide)
    found = {
        "files/to_state_dict": best(lambda: serialization.to_state_dict(wide)) * 1e3,
        "files/from_state_dict": best(lambda: serialization.from_state_dict(wide, state)) * 1e3,
        "files/to_bytes": best(lambda: serialization.to_bytes(tree)) * 1e3,
    }
    encoded = serialization.to_bytes(tree)
    found["files/from_bytes"] = best(lambda: serialization.from_bytes(tree, encoded)) * 1e3
    with tempfile.TemporaryDirectory() as folder:
        manager, step = checkpoints.AsyncManager(), 0

        def save(**more: Any) -> None:
            nonlocal step
            step += 1
            checkpoints.save_checkpoint(folder, tree, step, **more)

        save()
        found["files/save"] = min(once(save) for _ in range(5)) * 1e3
        found["files/restore"] = best(lambda: checkpoints.restore_checkpoint(folder, tree)) * 1e3
        blocked = []
        for _ in range(5):
            blocked.append(once(lambda: save(async_manager=manager)))
            manager.wait_previous_save()
        found["files/async_save"] = min(blocked) * 1e3
        found["files/save_memory"] = peak_mb(save)
        found["files/tree"] = size
    return found
