"""How one object holds another: at which index, under which key, attribute, variable or cell.

No code of the user runs here: a proxy may define `__class__`, `__dict__`, `__getattribute__` or `__iter__`.
"""

from __future__ import annotations

import functools
import gc
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum, auto
from inspect import CO_OPTIMIZED
from typing import Any

LRU_CACHE: type = functools._lru_cache_wrapper
Found = tuple["How", str, str | None]  # how, the key as written, and the bare string of a text key or name
_class_dict = type.__dict__["__dict__"].__get__


class How(Enum):
    """How a holder holds: where in it the held object stands."""

    INDEX = auto()
    FIELD = auto()  # of a named tuple
    MEMBER = auto()  # of a set
    VALUE = auto()  # of a dict
    KEY = auto()  # of a dict
    ATTRIBUTE = auto()  # in the object itself: inline, in a slot, or a member of a built-in type
    NAMESPACE = auto()  # the dict of the attributes of an instance, a class or a function
    CONTENT = auto()  # of a closure cell
    CLOSURE = auto()  # the tuple of a function's cells
    DEFAULTS = auto()
    KWDEFAULTS = auto()
    VARIABLE = auto()  # a local of a frame, suspended or finished
    FRAME = auto()  # of a traceback
    NEXT = auto()  # the further traceback
    CACHE = auto()  # of functools.lru_cache
    ELEMENT = auto()  # of a NumPy array
    THREAD = auto()  # the dict by thread of a threading.local
    INSIDE = auto()  # somewhere in an object that shows no more


def is_a(value: object, kind: type | tuple[type, ...]) -> bool:
    """`isinstance` that never runs the value's own code (a proxy may define `__class__`)."""
    return issubclass(type(value), kind)


def class_dict(cls: type) -> types.MappingProxyType[str, object]:
    """The class's own attributes, whatever its metaclass says."""
    proxy: types.MappingProxyType[str, object] = _class_dict(cls)
    return proxy


def instance_dict(value: object) -> dict[str, object] | None:
    """The dict of an instance's attributes, read past any `__getattribute__` or `__dict__` of its class."""
    for cls in type(value).__mro__:
        getter: Any = class_dict(cls).get("__dict__")
        if type(getter) in (types.GetSetDescriptorType, types.MemberDescriptorType):
            namespace = getter.__get__(value)
            return namespace if type(namespace) is dict else None
    return None


def namespace_of(value: Any) -> object:
    """The dict in which the attributes of an instance, class, function or module stand; `None` if it has none."""
    if is_a(value, type):
        return gc.get_referents(class_dict(value))[0]
    return instance_dict(value)


def written_key(key: Any) -> str:
    """A dict key as the user would write it; the name of its type where only the user's `__repr__` could tell."""
    if type(key) in (str, int, float, bool, bytes, complex, types.NoneType):
        text = repr(key)
        return text if len(text) <= 60 else text[:56] + "…" + text[-1]
    if type(key) is tuple:
        inner = ", ".join(written_key(part) for part in key)
        return f"({inner},)" if len(key) == 1 else f"({inner})"
    if is_a(key, type):
        return key.__name__
    return f"<{type(key).__name__}>"


def _slot_holding(holder: object, held: object) -> str | None:
    for cls in type(holder).__mro__:
        for name, descriptor in class_dict(cls).items():
            if type(descriptor) is types.MemberDescriptorType:
                try:
                    if descriptor.__get__(holder) is held:
                        return name
                except AttributeError:  # the slot is empty
                    continue
    return None


def _index_holding(holder: Iterable[object], held: object) -> int | None:
    return next((index for index, item in enumerate(holder) if item is held), None)


def _in_container(holder: Any, held: object) -> Found | None:
    if is_a(holder, dict):
        return _in_dict(holder, held)
    if is_a(holder, (list, tuple, deque)):
        base = next(kind for kind in (list, tuple, deque) if is_a(holder, kind))
        index = _index_holding(base.__iter__(holder), held)
        if index is None:
            return None
        fields = class_dict(type(holder)).get("_fields")
        if base is tuple and type(fields) is tuple and index < len(fields):
            return How.FIELD, str(fields[index]), str(fields[index])
        return How.INDEX, str(index), None
    if is_a(holder, (set, frozenset)):
        base_set = set if is_a(holder, set) else frozenset
        return (How.MEMBER, "", None) if _index_holding(base_set.__iter__(holder), held) is not None else None
    return None


def _in_dict(holder: dict[object, object], held: object) -> Found | None:
    items = list(dict.items(holder))  # a copy: another thread may write meanwhile
    for key, item in items:
        if item is held:
            if type(key) is weakref.ReferenceType and type(key()).__name__ == "_localdummy":
                return How.THREAD, "", None
            return How.VALUE, written_key(key), str(key) if is_a(key, str) else None
    return (How.KEY, "", None) if any(key is held for key, _ in items) else None


def _in_function(holder: types.FunctionType, held: object) -> Found | None:
    parts = (
        (How.CLOSURE, holder.__closure__),
        (How.DEFAULTS, holder.__defaults__),
        (How.KWDEFAULTS, holder.__kwdefaults__),
        (How.NAMESPACE, holder.__dict__),
    )
    return next(((how, "", None) for how, part in parts if part is held), None)


def _in_exception(holder: BaseException, held: object) -> Found | None:
    for name in ("args", "__traceback__", "__cause__", "__context__"):
        if getattr(BaseException, name).__get__(holder) is held:
            return How.ATTRIBUTE, name, name
    return None


def _in_frame(frame: types.FrameType | None, held: object) -> Found:
    if frame is None:
        return How.INSIDE, "", None
    in_cell = type(held) is types.CellType
    wanted = held.cell_contents if type(held) is types.CellType else held
    shared = frame.f_code.co_cellvars + frame.f_code.co_freevars
    with locals_of(frame) as variables:
        names = [name for name, value in variables.items() if value is wanted and (name in shared) == in_cell]
    name = names[0] if names else None
    return (How.INSIDE, "", None) if name is None else (How.VARIABLE, name, name)


def how_held(holder: Any, held: object) -> Found | None:
    """Where in `holder` the object `held` stands; `None` where the reference is none that keeps a user's value."""
    kind = type(holder)
    if held is kind or is_a(holder, (weakref.ReferenceType, types.ModuleType)):  # a module's dict is found by itself
        return None
    found = _in_container(holder, held)
    if found is not None:
        return found
    if is_a(holder, type):
        return (How.NAMESPACE, "", None) if namespace_of(holder) is held else None
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(holder, held)
    if is_a(holder, BaseException) and (found := _in_exception(holder, held)) is not None:
        return found
    if is_object_array(holder):
        return _in_array(holder, held)
    return _in_instance(holder, held)


def _in_array(holder: Any, held: object) -> Found:
    flat = next(index for index, item in enumerate(holder.flat) if item is held)
    place: list[int] = []
    for length in reversed(holder.shape):
        flat, rest = divmod(flat, length)
        place.append(rest)
    return How.ELEMENT, ", ".join(map(str, reversed(place))), None


_READERS: dict[type, Callable[[Any, object], Found | None]] = {
    types.FunctionType: _in_function,
    types.CellType: lambda cell, held: (How.CONTENT, "", None),
    types.FrameType: _in_frame,
    types.GeneratorType: lambda generator, held: _in_frame(generator.gi_frame, held),
    types.CoroutineType: lambda coroutine, held: _in_frame(coroutine.cr_frame, held),
    types.AsyncGeneratorType: lambda generator, held: _in_frame(generator.ag_frame, held),
    types.TracebackType: lambda trace, held: ((How.FRAME if trace.tb_frame is held else How.NEXT), "", None),
    LRU_CACHE: lambda wrapper, held: (How.CACHE, "", None),
}


def _in_instance(holder: object, held: object) -> Found:
    attributes = instance_dict(holder)
    if attributes is not None:
        if attributes is held:
            return How.NAMESPACE, "", None
        for name, item in list(attributes.items()):
            if item is held:
                return How.ATTRIBUTE, name, name
    slot = _slot_holding(holder, held)
    return (How.INSIDE, "", None) if slot is None else (How.ATTRIBUTE, slot, slot)


class locals_of:
    """The local variables of a frame, for the length of a `with`.

    Before Python 3.13 `f_locals` of a function is a copy that stays with the frame, and would itself keep the value
    alive; it is emptied again, unless somebody else holds it, or a trace function runs (which would copy it back).
    """

    def __init__(self, frame: types.FrameType) -> None:
        self.frame = frame
        self.copied = bool(frame.f_code.co_flags & CO_OPTIMIZED) and sys.version_info < (3, 13)
        self.traced = any(hook is not None for hook in (sys.gettrace(), sys.getprofile(), threading.gettrace()))

    def __enter__(self) -> dict[str, object]:
        return self.frame.f_locals

    def __exit__(self, *_: object) -> None:
        if self.copied and not self.traced:
            variables = self.frame.f_locals
            if sys.getrefcount(variables) <= 4:  # the frame, the variable of the `with`, this one, the argument
                variables.clear()


def is_object_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and is_a(value, numpy.ndarray) and value.dtype == object
