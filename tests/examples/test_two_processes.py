"""examples/two_processes.py: two processes train together, save and restore."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "examples" / "two_processes.py"


def test_two_processes_learn_together_and_restore_what_they_saved() -> None:
    run = subprocess.run([sys.executable, "-m", "perspicax.compat", str(PROGRAM), "--steps", "21", "--devices", "2"],
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "4 devices in 2 processes, as a mesh {'data': 2, 'model': 2}" in run.stdout
    first, last = map(float, re.findall(r"loss (\d+\.\d+)", run.stdout))
    assert last < first / 3
    assert "restored onto another mesh: the same" in run.stdout
