"""State dicts: nested dicts with text as keys, which stand for trees of any registered type."""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from perspicax.diagnose import public
from perspicax.flax.tree_errors import StateDictError

__all__ = ["current_path", "from_state_dict", "is_serializable", "register_serialization_state", "to_state_dict"]

_HANDLERS: dict[type, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {}


class _Path(threading.local):
    def __init__(self) -> None:
        self.parts: list[str] = []


_path = _Path()


@contextmanager
def _below(part: str) -> Iterator[None]:
    _path.parts.append(part)
    try:
        yield
    finally:
        _path.parts.pop()


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


def _handlers(value: Any) -> tuple[Callable[[Any], Any], Callable[[Any, Any], Any]] | None:
    kind = type(value)
    if hasattr(kind, "_fields") and issubclass(kind, tuple):
        return _named_to_state, _named_from_state
    return _HANDLERS.get(kind)


def is_serializable(target: Any) -> bool:
    """Whether a value is of a registered type (or such a type itself)."""
    return (isinstance(target, type) and target in _HANDLERS) or _handlers(target) is not None


@public
def to_state_dict(target: Any) -> Any:
    """The state dict of a tree; what is of no registered type (an array) stands for itself.

    Raises:
        StateDictError: a dict has keys that become the same text, or a state has keys that are no text.
    """
    handlers = _handlers(target)
    if handlers is None:
        return target
    state = handlers[0](target)
    if isinstance(state, dict):
        for key in state:
            if not isinstance(key, str):
                raise StateDictError(says=f"The state of `{type(target).__name__}` has the key {key!r}, which is no text.",
                                     why="a state dict must be writable in any format: all its keys are str")
    return state


@public
def from_state_dict(target: Any, state: Any, name: str = ".") -> Any:
    """A tree like `target`, with the values of a state dict.

    Args:
        target: says the structure; its values are not used.
        state: what `to_state_dict` returned for such a tree.
        name: what to call this part in errors.

    Raises:
        StateDictError: the state has other names or another number of entries than `target`.
    """
    handlers = _handlers(target)
    if handlers is None:
        return state
    with _below(name):
        return handlers[1](target, state)


def _mismatch(kind: str, wanted: Any, given: Any) -> StateDictError:
    missing = [key for key in wanted if key not in given]
    extra = [key for key in given if key not in wanted]
    parts = [f"missing: {', '.join(map(str, missing))}"] if missing else []
    parts += [f"not expected: {', '.join(map(str, extra))}"] if extra else []
    return StateDictError(says=f"The state at `{current_path()}` does not fit the {kind} that is to be restored.\n    "
                               + "\n    ".join(parts or ["it is no dict of names"]),
                          why="the target says which names there are; each of them must be in the state, and no other")


def _sequence_to_state(values: Any) -> dict[str, Any]:
    return {str(i): to_state_dict(value) for i, value in enumerate(values)}


def _restored_entries(target: Any, state: Any) -> list[Any]:
    if not isinstance(state, Mapping) or len(state) != len(target) or any(str(i) not in state for i in range(len(target))):
        raise _mismatch(f"{type(target).__name__} of {len(target)}", [str(i) for i in range(len(target))],
                        state if isinstance(state, Mapping) else ())
    return [from_state_dict(value, state[str(i)], name=str(i)) for i, value in enumerate(target)]


def _dict_to_state(values: Mapping[Any, Any]) -> dict[str, Any]:
    state = {str(key): to_state_dict(value) for key, value in values.items()}
    if len(state) != len(values):
        raise StateDictError(says=f"A dict has keys that are different but show the same: {list(values)!r}.",
                             why="the keys of a state dict are text")
    return state


def _dict_from_state(target: Mapping[Any, Any], state: Any) -> dict[Any, Any]:
    names = [str(key) for key in target]
    if not isinstance(state, Mapping) or set(names) - set(map(str, state)):
        raise _mismatch("dict", names, state if isinstance(state, Mapping) else ())
    return {key: from_state_dict(value, state[str(key)], name=str(key)) for key, value in target.items()}


def _named_to_state(value: Any) -> dict[str, Any]:
    return {name: to_state_dict(getattr(value, name)) for name in value._fields}


def _named_from_state(target: Any, state: Any) -> Any:
    if not isinstance(state, Mapping) or set(state) != set(target._fields):
        raise _mismatch(f"named tuple {type(target).__name__}", target._fields, state if isinstance(state, Mapping) else ())
    fields = {name: from_state_dict(getattr(target, name), state[name], name=name) for name in target._fields}
    return type(target)(**fields)


def fields_to_state(names: list[str]) -> Callable[[Any], dict[str, Any]]:
    """The function that makes the state of a dataclass with these fields."""
    return lambda value: {name: to_state_dict(getattr(value, name)) for name in names}


def fields_from_state(names: list[str]) -> Callable[[Any, Any], Any]:
    """The function that restores a dataclass with these fields; the others keep the target's values."""
    def restore(target: Any, state: Any) -> Any:
        if not isinstance(state, Mapping) or set(state) != set(names):
            raise _mismatch(type(target).__name__, names, state if isinstance(state, Mapping) else ())
        return target.replace(**{name: from_state_dict(getattr(target, name), state[name], name=name) for name in names})

    return restore


register_serialization_state(dict, _dict_to_state, _dict_from_state)
register_serialization_state(list, _sequence_to_state, lambda target, state: _restored_entries(target, state))
register_serialization_state(tuple, _sequence_to_state, lambda target, state: tuple(_restored_entries(target, state)))
