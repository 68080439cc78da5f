"""Walks over trees: flat dicts by path, and traversals: `flax.traverse_util`."""
from __future__ import annotations

import abc
import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from perspicax import tree_util
from perspicax.diagnose import Fix, public
from perspicax.flax.core.frozen_dict import FrozenDict, freeze, unfreeze
from perspicax.flax.error_base import article, short
from perspicax.flax.tree_errors import TraversalError, TreeTypeError

__all__ = [
    "ModelParamTraversal", "Traversal", "TraverseAttr", "TraverseCompose", "TraverseEach", "TraverseFilter", "TraverseId",
    "TraverseItem", "TraverseMerge", "TraverseTree", "empty_node", "flatten_dict", "path_aware_map", "t_identity",
    "unflatten_dict",
]


class _EmptyNode:
    """Stands for an empty dict among the leaves of a flat one. It is a pytree without leaves."""

    def __repr__(self) -> str:
        return "_EmptyNode()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _EmptyNode)

    def __hash__(self) -> int:
        return hash(_EmptyNode)


tree_util.register_pytree_node(_EmptyNode, lambda _: ((), None), lambda _, __: _EmptyNode())
empty_node = _EmptyNode()


def _is_dict(x: Any) -> bool:
    return isinstance(x, (dict, FrozenDict))


@public
def flatten_dict(xs: Any, keep_empty_nodes: bool = False, is_leaf: Callable[[tuple[Any, ...], Any], bool] | None = None,
                 sep: str | None = None) -> dict[Any, Any]:
    """A nested dict as a flat one, whose keys are paths.

    Args:
        xs: the dict, or FrozenDict.
        keep_empty_nodes: whether empty dicts become leaves (`empty_node`); otherwise they are left out.
        is_leaf: takes a path and a value; where it is true, the value is not taken apart.
        sep: joins the keys of a path into one text; without it a path is a tuple.

    Returns:
        A dict from paths to leaves.

    Raises:
        TreeTypeError: `xs` is no dict, or `sep` is given and a key is no text.

    >>> flatten_dict({"a": {"b": 1}}, sep="/")
    {'a/b': 1}
    """
    if not _is_dict(xs):
        raise _no_dict("flatten_dict", xs)
    flat: dict[Any, Any] = {}
    for path, value in _walk(xs, (), is_leaf):
        if isinstance(value, _EmptyNode) and not keep_empty_nodes:
            continue
        flat[path if sep is None else _joined(path, sep)] = value
    return flat


def _walk(value: Any, path: tuple[Any, ...], is_leaf: Callable[[tuple[Any, ...], Any], bool] | None) -> Iterator[Any]:
    if not _is_dict(value) or (is_leaf is not None and is_leaf(path, value)):
        yield path, value
    elif not value:
        if path:  # nothing stands for an empty tree
            yield path, empty_node
    else:
        for key, inner in value.items():
            yield from _walk(inner, (*path, key), is_leaf)


def _joined(path: tuple[Any, ...], sep: str) -> str:
    if not all(isinstance(key, str) for key in path):
        raise TreeTypeError(says=f"The path {short(path)} cannot be joined by {sep!r}: its keys are not all text.",
                            fixes=(Fix("leave `sep` out: the paths are tuples then", code="flatten_dict(tree)"),))
    return sep.join(path)


@public
def unflatten_dict(xs: Any, sep: str | None = None) -> dict[Any, Any]:
    """The nested dict of a flat one: the reverse of `flatten_dict`.

    Args:
        xs: a dict from paths to leaves.
        sep: separates the keys in a path; without it a path is a tuple, or any other series of keys.

    Raises:
        TreeTypeError: `xs` is no dict, or one path ends inside of another.
        TraversalError: a path is empty.

    >>> unflatten_dict({"a/b": 1}, sep="/")
    {'a': {'b': 1}}
    """
    if not isinstance(xs, dict):
        raise _no_dict("unflatten_dict", xs)
    nested: dict[Any, Any] = {}
    for path, value in xs.items():
        parts = path if sep is None else path.split(sep)
        if not len(parts):
            raise TraversalError(says="An empty path names no entry of a dict.", why="each path has at least one key")
        at = nested
        for key in parts[:-1]:
            at = at.setdefault(key, {})
            if not isinstance(at, dict):
                raise TreeTypeError(says=f"The path {short(path)} goes through a leaf: there is a value at {short(key)}.",
                                    why="an entry is either a leaf or a dict of further entries")
        at[parts[-1]] = {} if isinstance(value, _EmptyNode) else value
    return nested


@public
def path_aware_map(f: Callable[[tuple[Any, ...], Any], Any], nested_dict: Mapping[str, Any]) -> dict[Any, Any]:
    """A nested dict with `f(path, leaf)` for each leaf; paths are tuples of keys.

    Raises:
        TreeTypeError: `nested_dict` is no dict.

    >>> path_aware_map(lambda path, x: x if "bias" in path else -x, {"layer": {"kernel": 1, "bias": 2}})
    {'layer': {'kernel': -1, 'bias': 2}}
    """
    flat = flatten_dict(nested_dict, keep_empty_nodes=True)
    return unflatten_dict({path: value if isinstance(value, _EmptyNode) else f(path, value) for path, value in flat.items()})


def _no_dict(function: str, given: Any) -> TreeTypeError:
    return TreeTypeError(says=f"`{function}` takes a dict, not {article(given)}.")


class Traversal(abc.ABC):
    """A way to some places of a tree: it lists the values there, or makes a copy of the tree with other values.

    Traversals are put together from the identity: `t_identity["layers"].each()["kernel"]`.
    """

    def compose(self, other: Traversal) -> Traversal:
        """This way, and from each place on, another one."""
        return TraverseCompose(self, other)

    def merge(self, *traversals: Traversal) -> Traversal:
        """This way, and from each place on, each of several."""
        return self.compose(TraverseMerge(*traversals))

    def each(self) -> Traversal:
        """To each entry of a list, tuple or dict."""
        return self.compose(TraverseEach())

    def tree(self) -> Traversal:
        """To each leaf of a pytree."""
        return self.compose(TraverseTree())

    def filter(self, fn: Callable[[Any], bool]) -> Traversal:
        """To the values for which `fn` is true."""
        return self.compose(TraverseFilter(fn))

    def __getattr__(self, attr: str) -> Traversal:
        if attr.startswith("__"):  # Python asks for protocols
            raise AttributeError(attr)
        return self.compose(TraverseAttr(attr))

    def __getitem__(self, key: Any) -> Traversal:
        return self.compose(TraverseItem(key))

    def set(self, values: Iterable[Any], inputs: Any) -> Any:
        """A copy of a tree with given values.

        Args:
            values: one for each place, in the order of `iterate`.
            inputs: the tree.

        Raises:
            TraversalError: there are more or fewer values than places.
        """
        given = list(values)
        left = iter(given)

        def put(_: Any) -> Any:
            for value in left:
                return value
            raise self._miscounted(len(given), inputs)

        result = self.update(put, inputs)
        if next(left, left) is not left:
            raise self._miscounted(len(given), inputs)
        return result

    def _miscounted(self, given: int, inputs: Any) -> TraversalError:
        return TraversalError(says=f"{given} value{'s' * (given != 1)} cannot be set at "
                                   f"{sum(1 for _ in self.iterate(inputs))} places.",
                              why="`set` takes one value for each place of the traversal",
                              fixes=(Fix("see the places", code="list(traversal.iterate(tree))"),))

    @abc.abstractmethod
    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        """A copy of a tree with `fn(value)` at each place."""

    @abc.abstractmethod
    def iterate(self, inputs: Any) -> Iterator[Any]:
        """The values at the places of a tree."""


class TraverseId(Traversal):
    """To the tree itself."""

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        return fn(inputs)

    def iterate(self, inputs: Any) -> Iterator[Any]:
        yield inputs


t_identity = TraverseId()


class TraverseMerge(Traversal):
    """Along each of several traversals, one after the other."""

    def __init__(self, *traversals: Traversal) -> None:
        self._traversals = traversals

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        for traversal in self._traversals:
            inputs = traversal.update(fn, inputs)
        return inputs

    def iterate(self, inputs: Any) -> Iterator[Any]:
        for traversal in self._traversals:
            yield from traversal.iterate(inputs)


class TraverseCompose(Traversal):
    """Along `x`, and from each of its places along `y`."""

    def __init__(self, x: Traversal, y: Traversal) -> None:
        self._x, self._y = x, y

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        return self._x.update(lambda value: self._y.update(fn, value), inputs)

    def iterate(self, inputs: Any) -> Iterator[Any]:
        for value in self._x.iterate(inputs):
            yield from self._y.iterate(value)


class TraverseFilter(Traversal):
    """To the tree itself, if a condition holds."""

    def __init__(self, fn: Callable[[Any], bool]) -> None:
        self._fn = fn

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        return fn(inputs) if self._fn(inputs) else inputs

    def iterate(self, inputs: Any) -> Iterator[Any]:
        if self._fn(inputs):
            yield inputs


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


class TraverseAttr(Traversal):
    """To an attribute."""

    def __init__(self, attr: str) -> None:
        self._attr = attr

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        changed = {self._attr: fn(getattr(inputs, self._attr))}
        if _is_named_tuple(inputs):
            return inputs._replace(**changed)
        if dataclasses.is_dataclass(inputs) and not isinstance(inputs, type):
            return dataclasses.replace(inputs, **changed)
        made = copy.copy(inputs)
        for name, value in changed.items():
            setattr(made, name, value)
        return made

    def iterate(self, inputs: Any) -> Iterator[Any]:
        yield getattr(inputs, self._attr)


class TraverseItem(Traversal):
    """To an item."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        if isinstance(inputs, tuple):
            items = list(inputs)
            if isinstance(self._key, slice):
                items[self._key] = fn(inputs[self._key])
            else:
                items[self._key] = fn(items[self._key])
            return type(inputs)(*items) if _is_named_tuple(inputs) else tuple(items)
        changed = fn(inputs[self._key])
        if isinstance(inputs, FrozenDict):
            return inputs.copy({self._key: changed})
        made = copy.copy(inputs)
        made[self._key] = changed
        return made

    def iterate(self, inputs: Any) -> Iterator[Any]:
        yield inputs[self._key]


class TraverseEach(Traversal):
    """To each entry of a list or tuple, and to each value of a dict."""

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        if isinstance(inputs, FrozenDict):
            return FrozenDict({key: fn(value) for key, value in inputs.items()})
        if isinstance(inputs, dict):
            return {key: fn(value) for key, value in inputs.items()}
        if not isinstance(inputs, (list, tuple)):
            raise TraversalError(says=f"There are no entries to traverse in {article(inputs)}.",
                                 why="`each` goes to the entries of a list, a tuple or a dict",
                                 fixes=(Fix("for the leaves of any pytree", code="traversal.tree()"),))
        values = [fn(value) for value in inputs]
        return type(inputs)(*values) if _is_named_tuple(inputs) else type(inputs)(values)

    def iterate(self, inputs: Any) -> Iterator[Any]:
        yield from inputs.values() if isinstance(inputs, Mapping) else inputs


class TraverseTree(Traversal):
    """To each leaf of a pytree."""

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        return tree_util.tree_map(fn, inputs)

    def iterate(self, inputs: Any) -> Iterator[Any]:
        yield from tree_util.tree_leaves(inputs)


class ModelParamTraversal(Traversal):
    """To the parameters, in a nested dict, whose name and value a condition accepts.

    Args:
        filter_fn: takes a name (`"/Dense_0/kernel"`) and a value, and says whether to go there.

    They are visited in the order of their paths, whatever the order of the dicts; a changed tree has this order, too.
    """

    def __init__(self, filter_fn: Callable[[str, Any], bool]) -> None:
        self._filter_fn = filter_fn

    def _flat(self, inputs: Any) -> dict[Any, Any]:
        """The parameters by path, in the order in which they are visited: `set` puts values where `iterate` found them."""
        if not _is_dict(inputs):
            raise TraversalError(says=f"Parameters are a nested dict, not {article(inputs)}.")
        flat = flatten_dict(unfreeze(inputs), keep_empty_nodes=True)
        try:
            return dict(sorted(flat.items(), key=lambda entry: entry[0]))
        except TypeError:  # text and numbers beside one another: by what they show
            return dict(sorted(flat.items(), key=lambda entry: [str(key) for key in entry[0]]))

    def _accepts(self, path: tuple[Any, ...], value: Any) -> bool:
        return not isinstance(value, _EmptyNode) and self._filter_fn("/" + "/".join(map(str, path)), value)

    def update(self, fn: Callable[[Any], Any], inputs: Any) -> Any:
        flat = {path: fn(value) if self._accepts(path, value) else value for path, value in self._flat(inputs).items()}
        nested = unflatten_dict(flat)
        return freeze(nested) if isinstance(inputs, FrozenDict) else nested

    def iterate(self, inputs: Any) -> Iterator[Any]:
        for path, value in self._flat(inputs).items():
            if self._accepts(path, value):
                yield value
