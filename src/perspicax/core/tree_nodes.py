"""The classes that are pytree nodes from the start, beside those that the C++ registry knows by itself."""
from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from perspicax.binding import pytree
from perspicax.binding.pytree import DictKey
from perspicax.core.tree_failures import unsortable

__all__ = ["Partial"]


class _Opaque:
    """A callable that `functools.partial` does not look into: a partial of a partial would be merged with it."""

    __slots__ = ("func",)

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return self.func(*args, **kw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.func, name)

    def __eq__(self, other: object) -> bool:
        return self.func == (other.func if isinstance(other, _Opaque) else other)

    def __hash__(self) -> int:
        return hash(self.func)

    def __repr__(self) -> str:
        return repr(self.func)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Opaque, (self.func,)


class Partial(functools.partial):
    """A `functools.partial` that is a pytree: its arguments are children, its function is static.

    Args:
        func: the function to call; a partial itself is called as it is, and its arguments are not children.
        args: its first positional arguments.
        kw: keyword arguments.

    >>> add_one = Partial(max, 3)
    >>> add_one(2), tree_leaves(add_one)
    (3, [3])
    """

    def __new__(klass, func: Callable[..., Any], *args: Any, **kw: Any) -> Partial:
        return super().__new__(klass, _Opaque(func) if isinstance(func, functools.partial) else func, *args, **kw)


def _flatten_ordered(tree: OrderedDict[Any, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return tuple(tree.values()), tuple(tree)


def _flatten_ordered_with_keys(tree: OrderedDict[Any, Any]) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
    return [(DictKey(key), value) for key, value in tree.items()], tuple(tree)


def _sorted(tree: defaultdict[Any, Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(tree))
    except Exception as problem:  # the comparison is the keys' own
        raise unsortable((), tree, problem) from None


def _flatten_default(tree: defaultdict[Any, Any]) -> tuple[list[Any], tuple[Any, tuple[Any, ...]]]:
    keys = _sorted(tree)
    return [tree[key] for key in keys], (tree.default_factory, keys)


def _flatten_default_with_keys(tree: defaultdict[Any, Any]) -> tuple[list[tuple[Any, Any]], Any]:
    keys = _sorted(tree)
    return [(DictKey(key), tree[key]) for key in keys], (tree.default_factory, keys)


pytree.register_node(
    OrderedDict, _flatten_ordered, lambda keys, values: OrderedDict(zip(keys, values)), _flatten_ordered_with_keys
)
pytree.register_node(
    defaultdict, _flatten_default, lambda data, values: defaultdict(data[0], zip(data[1], values)),
    _flatten_default_with_keys,
)
pytree.register_node(
    Partial, lambda partial: ((partial.args, partial.keywords), partial.func),
    lambda func, children: Partial(func, *children[0], **children[1]),
)
