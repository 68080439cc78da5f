"""Dicts that do not change: `flax.core.frozen_dict`."""
from __future__ import annotations

from collections.abc import Hashable, Iterator, KeysView, Mapping, ValuesView
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from perspicax import tree_util
from perspicax.diagnose import Fix, public
from perspicax.diagnose.watched import results_watched
from perspicax.flax.state_dicts import from_state_dict, register_serialization_state, to_state_dict
from perspicax.flax.tree_errors import FrozenDictError, TreeTypeError

__all__ = ["FrozenDict", "FrozenKeysView", "FrozenValuesView", "copy", "freeze", "pop", "pretty_repr", "unfreeze"]

K = TypeVar("K")
V = TypeVar("V")


class FrozenKeysView(KeysView[K]):
    """The keys of a FrozenDict."""

    def __repr__(self) -> str:
        return f"frozen_dict_keys({list(self)})"


class FrozenValuesView(ValuesView[V]):
    """The values of a FrozenDict."""

    def __repr__(self) -> str:
        return f"frozen_dict_values({list(self)})"


def _thawed(tree: Any) -> Any:
    """A copy of nested dicts as plain dicts; other values are shared."""
    if isinstance(tree, FrozenDict):
        tree = tree._dict
    elif not isinstance(tree, dict):
        return tree
    return {key: _thawed(value) for key, value in tree.items()}


def _sorted(tree: Any) -> Any:
    """A copy of nested dicts as plain dicts in the order of their leaves, which is that of the sorted keys."""
    if not isinstance(tree, (dict, FrozenDict)):
        return tree
    entries = tree._dict if isinstance(tree, FrozenDict) else tree
    try:
        keys = sorted(entries)
    except TypeError:  # keys of several types have no order; such a dict is no pytree, but may be thawed
        keys = list(entries)
    return {key: _sorted(entries[key]) for key in keys}


class FrozenDict(Mapping[K, V]):
    """A dict that does not change, nor do the dicts in it. It has a hash if its values have, and is a pytree.

    Inside there are plain dicts; those that are looked up are wrapped when asked for, and not copied again.

    >>> FrozenDict({"a": {"b": 1}})["a"]
    FrozenDict({
        b: 1,
    })
    """

    __slots__ = ("_dict", "_hash")
    _dict: dict[K, V]
    _hash: int | None

    def __init__(self, *args: Any, __unsafe_skip_copy__: bool = False, **kwargs: Any) -> None:
        given = dict(*args, **kwargs)
        self._dict = given if __unsafe_skip_copy__ else _thawed(given)
        self._hash = None

    def __getitem__(self, key: K) -> V:
        value: Any = self._dict[key]
        if type(value) is dict:
            value = _wrapped(value)
        return value

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise FrozenDictError(
            says=f"A FrozenDict does not change: [{key!r}] was assigned.",
            why="variables are passed around as values, and whoever holds them counts on finding them as they were",
            fixes=(Fix("make a changed copy", code=f"frozen = frozen.copy({{{key!r}: ...}})"),
                   Fix("change a plain dict", code=f"plain = unfreeze(frozen)\nplain[{key!r}] = ...")))

    def __delitem__(self, key: Any) -> NoReturn:
        raise FrozenDictError(says=f"A FrozenDict does not change: [{key!r}] was deleted.",
                              why="variables are passed around as values, and whoever holds them counts on finding them as "
                                  "they were",
                              fixes=(Fix("make a copy without it", code=f"frozen, value = frozen.pop({key!r})"),))

    def __contains__(self, key: object) -> bool:
        return key in self._dict

    def __iter__(self) -> Iterator[K]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __repr__(self) -> str:
        return self.pretty_repr()

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (self.unfreeze(),)

    def __hash__(self) -> int:
        # Of the items, without regard to their order, as equality has none.
        if self._hash is None:
            self._hash = hash(frozenset((key, value) for key, value in self.items()))
        return self._hash

    def keys(self) -> KeysView[K]:
        """The keys."""
        return FrozenKeysView(self)

    def values(self) -> ValuesView[V]:
        """The values; dicts among them are FrozenDicts."""
        return FrozenValuesView(self)

    @public
    def copy(self, add_or_replace: Mapping[K, V] = MappingProxyType({})) -> FrozenDict[K, V]:
        """A copy with further or other entries.

        Args:
            add_or_replace: the entries.

        Raises:
            TreeTypeError: they are no mapping.
        """
        if not isinstance(add_or_replace, Mapping):
            raise TreeTypeError(says=f"The entries for `copy` are a {type(add_or_replace).__name__}, not a dict.",
                                fixes=(Fix(code="frozen.copy({'name': value})"),))
        made: FrozenDict[K, V] = FrozenDict({**self._dict, **_thawed(dict(add_or_replace))}, __unsafe_skip_copy__=True)
        if results_watched:
            results_watched[0](made, "copy")
        return made

    def pop(self, key: K) -> tuple[FrozenDict[K, V], V]:
        """A copy without an entry, and that entry's value.

        Raises:
            KeyError: there is no such entry.
        """
        value = self[key]
        rest = {name: each for name, each in self._dict.items() if name != key}
        return FrozenDict(rest, __unsafe_skip_copy__=True), value

    def unfreeze(self) -> dict[K, V]:
        """A plain dict of plain dicts, which may be changed; with sorted keys, as the leaves of a pytree are."""
        return _sorted(self)

    def pretty_repr(self, num_spaces: int = 4) -> str:
        """The entries as text, one on each line, deeper ones further in.

        Args:
            num_spaces: by how many spaces each level is set in.
        """
        return f"FrozenDict({_drawn(self._dict, num_spaces, 1)})"

    def tree_flatten_with_keys(self) -> tuple[tuple[Any, ...], Hashable]:
        """What makes it a pytree: ((key, value) of each entry, sorted by key), and the keys."""
        keys = _sorted_keys(self._dict)
        return tuple([(tree_util.DictKey(key), self._dict[key]) for key in keys]), keys

    @classmethod
    def tree_unflatten(cls, keys: tuple[Any, ...], values: Any) -> FrozenDict[Any, Any]:
        """The reverse of `tree_flatten_with_keys`."""
        return cls(zip(keys, values, strict=True), __unsafe_skip_copy__=True)


def _wrapped(plain: dict[Any, Any]) -> FrozenDict[Any, Any]:
    made = FrozenDict.__new__(FrozenDict)  # `__init__` would copy the outer dict
    made._dict, made._hash = plain, None
    return made


def _sorted_keys(entries: dict[Any, Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(entries))
    except TypeError:
        raise TreeTypeError(
            says=f"The keys of a FrozenDict cannot be sorted: {', '.join(map(repr, entries))}.",
            why="the leaves of a dict are in the order of its sorted keys, so these must be comparable",
            fixes=(Fix("use keys of one type"),)) from None


def _flatten(tree: FrozenDict[Any, Any]) -> tuple[tuple[Any, ...], Hashable]:
    entries = tree._dict
    keys = _sorted_keys(entries)
    return tuple([entries[key] for key in keys]), keys


tree_util.register_pytree_node(FrozenDict, _flatten, FrozenDict.tree_unflatten,  # type: ignore[arg-type]
                               FrozenDict.tree_flatten_with_keys)
register_serialization_state(
    FrozenDict,
    lambda frozen: to_state_dict(frozen._dict),
    lambda frozen, state: FrozenDict(from_state_dict(frozen._dict, state, name="."), __unsafe_skip_copy__=True))


def _drawn(entries: Mapping[Any, Any], num_spaces: int, depth: int) -> str:
    if not entries:
        return "{}"
    inner, outer = " " * num_spaces * depth, " " * num_spaces * (depth - 1)
    lines = []
    for key, value in entries.items():
        if isinstance(value, FrozenDict):
            text = f"FrozenDict({_drawn(value._dict, num_spaces, depth + 1)})"
        elif isinstance(value, dict):
            text = _drawn(value, num_spaces, depth + 1)
        else:
            text = repr(value).replace("\n", "\n" + inner)
        lines.append(f"{inner}{key}: {text},\n")
    return "{\n" + "".join(lines) + outer + "}"


def freeze(xs: Mapping[Any, Any]) -> FrozenDict[Any, Any]:
    """A nested dict as a FrozenDict.

    Raises:
        TreeTypeError: it is no mapping, nor pairs of which a dict can be made.
    """
    try:
        return FrozenDict(xs)
    except (TypeError, ValueError):
        raise TreeTypeError(says=f"A {type(xs).__name__} cannot be frozen: it is no dict.",
                            why="a FrozenDict is made of a dict, or of pairs of keys and values") from None


def unfreeze(x: FrozenDict[Any, Any] | dict[str, Any]) -> dict[Any, Any]:
    """A nested dict as plain dicts, none of which is shared with `x`; what is no dict is returned as it is.

    The keys of what was frozen are sorted, those of a dict keep their order.
    """
    if isinstance(x, FrozenDict):
        return _sorted(x)
    return {key: unfreeze(value) for key, value in x.items()} if isinstance(x, dict) else x


def copy(x: FrozenDict[Any, Any] | dict[str, Any],
         add_or_replace: FrozenDict[str, Any] | dict[str, Any] = FrozenDict({}),  # noqa: B008  (it never changes)
         ) -> FrozenDict[Any, Any] | dict[str, Any]:
    """A copy of a FrozenDict or of a dict, of the same type, with further or other entries.

    Raises:
        TreeTypeError: it is neither.
    """
    if isinstance(x, FrozenDict):
        return x.copy(add_or_replace)
    if isinstance(x, dict):
        return {**tree_util.tree_map(lambda value: value, x), **add_or_replace}
    raise _neither("copy", x)


def pop(x: FrozenDict[Any, Any] | dict[str, Any], key: str) -> tuple[FrozenDict[Any, Any] | dict[str, Any], Any]:
    """A copy of a FrozenDict or of a dict without an entry, and that entry's value.

    Raises:
        KeyError: there is no such entry.
        TreeTypeError: `x` is neither.
    """
    if isinstance(x, FrozenDict):
        return x.pop(key)
    if isinstance(x, dict):
        rest = tree_util.tree_map(lambda value: value, x)
        return rest, rest.pop(key)
    raise _neither("pop", x)


def pretty_repr(x: Any, num_spaces: int = 4) -> str:
    """Nested dicts as text, one entry on each line; other values by `repr`.

    Args:
        x: the dict.
        num_spaces: by how many spaces each level is set in.
    """
    if isinstance(x, FrozenDict):
        return x.pretty_repr(num_spaces)
    return _drawn(x, num_spaces, 1) if isinstance(x, dict) else repr(x)


def _neither(function: str, x: Any) -> TreeTypeError:
    return TreeTypeError(says=f"`{function}` takes a FrozenDict or a dict, not a {type(x).__name__}.")
