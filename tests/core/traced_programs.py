"""The programs in golden/: each fails, and the text of its error is the file beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_jax import installed

from perspicax.diagnose.errors import PerspicaxError

GOLDEN = Path(__file__).parent / "golden"


def names(*, leaks: bool) -> list[str]:
    """The programs about leaks, or all others."""
    return sorted(path.stem for path in GOLDEN.glob("*.py") if path.stem.startswith("leak") == leaks)


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> PerspicaxError:
    """Run golden/NAME.py as a program in its folder and give the error that ended it."""
    monkeypatch.chdir(GOLDEN)
    path = GOLDEN / f"{name}.py"
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    with installed(), pytest.raises(PerspicaxError) as caught:
        exec(code, {"__name__": "__main__", "__file__": str(path)})
    str(caught.value)  # made while the folder is the working directory
    return caught.value


def check_text(name: str, error: PerspicaxError) -> None:
    """Compare with golden/NAME.txt; with PERSPICAX_ACCEPT=1 the text becomes the file."""
    path, text = GOLDEN / f"{name}.txt", f"{type(error).__name__}: {error}\n"
    if os.environ.get("PERSPICAX_ACCEPT") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"golden/{path.name} is missing: accept it with PERSPICAX_ACCEPT=1 and read it\n\n{text}"
    assert text == path.read_text(encoding="utf-8")
