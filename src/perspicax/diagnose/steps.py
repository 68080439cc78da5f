"""The way from a name down to a value, one step for each holder, as facts: kind, key, ids, class, code.

A chain of referrers has more links than a user sees holders (an instance refers to its dict, and that to the value;
a function to a tuple, that to a cell): what belongs together becomes one step.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from perspicax.diagnose.links import How, is_a
from perspicax.diagnose.referrers import Edge, Local, Referrers
from perspicax.diagnose.source import shorten

__all__ = ["Kind", "Step", "code_text", "last_name", "place_of", "steps_of"]


class Kind(StrEnum):
    """What sort of place keeps the value."""

    LIST = "list"
    TUPLE = "tuple"
    NAMED_TUPLE = "named tuple"
    DEQUE = "deque"
    SET = "set"
    DICT = "dict"
    DICT_KEY = "dict key"
    ARRAY = "array"
    ATTRIBUTE = "attribute"
    CLASS_ATTRIBUTE = "class attribute"
    GLOBAL = "global"
    LOCAL = "local variable"
    CLOSURE = "closure cell"
    DEFAULT = "default argument"
    GENERATOR = "generator"
    PARTIAL = "partial"
    METHOD = "bound method"
    CACHE = "cache"
    EXCEPTION = "exception"
    TRACEBACK = "traceback"
    CONTEXT = "context variable"
    THREAD_LOCAL = "thread-local attribute"
    OBJECT = "object"


@dataclass(frozen=True)
class Step:
    """One holder on the way down to the value.

    Attributes:
        kind: what sort of place it is.
        key: the index, key or attribute, as the user would write it.
        name: the bare attribute, variable or text key; `None` where there is none.
        ids: ids of the objects on which a store to this place is made (the list; the instance and its `__dict__`).
        type_name: type of the object that holds.
        owner: its class.
        code: the function to which a cell, default argument or suspended variable belongs.
        line: the line at which a generator waits.
        builtin: the built-in type that the container is, or derives from: "list", "dict", …; else empty.
    """

    kind: Kind
    key: str = ""
    name: str | None = None
    ids: frozenset[int] = frozenset()
    type_name: str = ""
    owner: weakref.ref[type] | None = field(default=None, compare=False)
    code: types.CodeType | None = None
    line: int | None = None
    builtin: str = ""


def last_name(qualified: str) -> str:
    """A qualified name without the functions around it."""
    return qualified.rpartition("<locals>.")[2]


def code_text(code: types.CodeType) -> str:
    """What a reader calls a function; a lambda by the line it stands on."""
    name = last_name(code.co_qualname)
    if not name.startswith("<"):
        return name
    return f"the {name.strip('<>')} at {place_of(code, code.co_firstlineno)}"


def place_of(code: types.CodeType, line: int | None) -> str:
    """The line as `train.py:12`."""
    return f"{shorten(code.co_filename).rpartition('/')[2]}:{line}"


def steps_of(graph: Referrers, links: Iterable[Edge], local: Local | None = None) -> Iterator[Step]:
    """The chain from the value upwards, with what belongs together (instance, its dict, the key in it) as one step."""
    chain = list(links)
    while chain:
        step, used = _step(graph, chain, local)
        yield step
        del chain[:used]


def _step(graph: Referrers, chain: list[Edge], local: Local | None) -> tuple[Step, int]:
    hows = [edge.how for edge in chain[:4]]
    holders = [graph.objects[edge.holder] for edge in chain]
    first = chain[0]
    match hows:
        case [How.VALUE, How.NAMESPACE, *_]:
            kind = Kind.CLASS_ATTRIBUTE if is_a(holders[1], type) else Kind.ATTRIBUTE
            return _made(kind, first, holders[1], {first.holder, chain[1].holder}), 2
        case [How.INDEX, How.DEFAULTS, *_] | [How.VALUE, How.KWDEFAULTS, *_]:
            return _default(first, hows[0], holders[1]), 2
        case [How.CONTENT, How.INDEX, How.CLOSURE, *_]:
            return _cell(first, int(chain[1].key), holders[2]), 3
        case [How.CONTENT, How.VARIABLE, *_]:
            return _suspended(graph, chain, 1, {first.holder})
        case [How.CONTENT]:
            name, code = ("", None) if local is None else (local.name, local.code)
            return Step(Kind.LOCAL, name, name, frozenset({first.holder}), code=code), 1
        case [How.VARIABLE, *_]:
            return _suspended(graph, chain, 0, set())
        case [How.VALUE, How.THREAD, How.INSIDE, *_]:
            return _made(Kind.THREAD_LOCAL, first, holders[2], {first.holder, chain[2].holder}), 3
        case [(How.INDEX | How.KEY | How.VALUE | How.CACHE), *_] if (used := _into_cache(hows)) is not None:
            key = "as an argument" if {How.INDEX, How.KEY} & set(hows[:used]) else "among its results"
            cache = chain[used - 1].holder
            return Step(Kind.CACHE, key, ids=frozenset({cache}), type_name="lru_cache"), used
        case [How.INDEX | How.VALUE, How.ATTRIBUTE, *_] if (part := _part_kind(holders[1])) is not None:
            key = f"{chain[1].key}[{first.key}]"
            ids = {first.holder, chain[1].holder}
            return _made(part, Edge(chain[1].holder, How.ATTRIBUTE, key, first.name), holders[1], ids), 2
        case [How.INSIDE, *_] if (used := _into_context(holders)) is not None:
            return _context(graph, chain, used, holders[used - 1])
        case [How.VALUE] if first.holder in graph.modules:
            return Step(Kind.GLOBAL, first.key, first.name, frozenset({first.holder}), "module"), 1
    return _made(_kind(first, holders[0]), first, holders[0], {first.holder}), 1


_KINDS = {How.FIELD: Kind.NAMED_TUPLE, How.MEMBER: Kind.SET, How.VALUE: Kind.DICT, How.KEY: Kind.DICT_KEY,
          How.ELEMENT: Kind.ARRAY, How.CACHE: Kind.CACHE}
_BUILTINS = ("list", "tuple", "deque", "dict", "set", "frozenset", "ndarray")


def _kind(edge: Edge, holder: object) -> Kind:
    if edge.how is How.INDEX:
        return Kind(_builtin(holder))
    if edge.how is How.ATTRIBUTE:
        return _part_kind(holder) or (Kind.CLASS_ATTRIBUTE if is_a(holder, type) else Kind.ATTRIBUTE)
    return _KINDS.get(edge.how, Kind.OBJECT)


def _part_kind(holder: object) -> Kind | None:
    if type(holder) is types.MethodType:
        return Kind.METHOD
    if is_a(holder, functools.partial):
        return Kind.PARTIAL
    return Kind.EXCEPTION if is_a(holder, BaseException) else None


def _builtin(holder: object) -> str:
    return next((cls.__name__ for cls in type(holder).__mro__ if cls.__name__ in _BUILTINS), "")


def _made(kind: Kind, edge: Edge, holder: object, ids: set[int]) -> Step:
    cls: Any = holder if kind is Kind.CLASS_ATTRIBUTE else type(holder)
    return Step(kind, edge.key, edge.name, frozenset(ids), last_name(cls.__qualname__), weakref.ref(cls),
                builtin=_builtin(holder))


def _default(edge: Edge, how: How, function: Any) -> Step:
    code = function.__code__
    name = edge.name
    if how is How.INDEX:
        first = code.co_argcount - len(function.__defaults__)
        name = code.co_varnames[first + int(edge.key)]
    return Step(Kind.DEFAULT, name or "", name, frozenset({id(function)}), "function", code=code)


def _cell(edge: Edge, index: int, function: Any) -> Step:
    name = function.__code__.co_freevars[index]
    return Step(Kind.CLOSURE, name, name, frozenset({edge.holder}), "function", code=function.__code__)


_SUSPENDED = {types.GeneratorType: ("generator", "gi_frame"), types.CoroutineType: ("coroutine", "cr_frame"),
              types.AsyncGeneratorType: ("async generator", "ag_frame")}


def _suspended(graph: Referrers, chain: list[Edge], at: int, ids: set[int]) -> tuple[Step, int]:
    """A variable of a generator that waits, or of a finished frame that a traceback keeps."""
    edge = chain[at]
    holder: Any = graph.objects[edge.holder]
    sort, attribute = _SUSPENDED.get(type(holder), ("frame", ""))
    frame = getattr(holder, attribute) if attribute else holder
    ids = ids | {edge.holder}
    if attribute:
        line = frame.f_lineno if frame is not None else None
        code = frame.f_code if frame is not None else None
        return Step(Kind.GENERATOR, edge.key, edge.name, frozenset(ids), sort, code=code, line=line), at + 1
    used = at + 1
    while used < len(chain) and chain[used].how in (How.FRAME, How.NEXT):
        used += 1
    if used < len(chain) and chain[used].key == "__traceback__":
        used += 1
    owner = graph.objects[chain[used - 1].holder]
    return Step(Kind.TRACEBACK, code_text(frame.f_code), edge.name, frozenset(ids), type(owner).__name__,
                weakref.ref(type(owner)), frame.f_code), used


def _into_cache(hows: list[How]) -> int | None:
    """How many links lead from the value into an `lru_cache`; `None` if they lead elsewhere."""
    for used in (1, 2, 3):
        if used <= len(hows) and hows[used - 1] is How.CACHE:
            inner = hows[: used - 1]
            return used if all(how in (How.INDEX, How.KEY, How.VALUE) for how in inner) else None
    return None


def _into_context(holders: list[Any]) -> int | None:
    for used, holder in enumerate(holders, 1):
        if type(holder).__name__ == "Context":
            return used
        if not type(holder).__name__.startswith("hamt"):
            return None
    return None


def _context(graph: Referrers, chain: list[Edge], used: int, context: Any) -> tuple[Step, int]:
    """The variable of the context: read from the context itself, whose inner nodes have no names."""
    inner = {edge.holder for edge in chain[:used]}
    held = {key for key, edges in graph.edges.items() if any(edge.holder == chain[0].holder for edge in edges)} - inner
    found = next(((variable.name, id(variable)) for variable, item in context.items() if id(item) in held), None)
    name, ids = (found[0], frozenset({found[1]})) if found is not None else (None, frozenset[int]())
    return Step(Kind.CONTEXT, name or "", name, ids, "ContextVar"), used
