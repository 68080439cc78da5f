"""A forked process has none of the runtime's threads: whoever forks is told, at the line that did it."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """\
import os
import perspicax as px

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

fork()
px.jit(lambda x: x + 1)(1.0)
fork()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_is_warned_of_once_there_are_threads(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    run = subprocess.run([sys.executable, "-W", "always", str(program)], capture_output=True, text=True, timeout=120,
                         env={**os.environ, "PERSPICAX_CACHE": "0"})
    assert run.returncode == 0
    told = [line for line in run.stderr.splitlines() if "RuntimeWarning" in line]
    assert len(told) == 1 and told[0].startswith(f"{program}:5:") and "spawn" in told[0]
