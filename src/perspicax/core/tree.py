"""Pytrees: nested containers of leaves, taken apart and put together again.

The work is done by jaxlib's C++ registry; what stands here adds the meaning of each public function and, when
something fails, finds out what it was (`tree_errors`). Nothing is examined while all goes well.
"""
from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from perspicax.binding import pytree
from perspicax.binding.pytree import PyTreeDef
from perspicax.core.tree_errors import EmptyTreeError
from perspicax.core.tree_failures import (
    explain_flatten,
    explain_map,
    explain_mismatched,
    explain_transpose,
    explain_unflatten,
    not_treedef,
)
from perspicax.core.tree_nodes import Partial  # beside it, OrderedDict and defaultdict become nodes there
from perspicax.core.tree_paths import KeyPath
from perspicax.diagnose.boundary import public, trim
from perspicax.diagnose.watched import results_watched

__all__ = [
    "IsLeaf", "Leaf", "Partial", "PyTreeDef", "Tree", "Unspecified", "tree_all", "tree_flatten",
    "tree_flatten_with_path", "tree_leaves", "tree_leaves_with_path", "tree_map", "tree_map_with_path", "tree_reduce",
    "tree_reduce_associative", "tree_structure", "tree_transpose", "tree_unflatten",
]

T = TypeVar("T")
Tree = Any
Leaf = Any
IsLeaf = Callable[[Any], bool] | None

_flatten = pytree.flatten
_flatten_with_path = pytree.flatten_with_path


class Unspecified:
    """The type of the default of an argument for which None is a value like any other."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "unspecified"


_UNSPECIFIED = Unspecified()


def tree_flatten(tree: Tree, is_leaf: IsLeaf = None) -> tuple[list[Leaf], PyTreeDef]:
    """Take a pytree apart into its leaves and its structure.

    Args:
        tree: any object; tuples, lists, dicts, namedtuples, None and registered classes are nodes, all else is a leaf.
            None is a node without children. The entries of a dict are taken in the order of its sorted keys.
        is_leaf: called with each node before its children are visited; where it returns True, the node is a leaf.

    Returns:
        The leaves from left to right, and the treedef with which `tree_unflatten` builds the tree again.

    Raises:
        UnsortableKeysError: the keys of a dict cannot be sorted.
        NodeFlattenError: the function registered to flatten a class returned something else than (children, metadata).
        LeafPredicateError: `is_leaf` returned something else than a bool.
        TreeDepthError: the tree contains itself, or is nested deeper than Python's recursion limit.

    >>> tree_flatten({"b": 1, "a": (2, None)})
    ([2, 1], PyTreeDef({'a': (*, None), 'b': *}))
    """
    try:
        return _flatten(tree, is_leaf)
    except Exception as error:
        try:
            explain_flatten(error, tree, is_leaf)
        except Exception as shown:
            trim(shown)
            raise


def tree_leaves(tree: Tree, is_leaf: IsLeaf = None) -> list[Leaf]:
    """The leaves of a pytree, from left to right; arguments and errors as for `tree_flatten`.

    >>> tree_leaves({"b": 1, "a": (2, None)})
    [2, 1]
    """
    try:
        return _flatten(tree, is_leaf)[0]
    except Exception as error:
        try:
            explain_flatten(error, tree, is_leaf)
        except Exception as shown:
            trim(shown)
            raise


def tree_structure(tree: Tree, is_leaf: IsLeaf = None) -> PyTreeDef:
    """The structure of a pytree without its leaves; arguments and errors as for `tree_flatten`.

    >>> tree_structure([1, {"a": 2}])
    PyTreeDef([*, {'a': *}])
    """
    try:
        return _flatten(tree, is_leaf)[1]
    except Exception as error:
        try:
            explain_flatten(error, tree, is_leaf)
        except Exception as shown:
            trim(shown)
            raise


def tree_unflatten(treedef: PyTreeDef, leaves: Iterable[Leaf]) -> Tree:
    """Build a pytree from its structure and its leaves.

    Args:
        treedef: the structure, from `tree_flatten` or `tree_structure`.
        leaves: as many leaves as the structure has, from left to right.

    Returns:
        The tree.

    Raises:
        LeafCountError: there are more or fewer leaves than the structure has.
        NotATreeDefError: `treedef` is no treedef; often the two arguments were swapped.

    >>> tree_unflatten(tree_structure({"a": 0, "b": [0]}), [1, 2])
    {'a': 1, 'b': [2]}
    """
    counted = type(leaves) is list or type(leaves) is tuple
    try:
        if not counted:  # they may have no end; one leaf more shows that there are too many
            leaves = list(itertools.islice(leaves, treedef.num_leaves + 1))
        return treedef.unflatten(leaves)
    except Exception as error:
        try:
            explain_unflatten(error, treedef, leaves, counted)
        except Exception as shown:
            trim(shown)
            raise


def tree_map(f: Callable[..., Any], tree: Tree, *rest: Tree, is_leaf: IsLeaf = None) -> Tree:
    """Apply a function to each leaf of a pytree, or to the corresponding leaves of several.

    Args:
        f: called with one leaf of `tree` and the corresponding subtree of each tree in `rest`.
        tree: the tree whose structure the result has.
        rest: trees with the same nodes as `tree` down to its leaves; where it has a leaf, they may have any subtree.
        is_leaf: what counts as a leaf of `tree`, as for `tree_flatten`.

    Returns:
        A tree of the structure of `tree` that holds the results of `f`.

    Raises:
        PyTreeMismatchError: a tree in `rest` has other nodes than `tree`; it lists every place where they differ.

    >>> tree_map(lambda x, y: x + y, {"a": 1, "b": 2}, {"a": 10, "b": 20})
    {'a': 11, 'b': 22}
    """
    treedef: PyTreeDef | None = None
    columns: list[list[Any]] | None = None
    try:
        leaves, treedef = _flatten(tree, is_leaf)
        if not rest:
            mapped = treedef.unflatten(map(f, leaves))
        else:
            columns = [*map(treedef.flatten_up_to, rest)]
            mapped = treedef.unflatten(map(f, leaves, *columns))
        if results_watched:
            results_watched[0](mapped, "tree.map", (tree, *rest))
        return mapped
    except Exception as error:
        try:
            explain_map("tree_map", error, f, tree, rest, is_leaf, treedef, columns)
        except Exception as shown:
            trim(shown)
            raise


@public
def tree_flatten_with_path(
    tree: Tree, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[KeyPath, Leaf]], PyTreeDef]:
    """Take a pytree apart as `tree_flatten` does, each leaf together with its key path.

    Args:
        tree: any object.
        is_leaf: what counts as a leaf, as for `tree_flatten`.
        is_leaf_takes_path: call `is_leaf(path, node)` instead of `is_leaf(node)`.

    Returns:
        The pairs (key path, leaf) from left to right, and the treedef.

    Raises:
        The errors of `tree_flatten`.

    >>> tree_flatten_with_path({"a": [5]})
    ([((DictKey(key='a'), SequenceKey(idx=0)), 5)], PyTreeDef({'a': [*]}))
    """
    if is_leaf is None or is_leaf_takes_path:
        predicate = is_leaf
    else:
        predicate = lambda path, node: is_leaf(node)
    try:
        return _flatten_with_path(tree, predicate)
    except Exception as error:
        explain_flatten(error, tree, predicate, with_path=True)


@public
def tree_leaves_with_path(
    tree: Tree, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> list[tuple[KeyPath, Leaf]]:
    """The pairs (key path, leaf) of a pytree; arguments and errors as for `tree_flatten_with_path`.

    >>> [(keystr(path), leaf) for path, leaf in tree_leaves_with_path({"a": [5, 6]})]
    [("['a'][0]", 5), ("['a'][1]", 6)]
    """
    return tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


@public
def tree_map_with_path(
    f: Callable[..., Any],
    tree: Tree,
    *rest: Tree,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> Tree:
    """Apply a function to the key path and the value of each leaf; otherwise as `tree_map`.

    Args:
        f: called with the key path, one leaf of `tree` and the corresponding subtree of each tree in `rest`.
        tree: the tree whose structure the result has.
        rest: trees with the same nodes as `tree` down to its leaves.
        is_leaf: what counts as a leaf of `tree`.
        is_leaf_takes_path: call `is_leaf(path, node)` instead of `is_leaf(node)`.

    Returns:
        A tree of the structure of `tree` that holds the results of `f`.

    Raises:
        PyTreeMismatchError: a tree in `rest` has other nodes than `tree`.

    >>> tree_map_with_path(lambda path, x: keystr(path) + "=" + str(x), {"a": [5]})
    {'a': ["['a'][0]=5"]}
    """
    pairs, treedef = tree_flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    paths, leaves = zip(*pairs) if pairs else ((), ())
    columns: list[list[Any]] | None = None
    try:
        columns = [*map(treedef.flatten_up_to, rest)]
        return treedef.unflatten(map(f, paths, leaves, *columns))
    except Exception as error:
        # A predicate that takes paths has done its work: the treedef knows what it took for leaves.
        expected, predicate = (treedef, None) if is_leaf_takes_path else (tree, is_leaf)
        explain_map("tree_map_with_path", error, f, expected, rest, predicate, treedef, columns)


@public
def tree_transpose(outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: Tree) -> Tree:
    """Turn a tree of trees inside out.

    Args:
        outer_treedef: the structure of the outer tree.
        inner_treedef: the structure at each of the outer tree's leaves; None takes it from the first of them.
        pytree_to_transpose: the tree; its number of leaves decides whether it fits.

    Returns:
        A tree of the inner structure, at each of whose leaves stands a tree of the outer structure.

    Raises:
        PyTreeMismatchError: the tree does not have as many leaves as the two structures have together.

    >>> tree_transpose(tree_structure([0, 0]), tree_structure({"a": 0}), [{"a": 1}, {"a": 2}])
    {'a': [1, 2]}
    """
    if not isinstance(outer_treedef, PyTreeDef):
        raise not_treedef("tree_transpose", outer_treedef)
    leaves, treedef = tree_flatten(pytree_to_transpose)
    if inner_treedef is None:
        inner_treedef = _first_inner_treedef(outer_treedef, pytree_to_transpose)
    elif not isinstance(inner_treedef, PyTreeDef):
        raise not_treedef("tree_transpose", inner_treedef)
    width = inner_treedef.num_leaves
    if treedef.num_leaves != outer_treedef.num_leaves * width:
        explain_transpose(outer_treedef, inner_treedef, pytree_to_transpose)
    return inner_treedef.unflatten([outer_treedef.unflatten(leaves[i::width]) for i in range(width)])


def _first_inner_treedef(outer_treedef: PyTreeDef, tree: Tree) -> PyTreeDef:
    try:
        subtrees = outer_treedef.flatten_up_to(tree)
    except Exception as error:
        explain_mismatched("tree_transpose", error, outer_treedef, (tree,))
    if not subtrees:
        raise EmptyTreeError(function="tree_transpose", needs="inner_treedef")
    return tree_structure(subtrees[0])


@public
def tree_all(tree: Tree, *, is_leaf: IsLeaf = None) -> bool:
    """Whether all leaves of a pytree are true; True for a tree without leaves.

    >>> tree_all({"a": True, "b": [1, 0]})
    False
    """
    return all(tree_leaves(tree, is_leaf))


@overload
def tree_reduce(function: Callable[[T, Any], T], tree: Tree, initializer: T, is_leaf: IsLeaf = None) -> T: ...
@overload
def tree_reduce(
    function: Callable[[T, Any], T], tree: Tree, initializer: Unspecified = _UNSPECIFIED, is_leaf: IsLeaf = None
) -> T: ...
@public
def tree_reduce(
    function: Callable[[T, Any], T], tree: Tree, initializer: Any = _UNSPECIFIED, is_leaf: IsLeaf = None
) -> Any:
    """Combine the leaves of a pytree from left to right: `function(function(leaf0, leaf1), leaf2)`.

    Args:
        function: takes what was combined so far, and the next leaf.
        tree: any pytree.
        initializer: stands before the first leaf, and is the result for a tree without leaves.
        is_leaf: what counts as a leaf, as for `tree_flatten`.

    Returns:
        What the last call of `function` returned.

    Raises:
        EmptyTreeError: the tree has no leaves and there is no `initializer`.

    >>> tree_reduce(lambda total, x: total + x, {"a": 1, "b": [2, 3]})
    6
    """
    leaves = tree_leaves(tree, is_leaf)
    if initializer is not _UNSPECIFIED:
        return functools.reduce(function, leaves, initializer)
    if not leaves:
        raise EmptyTreeError(function="tree_reduce", needs="initializer")
    return functools.reduce(function, leaves)


@public
def tree_reduce_associative(
    operation: Callable[[T, T], T], tree: Tree, *, identity: T | Unspecified = _UNSPECIFIED, is_leaf: IsLeaf = None
) -> T:
    """Combine the leaves of a pytree by halves: a tree of calls of logarithmic depth.

    Args:
        operation: associative; takes two neighbouring results, the left one first.
        tree: any pytree.
        identity: the result for a tree without leaves; it takes no part otherwise.
        is_leaf: what counts as a leaf, as for `tree_flatten`.

    Returns:
        All leaves combined.

    Raises:
        EmptyTreeError: the tree has no leaves and there is no `identity`.

    >>> tree_reduce_associative(lambda x, y: f"({x}{y})", ["a", "b", "c", "d"])
    '((ab)(cd))'
    """
    leaves = tree_leaves(tree, is_leaf)
    if leaves:
        return _reduce_halves(operation, leaves)
    if isinstance(identity, Unspecified):
        raise EmptyTreeError(function="tree_reduce_associative", needs="identity")
    return identity


def _reduce_halves(operation: Callable[[T, T], T], values: list[T]) -> T:
    if len(values) == 1:
        return values[0]
    middle = len(values) // 2
    return operation(_reduce_halves(operation, values[:middle]), _reduce_halves(operation, values[middle:]))
