"""State dicts: nested dicts with text as keys, which stand for trees of any registered type."""
from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from perspicax.diagnose import public
from perspicax.flax.error_base import article, listed, short
from perspicax.flax.tree_errors import StateDictError, StateMismatchError
from perspicax.tree_util import Partial

__all__ = ["current_path", "from_state_dict", "is_serializable", "register_serialization_state", "to_state_dict"]

Handlers = tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]

_HANDLERS: dict[type, Handlers] = {}
_SEEN: dict[type, Handlers | None] = {}
"""The handlers of types that were met, found once; `None` for those of leaves."""
_UNSEEN = object()


class _Path(threading.local):
    def __init__(self) -> None:
        self.parts: list[str] = []


_path = _Path()


def current_path() -> str:
    """Where `from_state_dict` is in the tree that it restores, as `"opt/0/mu"`."""
    return "/".join(_path.parts)


@public
def register_serialization_state(ty: type, ty_to_state_dict: Callable[[Any], Any],
                                 ty_from_state_dict: Callable[[Any, Any], Any], override: bool = False) -> None:
    """Say how values of a type become state dicts and come back.

    Args:
        ty: the type.
        ty_to_state_dict: takes a value, returns its state.
        ty_from_state_dict: takes a value (the target) and a state, returns a value of the target's structure.
        override: whether it may replace what is registered.

    Raises:
        StateDictError: the type is registered, and `override` is false.
    """
    if ty in _HANDLERS and not override:
        raise StateDictError(says=f"`{ty.__name__}` is registered for state dicts already.",
                             why="values that were saved by the other functions may not be readable by these")
    _HANDLERS[ty] = (ty_to_state_dict, ty_from_state_dict)
    _SEEN.clear()


def _handlers(kind: type) -> Handlers | None:
    try:
        return _SEEN[kind]
    except KeyError:
        pass
    named = issubclass(kind, tuple) and hasattr(kind, "_fields")
    found = (_named_to_state, _named_from_state) if named else _HANDLERS.get(kind)
    if found is not None and found[0] not in _OURS:
        found = (_checked(kind, found[0]), found[1])
    if len(_SEEN) > 1000:  # a program that makes classes all the time shall be able to lose them
        _SEEN.clear()
    _SEEN[kind] = found
    return found


def _checked(kind: type, to_state: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of a user's that makes states, and a look at the keys of what it made."""
    def checked(target: Any) -> Any:
        state = to_state(target)
        if isinstance(state, dict):
            for key in state:
                if not isinstance(key, str):
                    raise StateDictError(says=f"The state of `{kind.__name__}` has the key {short(key)}, which is no text.",
                                         why="a state dict must be writable in any format: all its keys are str")
        return state

    return checked


def is_serializable(target: Any) -> bool:
    """Whether a value is of a registered type (or such a type itself)."""
    return (isinstance(target, type) and target in _HANDLERS) or _handlers(type(target)) is not None


@public
def to_state_dict(target: Any) -> Any:
    """The state dict of a tree; what is of no registered type (an array) stands for itself.

    Raises:
        StateDictError: a dict has keys that become the same text, or a state has keys that are no text.
    """
    handlers = _handlers(type(target))
    return target if handlers is None else handlers[0](target)


@public
def from_state_dict(target: Any, state: Any, name: str = ".") -> Any:
    """A tree like `target`, with the values of a state dict.

    Args:
        target: says the structure; its values are not used.
        state: what `to_state_dict` returned for such a tree.
        name: what to call this part in errors.

    Raises:
        StateMismatchError: the state has other names or another number of entries than `target`. It shows all
            differences by path, those of shape and dtype too, which alone are no error.
    """
    return _restored(target, state, name)


def _restored(target: Any, state: Any, name: str) -> Any:
    handlers = _handlers(type(target))
    if handlers is None:
        return state
    parts = _path.parts
    parts.append(name)
    try:
        return handlers[1](target, state)
    except StateMismatchError as found:
        if len(parts) > 1:
            raise
        raise _compared(target, state, found) from None
    finally:
        parts.pop()


def _mismatch(kind: str, wanted: list[str], given: Any) -> StateMismatchError:
    """What the first place says that does not fit; the whole tree is compared where the error leaves it."""
    given = _as_of_today(given) if isinstance(given, Mapping) else given
    names = list(map(str, given)) if isinstance(given, Mapping) else []
    at = current_path()
    return StateMismatchError(
        at=at, kind=kind, missing=tuple([name for name in wanted if name not in names]),
        extra=tuple([name for name in names if name not in wanted]), no_text=_no_text("", given),
        differs=() if isinstance(given, Mapping) else ((at, kind, article(given)),))


def _compared(target: Any, state: Any, found: StateMismatchError) -> StateMismatchError:
    """All places where a state differs from that of the target, in place of the first one that was found."""
    missing: list[str] = []
    extra: list[str] = []
    no_text: list[str] = []
    differs: list[tuple[str, str, str]] = []

    def compare(path: str, wanted: Any, given: Any) -> None:
        if not isinstance(wanted, dict):
            if (isinstance(given, dict) or _shaped(wanted) != _shaped(given)) and wanted is not None:
                differs.append((path, _described(wanted), _described(given)))
        elif not isinstance(given, Mapping):
            differs.append((path, _described(wanted), _described(given)))
        else:
            given = _as_of_today(given)
            names = set(map(str, given))
            missing.extend([path + f"[{short(name)}]" for name in wanted if name not in names])
            extra.extend([path + f"[{short(str(name))}]" for name in given if str(name) not in wanted])
            no_text.extend(_no_text(path, given))
            for name, value in given.items():
                if str(name) in wanted:
                    compare(path + f"[{short(str(name))}]", wanted[str(name)], value)

    compare("", to_state_dict(target), state)
    if not (missing or extra or differs or no_text):
        return found  # the target's own state fits, so that it is a restoring function of a user's that asks for more
    return StateMismatchError(at=found.at, kind=found.kind, missing=tuple(missing), extra=tuple(extra),
                              differs=tuple(differs), no_text=tuple(no_text))


def _no_text(path: str, given: Any) -> tuple[str, ...]:
    """The paths of keys that are no text, as those of a dict that did not go through `to_state_dict`."""
    if not isinstance(given, Mapping):
        return ()
    return tuple([path + f"[{short(name)}]" for name in given if not isinstance(name, str)])


def _shaped(value: Any) -> Any:
    """The shape and dtype of an array; all that has none counts as alike."""
    return (tuple(value.shape), str(value.dtype)) if hasattr(value, "shape") and hasattr(value, "dtype") else None


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} entries ({listed(value, 3)})" if value else "no entries"
    return article(value) if _shaped(value) or not isinstance(value, int | float | complex | str | bool) else repr(value)


def _state_of(target: Any) -> Any:
    """What `to_state_dict` is, inside of a tree."""
    handlers = _handlers(type(target))
    return target if handlers is None else handlers[0](target)


def _sequence_to_state(values: Any) -> dict[str, Any]:
    return {str(i): _state_of(value) for i, value in enumerate(values)}


def _restored_entries(target: Any, state: Any) -> list[Any]:
    if not isinstance(state, Mapping) or len(state) != len(target) or any(str(i) not in state for i in range(len(target))):
        raise _mismatch(f"{type(target).__name__} of {len(target)}", [str(i) for i in range(len(target))], state)
    return [_restored(value, state[str(i)], str(i)) for i, value in enumerate(target)]


def _dict_to_state(values: Mapping[Any, Any]) -> dict[str, Any]:
    state, seen = {}, _SEEN
    for key, value in values.items():
        # The common case is a leaf of a type that was met before: no call is made for it.
        kind = type(value)
        handlers: Any = seen.get(kind, _UNSEEN)
        if handlers is _UNSEEN:
            handlers = _handlers(kind)
        state[key if type(key) is str else str(key)] = value if handlers is None else handlers[0](value)
    if len(state) != len(values):
        alike = Counter(map(str, values))
        raise StateDictError(says="A dict has keys that are different but show the same: "
                                  f"{listed(key for key in values if alike[str(key)] > 1)}.",
                             why="the keys of a state dict are text")
    return state


def _dict_from_state(target: Mapping[Any, Any], state: Any) -> dict[Any, Any]:
    if not isinstance(state, Mapping):
        raise _mismatch("dict", [str(key) for key in target], state)
    found, seen = {}, _SEEN
    for key, value in target.items():
        text = key if type(key) is str else str(key)
        try:
            given = state[text]
        except KeyError:
            raise _mismatch("dict", [str(key) for key in target], state) from None
        kind = type(value)
        found[key] = given if seen.get(kind, _UNSEEN) is None else _restored(value, given, text)
    return found


def _named_to_state(value: Any) -> dict[str, Any]:
    return {name: _state_of(getattr(value, name)) for name in value._fields}


_OLD = {"name", "fields", "values"}


def _as_of_today(state: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The state of a named tuple as old versions of Flax wrote it, `{"name": ..., "fields": {"0": name}, "values":
    {"0": value}}`, as it is written now: `{name: value}`. Any other state as it is."""
    if state.keys() != _OLD:
        return state
    fields, values = state["fields"], state["values"]
    if not (isinstance(fields, Mapping) and isinstance(values, Mapping) and fields.keys() == values.keys()
            and all(isinstance(name, str) for name in fields.values()) and len(set(fields.values())) == len(fields)):
        return state
    return {name: values[i] for i, name in fields.items()}


def _named_from_state(target: Any, state: Any) -> Any:
    if isinstance(state, Mapping) and set(target._fields) != _OLD:
        state = _as_of_today(state)
    if not isinstance(state, Mapping) or set(state) != set(target._fields):
        raise _mismatch(f"named tuple {type(target).__name__}", list(target._fields), state)
    fields = {name: _restored(getattr(target, name), state[name], name) for name in target._fields}
    return type(target)(**fields)


def fields_to_state(names: list[str]) -> Callable[[Any], dict[str, Any]]:
    """The function that makes the state of a dataclass with these fields."""
    return lambda value: {name: _state_of(getattr(value, name)) for name in names}


def fields_from_state(names: list[str]) -> Callable[[Any, Any], Any]:
    """The function that restores a dataclass with these fields; the others keep the target's values."""
    def restore(target: Any, state: Any) -> Any:
        if not isinstance(state, Mapping) or set(state) != set(names):
            raise _mismatch(type(target).__name__, names, state)
        return target.replace(**{name: _restored(getattr(target, name), state[name], name) for name in names})

    return restore


_OURS = (_dict_to_state, _sequence_to_state, _named_to_state)

register_serialization_state(dict, _dict_to_state, _dict_from_state)
register_serialization_state(list, _sequence_to_state, lambda target, state: _restored_entries(target, state))
register_serialization_state(tuple, _sequence_to_state, lambda target, state: tuple(_restored_entries(target, state)))

register_serialization_state(
    Partial, lambda value: {"args": to_state_dict(value.args), "keywords": to_state_dict(value.keywords)},
    lambda target, state: Partial(target.func, *from_state_dict(target.args, state["args"], name="args"),
                                  **from_state_dict(target.keywords, state["keywords"], name="keywords")))
