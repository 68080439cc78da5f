"""examples/digits_linen.py: it learns, and a killed training goes on to the same numbers."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "digits_linen.py"


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PERSPICAX_", "XLA_"))}
    env.update(HOME=str(home), XDG_CACHE_HOME=str(home / ".cache"), JAX_PLATFORMS="cpu")
    return subprocess.Popen([sys.executable, "-m", "perspicax.compat", str(PROGRAM), *arguments], cwd=home, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(process: subprocess.Popen[str]) -> list[str]:
    out, complaint = process.communicate(timeout=240)
    assert process.returncode == 0, complaint
    return out.splitlines()


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    whole = end(start(tmp_path, "--folder", "whole", "--epochs", "4", "--no-plot"))
    killed = start(tmp_path, "--folder", "killed", "--epochs", "4", "--no-plot", "--no-logs")
    assert killed.stdout is not None
    assert killed.stdout.readline().startswith("epoch 1, ")
    killed.kill()
    rest = killed.stdout.read().splitlines()
    killed.wait()
    assert not any(line.startswith("test accuracy") for line in rest), "it was killed in time"
    resumed = end(start(tmp_path, "--folder", "killed", "--epochs", "4", "--no-logs"))
    assert re.fullmatch(r"goes on after epoch [1-4] of 4", resumed[0])
    assert resumed[-2] == whole[-1], "the same accuracy, and the same weights to the last bit"
    assert float(re.search(r"([\d.]+)%", whole[-1])[1]) > 95  # type: ignore[index]
    picture = (tmp_path / "killed" / "curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    assert sorted(path.name for path in (tmp_path / "whole" / "checkpoints").iterdir()) == ["checkpoint_66", "checkpoint_88"]
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = board.EventAccumulator(str(tmp_path / "whole" / "logs"))
    found.Reload()
    assert [event.step for event in found.Scalars("test/accuracy")] == [22, 44, 66, 88]
    assert found.Scalars("train/loss")[-1].value < found.Scalars("train/loss")[0].value
