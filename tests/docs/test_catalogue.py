"""Every page of the catalogue: its wrong example raises what the page explains, its right example runs."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys

import pytest

from perspicax.diagnose.pages import Page, catalogue_names, read_page

# All examples run in one other process, where `jax` means Perspicax: here the oracle may be imported.
RUNNER = """
import contextlib, io, json, linecache, sys, traceback
import perspicax.compat
perspicax.compat.install()

def outcome(name, source):
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, name, "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return {"raised": type(error).__name__, "text": str(error), "traceback": traceback.format_exc()}
    return {"raised": None}

jobs = json.load(sys.stdin)
results = {name: outcome(name, source) for name, source in jobs.items()}
json.dump(results, sys.stdout)
"""


def page_of(name: str) -> Page:
    page = read_page(name)
    assert page is not None
    return page


@functools.cache
def outcomes() -> dict[str, dict[str, str | None]]:
    """What each example did, by "<NAME: wrong>" and "<NAME: right>"."""
    jobs = {}
    for name in catalogue_names():
        page = page_of(name)
        if page.raised == "now":
            jobs[f"<{name}: wrong>"], jobs[f"<{name}: right>"] = page.wrong, page.right
    done = subprocess.run([sys.executable, "-c", RUNNER], input=json.dumps(jobs), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", catalogue_names())
def test_page(name: str) -> None:
    page = page_of(name)
    assert page.raised in ("now", "later")
    for source in (page.wrong, page.right):
        ast.parse(source)
    if page.raised == "now":
        wrong, right = outcomes()[f"<{name}: wrong>"], outcomes()[f"<{name}: right>"]
        assert wrong["raised"] == name, wrong.get("traceback", "the wrong example raised nothing")
        assert f"perspicax explain {name}" in str(wrong["text"])
        assert right["raised"] is None, right.get("traceback")


@pytest.mark.parametrize("name", catalogue_names("zh"))
def test_a_translation_has_the_same_code(name: str) -> None:
    translated, page = read_page(name, "zh"), page_of(name)
    assert translated is not None
    assert (translated.wrong, translated.right, translated.raised) == (page.wrong, page.right, page.raised)
