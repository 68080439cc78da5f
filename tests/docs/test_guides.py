"""The examples of the guides run, each guide's as one program."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax as px

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("export.md", "many_devices.md", "primitives.md", "transformations.md")


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


def test_the_transformations_of_the_guide_reach_into_functions_with_rules_of_their_own() -> None:
    guide: dict[str, Any] = {}
    exec(examples((DOCS / "transformations.md").read_text(encoding="utf-8")), guide)
    x = np.ones(3, np.float32)

    def closes_over(a: Any, b: Any) -> Any:
        @px.custom_vjp
        def scaled(x: Any) -> Any:
            return x * b

        scaled.defvjp(lambda x: (scaled(x), x), lambda residuals, ct: (ct * b,))
        return scaled(a)

    assert guide["sources"](closes_over)(x, x) == ["a", "b"]
    assert guide["sources"](lambda a, b: px.grad(lambda a: closes_over(a, b).sum())(a))(x, x) == ["b"]
    assert guide["count_operations"](closes_over)(x, x) == 3
    assert guide["sources"](lambda a, b: px.checkpoint(lambda a: a * b)(a))(x, x) == ["a", "b"]
    assert guide["sources"](lambda a, b: px.lax.scan(lambda c, _: (c * b, None), a, length=2)[0])(x, x) == ["a", "b"]


def test_a_tracer_of_the_guide_that_is_kept_is_reported() -> None:
    guide: dict[str, Any] = {}
    exec(examples((DOCS / "transformations.md").read_text(encoding="utf-8")), guide)
    kept: list[Any] = []

    def stores(a: Any) -> Any:
        kept.append(a + 1)
        return a

    guide["sources"](stores)(1.0)
    with pytest.raises(px.errors.UnexpectedTracerError) as caught:
        kept[0] + 1
    assert "kept.append(a + 1)" in str(caught.value)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_to_other_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
