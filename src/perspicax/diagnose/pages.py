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
    """The text of a page, in one form for all languages.

    Args:
        name: an error's class name, or a finding's name.
        language: "en", or the folder of a translation ("zh"); a page that is not translated is given in English.

    Returns:
        The page in Markdown, or None if the catalogue does not explain `name`. The headings are English in every
        language (they are the sections' names); the code of a translation is that of the English page.

    Raises:
        ValueError: the page, or its translation, does not have the catalogue's format.
    """
    if not name.isidentifier() or not language.isalpha():
        return None
    english = _file(name, "en")
    translated = None if language == "en" else _file(name, language)
    if english is None or translated is None:
        return english
    return _translation(name, english, translated)


def _file(name: str, language: str) -> str | None:
    page = _folder(language) / f"{name}.md"
    return page.read_text(encoding="utf-8") if page.is_file() else None


def catalogue_names(language: str = "en") -> list[str]:
    """The names of all pages, sorted."""
    folder = _folder(language)
    if not folder.is_dir():
        return []
    return sorted(page.name[:-3] for page in folder.iterdir()
                  if page.name.endswith(".md") and page.name[:-3].isidentifier() and page.name != "README.md")


_FRONT = r"\A---\n(.*?)\n---\n"
_SECTION = r"^## (\w+)\n(.*?)(?=^## |\Z)"
_BLOCK = r"^```python\n.*?^```$"
_CODE = r"^```python\n(.*?)^```$"
_PLACE = "{{code}}"


def _parts(name: str, text: str) -> tuple[dict[str, str], dict[str, str]]:
    """The facts in front of a page, and its sections by heading."""
    front = re.match(_FRONT, text, re.DOTALL)
    if front is None:
        raise ValueError(f"catalogue page {name}: no front matter between two lines `---`")
    facts = {key: _unquoted(value) for key, _, value in (line.partition(": ") for line in front.group(1).splitlines())}
    return facts, dict(re.findall(_SECTION, text[front.end():], re.DOTALL | re.MULTILINE))


def _unquoted(value: str) -> str:
    """A fact without the quotes that YAML wants where a value begins with a backtick."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _translation(name: str, english: str, translated: str) -> str:
    """A translated page with the code of the English one, which stands in no other file.

    A section that is code alone is left out of a translation; where words go with the code, `{{code}}` marks its place.
    """
    facts, sections = _parts(name, english)
    own_facts, own = _parts(name, translated)
    unknown = [key for key in own if key not in sections] + [key for key in own_facts if key != "title"]
    if unknown:
        raise ValueError(f"translation of catalogue page {name}: has {', '.join(unknown)}, which is the English page's to say")
    if "```" in translated:
        raise ValueError(f"translation of catalogue page {name}: write {_PLACE} where the English page has code")
    front = "\n".join(f"{key}: {own_facts.get(key, value)}" for key, value in facts.items())
    pieces = [f"---\n{front}\n---\n"]
    for key, text in sections.items():
        blocks = re.findall(_BLOCK, text, re.DOTALL | re.MULTILINE)
        body = own.get(key, "\n\n".join(blocks)).strip()
        if key in own and body.count(_PLACE) != len(blocks):
            raise ValueError(f"translation of catalogue page {name}: `## {key}` needs {_PLACE} {len(blocks)} times")
        for block in blocks:
            body = body.replace(_PLACE, block, 1)
        if not body:
            raise ValueError(f"translation of catalogue page {name}: lacks {key}")
        pieces.append(f"## {key}\n\n{body}\n")
    return "\n".join(pieces)


def read_page(name: str, language: str = "en") -> Page | None:
    """A page taken apart into its sections; None if there is none.

    Raises:
        ValueError: the page does not have the catalogue's format.
    """
    text = catalogue_page(name, language)
    if text is None:
        return None
    facts, sections = _parts(name, text)
    missing = [key for key in ("What", "Why", "Wrong", "Right") if not sections.get(key, "").strip()]
    if missing or not facts.get("title"):
        raise ValueError(f"catalogue page {name}: lacks {', '.join(missing or ['title'])}")
    code = {key: "\n".join(re.findall(_CODE, sections[key], re.DOTALL | re.MULTILINE)) for key in ("Wrong", "Right")}
    if not all(code.values()):
        raise ValueError(f"catalogue page {name}: `## Wrong` and `## Right` need a block of Python each")
    return Page(name, facts["title"], facts.get("raised", "now"), sections["What"].strip(), sections["Why"].strip(),
                code["Wrong"], code["Right"], sections.get("More", "").strip())
