"""Tree prefixes: one leaf that speaks for a whole subtree, as in `in_axes=({"w": 0, "b": None}, 0)`."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from perspicax.binding import pytree
from perspicax.binding.pytree import PyTreeDef
from perspicax.core.tree import IsLeaf, Leaf, Tree, tree_flatten, tree_structure
from perspicax.core.tree_errors import PrefixMismatchError
from perspicax.core.tree_failures import explain_prefix
from perspicax.diagnose.boundary import public

if TYPE_CHECKING:
    from perspicax.core.tree_mismatch import Mismatch

__all__ = ["broadcast_prefix", "flatten_axes", "prefix_errors", "tree_broadcast"]


@public
def tree_broadcast(prefix_tree: Tree, full_tree: Tree, is_leaf: IsLeaf = None) -> Tree:
    """Repeat the leaves of a tree prefix so that it gets the structure of the full tree.

    Args:
        prefix_tree: has the nodes of `full_tree` from the root on, but a leaf may stand for a whole subtree.
        full_tree: the tree whose structure the result has.
        is_leaf: what counts as a leaf of `prefix_tree`.

    Returns:
        A tree of the structure of `full_tree` with the leaves of `prefix_tree`.

    Raises:
        PyTreeMismatchError: `prefix_tree` is no prefix of `full_tree`.

    >>> tree_broadcast({"a": 1, "b": 2}, {"a": [0, 0], "b": 0})
    {'a': [1, 1], 'b': 2}
    """
    leaves = broadcast_prefix(prefix_tree, full_tree, is_leaf)
    return tree_structure(full_tree).unflatten(leaves)


def broadcast_prefix(prefix_tree: Tree, full_tree: Tree, is_leaf: IsLeaf = None) -> list[Leaf]:
    """The leaves of `tree_broadcast(prefix_tree, full_tree, is_leaf)`; arguments and errors as there."""
    leaves, treedef = tree_flatten(prefix_tree, is_leaf)
    if treedef == tree_structure(full_tree):
        return leaves
    try:
        subtrees = treedef.flatten_up_to(full_tree)
    except Exception as error:
        explain_prefix(error, prefix_tree, full_tree, is_leaf)
    result: list[Leaf] = []
    for leaf, subtree in zip(leaves, subtrees):
        result += [leaf] * len(pytree.flatten(subtree)[0])
    return result


def prefix_errors(prefix_tree: Tree, full_tree: Tree, is_leaf: IsLeaf = None) -> list[Mismatch]:
    """All places where `prefix_tree` (the actual side) is no prefix of `full_tree` (the expected one); none if it is.

    Args:
        prefix_tree: a tree, or a treedef.
        full_tree: a tree, or a treedef.
        is_leaf: what counts as a leaf of `prefix_tree`.
    """
    from perspicax.core.tree_mismatch import mismatches  # only a report needs it

    return mismatches(full_tree, prefix_tree, prefix="actual", is_leaf=is_leaf)


def _none(node: Any) -> bool:
    return node is None


def flatten_axes(
    name: str, treedef: PyTreeDef, axis_tree: Tree, *, full_name: str = "the value it is for", function: str = ""
) -> list[Leaf]:
    """One entry of `axis_tree` for each leaf of a structure, where `axis_tree` is a prefix of it.

    None is a leaf of `axis_tree`; where the structure itself has None, the entry there goes to no leaf.

    Args:
        name: what the user calls `axis_tree`, such as "in_axes".
        treedef: the structure whose leaves get an entry each.
        axis_tree: the prefix.
        full_name: what the user calls the value of that structure, such as "args".
        function: the function that the user called, such as "vmap".

    Returns:
        `treedef.num_leaves` entries.

    Raises:
        PrefixMismatchError: `axis_tree` is no prefix of the structure.
    """
    axes, prefix = tree_flatten(axis_tree, _none)
    if prefix.num_nodes == 1 and axes:
        return axes * treedef.num_leaves
    if prefix == treedef:
        return axes
    counts = list(_leaf_counts(prefix, treedef))
    if None in counts:
        raise PrefixMismatchError(
            function=function, mismatches=tuple(prefix_errors(axis_tree, treedef, _none)), prefix_name=name,
            full_name=full_name,
        )
    return [axis for axis, count in zip(axes, counts) for _ in range(count or 0)]


def _leaf_counts(prefix: Any, treedef: Any) -> Iterator[int | None]:
    """How many leaves of `treedef` each leaf of `prefix` stands for; None where their nodes differ.

    Treedefs are compared, not trees built from stand-ins for the leaves: a class may refuse those.
    """
    data = prefix.node_data()
    if data is None:
        yield treedef.num_leaves
        return
    children, others = prefix.children(), treedef.children()
    if data != treedef.node_data() or len(children) != len(others):
        yield None
        return
    for child, other in zip(children, others):
        yield from _leaf_counts(child, other)
