"""The page that sets JAX's messages beside Perspicax's shows what Perspicax prints now."""
from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("before_and_after", DOCS / "before_and_after.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = maker()


def test_the_page_has_all_programs() -> None:
    assert sorted(MAKER.PROGRAMS) == sorted(path.name for path in MAKER.FOLDER.glob("*.py"))


@pytest.mark.parametrize("program", MAKER.PROGRAMS)
def test_the_page_shows_what_is_printed(program: str) -> None:
    page = MAKER.PAGE.read_text(encoding="utf-8")
    assert f"Perspicax:\n\n```text\n{MAKER.after(program)}\n```\n" in page, "run docs/before_and_after.py again"
