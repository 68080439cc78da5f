"""Where something stands in a pytree: key paths, and how they are written.

A key path is the tuple of keys that lead from the root to a place: `params['layers'][0].kernel` is the path
`(DictKey('layers'), SequenceKey(0), GetAttrKey('kernel'))` below the name `params`.
"""
from __future__ import annotations

import re
from typing import Any, TypeVar

from perspicax.binding import pytree
from perspicax.binding.pytree import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey
from perspicax.diagnose.place import Position

__all__ = [
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "KeyEntry", "KeyPath", "SequenceKey", "children_with_keys", "is_name",
    "keystr", "place", "registered_at",
]

KeyEntry = TypeVar("KeyEntry")
KeyPath = tuple[KeyEntry, ...]  # type: ignore[valid-type]  # JAX's own name for it, which programs import

# Where the user registered each class; None where no frame of his was running.
registered_at: dict[type, Position | None] = {}

_SIMPLE_EXPRESSION = re.compile(r"[^\W\d]\w*(\.\w+|\[[^\[\]]*\])*")


def keystr(keys: KeyPath, *, simple: bool = False, separator: str = "") -> str:
    """Write a key path as text.

    Args:
        keys: the path, as `tree_flatten_with_path` gives it; foreign key objects are written by `str`.
        simple: write bare keys (`encoder`, `0`) instead of subscripts and attributes (`['encoder']`, `[0]`).
        separator: what stands between two keys.

    Returns:
        The text; empty for the root.

    >>> [(path, _)] = tree_leaves_with_path({"a": [7]})
    >>> keystr(path), keystr(path, simple=True, separator="/")
    ("['a'][0]", 'a/0')
    """
    return separator.join([_bare(key) if simple else str(key) for key in keys])


def _bare(key: Any) -> str:
    match key:
        case DictKey() | FlattenedIndexKey():
            return str(key.key)
        case SequenceKey():
            return str(key.idx)
        case GetAttrKey():
            return key.name
        case _:
            return str(key)


def is_name(expression: str) -> bool:
    """Whether an expression is short and simple enough to stand for a tree in a sentence: `state.params["encoder"]`."""
    return len(expression) <= 40 and _SIMPLE_EXPRESSION.fullmatch(expression) is not None


def place(name: str, path: KeyPath) -> str:
    """The place at `path` of the tree called `name`, as the expression `params['Dense_0']['kernel']`.

    A child that has no key but its number (a node registered without keys) is written `<child 1>`.
    """
    return name + "".join([f"<child {key.key}>" if isinstance(key, FlattenedIndexKey) else str(key) for key in path])


def children_with_keys(node: Any) -> tuple[list[tuple[Any, Any]], Any] | None:
    """The (key, child) pairs of a pytree node and its metadata; None for a leaf."""
    found = pytree.flatten_one_level(node)
    if found is None:
        return None
    children, metadata = found
    if metadata is type(node) and hasattr(metadata, "_fields"):
        # jaxlib's own pairs for a namedtuple repeat the first field's name.
        return [(GetAttrKey(name), child) for name, child in zip(metadata._fields, children)], metadata
    pairs, metadata = pytree.flatten_one_level_with_keys(node)
    return list(pairs), metadata
