"""`%load_ext perspicax`: reports as HTML, and the magic `%sanitize`."""
from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("IPython")

SESSION = """
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
shell.run_cell("%load_ext perspicax\\nimport perspicax.numpy as jnp\\nx = jnp.ones(3)")
with capture_output() as shown:
    shell.run_cell("x.at[0].set(1.0)\\ny = x.sum()")
print("DiscardedUpdate" in shown.outputs[0].data["text/html"], shown.stdout, shown.stderr)
with capture_output() as shown:
    done = shell.run_cell("x + jnp.ones(4)")
print(type(done.error_in_exec).__name__, "fix" in shown.outputs[0].data["text/html"])
shell.run_cell("%sanitize bounds")
print(shell.run_line_magic("sanitize", ""))
shell.run_cell("%unload_ext perspicax")
import perspicax
print(repr(perspicax.config.perspicax_sanitize))
"""


def test_a_notebook_shows_reports_as_html(tmp_path: object) -> None:
    done = subprocess.run([sys.executable, "-c", SESSION], capture_output=True, text=True, timeout=120,
                          env={"HOME": str(tmp_path), "PATH": "", "IPYTHONDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:1] == ["True  "]
    assert done.stdout.splitlines()[-3:] == ["BroadcastError True", "bounds", "''"]
