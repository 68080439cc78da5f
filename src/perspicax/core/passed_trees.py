"""What the user calls a value that a function of a package works on: the path to it in a tree that he passed."""
from __future__ import annotations

import ast
from typing import Any, NamedTuple

from perspicax.core.tree_paths import KeyPath, children_with_keys, place
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.library import Inside

__all__ = ["Passed", "argument_inside", "passed_as"]

_MOST_NODES = 100_000  # of a tree that is searched


class Passed(NamedTuple):
    """A part of a tree that the user passed.

    Attributes:
        name: what he would write for it, `state[0].mu['kernel']`; the parameter stands for what he gave no name.
        root: the expression that he passed, in which it lies.
    """

    name: str
    root: Expression


def passed_as(inside: Inside, value: Any) -> Passed | None:
    """The part of the user's trees that a value is; None if it is none of them.

    It is looked for by identity, so numbers, texts and None are never found.
    """
    if not hasattr(value, "shape") and not children_with_keys(value):
        return None
    for name, root, tree in inside.trees:
        path = _way(tree, value)
        if path is not None:
            return Passed(place(name, path), root)
    return None


def _way(tree: Any, value: Any) -> KeyPath | None:
    waiting: list[tuple[KeyPath, Any]] = [((), tree)]
    for _ in range(_MOST_NODES):
        if not waiting:
            return None
        path, node = waiting.pop()
        if node is value:
            return path
        found = children_with_keys(node)
        if found is not None:
            waiting += [((*path, key), child) for key, child in reversed(found[0])]
    return None


def argument_inside(inside: Inside, index: int) -> Any:
    """What a positional argument of the call within the package stands for, if it is a name or one of `*names`; else None."""
    call = located(inside.place)
    if call is None or not isinstance(call.node, ast.Call):
        return None
    values: list[Any] = []
    for argument in call.node.args:
        match argument:
            case ast.Name(id=name):
                values.append(inside.held.get(name))
            case ast.Starred(value=ast.Name(id=name)) if isinstance(inside.held.get(name), (tuple, list)):
                values += inside.held[name]
            case ast.Starred():
                break
            case _:
                values.append(None)
    return values[index] if index < len(values) else None
