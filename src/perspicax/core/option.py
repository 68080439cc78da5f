"""Options: typed settings with one process-wide value and, for each thread, overrides.

`option.value` is what the running code sees: the innermost override that this thread has entered, else the
process-wide value. `option(value)` is a context manager (and a decorator) that overrides; `option.set_global(value)`
is what `config.update` does. `config.py` has the table of options.

The fast paths are `option.value` and `state_key()`: no lock, and while nothing is overridden, no thread-local state.
"""
from __future__ import annotations

import contextlib
import operator
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from perspicax.core.config_errors import (
    MissingOptionValueError,
    OptionAsConditionError,
    OptionValueError,
    OverrideNotActiveError,
    UnknownOptionError,
)
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import InternalError

MAX_SHOWN = 6  # of the values that an option takes
TRUE_WORDS = frozenset(("1", "y", "yes", "t", "true", "on"))
FALSE_WORDS = frozenset(("0", "n", "no", "f", "false", "off"))


class ThreadState(threading.local):
    """What belongs to one thread: its overrides of options and, so that one lookup serves both, its current trace.

    Attributes:
        trace: the trace that processes the next primitive. `core.context` sets it, and the class attribute, which is
            what a new thread starts with.
        place: where in the user's code equations that are replayed come from, or `None`; `core.jaxpr` sets it.
        overrides: the value of each option that this thread overrides now.
        active: for each of them, what was entered and not yet left, innermost last.
        key: `None` while no option that affects tracing is overridden; else the version of the process-wide values
            for which the state key was made, and that key.
    """

    trace: Any = None
    place: Any = None

    def __init__(self) -> None:
        self.overrides: dict[Option, Any] = {}
        self.active: dict[Option, list[tuple[Override, Any]]] = {}
        self.key: tuple[int, StateKey | None] | None = None


local = ThreadState()


class Option:
    """One setting.

    Attributes:
        name: its full name, `jax_enable_x64`.
        type: `bool`, `int`, `float`, `str`, or `object` where `validator` alone decides.
        default: its value before anything is set.
        env: the environment variable that is read once, at import, or `None`.
        doc: what it does, in one sentence.
        affects_tracing: whether a compiled program may depend on it; such options are part of `state_key()`.
        choices: the values it takes, if they can be listed.
        validator: converts a value; it raises `ValueError` for one that does not fit, and its docstring says which do.
        optional: whether it may be `None`.
        implied: options that follow every change of this one.
        process_value: the value for threads that do not override it.
    """

    __slots__ = ("_after", "_before", "_entered", "_slot", "_watchers", "affects_tracing", "choices", "default", "doc", "env",
                 "implied", "name", "optional", "process_value", "type", "validator")

    def __init__(self, name: str, type: type, default: Any, env: str | None = None, doc: str = "",
                 affects_tracing: bool = False, choices: tuple[str, ...] | None = None,
                 validator: Callable[[Any], Any] | None = None, optional: bool = False,
                 implied: tuple[Option, ...] = ()) -> None:
        self.name, self.type, self.default, self.env, self.doc = name, type, default, env, doc
        self.affects_tracing, self.choices, self.validator = affects_tracing, choices, validator
        self.optional, self.implied = optional, implied
        self.process_value = default
        self._slot = -1  # its place in a state key
        self._entered = 0  # its overrides in all threads: while there are none, reading it needs no thread's state
        self._before: list[Callable[[Any], None]] = []
        self._after: list[Callable[[Any], None]] = []
        self._watchers: list[Callable[[], None]] = []

    @property
    def value(self) -> Any:
        """The value that holds in this thread."""
        return local.overrides.get(self, self.process_value) if self._entered else self.process_value

    def get_global(self) -> Any:
        """The value for threads that do not override the option."""
        return self.process_value

    def set_global(self, value: Any, *, source: str = "") -> None:
        """Set the process-wide value; overrides that threads have entered stay in force.

        Args:
            value: what to set; it is checked and converted.
            source: who says so (an environment variable), for the report.

        Raises:
            OptionValueError: the option does not take this value.
        """
        value = self.convert(value, source=source)
        changed = (self, *self.implied)
        with _lock:
            for option in changed:
                for check in option._before:
                    check(value)
            for option in changed:
                option.process_value = value
            if any(option.affects_tracing for option in changed):
                _forget_process_key()
        for option in changed:
            for callback in option._after:
                callback(value)
            for watcher in option._watchers:
                watcher()

    @public
    def __call__(self, *value: Any, **named: Any) -> Override:
        """A context manager, or decorator, that gives the option `value` in this thread.

        Options that are on or off may leave the value out: they are switched on.

        Raises:
            MissingOptionValueError: the value is left out and the option is not one of on or off.
            OptionValueError: the option does not take this value.
        """
        if value or named:
            return Override(self, self.convert(_new_value(*value, **named)))
        if self.type is bool:
            return Override(self, True)
        raise MissingOptionValueError(option=self.short_name, expected=self.expected,
                                      example=repr(self.choices[0]) if self.choices else "…")

    @public
    def __bool__(self) -> bool:
        raise OptionAsConditionError(option=self.short_name)

    def __repr__(self) -> str:
        return f"<option {self.name} = {self.value!r}>"

    @property
    def short_name(self) -> str:
        """The name of its context manager: `enable_x64`."""
        return self.name.removeprefix("jax_")

    @property
    def expected(self) -> str:
        """The values it takes, in words."""
        if self.choices is not None:
            shown = list(map(repr, self.choices[:MAX_SHOWN])) if len(self.choices) > MAX_SHOWN + 2 else map(repr, self.choices)
            words = " or ".join(shown)
            if len(self.choices) > MAX_SHOWN + 2:
                words += f" or one of {len(self.choices) - MAX_SHOWN} others (its documentation lists them)"
        elif self.validator is not None:
            words = self.validator.__doc__ or ""
        else:
            words = {bool: "True or False", int: "an int", float: "a float", str: "a str",
                     object: "any hashable value"}[self.type]
        return f"{words} or None" if self.optional else words

    def convert(self, value: Any, *, source: str = "") -> Any:
        """`value` as the option stores it.

        Raises:
            OptionValueError: the option does not take this value.
        """
        if value is None and self.optional:
            return None
        try:
            converted = _CONVERTERS[self.type](value)
            if self.validator is not None:
                converted = self.validator(converted)
        except (TypeError, ValueError):
            raise self._refusal(value, source) from None
        if self.choices is not None and converted not in self.choices:
            raise self._refusal(value, source)
        return converted

    def parse(self, text: str, *, source: str) -> Any:
        """The value that `text` spells, as in an environment variable or on a command line.

        Raises:
            OptionValueError: it spells no value of the option.
        """
        if self.type is bool:
            if text.lower() not in TRUE_WORDS | FALSE_WORDS:
                raise OptionValueError(option=self.name, value=repr(text), source=source,
                                       expected="1, true, yes, on or 0, false, no, off")
            return text.lower() in TRUE_WORDS
        if self.type is int or self.type is float:
            try:
                return self.convert(self.type(text), source=source)
            except ValueError:
                raise self._refusal(text, source) from None
        return self.convert(text, source=source)

    def before_change(self, check: Callable[[Any], None]) -> None:
        """Let `check(value)` refuse process-wide changes, by raising."""
        self._before.append(check)

    def on_change(self, callback: Callable[[Any], None]) -> None:
        """Call `callback(value)` after every process-wide change, in the thread that made it."""
        self._after.append(callback)

    @property
    def touched(self) -> bool:
        """Whether any thread may see another value than the default."""
        return bool(self._entered) or self.process_value != self.default

    def watch(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change, process-wide or in a thread; for fast paths that hold while untouched."""
        self._watchers.append(callback)

    def _refusal(self, value: Any, source: str) -> OptionValueError:
        near = near_names(value, self.choices or (), 1)
        return OptionValueError(option=self.name, value=repr(value)[:80], expected=self.expected, source=source,
                                suggestion=repr(near[0]) if near else "")


class Override(contextlib.ContextDecorator):
    """One value of an option (and of those it implies), for the thread that enters it.

    It may be entered again while it is active, used again later, and used by several threads at once: what is active
    is kept by thread, not here.
    """

    def __init__(self, option: Option, value: Any) -> None:
        self.options = (option, *option.implied)
        self.value = value

    def __enter__(self) -> None:
        here = local
        for option in self.options:
            here.active.setdefault(option, []).append((self, self.value))
            here.overrides[option] = self.value
            _count(option, 1)
            if option.affects_tracing:
                here.key = _STALE

    def __exit__(self, *exception: object) -> None:
        here = local
        for option in self.options:
            self._leave(here, option)
            if option.affects_tracing:
                here.key = _STALE if any(other.affects_tracing for other in here.overrides) else None

    def _leave(self, here: ThreadState, option: Option) -> None:
        """Take this override away, also from under others: generators that hold overrides end in any order."""
        active = here.active.get(option, [])
        found = next((i for i in reversed(range(len(active))) if active[i][0] is self), None)
        if found is None:
            raise OverrideNotActiveError(option=option.name)
        del active[found]
        if active:
            here.overrides[option] = active[-1][1]
        else:
            del here.active[option], here.overrides[option]
        _count(option, -1)


def _count(option: Option, change: int) -> None:
    global _tracing_entered
    with _lock:
        option._entered += change
        if option.affects_tracing:
            _tracing_entered += change
    for watcher in option._watchers:
        watcher()


def tracing_options() -> tuple[Option, ...]:
    """The options that affect tracing, in the order of `StateKey.values`."""
    return tuple(_tracing)


class StateKey:
    """The values of all options that affect tracing. Equal states are one object, compared and hashed by identity."""

    __slots__ = ("__weakref__", "values")

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values

    def __repr__(self) -> str:
        changed = [f"{option.name}={value!r}" for option, value in zip(_tracing, self.values)
                   if value != _in_key(option, option.default)]
        return f"StateKey({', '.join(changed)})"


_ENVIRONMENT = dict(os.environ)  # as it is at import; `os.environ` itself is slow to ask
_lock = threading.RLock()
_options: dict[str, Option] = {}
_tracing: list[Option] = []
_keys: weakref.WeakValueDictionary[tuple[Any, ...], StateKey] = weakref.WeakValueDictionary()
_process_key: StateKey | None = None
_version = 0
_tracing_entered = 0  # overrides of options that affect tracing, in all threads
_STALE: tuple[int, StateKey | None] = (-1, None)


def state_key() -> StateKey:
    """The identity of all options that affect tracing, as this thread sees them; a part of every cache key of `jit`.

    As long as a key is kept alive, equal states give this same object.
    """
    if not _tracing_entered:
        return _process_key or _make_process_key()
    stamped = local.key
    if stamped is None:
        return _process_key or _make_process_key()
    if stamped[0] == _version:
        return stamped[1]  # type: ignore[return-value]  # only the stale pair, of version -1, has no key
    return _make_thread_key()


def _make_process_key() -> StateKey:
    global _process_key
    with _lock:
        _process_key = _intern([_in_key(option, option.process_value) for option in _tracing])
        return _process_key


def _make_thread_key() -> StateKey:
    with _lock:  # the values and the version must belong together
        values = list((_process_key or _make_process_key()).values)
        for option, value in local.overrides.items():
            if option.affects_tracing:
                values[option._slot] = _in_key(option, value)
        key = _intern(values)
        local.key = (_version, key)
        return key


def _in_key(option: Option, value: Any) -> Any:
    # 1 and 1.0 are equal, but a program traced with one is not the program traced with the other
    return (type(value), value) if option.type is object else value


def _intern(values: list[Any]) -> StateKey:
    key = tuple(values)
    return _keys.setdefault(key, StateKey(key))


def _forget_process_key() -> None:
    global _process_key, _version
    _process_key = None
    _version += 1


def define(name: str, type: type, default: Any, env: str | None = None, doc: str = "", affects_tracing: bool = False,
           choices: tuple[str, ...] | None = None, validator: Callable[[Any], Any] | None = None, *,
           optional: bool = False, implied: tuple[Option, ...] = ()) -> Option:
    """A new option in the registry, set from its environment variable if there is one. For the fields see `Option`.

    Raises:
        OptionValueError: the environment variable spells no value of the option.
    """
    option = Option(name, type, default, env, doc, affects_tracing, choices, validator, optional, implied)
    with _lock:
        if name in _options:
            raise InternalError(what=f"the option `{name}` is defined twice")
        _options[name] = option
        _add_to_key(option)
    if env is not None and env in _ENVIRONMENT:
        source = f"the environment variable {env}"
        try:
            option.set_global(option.parse(_ENVIRONMENT[env], source=source), source=source)
        except OptionValueError as error:
            str(error)  # makes its text now: this ends the import, after which the room that makes it is half a room
            raise
    return option


def user_context(default: Any = None) -> Option:
    """A setting of the user's own: programs are traced again when its value changes. It may have any hashable value."""
    with _lock:
        option = Option(f"user_context_{len(_tracing)}", object, None, affects_tracing=True)
        option.process_value = option.default = option.convert(default)
        _add_to_key(option)
    return option


def _add_to_key(option: Option) -> None:
    if option.affects_tracing:
        option._slot = len(_tracing)
        _tracing.append(option)
        _forget_process_key()


def options() -> Mapping[str, Option]:
    """All options of the registry, by name, in the order of their definition."""
    return _options


def option_named(name: str) -> Option:
    """The option called `name`.

    Raises:
        UnknownOptionError: there is none.
    """
    found = _options.get(name)
    if found is not None:
        return found
    raise UnknownOptionError(option=name, near=tuple(_near_options(name)))


def _near_options(name: Any) -> list[str]:
    """The options of which `name` may be a misspelling. The prefix, which they share, does not make them alike."""
    if not isinstance(name, str):
        return []
    by_rest = {option.removeprefix("jax_").removeprefix("perspicax_"): option for option in _options}
    return [by_rest[rest] for rest in near_names(name.removeprefix("jax_").removeprefix("perspicax_"), by_rest, 3, 0.8)]


def near_names(name: Any, names: Iterable[str], most: int, alike: float = 0.7) -> list[str]:
    """At most so many of `names`, most alike first, of which `name` may be a misspelling."""
    import difflib  # for its weight: only reports want it

    return difflib.get_close_matches(name, list(names), most, alike) if isinstance(name, str) else []


def on_change(name: str, callback: Callable[[Any], None]) -> None:
    """Call `callback(value)` after every process-wide change of the option `name`, in the thread that made it."""
    option_named(name).on_change(callback)


def before_change(name: str, check: Callable[[Any], None]) -> None:
    """Let `check(value)` refuse process-wide changes of the option `name`, by raising."""
    option_named(name).before_change(check)


def _new_value(new_val: Any) -> Any:
    return new_val  # the parameter has JAX's name, for those who pass it by keyword


def _to_bool(value: Any) -> bool:
    if isinstance(value, str):  # bool("False") is True: only words that mean what they are as truth values are taken
        if value.lower() in TRUE_WORDS:
            return True
        raise ValueError(value)
    if value is None or isinstance(value, (int, np.bool_, np.integer)):
        return bool(value)
    raise TypeError(value)


def _to_int(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    return operator.index(value)


def _to_float(value: Any) -> float:
    if isinstance(value, (bool, str)):
        raise TypeError(value)
    return float(value)


def _to_str(value: Any) -> str:
    text = os.fspath(value)  # also a path
    if not isinstance(text, str):
        raise TypeError(value)
    return str.__str__(text)  # a member of a string enumeration becomes its value


def _to_hashable(value: Any) -> Any:
    hash(value)
    return value


_CONVERTERS: Mapping[type, Callable[[Any], Any]] = {
    bool: _to_bool, int: _to_int, float: _to_float, str: _to_str, object: _to_hashable}
