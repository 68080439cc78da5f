"""A page of the catalogue for reading: on a terminal, or in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape
from itertools import groupby
from typing import Literal, NamedTuple

from perspicax.diagnose.render.text import cells, cells_of

__all__ = ["fill", "page_html", "page_terminal", "unfold"]

_CODE_INDENT = "    "
_BOLD, _HEADING, _GREEN, _CYAN = "1", "1;36", "32", "36"
_CLOSING, _OPENING, _QUOTES = "，。；：、？！）》」』", "（《「『", "“”‘’…"  # English has the last ones, too
_NOT_FIRST, _NOT_LAST = _CLOSING + "”’…", _OPENING + "“‘"  # of a line
_ITEM = re.compile(r"[-*] |\d+\. ")
_ATOM = re.compile(r"(?:`[^`\n]*`|[^\s`]|`)")
_STYLE = ("body{max-width:46rem;margin:2rem auto;padding:0 1rem;line-height:1.6;font-family:system-ui,sans-serif}"
          "pre{padding:.8rem 1rem;overflow-x:auto;line-height:1.4}pre,code{background:#8881;border-radius:4px}"
          "code{padding:.1em .25em}pre code{padding:0;background:none}h2{margin-top:2rem}"
          "@media(prefers-color-scheme:dark){html{background:#161616;color:#ddd}a{color:#8ab4f8}}")


class _Block(NamedTuple):
    kind: Literal["title", "heading", "code", "item", "words"]
    text: str  # code keeps its lines; the others are one line


def _blocks(markdown: str) -> Iterator[_Block]:
    """The blocks of a page: the catalogue uses headings, blocks of Python, lists and paragraphs."""
    gathered: list[str] = []
    kind: Literal["item", "words"] = "words"
    code: list[str] | None = None

    def gathered_block() -> Iterator[_Block]:
        if gathered:
            yield _Block(kind, unfold("\n".join(gathered)))
        gathered.clear()

    for line in markdown.splitlines():
        if code is not None:
            if line.startswith("```"):
                yield _Block("code", "\n".join(code))
                code = None
            else:
                code.append(line)
            continue
        heading = re.match(r"(#+) (.*)", line)
        item = _ITEM.match(line)
        if heading or item or not line.strip() or line.startswith("```"):
            yield from gathered_block()
            kind = "words"
        if heading:
            yield _Block("title" if len(heading[1]) == 1 else "heading", heading[2])
        elif line.startswith("```"):
            code = []
        elif line.strip():
            if item:
                kind = "item"
                line = line[item.end():]
            gathered.append(line)
    yield from gathered_block()


def unfold(text: str) -> str:
    """Several lines as one: a line's end is a space between words, and nothing within Chinese."""
    first, *rest = [line.strip() for line in text.splitlines()] or [""]
    for line in rest:
        first += ("" if _joins(first[-1:], line[:1]) else " ") + line
    return first


def _joins(left: str, right: str) -> bool:
    if not left or not right:
        return True
    if left in _CLOSING + _OPENING or right in _CLOSING + _OPENING:
        return True
    return (_is_wide(left) or left in _QUOTES) and (_is_wide(right) or right in _QUOTES) and _is_wide(left + right)


def _is_wide(characters: str) -> bool:
    return any(cells_of(character) == 2 for character in characters)


def fill(text: str, width: int) -> list[str]:
    """Wrap one line to `width` cells: at spaces and between Chinese characters, never within backticks."""
    lines: list[str] = []
    current = ""
    for piece in _pieces(text):
        word = piece.lstrip(" ")
        if current and cells(current) + cells(piece) > width:
            lines.append(current)
            current = word
        else:
            current += piece if current else word
    return [*lines, current]


def _pieces(text: str) -> Iterator[str]:
    """What must stay together, each with the space before it."""
    current = ""
    before = ""
    for gap, atom in re.findall(rf"(\s*)({_ATOM.pattern})", text):
        breaks = bool(gap) or (_is_wide(before[-1:]) or _is_wide(atom))
        if current and breaks and before not in _NOT_LAST and atom not in _NOT_FIRST:
            yield current
            current = ""
        current += (" " if gap else "") + atom
        before = atom
    if current:
        yield current


def page_terminal(markdown: str, width: int, *, colour: bool) -> str:
    """A page wrapped to a terminal, with its headings and code in colour.

    Args:
        markdown: the page, with a heading in place of the facts in front.
        width: cells in a line; code is not wrapped.
        colour: with ANSI colours.
    """
    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text

    pieces: list[str] = []
    for kind, blocks in groupby(_blocks(markdown), key=lambda block: block.kind):
        for block in blocks:
            match kind:
                case "title" | "heading":
                    lines = [paint(line, _BOLD if kind == "title" else _HEADING) for line in fill(block.text, width)]
                case "code":
                    lines = [_CODE_INDENT + paint(line, _GREEN) if line else "" for line in block.text.splitlines()]
                case "item":
                    first, *rest = fill(block.text, width - 2)
                    lines = [_paint_code(line, paint) for line in [f"- {first}", *[f"  {line}" for line in rest]]]
                case _:
                    lines = [_paint_code(line, paint) for line in fill(block.text, width)]
            close = kind == "heading" or kind == "item"  # what follows stands below it without a gap
            pieces.append("\n".join(lines) + ("\n" if close else "\n\n"))
        if kind == "item":
            pieces.append("\n")
    return "".join(pieces).rstrip("\n") + "\n"


def _paint_code(line: str, paint: Callable[[str, str], str]) -> str:
    return re.sub(r"`[^`]*`", lambda found: paint(found[0], _CYAN), line)


def page_html(pages: list[tuple[str, str]], language: str, title: str, contents: list[tuple[str, str]] | None = None) -> str:
    """Pages as one HTML document that needs nothing else.

    Args:
        pages: name and Markdown of each; a name in backticks that is among them becomes a link.
        language: of the words, for the browser: "en", "zh".
        title: the document's.
        contents: names and titles, listed in front with links.
    """
    known = {name for name, _ in pages}
    body: list[str] = []
    if contents is not None:
        entries = "\n".join(f'<li><a href="#{name}"><code>{name}</code></a> {_inline(about, set())}</li>'
                            for name, about in contents)
        body.append(f"<h1>{escape(title)}</h1>\n<ul>\n{entries}\n</ul>")
    body += [f'<article id="{name}">\n{_html(markdown, known - {name})}\n</article>' for name, markdown in pages]
    tongue = {"zh": "zh-Hans"}.get(language, language)
    return (f'<!DOCTYPE html>\n<html lang="{tongue}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            + "\n<hr>\n".join(body) + "\n</body>\n</html>\n")


def _html(markdown: str, known: set[str]) -> str:
    pieces: list[str] = []
    for kind, blocks in groupby(_blocks(markdown), key=lambda block: block.kind):
        tag = {"title": "h1", "heading": "h2", "item": "li"}.get(kind, "p")
        inner = [f'<pre><code class="language-python">{escape(block.text)}</code></pre>' if kind == "code"
                 else f"<{tag}>{_inline(block.text, known)}</{tag}>" for block in blocks]
        pieces += [f"<ul>\n{chr(10).join(inner)}\n</ul>"] if kind == "item" else inner
    return "\n".join(pieces)


def _inline(text: str, known: set[str]) -> str:
    """The words of a block: what stands in backticks is code, and a page's name a link to it."""
    pieces = re.split(r"`([^`]*)`", text)
    for index in range(1, len(pieces), 2):
        code = f"<code>{escape(pieces[index])}</code>"
        pieces[index] = f'<a href="#{pieces[index]}">{code}</a>' if pieces[index] in known else code
    return "".join(escape(piece) if index % 2 == 0 else piece for index, piece in enumerate(pieces))
