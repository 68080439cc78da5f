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


def test_a_translation_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zh").mkdir()
    (tmp_path / "zh" / "Odd.md").write_text("中文", encoding="utf-8")
    monkeypatch.setattr(pages, "_folder", lambda language: tmp_path if language == "en" else tmp_path / language)
    assert catalogue_page("Odd", "zh") == "中文" and catalogue_page("Odd") is None
    assert catalogue_names("zh") == ["Odd"] and catalogue_names("fr") == []
