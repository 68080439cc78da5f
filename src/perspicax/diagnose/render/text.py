"""Measuring and wrapping text: everything is counted in terminal cells.

A wide character takes two cells, a combining mark none, and a tab goes to the next stop.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

__all__ = ["Line", "Piece", "Role", "cells", "cells_of", "ordinal", "plural", "wrap"]

Role = Literal["", "name", "says", "arrow", "gutter", "code", "caret", "label", "key", "fix", "quiet"]


class Piece(NamedTuple):
    """A stretch of one line in one role; the terminal gives a role its colour."""

    text: str
    role: Role = ""


Line = tuple[Piece, ...]


def ordinal(index: int) -> str:
    """The place of item `index` (from 0) in words: "1st", "2nd", "11th"."""
    number = index + 1
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def plural(count: int, noun: str, many: str = "") -> str:
    """A count with its noun: "1 axis", "2 axes" (`many` for plurals that do not end in s)."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    if text.isascii():
        return len(text)
    return sum(cells_of(character) for character in text)


def cells_of(character: str) -> int:
    """How many terminal cells one character takes."""
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


_WORD = re.compile(r"(?:`[^`]*`|[^\s`]+|`)+")


def wrap(text: str, width: int, first: int = 0) -> list[str]:
    """Wrap each line of `text` to `width` cells, never inside backticks; an indented line is kept as it is.

    Args:
        text: one or several lines.
        width: cells available in a line.
        first: cells already taken in the first line.
    """
    lines: list[str] = []
    for number, paragraph in enumerate(text.split("\n")):
        lines += [paragraph] if paragraph[:1].isspace() else _wrap_line(paragraph, width, 0 if number else first)
    return lines


def _wrap_line(text: str, width: int, taken: int) -> list[str]:
    current = ""
    lines: list[str] = []
    for word in _WORD.findall(text):
        room = width - (0 if lines else taken)
        if current and cells(current) + 1 + cells(word) > room:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    return [*lines, current]
