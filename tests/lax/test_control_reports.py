"""Each program in golden/ fails in a loop or branch, and the text of its error is the file beside it."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from perspicax.diagnose.errors import PerspicaxError

GOLDEN = Path(__file__).parent / "golden"
PROGRAMS = sorted(path.stem for path in GOLDEN.glob("*.py"))


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> PerspicaxError:
    """Run golden/NAME.py as a program in its folder and give the error that ended it."""
    monkeypatch.chdir(GOLDEN)
    path = GOLDEN / f"{name}.py"
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    with pytest.raises(PerspicaxError) as caught:
        exec(code, {"__name__": "__main__", "__file__": str(path)})
    str(caught.value)  # made while the folder is the working directory
    return caught.value


@pytest.mark.parametrize("name", PROGRAMS)
def test_report(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = run(name, monkeypatch)
    text = f"{type(error).__name__}: {error}\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("PERSPICAX_ACCEPT") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"golden/{path.name} is missing: accept it with PERSPICAX_ACCEPT=1 and read it\n\n{text}"
    assert text == path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 32


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_traceback_shows_the_user_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at = run(name, monkeypatch).__traceback__
    files = []
    while at is not None:
        files.append(at.tb_frame.f_code.co_filename)
        at = at.tb_next
    assert [f for f in files if "src/perspicax" in f] == []
