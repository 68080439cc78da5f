"""Pages of the catalogue as they are read: lines are wrapped by both languages' rules, and HTML is well formed."""
from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perspicax.diagnose.pages import catalogue_names, catalogue_page
from perspicax.diagnose.render.page import fill, page_html, page_terminal, unfold
from perspicax.diagnose.render.text import cells

MARKDOWN = """# Odd: an odd & strange thing

## What

It has `a < b`
and goes on.

```python
x = "wide " * 40

y = x
```

- one item that
  goes on
- another
## More

See `Even`, or `Odd`.
"""


@pytest.mark.parametrize(("lines", "one"), [
    ("one\ntwo", "one two"),
    ("没有\n关系", "没有关系"),
    ("由\n`split` 产生", "由 `split` 产生"),
    ("用完了，\n`x` 是", "用完了，`x` 是"),
    ("`x`\n。", "`x`。"),
    ("the “odd”\none", "the “odd” one"),
    ("并不是\n“随机”", "并不是“随机”"),
    ("“随机”\n数", "“随机”数"),
    ("`x[size=10,\n   fill=0]`", "`x[size=10, fill=0]`"),
    ("", ""),
])
def test_unfold(lines: str, one: str) -> None:
    assert unfold(lines) == one


@pytest.mark.parametrize(("text", "width", "lines"), [
    ("one two three", 7, ["one two", "three"]),
    ("用占位符代替参数，看它", 16, ["用占位符代替参", "数，看它"]),  # a comma does not begin a line
    ("用占位符代替参（数）", 16, ["用占位符代替参", "（数）"]),  # and a bracket does not end one
    ("用 `jnp.where(a, b)` 计算", 10, ["用", "`jnp.where(a, b)`", "计算"]),
    ("", 10, [""]),
])
def test_fill(text: str, width: int, lines: list[str]) -> None:
    assert fill(text, width) == lines


PIECES = ["trace", "`a b`", "追踪", "数组，", "（值）", "x.", "。", "“随机”", "`x`、"]
WORDS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=30)


@given(WORDS, st.booleans(), st.integers(12, 40))
def test_wrapping_loses_nothing_and_keeps_to_the_width(words: list[str], spaced: bool, width: int) -> None:
    text = (" " if spaced else "").join(words)
    lines = fill(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        if cells(line) > width:  # then it has no place to break
            assert fill(line, width) == [line]


def test_a_page_on_a_terminal() -> None:
    assert page_terminal(MARKDOWN, 20, colour=False) == (
        "Odd: an odd &\nstrange thing\n\nWhat\nIt has `a < b` and\ngoes on.\n\n"
        '    x = "wide " * 40\n\n    y = x\n\n- one item that goes\n  on\n- another\n\nMore\nSee `Even`, or\n`Odd`.\n'
    )


def test_colour_changes_nothing_but_the_colour() -> None:
    text = page_terminal(MARKDOWN, 20, colour=True)
    for code in ("\x1b[1m", "\x1b[1;36m", "\x1b[32m", "\x1b[36m", "\x1b[0m"):
        assert code in text
        text = text.replace(code, "")
    assert text == page_terminal(MARKDOWN, 20, colour=False)


class Outline(HTMLParser):
    """Checks that elements are closed in order; gathers addresses and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.ids += [facts["id"] or ""] if "id" in facts else []
        self.links += [facts["href"] or ""] if "href" in facts else []
        if tag not in ("meta", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(document: str) -> Outline:
    parser = Outline()
    parser.feed(document)
    parser.close()
    assert parser.open == []
    return parser


def test_a_page_as_html() -> None:
    pages = [("Odd", MARKDOWN), ("Even", "# Even: not odd\n")]
    parsed = outline(page_html(pages, "en", "Numbers", contents=[("Odd", "`odd` & <strange>")]))
    assert parsed.ids == ["Odd", "Even"]
    assert parsed.links == ["#Odd", "#Even"]  # from the contents; from the words to the other page, not to itself
    for words in ("an odd & strange thing", "It has a < b and goes on.", 'x = "wide " * 40\n\ny = x', "one item that goes on",
                  "odd & <strange>"):
        assert words in parsed.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_pages_are_well_formed_html_and_fit_a_terminal(language: str) -> None:
    pages = [(name, catalogue_page(name, language) or "") for name in catalogue_names()]
    parsed = outline(page_html(pages, language, "all"))
    assert parsed.ids == catalogue_names()
    assert all(link[1:] in parsed.ids for link in parsed.links) and "#UnexpectedTracerError" in parsed.links
    for _, markdown in pages:
        shown = page_terminal(markdown, 80, colour=False)
        assert "```" not in shown
        assert "".join(shown.split()).count("`") == "".join(markdown.replace("```", "").split()).count("`")
