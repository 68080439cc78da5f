"""A table of cases that run on several devices, in a process of its own; on JAX and on Perspicax they give the same."""
from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import textwrap
from typing import Any

# What stands behind the table, a dict `CASES` of functions: each case's result, or what it raised.
RUN = '''
found = {}
for name, case in CASES.items():
    try:
        found[name] = json.loads(json.dumps(case()))
    except Exception as error:
        classes = [c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"]
        found[name] = {"raises": classes, "text": f"{type(error).__name__}: {error}"[:600]}
print(json.dumps(found))
'''


def names_in(program: str) -> list[str]:
    """The names of the cases: lines that begin with `"name": `."""
    return [line.split('"')[1] for line in program.splitlines() if line.startswith('    "') and '": ' in line]


@functools.cache
def results(program: str, module: str, devices: int) -> dict[str, Any]:
    """What each case gives on `jax` or on `perspicax`."""
    env = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program) + RUN, module], env=env,
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def compare(program: str, name: str, devices: int) -> None:
    """Raise unless a case gives on Perspicax what it gives on JAX, or raises an error of the same built-in class."""
    theirs, ours = results(program, "jax", devices)[name], results(program, "perspicax", devices)[name]
    if isinstance(theirs, dict) and "raises" in theirs:
        assert isinstance(ours, dict) and "raises" in ours, f"JAX raises {theirs['text']}, ours gives {ours}"
        assert theirs["raises"][0] in ours["raises"], f"JAX raises {theirs['text']}, ours {ours['text']}"
    else:
        assert ours == theirs
