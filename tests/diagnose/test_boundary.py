"""Tracebacks that leave Perspicax show the user's frames."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import stand_in

from perspicax.diagnose import boundary, frames
from perspicax.diagnose.boundary import public, set_filtering_source, trim

INSIDE = os.path.join(os.path.dirname(os.path.dirname(frames.__file__)), "made_up.py")
LIBRARY = """
import contextlib, functools
from perspicax.diagnose.boundary import public

def deep(n):
    if n: return deep(n - 1)
    raise ValueError("deep")

@public
def fail(): deep(3)

@public
def apply(f, *args):
    with contextlib.ExitStack() as stack:
        return (lambda: f(*args))()

@public
def chained():
    try:
        deep(1)
    except ValueError as error:
        raise TypeError("chained") from error

@public
def through_the_standard_library(f):
    return functools.reduce(lambda a, b: contextlib.contextmanager(lambda: None) and f(a, b), [1, 2])
"""


@pytest.fixture
def library() -> Any:
    names: dict[str, Any] = {}
    exec(compile(LIBRARY, INSIDE, "exec"), names)
    return type("library", (), {name: staticmethod(value) for name, value in names.items() if callable(value)})


def frames_of(error: BaseException) -> list[str]:
    return [entry.name for entry in traceback.extract_tb(error.__traceback__)]


def caught(function: Callable[..., Any], *args: Any) -> BaseException:
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_not_even_the_wrapper_is_shown(library: Any) -> None:
    assert frames_of(caught(library.fail)) == ["caught"]


def test_the_users_frames_in_between_stay(library: Any) -> None:
    def loss(x: int) -> None:
        library.apply(inner, x)

    def inner(x: int) -> None:
        library.fail()

    assert frames_of(caught(lambda: library.apply(loss, 1))) == ["caught", "<lambda>", "loss", "inner"]


def test_an_error_of_the_users_own_keeps_its_lines(library: Any) -> None:
    def loss() -> float:
        return 1 / 0

    error = caught(library.apply, loss)
    assert frames_of(error) == ["caught", "loss"]
    assert traceback.extract_tb(error.__traceback__)[-1].line == "return 1 / 0"


def test_causes_are_trimmed_too(library: Any) -> None:
    error = caught(library.chained)
    assert frames_of(error) == ["caught"]
    assert error.__cause__ is not None and frames_of(error.__cause__) == []


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__context__ = second, first
    assert trim(first) is first


@pytest.mark.parametrize(("name", "value"), [
    ("PERSPICAX_TRACEBACK", "full"), ("JAX_TRACEBACK_FILTERING", "off"), ("JAX_TRACEBACK_FILTERING", "OFF")])
def test_the_full_traceback_on_request(library: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert frames_of(caught(library.fail)) == ["caught", "call", "fail", "deep", "deep", "deep", "deep"]
    monkeypatch.setenv(name, "auto")
    assert frames_of(caught(library.fail)) == ["caught"]


def test_the_configuration_may_ask_for_it(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "_filtering", boundary._filtering)  # put back afterwards
    set_filtering_source(lambda: "off")
    assert "deep" in frames_of(caught(library.fail))
    set_filtering_source(lambda: "remove_frames")
    assert frames_of(caught(library.fail)) == ["caught"]


def test_public_keeps_name_signature_and_results() -> None:
    @public
    def add(a: int, b: int = 2, *, c: int = 0) -> int:
        """Adds."""
        return a + b + c

    assert (add.__name__, add.__doc__, add(1), add(1, 5, c=4)) == ("add", "Adds.", 3, 10)
    assert add.__wrapped__.__name__ == "add"  # type: ignore[attr-defined]


def test_standard_library_helpers_of_ours_disappear_with_us(library: Any) -> None:
    @functools.wraps(caught)
    def combine(a: int, b: int) -> None:
        raise KeyError(a)

    assert frames_of(caught(library.through_the_standard_library, combine)) == ["caught", "combine"]


def test_the_original_traceback_is_left_whole() -> None:
    def fails() -> None:
        stand_in.broken.__wrapped__()  # type: ignore[attr-defined]

    error = caught(fails)
    original = error.__traceback__
    trim(error)
    assert frames_of(error) == ["caught", "fails"]
    assert [entry.name for entry in traceback.extract_tb(original)] == ["caught", "fails", "broken"]


PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import stand_in as lib

def loss(x):
    return x + lib.Value(3)

lib.run(loss, lib.Value(2))
"""


def test_plain_python_prints_user_frames_only(tmp_path: Any) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(here=os.path.dirname(__file__)))
    environment = {k: v for k, v in os.environ.items() if k not in ("PERSPICAX_TRACEBACK", "JAX_TRACEBACK_FILTERING")}
    printed = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=environment).stderr
    shown = [line.split(", ", 2)[2] for line in printed.splitlines() if line.startswith('  File "')]
    assert shown == ["in <module>", "in loss"]
    assert "stand_in.ShapesError: `x` and `lib.Value(3)` cannot be combined" in printed


@pytest.mark.skipif(importlib.util.find_spec("IPython") is None, reason="IPython is not installed")
def test_ipython_prints_user_frames_only(tmp_path: Any) -> None:
    path = tmp_path / "program.ipy"
    path.write_text(PROGRAM.format(here=os.path.dirname(__file__)))
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    printed = done.stdout + done.stderr
    assert "cannot be combined" in printed and "in loss(x)" in printed
    assert "stand_in.py" not in printed and "boundary.py" not in printed
