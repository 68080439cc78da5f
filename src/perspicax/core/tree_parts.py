"""Single nodes of pytrees, and the parts of their structures."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from perspicax.binding import pytree
from perspicax.core.tree import IsLeaf, PyTreeDef, Tree, tree_leaves
from perspicax.core.tree_errors import NotANodeError
from perspicax.core.tree_failures import explain_flatten, not_treedef
from perspicax.core.tree_paths import children_with_keys
from perspicax.diagnose.boundary import public

__all__ = [
    "all_leaves", "flatten_one_level", "flatten_one_level_with_keys", "is_tree_node", "treedef_children",
    "treedef_is_leaf", "treedef_tuple",
]


@public
def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf = None) -> bool:
    """Whether every element of an iterable is a leaf.

    Args:
        iterable: the elements to look at.
        is_leaf: what counts as a leaf beside what the registry takes for one.

    Differs: `is_leaf` is asked about the elements only (JAX asks it about the list of them too).

    >>> all_leaves([1, "a"]), all_leaves([1, []])
    (True, False)
    """
    if is_leaf is None:
        return pytree.all_leaves(iterable)
    elements = list(iterable)
    leaves = tree_leaves(elements, lambda node: node is not elements and is_leaf(node))
    return len(leaves) == len(elements) and all(map(lambda a, b: a is b, leaves, elements))


@public
def is_tree_node(typ: type) -> bool:
    """Whether instances of a class are nodes of pytrees.

    >>> is_tree_node(dict), is_tree_node(int)
    (True, False)
    """
    return pytree.is_node(typ)


@public
def flatten_one_level(tree: Tree) -> tuple[Iterable[Any], Any]:
    """The children of a pytree node and its metadata.

    Raises:
        NotANodeError: `tree` is a leaf.

    >>> flatten_one_level({"b": 1, "a": [2]})
    (([2], 1), ('a', 'b'))
    """
    try:
        found = pytree.flatten_one_level(tree)
    except Exception as error:
        explain_flatten(error, tree)
    if found is None:
        raise NotANodeError(function="flatten_one_level", leaf=type(tree).__name__)
    return found


@public
def flatten_one_level_with_keys(tree: Tree) -> tuple[Iterable[tuple[Any, Any]], Any]:
    """The (key, child) pairs of a pytree node and its metadata.

    Raises:
        NotANodeError: `tree` is a leaf.

    Differs: each child of a namedtuple has its own field's key (JAX 0.10.2 repeats the first field's).

    >>> list(flatten_one_level_with_keys([7])[0])
    [(SequenceKey(idx=0), 7)]
    """
    try:
        found = children_with_keys(tree)
    except Exception as error:
        explain_flatten(error, tree, with_path=True)
    if found is None:
        raise NotANodeError(function="flatten_one_level_with_keys", leaf=type(tree).__name__)
    return found


@public
def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple whose entries have the given structures.

    >>> treedef_tuple([tree_structure(0), tree_structure([0, 0])])
    PyTreeDef((*, [*, *]))
    """
    entries = list(treedefs)
    for entry in entries:
        if not isinstance(entry, PyTreeDef):
            raise not_treedef("treedef_tuple", entry)
    return pytree.treedef_tuple(entries)


@public
def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the root's children; empty for a leaf.

    >>> treedef_children(tree_structure((0, [0])))
    [PyTreeDef(*), PyTreeDef([*])]
    """
    if not isinstance(treedef, PyTreeDef):
        raise not_treedef("treedef_children", treedef)
    return treedef.children()


@public
def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether a structure has no children: a leaf, None or an empty container.

    >>> treedef_is_leaf(tree_structure(1)), treedef_is_leaf(tree_structure([1]))
    (True, False)
    """
    if not isinstance(treedef, PyTreeDef):
        raise not_treedef("treedef_is_leaf", treedef)
    return treedef.num_nodes == 1
