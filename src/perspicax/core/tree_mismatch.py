"""Where two pytrees differ: every place at once, each by its path.

`mismatches` compares two structures and gives typed values; a `sentence` puts one of them into words for two trees
with given names. One side may be a prefix, whose leaves stand for any subtree. Only reports need this file: it is
imported where one is made.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from perspicax.binding.pytree import DictKey, FlattenedIndexKey, GetAttrKey, PyTreeDef, SequenceKey
from perspicax.core.tree_paths import KeyPath, children_with_keys, place
from perspicax.core.tree_words import keys_words, leaf_words, listed, short, similar_names, static_fields, type_words

__all__ = [
    "KeyOrderDiffers", "KeysDiffer", "LeafForNode", "LengthDiffers", "MetadataDiffers", "Mismatch", "NodeForLeaf",
    "NodeTypeDiffers", "Side", "explain_mismatch", "mismatches", "sentence",
]

Side = Literal["expected", "actual"]


@dataclass(frozen=True, slots=True)
class KeysDiffer:
    """Two dict-like nodes, or two instances of one class, have not the same keys.

    Attributes:
        path: where the nodes stand.
        missing: keys that only the expected node has.
        extra: keys that only the actual node has.
        similar: pairs (extra key, missing key) that look like one name in two spellings.
    """

    path: KeyPath
    missing: tuple[Any, ...]
    extra: tuple[Any, ...]
    similar: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class KeyOrderDiffers:
    """Two nodes that keep the order of their keys (OrderedDict) have the same keys in another order."""

    path: KeyPath
    expected: tuple[Any, ...]
    actual: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LengthDiffers:
    """Two nodes of the type `node` have not the same number of children."""

    path: KeyPath
    node: str
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class NodeTypeDiffers:
    """Two nodes are of different types; `expected` and `actual` describe them, `kind` names the expected type."""

    path: KeyPath
    kind: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class LeafForNode:
    """A leaf stands where a node was expected; `expected` and `actual` describe them."""

    path: KeyPath
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class NodeForLeaf:
    """A node stands where a leaf was expected; `expected` and `actual` describe them."""

    path: KeyPath
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class MetadataDiffers:
    """Two nodes of the type `node` have different static data; `field` names what differs, if it has a name."""

    path: KeyPath
    node: str
    field: str | None
    expected: str
    actual: str


Mismatch = KeysDiffer | KeyOrderDiffers | LengthDiffers | NodeTypeDiffers | LeafForNode | NodeForLeaf | MetadataDiffers


def sentence(mismatch: Mismatch, expected_name: str, actual_name: str) -> str:
    """One mismatch in words, for trees called `expected_name` and `actual_name`."""
    there = f"`{place(expected_name, mismatch.path)}`"
    here = f"`{place(actual_name, mismatch.path)}`"
    match mismatch:
        case KeysDiffer():
            return _keys_sentence(mismatch, there, here)
        case KeyOrderDiffers(expected=expected, actual=actual):
            return f"{here} has its keys in the order {listed(actual)}, but {there} in the order {listed(expected)}"
        case LengthDiffers(node=node, expected=expected, actual=actual):
            return f"{here} is a {node} of length {actual}, but {there} is one of length {expected}"
        case NodeTypeDiffers(expected=expected, actual=actual) | LeafForNode(expected=expected, actual=actual):
            return f"{here} is {actual}, but {there} is {expected}"
        case NodeForLeaf(expected=expected, actual=actual):
            return f"{here} is {actual}, but {there} is {expected}"
        case MetadataDiffers(node=node, field=None, expected=expected, actual=actual):
            return f"{here} is a {node} with the static data {actual}, but {there} has {expected}"
        case MetadataDiffers(field=field, expected=expected, actual=actual):
            return f"{here} has the static field {field} = {actual}, but {there} has {field} = {expected}"
        case _:
            assert_never(mismatch)


def _keys_sentence(mismatch: KeysDiffer, there: str, here: str) -> str:
    renamed = dict(mismatch.similar)
    missing = [key for key in mismatch.missing if key not in renamed.values()]
    extra = [key for key in mismatch.extra if key not in renamed]
    parts = [f"{actual!r} where {there} has {expected!r}" for actual, expected in mismatch.similar]
    if extra:
        parts.append(f"{keys_words(extra)}, which {there} lacks")
    says = f"{here} has {', and '.join(parts)}" if parts else ""
    if not missing:
        return says
    lacks = f"lacks {keys_words(missing)}, which {there} has"
    return f"{says}; it {lacks}" if says else f"{here} {lacks}"


def explain_mismatch(
    expected: Any,
    actual: Any,
    expected_name: str,
    actual_name: str,
    why_expected: str = "",
    *,
    prefix: Side | None = None,
    is_leaf: Callable[[Any], bool] | None = None,
) -> list[str]:
    """All places where two structures differ, one sentence each.

    Args:
        expected: a tree, or a treedef.
        actual: a tree, or a treedef.
        expected_name: what the user calls the expected tree, or an expression for it.
        actual_name: what the user calls the actual tree.
        why_expected: where the expectation comes from ("from the carry's first value"); ends the first sentence.
        prefix: the side that is a prefix of the other: its leaves stand for any subtree there.
        is_leaf: what counts as a leaf of the prefix, or of `expected` if there is none; not applied to a treedef.

    Returns:
        Sentences without a full stop; none where the structures agree.
    """
    said = [sentence(found, expected_name, actual_name) for found in mismatches(expected, actual, prefix, is_leaf)]
    if said and why_expected:
        said[0] += f" ({why_expected})"
    return said


def mismatches(
    expected: Any, actual: Any, prefix: Side | None = None, is_leaf: Callable[[Any], bool] | None = None
) -> list[Mismatch]:
    """All places where two structures differ, in the order of their paths.

    Args:
        expected: a tree, or a treedef.
        actual: a tree, or a treedef.
        prefix: the side that is a prefix of the other: its leaves stand for any subtree there.
        is_leaf: what counts as a leaf of the prefix, or of `expected` if there is none; not applied to a treedef.
    """
    left = _node(expected, None if prefix == "actual" else is_leaf)
    right = _node(actual, is_leaf if prefix == "actual" else None)
    return list(_compare((), left, right, prefix))


@dataclass(frozen=True, slots=True)
class _Node:
    """One place of a structure. `kind` is None for a leaf; `children` makes the nodes below on demand."""

    kind: type | None
    metadata: Any
    keys: tuple[Any, ...]
    children: Callable[[], list[_Node]]
    leaf: str


def _node(tree: Any, is_leaf: Callable[[Any], bool] | None) -> _Node:
    return _node_of_treedef(tree) if isinstance(tree, PyTreeDef) else _node_of_tree(tree, is_leaf)


def _node_of_tree(tree: Any, is_leaf: Callable[[Any], bool] | None) -> _Node:
    found = None if is_leaf is not None and is_leaf(tree) else children_with_keys(tree)
    if found is None:
        return _Node(None, None, (), list, leaf_words(tree))
    pairs, metadata = found
    values = [child for _, child in pairs]
    # A list's metadata is None in a treedef as well; a dict's is its sorted keys, which the treedef keeps as a list.
    metadata = tuple(metadata) if type(tree) is dict else metadata
    return _Node(
        type(tree), metadata, tuple(key for key, _ in pairs), lambda: [_node_of_tree(v, is_leaf) for v in values], ""
    )


def _node_of_treedef(treedef: Any) -> _Node:
    data = treedef.node_data()
    if data is None:
        return _Node(None, None, (), list, "a leaf")
    kind, metadata = data
    children = treedef.children()
    if hasattr(kind, "_fields") and issubclass(kind, tuple) and metadata is None:
        metadata = kind
    metadata = tuple(metadata) if kind is dict else metadata
    keys = _keys_of_treedef(treedef, kind, metadata, len(children))
    return _Node(kind, metadata, keys, lambda: [_node_of_treedef(child) for child in children], "")


def _keys_of_treedef(treedef: Any, kind: type, metadata: Any, count: int) -> tuple[Any, ...]:
    if kind is dict:
        return tuple(map(DictKey, metadata))
    if kind in (list, tuple):
        return tuple(map(SequenceKey, range(count)))
    if metadata is kind:
        return tuple(map(GetAttrKey, kind._fields))  # type: ignore[attr-defined]
    try:
        pairs, _ = children_with_keys(treedef.unflatten([_PLACEHOLDER] * treedef.num_leaves))  # type: ignore[misc]
    except Exception:  # user code, which may refuse to build an instance from placeholders: number the children then
        return tuple(map(FlattenedIndexKey, range(count)))
    keys = tuple(key for key, _ in pairs)
    return keys if len(keys) == count else tuple(map(FlattenedIndexKey, range(count)))


_PLACEHOLDER = object()


def _compare(path: KeyPath, expected: _Node, actual: _Node, prefix: Side | None) -> Iterator[Mismatch]:
    if expected.kind is None:
        if actual.kind is not None and prefix != "expected":
            yield NodeForLeaf(path, expected.leaf, _node_words(actual, None))
        return
    if actual.kind is None:
        if prefix != "actual":
            yield LeafForNode(path, _node_words(expected, None), actual.leaf)
        return
    if actual.kind is not expected.kind:
        kind = type_words(expected.kind, actual.kind)
        yield NodeTypeDiffers(path, kind, _node_words(expected, actual.kind), _node_words(actual, expected.kind))
        return
    there_keys, here_keys = _aligned_keys(expected.keys, actual.keys)
    found = _compare_keys(path, expected.kind, there_keys, here_keys)
    if isinstance(found, LengthDiffers):
        yield found  # which entries correspond is not known: comparing the first ones would show one shift many times
        return
    if found is not None:
        yield found
    elif not _same(expected.metadata, actual.metadata):
        yield from _compare_metadata(path, expected, actual)
    children = list(zip(there_keys, expected.children(), actual.children()))
    if found is not None:
        below = dict(zip(here_keys, actual.children()))
        children = [(key, there, below[key]) for key, there in zip(there_keys, expected.children()) if key in below]
    for key, there, here in children:
        yield from _compare((*path, key), there, here, prefix)


def _aligned_keys(there: tuple[Any, ...], here: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The children's keys on both sides, with the names of the other side for children that are only numbered."""
    if len(there) == len(here):
        if _numbered(there):
            return here, here
        if _numbered(here):
            return there, there
    return there, here


def _numbered(keys: tuple[Any, ...]) -> bool:
    return all(isinstance(key, FlattenedIndexKey) for key in keys)


def _compare_keys(path: KeyPath, kind: type, there: tuple[Any, ...], here: tuple[Any, ...]) -> Mismatch | None:
    if _counted(there) or _counted(here):
        return None if len(there) == len(here) else LengthDiffers(path, type_words(kind), len(there), len(here))
    missing = tuple(_bare_key(key) for key in there if key not in set(here))
    extra = tuple(_bare_key(key) for key in here if key not in set(there))
    if missing or extra:
        return KeysDiffer(path, missing, extra, similar_names(extra, missing))
    if there != here:
        return KeyOrderDiffers(path, tuple(map(_bare_key, there)), tuple(map(_bare_key, here)))
    return None


def _counted(keys: tuple[Any, ...]) -> bool:
    """Whether children correspond by their number, and not by their key: then the keys tell nothing, or not enough."""
    if all(isinstance(key, SequenceKey | FlattenedIndexKey) for key in keys):
        return bool(keys)
    try:
        return len(set(keys)) < len(keys)
    except TypeError:  # a class may use keys of its own that cannot be hashed
        return True


def _compare_metadata(path: KeyPath, expected: _Node, actual: _Node) -> Iterator[Mismatch]:
    name = type_words(expected.kind)
    fields = static_fields.get(expected.kind) if expected.kind is not None else None
    if fields is None:
        yield MetadataDiffers(path, name, None, short(expected.metadata), short(actual.metadata))
        return
    for field, there, here in zip(fields, expected.metadata, actual.metadata):
        if not _same(there, here):
            yield MetadataDiffers(path, name, field, short(there), short(here))


def _same(a: Any, b: Any) -> bool:
    """Whether two pieces of metadata are equal; those whose comparison fails or has no single answer are not."""
    if a is b:
        return True
    try:
        return bool(a == b)
    except Exception:  # user code: an array as metadata compares by element, for instance
        return False


def _bare_key(key: Any) -> Any:
    match key:
        case DictKey() | FlattenedIndexKey():
            return key.key
        case SequenceKey():
            return key.idx
        case GetAttrKey():
            return key.name
        case _:
            return key


def _node_words(node: _Node, other: type | None) -> str:
    """A node in words; `other` is the type that it is told apart from."""
    kind = node.kind
    if kind is type(None):
        return "None"
    name = type_words(kind, other)
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    if not node.keys:
        return f"an empty {name}" if kind in (list, tuple, dict) else f"{article} {name} without children"
    if all(isinstance(key, SequenceKey) for key in node.keys):
        return f"{article} {name} of length {len(node.keys)}"
    if all(isinstance(key, DictKey) for key in node.keys):
        return f"{article} {name} with {keys_words([key.key for key in node.keys])}"
    return f"{article} {name}"
