"""Finding out why a pytree operation failed, after the C++ registry said no more than that it did.

Each function `explain_...` gets the error that ended the operation, looks for the cause, and raises an error that shows
it. Where it finds none, or where the error is the user's own (raised by a predicate, a registered function, a mapped
function), it raises that error again.
"""
from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from perspicax.binding import pytree
from perspicax.binding.pytree import FlattenedIndexKey, PyTreeDef
from perspicax.core.tree_errors import (
    LeafCountError,
    LeafPredicateError,
    MapStoppedError,
    NodeFlattenError,
    NotATreeDefError,
    Operands,
    PrefixMismatchError,
    PyTreeMismatchError,
    TreeDepthError,
    TreeFunctionError,
    UnsortableKeysError,
)
from perspicax.core.tree_paths import KeyPath, children_with_keys, registered_at
from perspicax.core.tree_words import short, type_words

__all__ = [
    "explain_flatten", "explain_map", "explain_mismatched", "explain_prefix", "explain_transpose",
    "explain_unflatten", "not_callable", "not_treedef", "unsortable",
]


def _is_users_own(error: BaseException) -> bool:
    """Whether Python code raised `error` below the frame that caught it, and not C++ itself."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is not None


def explain_flatten(
    error: Exception, tree: Any, is_leaf: Callable[..., Any] | None = None, with_path: bool = False
) -> NoReturn:
    """Raise what made flattening `tree` fail.

    Args:
        error: what the registry raised.
        tree: what was flattened.
        is_leaf: the predicate that the registry was given; with `with_path` it takes (path, node).
        with_path: whether the tree was flattened with key paths.
    """
    if _is_users_own(error) and not isinstance(error, UnsortableKeysError):
        raise error
    if is_leaf is not None and not callable(is_leaf):
        raise not_callable("tree_flatten", is_leaf, argument="is_leaf") from None
    if isinstance(error, SystemError) and isinstance(error.__cause__, RecursionError):
        raise _depth_error(tree, is_leaf, with_path) from None
    if isinstance(error, ValueError):
        for path, node in _walk(tree, is_leaf, with_path):
            _check_node(path, node, with_path)
    raise error


def _walk(tree: Any, is_leaf: Callable[..., Any] | None, with_path: bool) -> Iterator[tuple[KeyPath, Any]]:
    """The nodes of a tree with their paths, each before its children, those left out that cannot be flattened."""
    stack: list[tuple[KeyPath, Any]] = [((), tree)]
    while stack:
        path, node = stack.pop()
        if is_leaf is not None:
            verdict = is_leaf(path, node) if with_path else is_leaf(node)
            if verdict is not None and not isinstance(verdict, bool):
                raise LeafPredicateError(path=path, verdict=short(verdict)) from None
            if verdict:
                continue
        yield path, node
        stack += [((*path, key), child) for key, child in reversed(_children(node))]


def _children(node: Any) -> list[tuple[Any, Any]]:
    """The (key, child) pairs of a node, numbered if its own flattening with keys does not work; empty for a leaf."""
    try:
        found = children_with_keys(node)
        return [] if found is None else list(found[0])
    except Exception:  # user code; without keys it may still work, and the failure itself is reported elsewhere
        children, _ = pytree.flatten_one_level(node)
        return [(FlattenedIndexKey(i), child) for i, child in enumerate(children)]


def _check_node(path: KeyPath, node: Any, with_path: bool) -> None:
    """Raise if this node is the one that cannot be flattened."""
    if type(node) in (dict, defaultdict):
        try:
            sorted(node)
        except Exception as problem:  # the comparison is the keys' own
            raise unsortable(path, node, problem) from (None if isinstance(problem, TypeError) else problem)
        return
    with_keys = False
    try:
        pytree.flatten_one_level(node)
        if with_path and pytree.is_node(type(node)):
            with_keys = True
            list(pytree.flatten_one_level_with_keys(node)[0])
    except ValueError as problem:
        if not _is_users_own(problem):
            raise NodeFlattenError(
                path=path, node=type_words(type(node)), with_keys=with_keys, registered=registered_at.get(type(node))
            ) from None


def unsortable(path: KeyPath, node: dict[Any, Any], problem: Exception) -> UnsortableKeysError:
    """The error for a dict whose keys cannot be sorted; `problem` is what comparing them raised."""
    types = dict.fromkeys(type_words(type(key)) for key in node)
    return UnsortableKeysError(
        path=path, keys=tuple(map(short, node)), types=tuple(types), problem=str(problem) or type(problem).__name__
    )


def _depth_error(tree: Any, is_leaf: Callable[..., Any] | None, with_path: bool) -> TreeDepthError:
    """The first node that contains itself, or how deep the tree is nested."""
    ancestors: dict[int, KeyPath] = {}
    stack: list[tuple[KeyPath, Any, bool]] = [((), tree, False)]
    done: dict[int, Any] = {}  # holds the nodes, so that an id stays taken
    limit = sys.getrecursionlimit()
    while stack:
        path, node, leaving = stack.pop()
        if leaving:
            del ancestors[id(node)]
            done[id(node)] = node
            continue
        if id(node) in ancestors:
            return TreeDepthError(path=path, inside=ancestors[id(node)], node=type_words(type(node)), limit=limit)
        if id(node) in done or (is_leaf is not None and (is_leaf(path, node) if with_path else is_leaf(node))):
            continue
        if len(path) > limit:
            break
        children = _children(node)
        if children:
            ancestors[id(node)] = path
            stack.append((path, node, True))
            stack += [((*path, key), child, False) for key, child in reversed(children)]
    return TreeDepthError(path=(), inside=None, node=type_words(type(tree)), limit=limit)


def explain_unflatten(error: Exception, treedef: Any, leaves: Any, counted: bool) -> NoReturn:
    """Raise what made `treedef.unflatten(leaves)` fail; there may be more leaves unless they are `counted`."""
    if not isinstance(treedef, PyTreeDef):
        raise not_treedef("tree_unflatten", treedef, swapped_with=leaves) from None
    if isinstance(error, ValueError) and not _is_users_own(error) and len(leaves) != treedef.num_leaves:
        raise LeafCountError(
            treedef=short(treedef), expected=treedef.num_leaves, actual=len(leaves),
            at_least=not counted and len(leaves) > treedef.num_leaves,
        ) from None
    raise error


def explain_map(
    function: str, error: Exception, f: Any, tree: Any, rest: tuple[Any, ...], is_leaf: Callable[..., Any] | None,
    treedef: PyTreeDef | None, columns: list[list[Any]] | None,
) -> NoReturn:
    """Raise what made a map fail.

    Args:
        function: the function that the user called.
        error: what ended it.
        f: the mapped function.
        tree: the first tree, or its treedef.
        rest: the other trees.
        is_leaf: what counts as a leaf of `tree`.
        treedef: the first tree's structure; None if the map did not come so far.
        columns: what `flatten_up_to` made of the other trees; None if the map did not come so far.
    """
    if treedef is None:
        explain_flatten(error, tree, is_leaf)
    if _is_users_own(error):
        raise error
    if isinstance(error, TypeError) and not callable(f):
        raise not_callable(function, f, swapped_with=tree) from None
    if columns is None and rest:
        explain_mismatched(function, error, tree, rest, is_leaf)
    if isinstance(error, ValueError) and pytree.ran_out_of_leaves(error):
        raise MapStoppedError(function=function) from None  # `map` takes a StopIteration from `f` for its own end
    raise error


def explain_mismatched(
    function: str, error: Exception, tree: Any, rest: tuple[Any, ...], is_leaf: Callable[[Any], Any] | None = None
) -> NoReturn:
    """Raise which tree in `rest` does not have the nodes of `tree`, and where; the first such tree is shown.

    Args:
        function: the function that the user called.
        error: what `flatten_up_to` raised.
        tree: the tree, or its treedef, whose nodes the others must have.
        rest: the other trees.
        is_leaf: what counts as a leaf of `tree`.
    """
    if _is_users_own(error):
        raise error
    from perspicax.core.tree_mismatch import mismatches  # only a report needs it

    for i, other in enumerate(rest):
        found = mismatches(tree, other, prefix="expected", is_leaf=is_leaf)
        if found:
            raise PyTreeMismatchError(
                function=function, mismatches=tuple(found), expected_name="tree", actual_name=f"rest[{i}]",
                operands=Operands(expected=1, actual=2 + i, given=2 + len(rest)),
                why_expected=f"`{function}` goes by the nodes of its first tree; every further tree must have the same "
                             "nodes, down to the leaves of the first.",
            ) from None
    raise error


def explain_prefix(
    error: Exception, prefix_tree: Any, full_tree: Any, is_leaf: Callable[[Any], Any] | None
) -> NoReturn:
    """Raise where `prefix_tree` is no prefix of `full_tree`."""
    from perspicax.core.tree_mismatch import mismatches  # as above

    found = [] if _is_users_own(error) else mismatches(full_tree, prefix_tree, prefix="actual", is_leaf=is_leaf)
    if found:
        raise PrefixMismatchError(
            function="tree_broadcast", mismatches=tuple(found), prefix_name="prefix_tree", full_name="full_tree",
            operands=Operands(expected=1, actual=0, given=2),
        ) from None
    raise error


def explain_transpose(outer_treedef: Any, inner_treedef: Any, tree: Any) -> NoReturn:
    """Raise where `tree` does not have the outer structure with the inner one at each leaf."""
    from perspicax.core.tree_mismatch import mismatches  # as above

    expected = outer_treedef.compose(inner_treedef)
    raise PyTreeMismatchError(
        function="tree_transpose", mismatches=tuple(mismatches(expected, tree)), expected_name="expected",
        actual_name="pytree_to_transpose", operands=Operands(expected=None, actual=2, given=3),
        why_expected="the tree must have the outer structure, with the inner structure at each of its leaves: "
                     f"{short(expected, 200)}.",
    )


def not_treedef(function: str, value: Any, swapped_with: Any = None) -> NotATreeDefError:
    """The error for a value where a treedef belongs; `swapped_with` is the argument that may be the treedef."""
    return NotATreeDefError(
        function=function, actual=type_words(type(value)), swapped=isinstance(swapped_with, PyTreeDef)
    )


def not_callable(function: str, value: Any, argument: str = "f", swapped_with: Any = None) -> TreeFunctionError:
    """The error for a value where a function belongs; `swapped_with` is the argument that may be the function."""
    return TreeFunctionError(
        function=function, argument=argument, actual=type(value).__name__, swapped=callable(swapped_with)
    )
