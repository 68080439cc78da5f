"""Each program in tests/ROOM/golden/ fails, and the text of its error is the file beside it.

The programs of core and diagnose are run by tests of their own: they stand to the left of what a program imports, and
find a stand-in for it.
"""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from perspicax.diagnose.errors import PerspicaxError

HERE = Path(__file__).parent
PROGRAMS = sorted(path for path in HERE.glob("*/golden/*.py") if path.parts[-3] not in ("core", "diagnose"))
by_program = pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")


def run(path: Path, monkeypatch: pytest.MonkeyPatch) -> PerspicaxError:
    """Run a program in its folder and give the error that ended it."""
    monkeypatch.chdir(path.parent)
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    with pytest.raises(PerspicaxError) as caught:
        exec(code, {"__name__": "__main__", "__file__": str(path)})
    str(caught.value)  # made while the folder is the working directory
    return caught.value


@by_program
def test_report(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = run(path, monkeypatch)
    text = f"{type(error).__name__}: {error}\n"
    accepted = path.with_suffix(".txt")
    if os.environ.get("PERSPICAX_ACCEPT") == "1":
        accepted.write_text(text, encoding="utf-8")
    assert accepted.exists(), f"{accepted.name} is missing: accept it with PERSPICAX_ACCEPT=1 and read it\n\n{text}"
    assert text == accepted.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 32


@by_program
def test_the_traceback_shows_the_user_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = run(path, monkeypatch).__traceback__
    files = []
    while at is not None:
        files.append(at.tb_frame.f_code.co_filename)
        at = at.tb_next
    assert files, "the program's own frame"
    assert [f for f in files if "src/perspicax" in f] == []


def test_every_text_has_its_program() -> None:
    texts = {path.with_suffix(".py") for path in HERE.glob("*/golden/*.txt")}
    assert sorted(path for path in texts if not path.exists()) == []
