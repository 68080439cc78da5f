"""The catalogue: one page for each error and finding, read when somebody asks for it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["Page", "catalogue_names", "catalogue_page", "has_page", "read_page"]


class Page(NamedTuple):
    """One page of the catalogue (its format is told in `catalogue/README.md`).

    Attributes:
        name: the class or finding it explains.
        title: what it is about, in one line.
        raised: "now", or "later" while what raises it is not there yet.
        what: what happened.
        why: the rule behind it.
        wrong: a program that raises it.
        right: the program put right.
        more: where to read on; may be empty.
    """

    name: str
    title: str
    raised: str
    what: str
    why: str
    wrong: str
    right: str
    more: str


def _folder(language: str) -> Traversable:
    from importlib import resources  # it loads `zipfile` and `tempfile`, and an error may never be printed

    folder = resources.files("perspicax.diagnose") / "catalogue"
    return folder if language == "en" else folder / language


@cache
def has_page(name: str) -> bool:
    """Whether the catalogue explains `name`."""
    return name.isidentifier() and (_folder("en") / f"{name}.md").is_file()


def catalogue_page(name: str, language: str = "en") -> str | None:
    """The text of a page as it stands in the file.

    Args:
        name: an error's class name, or a finding's name.
        language: "en", or the folder of a translation ("zh"); a page that is not translated is given in English.

    Returns:
        The page in Markdown, or None if the catalogue does not explain `name`.
    """
    if not name.isidentifier() or not language.isalpha():
        return None
    for tongue in dict.fromkeys((language, "en")):
        page = _folder(tongue) / f"{name}.md"
        if page.is_file():
            return page.read_text(encoding="utf-8")
    return None


def catalogue_names(language: str = "en") -> list[str]:
    """The names of all pages, sorted."""
    folder = _folder(language)
    if not folder.is_dir():
        return []
    return sorted(page.name[:-3] for page in folder.iterdir()
                  if page.name.endswith(".md") and page.name[:-3].isidentifier() and page.name != "README.md")


_FRONT = r"\A---\n(.*?)\n---\n"
_CODE = r"^```python\n(.*?)^```$"


def read_page(name: str, language: str = "en") -> Page | None:
    """A page taken apart into its sections; None if there is none.

    Raises:
        ValueError: the page does not have the catalogue's format.
    """
    text = catalogue_page(name, language)
    if text is None:
        return None
    front = re.match(_FRONT, text, re.DOTALL)
    if front is None:
        raise ValueError(f"catalogue page {name}: no front matter between two lines `---`")
    facts = dict(line.partition(": ")[::2] for line in front.group(1).splitlines())
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text[front.end():], re.DOTALL | re.MULTILINE))
    missing = [key for key in ("What", "Why", "Wrong", "Right") if not sections.get(key, "").strip()]
    if missing or not facts.get("title"):
        raise ValueError(f"catalogue page {name}: lacks {', '.join(missing or ['title'])}")
    code = {key: "\n".join(re.findall(_CODE, sections[key], re.DOTALL | re.MULTILINE)) for key in ("Wrong", "Right")}
    if not all(code.values()):
        raise ValueError(f"catalogue page {name}: `## Wrong` and `## Right` need a block of Python each")
    return Page(name, facts["title"], facts.get("raised", "now"), sections["What"].strip(), sections["Why"].strip(),
                code["Wrong"], code["Right"], sections.get("More", "").strip())
