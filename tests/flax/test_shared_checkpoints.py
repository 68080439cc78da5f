"""Checkpoints with arrays over several processes: the files, and what is left when a writer is killed.

Two real processes save and restore in tests/api/test_two_processes.py; here one process treats all its arrays as such.
"""
from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax.api.array_file_errors import ArrayFileError
from perspicax.experimental.array_serialization.serialization import GlobalAsyncCheckpointManager
from perspicax.flax import errors
from perspicax.flax.training import shared_arrays
from perspicax.flax.training.checkpoints import (
    available_steps,
    latest_checkpoint,
    restore_checkpoint,
    save_checkpoint_multiprocess,
)

KILLS = int(os.environ.get("PERSPICAX_CHECKPOINT_KILLS", "15"))


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """All arrays count as lying over several processes."""
    monkeypatch.setattr(shared_arrays, "_is_spread", lambda leaf: isinstance(leaf, px.Array))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def state(value: int) -> dict[str, Any]:
    return {"a": px.numpy.full((4, 2), value, np.int32), "inner": {"b": px.numpy.full(3, value, np.int32)}, "step": value}


def save(folder: Path, step: int, **options: Any) -> None:
    manager = GlobalAsyncCheckpointManager()
    save_checkpoint_multiprocess(folder, state(step), step, gda_manager=manager, **options)
    manager.wait_until_finished()


def restore(folder: Path, **options: Any) -> Any:
    return restore_checkpoint(folder, state(0), gda_manager=GlobalAsyncCheckpointManager(), **options)


def test_what_is_saved_is_restored(tmp_path: Path, spread: None) -> None:
    save(tmp_path, 1)
    found = restore(tmp_path)
    assert found["a"].tolist() == [[1, 1]] * 4 and found["inner"]["b"].tolist() == [1, 1, 1] and found["step"] == 1
    assert names(tmp_path) == ["checkpoint_1", "checkpoint_1_gda"]
    assert names(tmp_path / "checkpoint_1_gda") == ["a", "commit_success.txt", "inner", "written_by.txt"]


def test_older_ones_go_with_their_arrays(tmp_path: Path, spread: None) -> None:
    for step in range(1, 5):
        save(tmp_path, step, keep=2)
    assert names(tmp_path) == ["checkpoint_3", "checkpoint_3_gda", "checkpoint_4", "checkpoint_4_gda"]
    assert available_steps(tmp_path) == [3, 4]
    with pytest.raises(errors.InvalidCheckpointError):
        save(tmp_path, 3)
    save(tmp_path, 3, keep=2, overwrite=True)
    assert names(tmp_path) == ["checkpoint_3", "checkpoint_3_gda"] and restore(tmp_path)["step"] == 3


def test_the_values_are_those_of_the_call(tmp_path: Path, spread: None) -> None:
    manager = GlobalAsyncCheckpointManager()
    values = state(1)
    save_checkpoint_multiprocess(tmp_path, values, 1, gda_manager=manager)
    values["a"].delete()
    manager.wait_until_finished()
    assert restore(tmp_path)["a"].tolist() == [[1, 1]] * 4


def test_a_write_that_fails_leaves_the_one_before(tmp_path: Path, spread: None) -> None:
    save(tmp_path, 1)
    manager = GlobalAsyncCheckpointManager()
    values = state(2)
    values["a"].delete()
    with pytest.raises(RuntimeError, match="deleted"):
        save_checkpoint_multiprocess(tmp_path, values, 2, gda_manager=manager)
        manager.wait_until_finished()
    assert restore(tmp_path)["step"] == 1
    save(tmp_path, 3)
    assert names(tmp_path) == ["checkpoint_3", "checkpoint_3_gda"], "what the failed one left is gone"


def test_arrays_that_are_not_complete_are_refused(tmp_path: Path, spread: None) -> None:
    save(tmp_path, 7)
    arrays = tmp_path / "checkpoint_7_gda"
    (arrays / "commit_success.txt").unlink()
    with pytest.raises(errors.MPARestoreDataCorruptedError) as error:
        restore(tmp_path)
    assert error.value.step == 7 and error.value.path == str(tmp_path / "checkpoint_7")
    (arrays / "written_by.txt").unlink()  # as Flax has it on a local disk, where it renames what is complete
    assert restore(tmp_path)["step"] == 7
    shutil.rmtree(arrays)
    with pytest.raises(errors.MPARestoreDataCorruptedError):
        restore(tmp_path)


WRITERS = """
import os, sys
import numpy as np
import perspicax as px
import tensorstore
from perspicax.api.array_file_errors import ArrayFileError
from perspicax.experimental.array_serialization.serialization import GlobalAsyncCheckpointManager
from perspicax.flax.training import shared_arrays
from perspicax.flax.training.checkpoints import available_steps, save_checkpoint_multiprocess

shared_arrays._is_spread = lambda leaf: isinstance(leaf, px.Array)

def write(folder, keep):
    manager = GlobalAsyncCheckpointManager()
    step = max(available_steps(folder), default=0)
    begun = step
    while True:
        step += 1
        state = {"a": px.numpy.asarray(np.full(60_000, step, np.int32)), "b": {"c": px.numpy.asarray(np.full(7, step))}}
        save_checkpoint_multiprocess(folder, {**state, "step": step}, step, keep=keep, gda_manager=manager)
        manager.wait_until_finished()
        if step == begun + 1:  # what takes long the first time is behind it
            print("ready", os.getpid(), flush=True)
        print(step, flush=True)

for line in sys.stdin:
    folder, keep = line.split()
    child = os.fork()  # no thread runs here, and there are no devices yet: a fork is whole
    if child == 0:
        write(folder, int(keep))
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_writer_killed_at_any_moment_leaves_the_last_complete_checkpoint(tmp_path: Path) -> None:
    dice = random.Random(2)
    acknowledged = halves = 0
    target = {"a": px.numpy.zeros(60_000, np.int32), "b": {"c": px.numpy.zeros(7, np.int32)}, "step": 0}
    manager = GlobalAsyncCheckpointManager()
    writers = subprocess.Popen([sys.executable, "-c", WRITERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writers.stdin is not None and writers.stdout is not None
    for kill in range(max(4, KILLS // 3)):
        writers.stdin.write(f"{tmp_path} {1 + kill % 2}\n")
        writers.stdin.flush()
        ready, pid = writers.stdout.readline().split()
        assert ready == "ready"
        time.sleep(dice.random() * 0.05)
        os.kill(int(pid), signal.SIGKILL)
        told = list(iter(writers.stdout.readline, "dead\n"))
        acknowledged = max([acknowledged, *map(int, told)])
        halves += any(name.endswith("_gda.tmp") for name in names(tmp_path))
        steps = available_steps(tmp_path)
        assert not acknowledged or steps[-1] >= acknowledged, "what was told to be saved is there"
        for step in steps:
            found = restore_checkpoint(tmp_path, target, step=int(step), gda_manager=manager)
            assert found["step"] == step and (found["a"] == step).all() and (found["b"]["c"] == step).all()
    writers.stdin.close()
    assert writers.wait(timeout=60) == 0
    assert acknowledged > 0 and halves > 0, "some were killed between saves and some within"
    print(f"{halves} killed within a save, last step {acknowledged}")
    assert latest_checkpoint(tmp_path) is not None


def test_a_part_that_is_lost_is_told_and_zeros_are_no_loss(tmp_path: Path, spread: None) -> None:
    save(tmp_path, 0)
    assert restore(tmp_path)["a"].tolist() == [[0, 0]] * 4
    (tmp_path / "checkpoint_0_gda" / "a" / "0.0").unlink()
    with pytest.raises(ArrayFileError, match=r"is\s+missing"):
        restore(tmp_path)


def test_arrays_of_another_shape_than_the_targets_come_whole(tmp_path: Path, spread: None) -> None:
    save(tmp_path, 1)
    target = {**state(0), "a": px.numpy.zeros((2, 2), np.int32)}
    found = restore_checkpoint(tmp_path, target, gda_manager=GlobalAsyncCheckpointManager())
    assert found["a"].tolist() == [[1, 1]] * 4
