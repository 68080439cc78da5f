"""`perspicax explain`: the catalogue on a terminal, as Markdown in a pipe, or in the browser."""
from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from perspicax.diagnose.pages import catalogue_names, catalogue_page, read_page

__all__ = ["explain", "language_of", "main"]

LANGUAGES = ("en", "zh")
_HEADINGS = {"What": "发生了什么", "Why": "为什么", "Wrong": "错误的写法", "Right": "正确的写法", "More": "延伸阅读"}
_WORDS = {
    "en": {
        "all": "The catalogue of errors and findings",
        "untranslated": "",
        "unknown": "There is no page on `{wanted}`.",
        "near": " Near names: {names}.",
        "mentions": " Pages that speak of it: {names}.",
        "list": " `perspicax explain` lists all pages.",
        "no browser": "No browser was found. The page is in {path}",
        "opened": "The page is in {path}",
    },
    "zh": {
        "all": "错误和检测结果一览",
        "untranslated": "（此页还没有中文版，以下是英文。）",
        "unknown": "没有关于 `{wanted}` 的页面。",
        "near": "相近的名称：{names}。",
        "mentions": "提到它的页面：{names}。",
        "list": "`perspicax explain` 列出所有页面。",
        "no browser": "没有找到浏览器。页面存放在 {path}",
        "opened": "页面存放在 {path}",
    },
}
_WIDEST = 100  # cells: longer lines are hard to read


def main(arguments: Sequence[str]) -> int:
    """What `perspicax explain ARGUMENTS` does; returns the exit status."""
    parser = argparse.ArgumentParser(prog="perspicax explain", description="Read about an error, or a finding of a sanitizer.")
    parser.add_argument("name", nargs="?", help="the name of an error's class or of a finding; left out, all are listed")
    parser.add_argument("--lang", "--language", dest="language", choices=LANGUAGES,
                        help="the language of the page (by default that of the locale)")
    parser.add_argument("--open", action="store_true", help="show it in the browser; without a name, the whole catalogue")
    options = parser.parse_args(arguments)
    return explain(options.name, options.language, in_browser=options.open)


def language_of(environment: Mapping[str, str]) -> str:
    """The language of the locale that the environment sets: "zh", or else "en".

    The first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is not empty decides, as in POSIX (Base Definitions, 8.2).
    """
    locale = next((environment[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(key)), "")
    return "zh" if re.match(r"zh(?![a-z])", locale, re.IGNORECASE) else "en"


def explain(name: str | None = None, language: str | None = None, *, in_browser: bool = False) -> int:
    """Show the page of the catalogue on `name`, or a list of all pages.

    On a terminal the page is wrapped, coloured, and paged if it is longer than the screen; otherwise it is Markdown.

    Args:
        name: the name of an error's class or a finding, as tracebacks show it; neither a module in front of it nor small
            and capital letters matter.
        language: "en" or "zh"; by default that of the locale. What is not translated is shown in English.
        in_browser: write it to a file as HTML and open that; without a name, all pages in one file.

    Returns:
        0, or 1 if there is no such page; then near names are proposed, and pages that speak of what was written.
    """
    language = language or language_of(os.environ)
    if name is None:
        return _show_whole(language) if in_browser else _show_list(language)
    found = _find(name)
    if found is None:
        _write(_no_page(name, language) + "\n", sys.stderr)
        return 1
    page = _markdown(found, language)
    if in_browser:
        from perspicax.diagnose.render.page import page_html

        return _browse(page_html([(found, page)], language, found), f"{found}.html", language)
    _show(page, sys.stdout)
    return 0


# -- finding a page

def _wanted(name: str) -> str:
    return name.strip().rstrip(":").rpartition(".")[2]


def _find(name: str) -> str | None:
    names = {known.lower(): known for known in catalogue_names()}
    return names.get(_wanted(name).lower())


def _no_page(name: str, language: str) -> str:
    words = _WORDS[language]
    found = {"mentions": _mentioning(name.strip(), language), "near": _near(_wanted(name))}
    comma = "、" if language == "zh" else ", "
    proposals = [words[key].format(names=comma.join(names)) for key, names in found.items() if names]
    return words["unknown"].format(wanted=name.strip().rstrip(":")) + "".join(proposals) + words["list"]


def _mentioning(written: str, language: str) -> list[str]:
    """Pages in whose words something stands in backticks, such as a sanitizer's name or a function."""
    pages = ((name, read_page(name, language)) for name in catalogue_names())
    return [name for name, page in pages if page is not None and f"`{written}`" in f"{page.what} {page.why} {page.more}"][:5]


def _near(wanted: str) -> list[str]:
    """Names that may be meant, nearest first: misspelt ones, abbreviated ones, and those that hold what was written."""
    low = wanted.lower()
    scores = {known: _likeness(low, known.lower()) for known in catalogue_names()}
    return sorted((known for known, score in scores.items() if score > 0.7), key=lambda known: (-scores[known], known))[:5]


def _likeness(low: str, known: str) -> float:
    """From 0 to 1: how alike a name is to what was written, as a whole or, if that is longer, in its beginning."""
    if len(low) > 2 and low in known:
        return 1.0
    match = difflib.SequenceMatcher(None, b=low)  # which prepares `b` alone
    best = 0.0
    for candidate in (known, known[:len(low) + 1]):
        match.set_seq1(candidate)
        if match.quick_ratio() > best:
            best = max(best, match.ratio())
    return best


# -- making the text

def _markdown(name: str, language: str) -> str:
    """A page with its name and title as a heading in place of the facts for tools, and headings in the language."""
    text = catalogue_page(name, language) or ""
    body = text.removeprefix("---\n").partition("\n---\n")[2]
    note = ""
    if language != "en":
        if text == catalogue_page(name):
            note = f"\n{_WORDS[language]['untranslated']}\n"
        else:
            body = re.sub(r"^## (\w+)$", lambda found: f"## {_HEADINGS.get(found[1], found[1])}", body, flags=re.MULTILINE)
    return f"# {name}: {_title(name, language)}\n{note}{body}"


def _title(name: str, language: str) -> str:
    page = read_page(name, language)
    return "" if page is None else page.title


def _titles(language: str) -> list[tuple[str, str]]:
    """The names of all pages with their titles."""
    return [(name, _title(name, language)) for name in catalogue_names()]


# -- showing it

def _show_list(language: str) -> int:
    titles = _titles(language)
    width = max(len(name) for name, _ in titles)
    text = "".join(f"{name:<{width}}  {title}\n" for name, title in titles)
    if _is_terminal(sys.stdout):
        _page(text, sys.stdout)
    else:
        _write(text, sys.stdout)
    return 0


def _show(markdown: str, stream: TextIO) -> None:
    if not _is_terminal(stream):
        _write(markdown, stream)
        return
    import shutil  # it loads the compression modules

    from perspicax.diagnose.render.page import page_terminal
    from perspicax.diagnose.render.terminal import wants_colour

    width = min(max(shutil.get_terminal_size().columns, 40), _WIDEST)
    _page(page_terminal(markdown, width, colour=wants_colour(stream)), stream)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # a stand-in for a stream, or a closed one
        return False


def _write(text: str, stream: TextIO) -> None:
    """Write what the stream's encoding has; a terminal without Chinese letters shows marks in their place."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:  # `perspicax explain | head`; what Python would flush at its end has no reader, either
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _page(text: str, stream: TextIO) -> None:
    """Write a text through the user's pager if it does not fit the screen.

    The pager is `PAGER`, or else `less` or `more`. `less` gets the options that let colours through, unless `LESS` is set.
    """
    import shutil

    pager = os.environ.get("PAGER") or next((found for found in map(shutil.which, ("less", "more")) if found), "")
    fits = text.count("\n") < shutil.get_terminal_size().lines
    if fits or not pager or os.environ.get("TERM") == "dumb" or not _is_terminal(sys.stdin) or not _ran(pager, text):
        _write(text, stream)


def _ran(pager: str, text: str) -> bool:
    """Run a pager to its end; False if there is no such program."""
    import subprocess

    environment = {"LESS": "-R", "LESSCHARSET": "utf-8", **os.environ}
    process = subprocess.Popen(pager, shell=True, stdin=subprocess.PIPE, env=environment)
    given: bytes | None = text.encode()
    while process.returncode is None:
        try:
            process.communicate(given)
        except KeyboardInterrupt:  # Ctrl-C is for the pager, which has put the terminal in a state that it alone can mend
            given = None
    return process.returncode not in (126, 127)  # what a shell answers for a program that is not there, or will not start


def _show_whole(language: str) -> int:
    from perspicax.diagnose.render.page import page_html

    pages = [(name, _markdown(name, language)) for name in catalogue_names()]
    document = page_html(pages, language, _WORDS[language]["all"], contents=_titles(language))
    return _browse(document, "catalogue.html", language)


def _browse(document: str, filename: str, language: str) -> int:
    """Write a document to a file of its own and open it; say where it is, since not every browser can be started."""
    import tempfile
    import webbrowser
    from pathlib import Path

    path = Path(tempfile.mkdtemp(prefix="perspicax-")) / filename
    path.write_text(document, encoding="utf-8")
    opened = webbrowser.open(path.as_uri())
    _write(_WORDS[language]["opened" if opened else "no browser"].format(path=path) + "\n", sys.stdout)
    return 0
