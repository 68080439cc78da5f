"""The catalogue as data: pages are found, taken apart, and never looked for outside their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from perspicax.diagnose import pages
from perspicax.diagnose.pages import catalogue_names, catalogue_page, has_page, read_page


def test_the_page_of_internal_error() -> None:
    text = catalogue_page("InternalError")
    assert text is not None and text.startswith("---\ntitle: Perspicax found a mistake of its own\n")
    page = read_page("InternalError")
    assert page is not None and page.raised == "now"
    assert 'raise InternalError(what="an equation' in page.wrong and page.what.startswith("A check that only")
    assert has_page("InternalError") and "InternalError" in catalogue_names()


@pytest.mark.parametrize("name", ["NoSuchError", "README.md", "../errors", "", "/etc/passwd"])
def test_no_page(name: str) -> None:
    assert catalogue_page(name) is None and read_page(name) is None and not has_page(name)


def test_untranslated_pages_are_given_in_english() -> None:
    assert catalogue_page("InternalError", "xx") == catalogue_page("InternalError")
    assert catalogue_page("InternalError", "../en") is None


def test_the_readme_is_no_page() -> None:
    assert "README" not in catalogue_names()


@pytest.mark.parametrize(("text", "complaint"), [
    ("## What\nx\n", "no front matter"),
    ("---\ntitle: t\n---\n## What\nx\n## Why\ny\n## Wrong\n```python\n1\n```\n", "lacks Right"),
    ("---\nraised: now\n---\n## What\nx\n## Why\ny\n## Wrong\na\n## Right\nb\n", "lacks title"),
    ("---\ntitle: t\n---\n## What\nx\n## Why\ny\n## Wrong\na\n## Right\nb\n", "need a block of Python each"),
])
def test_a_page_out_of_form_is_refused(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Odd.md").write_text(text)
    monkeypatch.setattr(pages, "_folder", lambda language: tmp_path)
    with pytest.raises(ValueError, match=complaint):
        read_page("Odd")


ENGLISH = """---
title: "`odd` as a title"
raised: later
---

## What

It is odd.

## Why

Not even.

## Wrong

```python
1 / 0
```

## Right

Nothing is to be done. Or:

```python
1 / 1
```
"""
CHINESE = """---
title: 奇怪的东西
---

## What

很奇怪。

## Why

不是偶数。

## Right

无需改动。或者：

{{code}}
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue with one page, "Odd"; its translation is yet to be written to the path."""
    (tmp_path / "zh").mkdir()
    (tmp_path / "Odd.md").write_text(ENGLISH)
    monkeypatch.setattr(pages, "_folder", lambda language: tmp_path if language == "en" else tmp_path / language)
    return tmp_path / "zh" / "Odd.md"


def test_a_translation_has_its_own_words_and_the_english_code(odd: Path) -> None:
    odd.write_text(CHINESE, encoding="utf-8")
    page = read_page("Odd", "zh")
    assert page == ("Odd", "奇怪的东西", "later", "很奇怪。", "不是偶数。", "1 / 0\n", "1 / 1\n", "")
    english = read_page("Odd")
    assert english is not None and english.title == "`odd` as a title"  # which YAML has in quotes
    text = catalogue_page("Odd", "zh")
    assert text is not None and "无需改动。或者：\n\n```python\n1 / 1\n```\n" in text
    assert catalogue_names("zh") == ["Odd"] and catalogue_names("fr") == []
    assert catalogue_page("Odd") == catalogue_page("Odd", "fr") == ENGLISH


def test_a_translation_of_no_page_is_no_page(odd: Path) -> None:
    odd.with_name("Other.md").write_text(CHINESE, encoding="utf-8")
    assert catalogue_page("Other", "zh") is None


@pytest.mark.parametrize(("old", "new", "complaint"), [
    ("## Why\n\n不是偶数。\n", "", "lacks Why"),
    ("## Right", "## More\n\n没有。\n\n## Right", "has More"),
    ("title: 奇怪的东西", "title: 奇怪的东西\nraised: now", "has raised"),
    ("{{code}}", "```python\n2 / 1\n```", "write {{code}}"),
    ("{{code}}", "", "`## Right` needs {{code}} 1 times"),
])
def test_a_translation_out_of_form_is_refused(odd: Path, old: str, new: str, complaint: str) -> None:
    odd.write_text(CHINESE.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        catalogue_page("Odd", "zh")
