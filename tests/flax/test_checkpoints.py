"""Checkpoints: which files there are after which calls, and that a killed writer loses nothing."""
from __future__ import annotations

import json
import os
import random as python_random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import core, errors, storage
from perspicax.flax.file_errors import CheckpointNotFoundError, CheckpointOptionError
from perspicax.flax.serialization_errors import DamagedBytesError
from perspicax.flax.training import checkpoints
from perspicax.flax.training.checkpoints import (
    AsyncManager,
    available_steps,
    latest_checkpoint,
    restore_checkpoint,
    save_checkpoint,
    save_checkpoint_multiprocess,
)
from perspicax.flax.tree_errors import StateMismatchError

KILLS = int(os.environ.get("PERSPICAX_CHECKPOINT_KILLS", "15"))


def state(value: float) -> dict[str, Any]:
    return {"params": {"kernel": np.full((2, 3), value, np.float32)}, "step": int(value), "pair": (value, [value])}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_restored(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, state(3.0), 3)
    assert path == str(tmp_path / "checkpoint_3")
    for where in (tmp_path, path, str(tmp_path)):
        found = restore_checkpoint(where, state(0.0))
        assert found["pair"] == (3.0, [3.0]) and found["step"] == 3
        assert (found["params"]["kernel"] == 3).all() and found["params"]["kernel"].dtype == np.float32
    assert restore_checkpoint(tmp_path, None)["pair"] == {"0": 3.0, "1": {"0": 3.0}}


def test_where_there_is_nothing_the_target_comes_back(tmp_path: Path) -> None:
    target = state(1.0)
    assert restore_checkpoint(tmp_path, target) is target
    assert restore_checkpoint(tmp_path / "nowhere", target) is target
    assert latest_checkpoint(tmp_path) is None and available_steps(tmp_path / "nowhere") == []
    with pytest.raises(CheckpointNotFoundError) as caught:
        restore_checkpoint(tmp_path, target, step=7)
    assert caught.value.step == 7 and caught.value.there == ()


def test_a_step_that_is_gone_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, state(step), step, keep=2)
    assert restore_checkpoint(tmp_path, state(0.0), step=2)["step"] == 2
    with pytest.raises(CheckpointNotFoundError) as caught:
        restore_checkpoint(tmp_path, state(0.0), step=1)
    assert caught.value.there == ("2", "3")


@pytest.mark.parametrize("step", [2, 1, 1.5, -1])
def test_an_older_step_is_refused_and_changes_nothing(step: float, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(2.0), 2)
    before = (tmp_path / "checkpoint_2").read_bytes()
    with pytest.raises(errors.InvalidCheckpointError) as caught:
        save_checkpoint(tmp_path, state(9.0), step)
    assert caught.value.step == step and caught.value.path == str(tmp_path / f"checkpoint_{step}")
    assert caught.value.latest == str(tmp_path / "checkpoint_2")
    assert ("the same step" if step == 2 else "a later step") in " ".join(str(caught.value).split())
    assert names(tmp_path) == ["checkpoint_2"] and (tmp_path / "checkpoint_2").read_bytes() == before


def test_overwrite_removes_what_is_later(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        save_checkpoint(tmp_path, state(step), step, keep=9)
    save_checkpoint(tmp_path, state(5.0), 2, keep=9, overwrite=True)
    assert names(tmp_path) == ["checkpoint_1", "checkpoint_2"]
    assert restore_checkpoint(tmp_path, state(0.0))["step"] == 5


def test_which_ones_are_kept(tmp_path: Path) -> None:
    for step in range(12):
        save_checkpoint(tmp_path, state(step), step, keep=2, keep_every_n_steps=4)
    assert available_steps(tmp_path) == [1, 5, 9, 10, 11]


def test_steps_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for step in (-1, 0.5, 2, 9, 10, 1e5):
        save_checkpoint(tmp_path, state(step), step, prefix="a_", keep=99)
    save_checkpoint(tmp_path, state(7.0), 7, prefix="b_")
    assert latest_checkpoint(tmp_path, "a_") == str(tmp_path / "a_100000.0")
    assert available_steps(tmp_path, "a_", float) == [-1, 0.5, 2, 9, 10, 1e5]
    assert available_steps(tmp_path, "b_") == [7]
    with pytest.raises(CheckpointOptionError):
        available_steps(tmp_path, "a_")
    path = save_checkpoint(tmp_path, state(1.0), 1, prefix="inner/c_")
    assert path == str(tmp_path / "inner" / "c_1") and latest_checkpoint(tmp_path, "inner/c_") == path


def test_natural_order() -> None:
    shuffled = ["a_10", "a_9", "a_-1", "a_1e5", "a_2.5", "a_"]
    assert checkpoints.natural_sort(shuffled) == ["a_", "a_-1", "a_2.5", "a_9", "a_10", "a_1e5"]
    assert checkpoints.natural_sort(["x/b_10/c_1", "x/b_9/c_2", "x/b_9/c_10"]) == ["x/b_9/c_2", "x/b_9/c_10", "x/b_10/c_1"]
    assert checkpoints.safe_normpath("gs://a//b/../c/") == "gs://a/c"
    assert checkpoints.safe_normpath("a/./b//c/..") == "a/b"
    assert checkpoints.safe_normpath("local:///opt//x/") == "local:///opt/x", "as Flax: an absolute path stays one"
    assert checkpoints.safe_normpath("file:///opt//x") == "file:///opt/x"


def test_a_state_that_does_not_fit_is_told_by_path(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"params": {"kernel": np.ones(3), "bais": np.ones(2)}}, 1)
    with pytest.raises(StateMismatchError) as caught:
        restore_checkpoint(tmp_path, {"params": {"kernel": np.ones(4), "bias": np.ones(2)}})
    assert caught.value.missing == ("['params']['bias']",)
    assert caught.value.differs == (("['params']['kernel']", "an array float64[4]", "an array float64[3]"),)
    assert "there is 'bais'" in str(caught.value)


def test_a_damaged_file_names_itself(tmp_path: Path) -> None:
    path = Path(save_checkpoint(tmp_path, state(1.0), 1))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedBytesError) as caught:
        restore_checkpoint(tmp_path, state(0.0))
    assert caught.value.source == str(path)


def test_something_that_cannot_be_saved_leaves_no_file(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(1.0), 1)
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path, {"f": print}, 2)
    assert names(tmp_path) == ["checkpoint_1"]


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, state(1.0), 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, state(2.0), 2)
    monkeypatch.undo()
    assert names(tmp_path) == ["checkpoint_1"]


# -- in the background

def test_a_save_in_the_background_has_the_values_of_its_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    write = storage.LOCAL.write
    monkeypatch.setattr(storage.LOCAL, "write", lambda *args: (go_on.wait(20), write(*args)), raising=False)
    manager = AsyncManager()
    theirs = np.ones(5000)
    ours = jnp.arange(5000.0)
    step = jax.jit(lambda x: x + 1, donate_argnums=0)
    small, large = bytearray(b"one"), bytearray(b"one" * 5000)
    tree = {"numpy": theirs, "jax": ours, "small": small, "large": large, "view": memoryview(large)}
    path = save_checkpoint(tmp_path, tree, 1, async_manager=manager)
    assert not Path(path).exists(), "it waits"
    theirs[:] = 7
    small[:] = b"two"
    large[:] = b"two" * 5000
    for _ in range(3):
        ours = step(ours)
    ours.block_until_ready()
    go_on.set()
    manager.wait_previous_save()
    found = restore_checkpoint(path, None)
    assert (found["numpy"] == 1).all()
    assert (found["jax"] == np.arange(5000.0)).all()
    assert (found["small"], found["large"], found["view"]) == (b"one", b"one" * 5000, b"one" * 5000)


def test_background_saves_come_one_after_the_other_and_raise_at_the_next(tmp_path: Path) -> None:
    manager = AsyncManager()
    for step in range(4):
        save_checkpoint(tmp_path, state(step), step, keep=2, async_manager=manager)
    manager.wait_previous_save()
    assert names(tmp_path) == ["checkpoint_2", "checkpoint_3"]
    (tmp_path / "file").write_text("")
    save_checkpoint(tmp_path / "file" / "folder", state(1.0), 1, async_manager=manager)
    with pytest.raises(OSError):
        manager.wait_previous_save()
    manager.wait_previous_save()


UNHEARD = """
import sys
from perspicax.flax.training.checkpoints import AsyncManager, save_checkpoint
manager = AsyncManager()
save_checkpoint(sys.argv[1], {"a": 1}, 1, async_manager=manager)
if sys.argv[2] == "waits":
    try:
        manager.wait_previous_save()
    except OSError:
        print("heard")
if sys.argv[2] == "forgets":
    del manager
sys.exit(3)
"""


@pytest.mark.parametrize("ends", ["at once", "forgets", "waits", "well"])
def test_a_failed_save_that_nobody_waited_for_is_told_at_the_end(ends: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path if ends == "well" else tmp_path / "file" / "folder"
    done = subprocess.run([sys.executable, "-c", UNHEARD, str(folder), ends], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    if ends in ("waits", "well"):
        assert done.stderr == "" and done.stdout == ("heard\n" if ends == "waits" else "")
    else:
        assert str(folder) in done.stderr and "NotADirectoryError" in done.stderr and "Traceback" not in done.stderr


def test_several_processes_save_as_one_does(tmp_path: Path) -> None:
    path = save_checkpoint_multiprocess(tmp_path, {"w": jnp.ones(3)}, 1)
    assert (restore_checkpoint(path, None)["w"] == 1).all()


# -- other storages

def test_a_storage_in_memory(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    folder = "memory://runs/one"
    for step in (1, 2, 10):
        save_checkpoint(folder, state(step), step, keep=2)
    assert available_steps(folder) == [2, 10]
    assert latest_checkpoint(folder) == "memory://runs/one/checkpoint_10"
    assert restore_checkpoint(folder, state(0.0))["step"] == 10
    assert restore_checkpoint(folder, state(0.0), step=2)["step"] == 2
    with pytest.raises(errors.InvalidCheckpointError):
        save_checkpoint(folder, state(5.0), 5)
    save_checkpoint(folder, state(3.0), 3, keep=5, overwrite=True)
    assert available_steps(folder) == [2, 3]
    assert restore_checkpoint("memory://runs/none", 5) == 5


def test_absolute_paths_of_a_storage_stay_so(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    path = save_checkpoint(f"local://{tmp_path}/run", state(1.0), 1)
    assert path == f"local://{tmp_path}/run/checkpoint_1" and (tmp_path / "run" / "checkpoint_1").is_file()
    assert restore_checkpoint(f"local://{tmp_path}/run", None)["step"] == 1
    assert save_checkpoint("memory:///", state(1.0), 1, prefix="top_") == "memory:///top_1"
    assert latest_checkpoint("memory:///", prefix="top_") == "memory:///top_1"


# -- folders of Orbax's that are damaged

def orbax_folder(tmp_path: Path, strings: str | None, metadata: Any = None) -> str:
    def leaf(*keys: str, kind: Any = "string") -> dict[str, Any]:
        facts = None if kind is None else {"value_type": kind, "skip_deserialize": kind != "string"}
        return {"key_metadata": [{"key": key, "key_type": 2} for key in keys], "value_metadata": facts}

    leaves = {"whole": [leaf("a", "b"), leaf("none", kind="None")], "no facts": [leaf("a", kind=None)],
              "inside": [leaf("a"), leaf("a", "b")], "around": [leaf("a", "b"), leaf("a")]}[metadata or "whole"]
    folder = tmp_path / "checkpoint_1"
    folder.mkdir()
    (folder / "_METADATA").write_text(json.dumps({"tree_metadata": {str(i): leaf for i, leaf in enumerate(leaves)}}))
    if strings is not None:
        (folder / "_strings.json").write_text(strings)
    return str(folder)


def test_texts_of_orbax_are_restored(tmp_path: Path) -> None:
    pytest.importorskip("tensorstore")
    assert restore_checkpoint(orbax_folder(tmp_path, '{"a.b": "text"}'), None) == {"a": {"b": "text"}, "none": None}


@pytest.mark.parametrize("strings, metadata, file, path", [
    (None, None, "_strings.json", ()), ('{"a.b": "te', None, "_strings.json", ()), ("[]", None, "_strings.json", ()),
    ('{"a.c": "text"}', None, "_strings.json", ("a", "b")), ('{"a.b": 3}', None, "_strings.json", ("a", "b")),
    ("{}", "no facts", "_METADATA", ()), ('{"a": "x", "a.b": "y"}', "inside", "_METADATA", ("a", "b")),
    ('{"a": "x", "a.b": "y"}', "around", "_METADATA", ("a",))])
def test_a_damaged_folder_of_orbax_names_the_file_and_the_place(strings: str | None, metadata: str | None, file: str,
                                                                path: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("tensorstore")
    folder = orbax_folder(tmp_path, strings, metadata)
    with pytest.raises(DamagedBytesError) as caught:
        restore_checkpoint(folder, None)
    assert (caught.value.source, caught.value.path) == (os.path.join(folder, file), path)


# -- several writers of one folder

def test_what_another_writer_removes_meanwhile_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, state(step), step, keep=9)
    remove, write = storage.LOCAL.remove, storage.LOCAL.write

    def removed_twice(path: str) -> None:
        remove(path)
        remove(path)

    monkeypatch.setattr(storage.LOCAL, "remove", removed_twice, raising=False)
    save_checkpoint(tmp_path, state(3.0), 3)
    assert names(tmp_path) == ["checkpoint_3"]

    def written_and_removed(path: str, pieces: Any) -> None:
        write(path, pieces)
        remove(path)

    monkeypatch.setattr(storage.LOCAL, "write", written_and_removed, raising=False)
    save_checkpoint(tmp_path, state(4.0), 4)
    assert names(tmp_path) == ["checkpoint_3"], "what the other writer has left"


# -- killed writers

def test_what_killed_writers_left_is_removed_and_never_read(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    theirs = storage.temporary_name("checkpoint_9").replace(f"-{os.getpid()}-", f"-{int(done.stdout)}-")
    mine, other = storage.temporary_name("checkpoint_8"), ".tmp-elsewhere-1-0-checkpoint_7"
    for name in (theirs, mine, other):
        (tmp_path / name).write_bytes(b"half")
    assert available_steps(tmp_path) == []
    save_checkpoint(tmp_path, state(1.0), 1)
    assert names(tmp_path) == sorted([mine, other, "checkpoint_1"]), "the writers of the others may be at work"


WRITERS = """
import os, sys
import numpy as np
from perspicax.flax.training.checkpoints import AsyncManager, restore_checkpoint, save_checkpoint

def write(folder, keep, manager):
    last = restore_checkpoint(folder, None)
    step = 0 if last is None else int(last["step"])
    print("ready", os.getpid(), flush=True)
    while True:
        step += 1
        save_checkpoint(folder, {"step": step, "a": np.full(300_000, step, np.float32), "b": {"c": np.full(7, step)}}, step,
                        keep=keep, async_manager=manager)
        if manager is None:
            print(step, flush=True)

for line in sys.stdin:
    folder, keep, how = line.split()
    child = os.fork()  # no thread runs here, and nothing was compiled: a fork is whole
    if child == 0:
        write(folder, int(keep), AsyncManager() if how == "background" else None)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_writer_killed_at_any_moment_loses_nothing(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The last step that was told to be saved is there, whole, and everything that can be seen is whole."""
    dice = python_random.Random(8)
    acknowledged = halves = 0
    begun = time.monotonic()  # a busy disk takes ten times as long as an idle one
    save_checkpoint(tmp_path_factory.mktemp("pace"), {"a": np.full(300_000, 1, np.float32)}, 1)
    pace = max(0.03, 2 * (time.monotonic() - begun))
    writers = subprocess.Popen([sys.executable, "-c", WRITERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writers.stdin is not None and writers.stdout is not None
    for kill in range(KILLS):
        writers.stdin.write(f"{tmp_path} {1 + kill % 3} {'background' if kill % 3 == 2 else 'now'}\n")
        writers.stdin.flush()
        ready, pid = writers.stdout.readline().split()
        assert ready == "ready"
        time.sleep(dice.random() * pace)
        os.kill(int(pid), signal.SIGKILL)
        told = list(iter(writers.stdout.readline, "dead\n"))
        acknowledged = max([acknowledged, *map(int, told)])
        halves += any(storage.is_temporary(name) for name in names(tmp_path))
        steps = available_steps(tmp_path)
        assert not acknowledged or steps[-1] >= acknowledged, "what was told to be saved is there"
        for step in steps:
            found = restore_checkpoint(tmp_path, None, step=int(step))
            assert found["step"] == step and (found["a"] == step).all() and (found["b"]["c"] == step).all()
    writers.stdin.close()
    assert writers.wait(timeout=60) == 0
    assert acknowledged > 0 and halves > 0, "some were killed between saves and some within"
    print(f"{KILLS} kills, {halves} within a save, last step {acknowledged}")
    save_checkpoint(tmp_path, {"step": 10**9}, 10**9)
    assert names(tmp_path) == ["checkpoint_1000000000"], "nothing is left over"


# -- names of before Linen

def test_submodules_are_numbered_by_class() -> None:
    before = {"Conv_0": {"w": 1}, "Dense_1": {"w": 2, "Norm_3": {}}, "Dense_10": 3, "Conv_2": 4, "head": 5}
    after = {"Conv_0": {"w": 1}, "Dense_0": {"w": 2, "Norm_0": {}}, "Dense_1": 3, "Conv_1": 4, "head": 5}
    assert checkpoints.convert_pre_linen(before) == after
    frozen = checkpoints.convert_pre_linen(core.freeze(before))
    assert isinstance(frozen, core.FrozenDict) and frozen == core.freeze(after)
    assert checkpoints.convert_pre_linen(after) == after
