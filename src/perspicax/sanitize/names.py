"""The names of the sanitizers, and how a choice of them is written: `"keys,bounds"`, `"all"`, `"none"`, `"all,error"`."""
from __future__ import annotations

from perspicax.core.option import near_names
from perspicax.sanitize.errors import SanitizerNameError

NAMES = ("keys", "leaks", "bounds", "updates", "nans", "recompiles", "precision", "constants", "broadcast")
CHEAP = ("keys", "updates", "constants", "recompiles")
"""What `perspicax run` turns on by itself: these cost next to nothing."""
ERROR = "error"

_parsed: dict[str, frozenset[str]] = {}


def parse(text: str) -> frozenset[str]:
    """The sanitizers that a text names, and `"error"` if findings are to be raised.

    Args:
        text: names with commas between; `all`, `none` and `default` (what `perspicax run` turns on by itself) stand for
            several; `error` makes findings errors.

    Raises:
        SanitizerNameError: there is no sanitizer of that name.
    """
    found = _parsed.get(text)
    if found is None:
        found = _parsed[text] = _parse(text)
    return found


def _parse(text: str) -> frozenset[str]:
    chosen: set[str] = set()
    for word in [w.strip() for w in text.split(",")]:
        match word:
            case "all":
                chosen.update(NAMES)
            case "default":
                chosen.update(CHEAP)
            case "none" | "":
                pass
            case _ if word in NAMES or word == ERROR:
                chosen.add(word)
            case _:
                known = (*NAMES, "all", "none", "default", ERROR)
                raise SanitizerNameError(name=word, near=tuple(near_names(word, known, 2)))
    return frozenset(chosen)


__all__ = ["CHEAP", "ERROR", "NAMES", "parse"]
