"""No false alarm: the right examples of the catalogue have no finding under all sanitizers but `leaks`."""
from __future__ import annotations

import json
import os
import random
import subprocess
import sys

from perspicax.diagnose.pages import catalogue_names, read_page

RUNNER = """
import contextlib, io, json, linecache, sys, warnings
import perspicax.compat
perspicax.compat.install()
import jax, perspicax
from perspicax.sanitize import Finding
options = dict(jax.config.values)
found = []
for name, source in json.load(sys.stdin).items():
    for option, value in jax.config.values.items():
        if value != options[option]:
            jax.config.update(option, options[option])
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        try:
            with perspicax.sanitize("keys,bounds,updates,nans,recompiles,precision,constants,broadcast"):
                exec(compile(source, name, "exec"), {"__name__": "__main__"})
        except Exception as error:
            found.append([name, str(error)])
    found += [[name, str(w.message)] for w in caught if isinstance(w.message, Finding)]
json.dump(found, sys.stdout)
"""
SHARE = 0.15


def test_right_examples_have_no_finding() -> None:
    names = catalogue_names()
    jobs = {}
    for name in random.Random(20).sample(names, int(SHARE * len(names))):
        page = read_page(name)
        assert page is not None
        if page.raised == "now" and "perspicax.sanitize" not in page.right:
            jobs[f"<{name}>"] = page.right
    assert len(jobs) > 30
    done = subprocess.run([sys.executable, "-c", RUNNER], input=json.dumps(jobs), capture_output=True, text=True,
                          env={**os.environ, "JAX_NUM_CPU_DEVICES": "2"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
