"""The examples of the guides for those who work on Perspicax run, each guide's as one program."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("primitives.md", "transformations.md")


def examples(text: str) -> str:
    """The blocks of Python of a page, at their lines, so that a traceback shows the page's."""
    kept, inside = [], False
    for line in text.splitlines():
        fence = line.startswith("```")
        kept.append("" if fence or not inside else line)
        inside = line == "```python" if fence else inside
    return "\n".join(kept)


@pytest.mark.parametrize("name", GUIDES)
def test_examples_run(name: str) -> None:
    path = DOCS / name
    source = examples(path.read_text(encoding="utf-8"))
    assert "\nassert " in source, "the examples assert what they show"
    exec(compile(source, str(path), "exec"), {"__name__": "guide"})


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_to_other_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
