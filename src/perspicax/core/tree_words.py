"""How nodes, leaves and keys are put into words."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["keys_words", "leaf_words", "listed", "short", "similar_names", "static_fields", "type_words"]

# The names of the static fields of each registered dataclass, in the order in which its metadata holds them.
static_fields: dict[type, tuple[str, ...]] = {}


def keys_words(keys: Sequence[Any]) -> str:
    """Keys in words: "the key 'a'", "the keys 'a', 'b'"."""
    return ("the key " if len(keys) == 1 else "the keys ") + listed(keys)


def listed(keys: Sequence[Any], most: int = 8) -> str:
    """Keys one after the other, at most `most` of them."""
    shown = [short(key) for key in keys[:most]]
    if len(keys) > most:
        shown.append(f"… ({len(keys)} in all)")
    return ", ".join(shown)


def type_words(kind: type | None, other: type | None = None) -> str:
    """The name of a node's type, with its module if it must be told apart from `other` of the same name."""
    if kind is None:
        return "leaf"
    if other is not None and other.__name__ == kind.__name__:
        return f"{kind.__module__}.{kind.__qualname__}"
    return kind.__name__


def leaf_words(leaf: Any) -> str:
    """A leaf in words: of an array (or of a traced value, whose own repr says nothing to the user) its type."""
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        return f"a leaf ({dtype}[{', '.join(map(str, shape))}])"
    if isinstance(leaf, bool | int | float | complex | str):
        return f"the leaf {short(leaf)}"
    return f"a leaf ({type(leaf).__name__})"


def short(value: Any, most: int = 60) -> str:
    """`repr(value)`, cut in the middle; a repr that fails is replaced by the type's name."""
    try:
        text = repr(value)
    except Exception:  # user code: a report must not fail because a value cannot be shown
        return f"<{type(value).__name__}>"
    return text if len(text) <= most else text[: most // 2] + "…" + text[-most // 2 :]


def similar_names(extra: tuple[Any, ...], missing: tuple[Any, ...]) -> tuple[tuple[Any, Any], ...]:
    """Pair extra names with missing ones of nearly the same spelling, each at most once."""
    from difflib import get_close_matches  # only for a report

    left = [key for key in missing if isinstance(key, str)]
    pairs = []
    for key in extra:
        near = get_close_matches(key, left, n=1, cutoff=0.75) if isinstance(key, str) else []
        if near:
            pairs.append((key, near[0]))
            left.remove(near[0])
    return tuple(pairs)
