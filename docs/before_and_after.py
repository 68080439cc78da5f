"""Writes docs/before_and_after.md: what JAX and Flax say of six programs, and what Perspicax says, from real runs.

    python docs/before_and_after.py            needs jax and flax beside perspicax

A test runs Perspicax's half again and compares it with the page.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).with_suffix("")
PAGE = Path(__file__).with_suffix(".md")
PROGRAMS = {  # program -> the mistake
    "branch.py": "A Python `if` on a value that is being traced",
    "leak.py": "A value kept from inside a differentiated function",
    "shapes.py": "Axes that do not fit",
    "dropout.py": "A random key that a module needs",
    "updates.py": "An update that is thrown away: JAX says nothing, and the answer is wrong",
    "keys.py": "A random key that is used twice: JAX says nothing, and the layers are equal",
}
HEAD = """\
# Before and after

Six programs with one mistake each: what JAX 0.10.2 (with Flax 0.12.8) prints, and what `perspicax run` prints. Both are the
output of real runs, made by `python docs/before_and_after.py`; paths of the installation are shortened.
"""


def run(program: str, *prefix: str) -> str:
    """What a program of the folder prints, with the paths of this machine left out."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "PERSPICAX_", "XLA_"))}
    env.update(JAX_PLATFORMS="cpu", COLUMNS="100", NO_COLOR="1")
    done = subprocess.run([sys.executable, *prefix, program], cwd=FOLDER, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120)
    text = done.stdout.replace(f"{FOLDER}{os.sep}", "")
    return re.sub(r'File "[^"]*site-packages/', 'File ".../', text).rstrip("\n")


def after(program: str) -> str:
    """What `perspicax run` prints."""
    return run(program, "-m", "perspicax", "run", "--format=text")


def main() -> None:
    parts = [HEAD]
    for program, mistake in PROGRAMS.items():
        source = (FOLDER / program).read_text(encoding="utf-8").rstrip("\n")
        parts += [f"## {mistake}\n", f"```python\n{source}\n```\n", f"JAX:\n\n```text\n{run(program)}\n```\n",
                  f"Perspicax:\n\n```text\n{after(program)}\n```\n"]
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
