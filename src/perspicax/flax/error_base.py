"""The base of Flax's errors, and the words that several of them use."""
from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix

__all__ = ["FlaxError", "TextlessError", "TraceContextError", "article", "entry", "lifted_by", "listed", "meant_fixes",
           "names_of", "near_fixes", "place_of", "shape_of", "short"]


class FlaxError(PerspicaxError):
    """Flax cannot go on.

    Libraries on top raise it, and subclasses of it, with a text: `FlaxError("no such layer")`.
    """


class TextlessError(FlaxError, no_page="a base: what is raised is one of its subclasses"):
    """An error that takes no text, as the class of the same name in Flax."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)


class TraceContextError(FlaxError):
    """A value or an object of one trace was used, or changed, in another.

    Attributes:
        message: what happened, in words.
    """

    message: str

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message=message, **facts)

    @property
    def report(self) -> Any:
        from perspicax.diagnose.report import Report

        return Report(says=self.message,
                      why="a transformation runs the function on placeholders; what they are stored in must belong to the "
                          "same run of the function")


_LIFTED = re.compile(r"\w+\((.*)\)")


def names_of(scope_path: str) -> list[str]:
    """The names on the way to a scope; those of transformations, as in `/vmap(Dense_0)`, are left out."""
    names = []
    for part in str(scope_path).split("/"):
        while (inside := _LIFTED.fullmatch(part)) is not None:
            part = inside[1]
        names.append(part)
    return [name for name in names if name]


def entry(scope_path: str, name: str = "", collection: str = "params") -> str:
    """Where a variable is in the tree of variables: `params['Dense_0']['kernel']`."""
    parts = names_of(scope_path) + ([name] if name else [])
    return collection + "".join(f"[{part!r}]" for part in parts)


def place_of(scope_path: str) -> str:
    """A scope's path as words: `"/"` is the top."""
    inner = "/".join(names_of(scope_path))
    return f"the module at `{inner}`" if inner else "the top module"


def lifted_by(scope_path: str) -> str:
    """The innermost lifted transformation on the way to a scope; empty if there is none."""
    found = re.findall(r"(\w+)\(", str(scope_path))
    return found[-1] if found else ""


def listed(names: Iterable[Any], most: int = 8) -> str:
    """Names in quotes, as a list: `'a', 'b' and 4 more`."""
    shown = [short(name) for name in names]
    rest = len(shown) - most
    return ", ".join(shown) if rest <= 0 else f"{', '.join(shown[:most])} and {rest} more"


def short(key: Any, most: int = 60) -> str:
    """A key as it stands in code; of a long one the beginning and the end."""
    text = repr(key)
    return text if len(text) <= most else f"{text[:most - 15]}...{text[-12:]}"


def near_fixes(wrong: str, known: Iterable[Any]) -> tuple[Fix, ...]:
    """A proposal for a name that looks like one that is there."""
    from difflib import get_close_matches  # only a printed error needs it

    near = get_close_matches(str(wrong), [name for name in known if isinstance(name, str)], 1)
    return (Fix(f"did you mean {near[0]!r}?"),) if near else ()


def meant_fixes(wanted: str, given: Iterable[Any]) -> tuple[Fix, ...]:
    """A proposal for a name that was passed and looks like the one that is wanted."""
    from difflib import get_close_matches  # only a printed error needs it

    near = get_close_matches(wanted, [name for name in given if isinstance(name, str)], 1)
    return (Fix(f"{near[0]!r} was passed: did you mean {wanted!r}?"),) if near else ()


def article(value: Any) -> str:
    """The class of a value, with its article; an array by its type."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array {value.dtype}{shape_of(value.shape).replace(' ', '')}"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def shape_of(shape: Any) -> str:
    """A shape as reports show it: `[8, 32]`."""
    try:
        return f"[{', '.join(str(n) for n in shape)}]"
    except TypeError:  # whoever raised the error gave something else
        return str(shape)
