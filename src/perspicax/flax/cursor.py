"""Changes deep inside of trees that do not change: `flax.cursor`."""
from __future__ import annotations

import dataclasses
import enum
import itertools
import operator
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from perspicax.diagnose import Fix
from perspicax.diagnose.boundary import public
from perspicax.flax.core.frozen_dict import FrozenDict
from perspicax.flax.error_base import article, short
from perspicax.flax.tree_errors import (
    CursorAttributeError,
    CursorError,
    CursorFindError,
    CursorIterationError,
    CursorKeyError,
    TraverseTreeError,
)

__all__ = ["A", "AccessType", "Cursor", "CursorFindError", "FrozenDict", "Indexable", "ParentKey", "TraverseTreeError",
           "cursor", "is_named_tuple"]

A = TypeVar("A")


@runtime_checkable
class Indexable(Protocol):
    """What has items."""

    def __getitem__(self, key: Any) -> Any:
        """One of them."""
        ...


class AccessType(enum.Enum):
    """How a place is reached from the one above: as an item or as an attribute."""

    ITEM = enum.auto()
    ATTR = enum.auto()


Links = tuple[tuple[Any, AccessType], ...]
"""The way from a place to one below it."""


@dataclasses.dataclass
class ParentKey(Generic[A]):
    """The place above another one, and the way down.

    Attributes:
        parent: the place above.
        key: the key or the name of the attribute.
        access_type: which of them.
    """

    parent: Cursor[A]
    key: Any
    access_type: AccessType


def is_named_tuple(obj: Any) -> bool:
    """Whether a value is a named tuple."""
    return isinstance(obj, tuple) and hasattr(obj, "_fields")


def _is_dataclass(obj: Any) -> bool:
    return dataclasses.is_dataclass(obj) and not isinstance(obj, type)


class Cursor(Generic[A]):
    """A place in a tree. Assigning below it notes a change; `build` makes a copy of the tree with all changes.

    Made by `cursor(tree)`. Places below are reached as in the tree itself, by items and attributes. As an operand of
    Python's operators a place is the value there: the one that was assigned to it, or that of the tree.

    >>> c = cursor({"a": {"b": (1, 2)}})
    >>> c["a"]["b"][0] = 10
    >>> c.build()
    {'a': {'b': (10, 2)}}
    """

    _obj: A
    _parent_key: ParentKey[A] | None
    _changes: dict[Any, Cursor[Any]]
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, obj: A, parent_key: ParentKey[A] | None) -> None:
        # Attributes of a cursor are places of the tree, so its own are written past `__setattr__`.
        vars(self).update(_obj=obj, _parent_key=parent_key, _changes={})

    @property
    def _root(self) -> Cursor[A]:
        """The place of the whole tree."""
        return self if self._parent_key is None else self._parent_key.parent._root

    @property
    def _path(self) -> str:
        """How the place is reached from the root, as code: `['a'].kernel`."""
        link = self._parent_key
        if link is None:
            return ""
        return link.parent._path + (f"[{link.key!r}]" if link.access_type is AccessType.ITEM else f".{link.key}")

    def _below(self, key: Any, access: AccessType) -> Cursor[Any]:
        found = self._changes.get(_note(self._obj, key, access))
        if found is None:
            value = self._fetch(key, access)
            found = self._changes[_note(self._obj, key, access)] = Cursor(value, ParentKey(self, key, access))
        return found

    def _fetch(self, key: Any, access: AccessType) -> Any:
        obj: Any = self._obj
        if access is AccessType.ATTR:
            if not hasattr(obj, key):
                raise CursorAttributeError(says=f"{self._where()}, {article(obj)}, has no attribute `{key}`.",
                                           notes=_there(obj))
            return getattr(obj, key)
        if not isinstance(obj, Indexable):
            raise CursorError(says=f"{self._where()}, {article(obj)}, has no items.")
        try:
            return obj[key]
        except (KeyError, IndexError):
            raise CursorKeyError(says=f"{self._where()}, {article(obj)}, has no item {short(key)}.",
                                 notes=_there(obj)) from None

    def _where(self) -> str:
        return f"`c{self._path}`"

    def __getitem__(self, key: Any) -> Cursor[Any]:
        return self._below(key, AccessType.ITEM)

    def __getattr__(self, name: str) -> Cursor[Any]:
        if name.startswith("__"):  # Python asks for protocols; a value's own are asked for on the built value
            raise AttributeError(name)
        return self._below(name, AccessType.ATTR)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._note_change(key, value, AccessType.ITEM)

    def __setattr__(self, name: str, value: Any) -> None:
        self._note_change(name, value, AccessType.ATTR)

    def _note_change(self, key: Any, value: Any, access: AccessType) -> None:
        if isinstance(value, Cursor):  # `c["a"] = c["b"]` means the value there
            value = value.build()
        self._changes[_note(self._obj, key, access)] = Cursor(value, ParentKey(self, key, access))

    def set(self, value: Any) -> Any:
        """The whole tree with another value at this place, and with the changes noted so far.

        Args:
            value: the value.

        >>> cursor({"a": [1, 2]})["a"][0].set(5)
        {'a': [5, 2]}
        """
        link = self._parent_key
        if link is None:
            return value.build() if isinstance(value, Cursor) else value
        link.parent._note_change(link.key, value, link.access_type)
        return link.parent._root.build()

    def build(self) -> A:
        """A copy of what is here with all changes below; parts without changes are shared with the original."""
        obj: Any = self._obj
        changed = {}
        for key, place in self._changes.items():
            value = place.build()
            if value is not place._obj or _is_new(self, place):
                changed[key] = (place, value)
        if not changed:
            return obj
        updates = {place._parent_key.key: value for place, value in changed.values()}  # type: ignore[union-attr]
        if isinstance(obj, FrozenDict):
            return obj.copy(updates)  # type: ignore[return-value]
        if isinstance(obj, dict):
            made: Any = obj.copy()  # keeps the class: OrderedDict, defaultdict
            made.update(updates)
            return made
        if is_named_tuple(obj):
            return self._built_named(obj, updates)
        if isinstance(obj, (list, tuple)):
            return self._built_sequence(obj, updates)
        if _is_dataclass(obj):
            unknown = [name for name in updates if name not in {field.name for field in dataclasses.fields(obj)}]
            if unknown:
                raise CursorError(says=f"{self._where()}, {article(obj)}, has no field `{unknown[0]}` to set.",
                                  notes=_there(obj))
            return dataclasses.replace(obj, **updates)
        raise CursorError(
            says=f"{self._where()} is {article(obj)}, of which no changed copy can be made.",
            why="a cursor can change dicts, lists, tuples, named tuples and dataclasses",
            fixes=(Fix("set the whole value", code=f"c{self._path} = ..."),))

    def _built_named(self, obj: Any, updates: dict[Any, Any]) -> Any:
        named: dict[str, Any] = {}
        for key, value in updates.items():
            name = obj._fields[key] if isinstance(key, int) and -len(obj) <= key < len(obj) else key
            if name not in obj._fields:
                raise CursorError(says=f"{self._where()}, {article(obj)}, has no field {short(key)} to set.",
                                  notes=_there(obj))
            named[name] = value
        return obj._replace(**named)

    def _built_sequence(self, obj: Any, updates: dict[Any, Any]) -> Any:
        items = list(obj)
        for key, value in updates.items():
            try:
                items[key] = value
            except IndexError:
                raise CursorKeyError(says=f"{self._where()}, {article(obj)} of {len(items)}, has no item {short(key)} to set.",
                                     fixes=(Fix("set a longer one", code=f"c{self._path} = [*..., value]"),)) from None
            except TypeError:
                raise CursorError(says=f"The items of {self._where()} have numbers; {short(key)} is none.") from None
        return items if type(obj) is list else type(obj)(items)

    def apply_update(self, update_fn: Callable[[str, Any], Any]) -> Cursor[A]:
        """Note a change for every part of the tree for which a function returns something new.

        Args:
            update_fn: takes a path (`"a/b/0"`) and the value there, without changes noted before; returns that value
                itself, or another one. Of nodes for which it returns another value, the parts are not visited.

        Returns:
            The cursor, with the changes noted.
        """
        def visit(obj: Any, path: str, links: Links) -> None:
            for inner, way, value in _entries(obj, path, links):
                new = update_fn(inner, value)
                if new is value:
                    visit(value, inner, way)
                else:
                    key, access = way[-1]
                    self._at(way[:-1])._note_change(key, new, access)

        visit(self._obj, "", ())
        return self

    def _at(self, links: Links) -> Cursor[Any]:
        place: Cursor[Any] = self
        for key, access in links:
            place = place._below(key, access)
        return place

    @public
    def find(self, cond_fn: Callable[[str, Any], bool]) -> Cursor[Any]:
        """The only place where a condition holds.

        Args:
            cond_fn: takes a path (`"a/b/0"`) and the value there.

        Raises:
            CursorFindError: there is none, or several. Differs: Flax 0.12.8 fails with a `TypeError` for several leaves.
        """
        found = list(self.find_all(cond_fn))
        if len(found) != 1:
            known = () if found else tuple(itertools.islice(_all_paths(self._obj, ""), MOST_PATHS))
            raise CursorFindError(*found[:2], paths=tuple([place._path for place in found]), known=known,
                                  condition=getattr(cond_fn, "__name__", ""))
        return found[0]

    def find_all(self, cond_fn: Callable[[str, Any], bool]) -> Generator[Cursor[Any], None, None]:
        """The places where a condition holds; what is below such a place is not visited.

        Args:
            cond_fn: takes a path (`"a/b/0"`) and the value there.
        """
        def visit(obj: Any, path: str, links: Links) -> Generator[Cursor[Any], None, None]:
            for inner, way, value in _entries(obj, path, links):
                if cond_fn(inner, value):
                    yield self._at(way)
                else:
                    yield from visit(value, inner, way)

        yield from visit(self._obj, "", ())

    def __str__(self) -> str:
        return str(self._obj)

    def __repr__(self) -> str:
        noted = [f"{'c' + place._path} = {place._obj!r}" for place in self._noted()]
        return f"Cursor({self._obj!r}{'; changed: ' + ', '.join(noted) if noted else ''})"

    def _noted(self) -> Iterator[Cursor[Any]]:
        for place in self._changes.values():
            if _is_new(self, place):
                yield place
            yield from place._noted()

    def __len__(self) -> int:
        return len(self._obj)  # type: ignore[arg-type]

    def __contains__(self, key: Any) -> bool:
        """Whether a key of a dict, or a value of a list or tuple, is there, with the changes noted so far."""
        if isinstance(self._obj, (Mapping, list, tuple)):
            return _value(key) in self.build()  # type: ignore[operator]
        raise CursorIterationError(
            says=f"{self._where()} is {article(self._obj)}; `in` looks into a dict, a list or a tuple.",
            fixes=(Fix("for the value itself", code=f"... in c{self._path}.build()"),))

    def __iter__(self) -> Iterator[Cursor[Any]]:
        obj = self._obj
        if not isinstance(obj, (list, tuple)):
            raise CursorIterationError(
                says=f"{self._where()} is {article(obj)}; the places of a list or a tuple alone can be iterated over.",
                fixes=(Fix("for the value itself", code=f"for each in c{self._path}.build():"),))
        return iter([self[i] for i in range(len(obj))])

    def __reversed__(self) -> Iterator[Cursor[Any]]:
        return iter(list(self)[::-1])


def _entries(obj: Any, path: str, links: Links) -> Iterator[tuple[str, Links, Any]]:
    """The parts of a node: the path of each, the way to it, and its value."""
    if isinstance(obj, Mapping):
        found = [(key, AccessType.ITEM, obj[key]) for key in obj]
    elif is_named_tuple(obj):
        found = [(name, AccessType.ATTR, getattr(obj, name)) for name in obj._fields]
    elif isinstance(obj, (list, tuple)):
        found = [(i, AccessType.ITEM, value) for i, value in enumerate(obj)]
    elif _is_dataclass(obj):
        found = [(field.name, AccessType.ATTR, getattr(obj, field.name)) for field in dataclasses.fields(obj)]
    else:
        return
    for key, access, value in found:
        yield (f"{path}/{key}" if path else str(key)), (*links, (key, access)), value


MOST_PATHS = 200  # that a report looks at


def _all_paths(obj: Any, path: str) -> Iterator[str]:
    """The paths of all nodes and leaves."""
    for inner, _, value in _entries(obj, path, ()):
        yield inner
        yield from _all_paths(value, inner)


def _note(obj: Any, key: Any, access: AccessType) -> Any:
    """Under which key a change is noted: a field of a named tuple may be reached both ways; numbers count from the start."""
    if access is AccessType.ATTR and is_named_tuple(obj) and key in obj._fields:
        return obj._fields.index(key)
    if isinstance(key, int) and not isinstance(key, bool) and isinstance(obj, (list, tuple)) and -len(obj) <= key < 0:
        return key + len(obj)
    if isinstance(key, slice):
        return ("slice", key.start, key.stop, key.step)
    return key


def _is_new(parent: Cursor[Any], place: Cursor[Any]) -> bool:
    """Whether a place was assigned, or was only looked at."""
    link = place._parent_key
    if link is None:
        return False
    try:
        return parent._fetch(link.key, link.access_type) is not place._obj
    except (LookupError, AttributeError, TypeError, ValueError):
        return True  # there was nothing before


def _there(obj: Any) -> tuple[str, ...]:
    if isinstance(obj, Mapping):
        names = [short(key) for key in obj]
    elif is_named_tuple(obj):
        names = [f"`{name}`" for name in obj._fields]
    elif _is_dataclass(obj):
        names = [f"`{field.name}`" for field in dataclasses.fields(obj)]
    else:
        return ()
    return (f"there {'is' if len(names) == 1 else 'are'} {', '.join(names[:8]) or 'no entries'}.",)


def _value(x: Any) -> Any:
    return x._obj if isinstance(x, Cursor) else x


def _forward(name: str, function: Callable[..., Any]) -> Any:
    def method(self: Cursor[Any], other: Any) -> Any:
        return function(self._obj, _value(other))

    method.__name__ = name
    return method


def _backward(name: str, function: Callable[..., Any]) -> Any:
    def method(self: Cursor[Any], other: Any) -> Any:
        return function(_value(other), self._obj)

    method.__name__ = name
    return method


def _alone(name: str, function: Callable[[Any], Any]) -> Any:
    def method(self: Cursor[Any]) -> Any:
        return function(self._obj)

    method.__name__ = name
    return method


for _name in ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "xor", "or"):
    _operation = getattr(operator, f"__{_name}__")
    setattr(Cursor, f"__{_name}__", _forward(f"__{_name}__", _operation))
    setattr(Cursor, f"__r{_name}__", _backward(f"__r{_name}__", _operation))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Cursor, f"__{_name}__", _forward(f"__{_name}__", getattr(operator, f"__{_name}__")))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Cursor, f"__{_name}__", _alone(f"__{_name}__", getattr(operator, f"__{_name}__")))
setattr(Cursor, "__divmod__", _forward("__divmod__", divmod))  # noqa: B010  (as above, past the type checker)
setattr(Cursor, "__rdivmod__", _backward("__rdivmod__", divmod))  # noqa: B010
Cursor.__round__ = lambda self, ndigits=None: round(self._obj, ndigits)  # type: ignore[attr-defined]
Cursor.__hash__ = None  # type: ignore[assignment]  # it has an equality, of values that change


def cursor(obj: A) -> Cursor[A]:
    """A cursor at the top of a tree.

    Args:
        obj: a tree of dicts, FrozenDicts, lists, tuples, named tuples and dataclasses; it is never changed.

    >>> c = cursor({"layers": [{"bias": 0}]})
    >>> c["layers"][0]["bias"] += 1
    >>> c.build()
    {'layers': [{'bias': 1}]}
    """
    return Cursor(obj, None)
