"""Golden files, and a stand-in for the library that the users' programs of these tests call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

collect_ignore_glob = ["golden/*"]  # programs that fail, on purpose

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for `stand_in`, which programs in golden/ import as if it were a library


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with golden/NAME; with PERSPICAX_ACCEPT=1 the text becomes the file."""

    def check(name: str, text: str) -> None:
        path = HERE / "golden" / name
        text = text.rstrip("\n") + "\n"
        if os.environ.get("PERSPICAX_ACCEPT") == "1":
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"golden/{name} is missing: accept it with PERSPICAX_ACCEPT=1 and read it\n\n{text}"
        assert text == path.read_text(encoding="utf-8")

    return check
