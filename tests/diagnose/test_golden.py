"""Each program in golden/ fails, and the text of its error is the file beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.render import render_json, render_line, render_terminal

GOLDEN = Path(__file__).parent / "golden"
PROGRAMS = sorted(path.stem for path in GOLDEN.glob("*.py") if not path.name.startswith("_"))


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> PerspicaxError:
    """Run golden/NAME.py as a program in its folder and give the error that ended it."""
    monkeypatch.chdir(GOLDEN)
    monkeypatch.syspath_prepend(str(GOLDEN))
    path = GOLDEN / f"{name}.py"
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    with pytest.raises(PerspicaxError) as caught:
        exec(code, {"__name__": "__main__", "__file__": str(path)})
    str(caught.value)  # made while the folder is the working directory
    return caught.value


@pytest.mark.parametrize("name", PROGRAMS)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]) -> None:
    error = run(name, monkeypatch)
    golden(f"{name}.txt", f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_report_is_at_most_a_screenful(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(str(run(name, monkeypatch)).splitlines()) <= 30


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_primary_place_is_in_the_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    primary = run(name, monkeypatch).full_report.primary
    assert primary is not None
    assert "stand_in" not in str(primary)


def test_json(monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]) -> None:
    error = run("operands", monkeypatch)
    text = render_json(error.full_report, "ShapesError", indent=2)
    golden("operands.json", text.replace(str(GOLDEN) + os.sep, ""))


def test_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    error = run("operands", monkeypatch)
    text = "operands.py:5:25: ShapesError: `hidden` and `bias` cannot be combined: their shapes do not broadcast."
    assert error.one_line == render_line(error.full_report, "ShapesError") == text


def test_terminal(monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]) -> None:
    report = run("operands", monkeypatch).full_report
    golden("operands.ansi", render_terminal(report, "ShapesError", width=72))


def test_colour_changes_no_character(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROGRAMS:
        report = run(name, monkeypatch).full_report
        coloured = render_terminal(report, "X", width=80)
        assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render_terminal(report, "X", width=80, colour=False)
