"""Who refers to an object: the graph of referrers, from the object up to the namespaces that users know.

The collector's own list (`gc.get_referrers`) lacks three things that are added here: *how* a holder holds (`links.py`),
the local variables of functions that are running now, and holders which the collector does not track (NumPy arrays of
objects, and dicts and tuples that hold nothing but such arrays).
"""

from __future__ import annotations

import contextvars
import gc
import sys
import time
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from typing import Any

from perspicax.diagnose.frames import INTERNAL, frames_of_threads, kind_of
from perspicax.diagnose.links import LRU_CACHE, How, how_held, instance_dict, is_a, is_object_array, locals_of

PACKAGE_NAME = __name__.partition(".")[0]
MAX_LEVELS = 14
MAX_NODES = 3000
MAX_PER_LEVEL = 256
MAX_ARRAY_ELEMENTS = 500_000
MAX_OBJECTS = 2_000_000  # among which arrays of objects are looked for: some seconds
SECONDS = 1.0  # of this thread's own time, so that a busy machine does not change the answer


@dataclass(frozen=True, slots=True)
class Edge:
    """One holder of an object: the holder's id, how it holds, and where (`name` is the bare string of a text key)."""

    holder: int
    how: How
    key: str = ""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Local:
    """A variable of a running function; `depth` counts from the outermost frame of its thread."""

    name: str
    code: types.CodeType
    line: int
    depth: int
    internal: bool
    in_cell: bool


class Referrers:
    """The referrers of `value`, their referrers, and so on: who holds whom, and how.

    Holds strong references while it lives: it is made, read and dropped within one call.

    Args:
        value: the object whose holders are wanted.
        ignore: objects that do not count as holders, and through which no search goes; frames among them
            stand for their local variables.
        arrays: whether arrays of objects are looked at, which takes several times as long as all else.
    """

    def __init__(self, value: object, ignore: Iterable[object] = (), arrays: bool = False) -> None:
        self.start = id(value)
        self.objects: dict[int, Any] = {id(value): value}
        self.edges: dict[int, list[Edge]] = {}
        self.hidden: set[int] = set()  # held also by what is ignored
        self.modules: dict[int, str] = {}  # id of a module's dict: where it stands
        self.locals: dict[int, list[Local]] = {}
        self.ignored: set[int] = set()
        for item in ignore:
            self.ignored.update((id(item), id(instance_dict(item))))
        self.ignored.discard(id(None))
        self._name_modules()
        self._read_running_frames()
        self.untracked = _Untracked(arrays)
        self._own = {id(part) for part in vars(self).values()} | {id(vars(self)), id(self), id(self.untracked.things)}

    def _name_modules(self) -> None:
        for name, module in list(sys.modules.items()):
            namespace = instance_dict(module) if is_a(module, types.ModuleType) else None
            if namespace is not None:
                self.modules.setdefault(id(namespace), name)
        own = [key for key, name in self.modules.items() if name.partition(".")[0] == PACKAGE_NAME]
        self.ignored.update(own)

    def _read_running_frames(self) -> None:
        for top in frames_of_threads().values():
            stack: list[types.FrameType] = []
            frame: types.FrameType | None = top
            while frame is not None:
                stack.append(frame)
                frame = frame.f_back
            for depth, running in enumerate(reversed(stack)):
                self._read_frame(running, depth)

    def _read_frame(self, frame: types.FrameType, depth: int) -> None:
        code = frame.f_code
        if code.co_filename == __file__:
            return
        if not code.co_flags & CO_OPTIMIZED:
            if frame.f_locals is frame.f_globals:  # also where `exec` or `runpy` made the namespace
                self.modules.setdefault(id(frame.f_globals), str(frame.f_globals.get("__name__", "__main__")))
            return
        internal = kind_of(code.co_filename) == INTERNAL or id(frame) in self.ignored
        with locals_of(frame) as variables:
            for name, value in variables.items():
                # Free variables are found in the function's closure; `.0` is what a comprehension runs over.
                if name not in code.co_freevars and name.isidentifier():
                    local = Local(name, code, frame.f_lineno, depth, internal, name in code.co_cellvars)
                    self.locals.setdefault(id(value), []).append(local)

    def names(self, key: int) -> Iterator[Local]:
        """The variables of running functions that hold this object (a cell: those that share it)."""
        value = self.objects[key]
        in_cell = type(value) is types.CellType
        contents = id(value.cell_contents) if in_cell and _filled(value) else key
        return (local for local in self.locals.get(contents, ()) if local.in_cell == in_cell and not local.internal)

    def is_end(self, key: int) -> bool:
        """Whether the object is known by its own name, so that nobody asks who holds it."""
        value = self.objects[key]
        if key in self.modules or is_a(value, (type, types.ModuleType, contextvars.Context)):
            return True
        if type(value) is LRU_CACHE:
            return True
        # a function of ours that wraps one of the user's has its name, and is kept by whoever asked for it, or by a cache
        return type(value) is types.FunctionType and "<" not in value.__qualname__ and (
            kind_of(value.__code__.co_filename) != INTERNAL)

    def climb(self) -> None:
        """Find the referrers. Not done by the constructor: the interpreter holds its arguments in a tuple meanwhile."""
        self.deadline = time.thread_time() + SECONDS
        frontier = [self.start]
        for _ in range(MAX_LEVELS):
            frontier = self._level(frontier)
            if not frontier or len(self.objects) > MAX_NODES or time.thread_time() > self.deadline:
                return

    def _level(self, frontier: list[int]) -> list[int]:
        wanted = set(frontier)
        for key in frontier:
            self.edges.setdefault(key, [])
            if any(local.internal for local in self.locals.get(key, ())):
                self.hidden.add(key)
        found = gc.get_referrers(*[self.objects[key] for key in frontier])
        found.extend(holder for key in frontier for holder in self.untracked.of(key))
        self._own.add(id(found))
        added: list[int] = []
        for holder in found:
            if id(holder) in self._own:
                continue
            for held in {id(item): item for item in _referents(holder)}.values():
                if id(held) in wanted and self._join(holder, held) and len(added) < MAX_PER_LEVEL:
                    added.append(id(holder))
        self._own.discard(id(found))
        return added

    def _join(self, holder: Any, held: object) -> bool:
        """Note that `holder` holds `held`; true if its own holders are still to be found."""
        if id(holder) in self.ignored or self._is_internal_frame(holder) or _is_protocol(holder):
            self.hidden.add(id(held))
            return False
        link = how_held(holder, held)
        if link is None:
            return False
        self.edges[id(held)].append(Edge(id(holder), *link))
        if id(holder) in self.objects:
            return False
        self.objects[id(holder)] = holder
        self._note_module(holder)
        return not self.is_end(id(holder))

    def _note_module(self, holder: object) -> None:
        """A namespace that `exec` made is no module, but the functions in it use it as one."""
        if type(holder) is dict and id(holder) not in self.modules and "__builtins__" in holder:
            self.modules[id(holder)] = str(holder.get("__name__", "__main__"))

    def _is_internal_frame(self, holder: Any) -> bool:
        frame: Any = holder
        match type(holder):
            case types.GeneratorType:
                frame = holder.gi_frame
            case types.CoroutineType:
                frame = holder.cr_frame
            case types.AsyncGeneratorType:
                frame = holder.ag_frame
        return type(frame) is types.FrameType and (
            kind_of(frame.f_code.co_filename) == INTERNAL or id(frame) in self.ignored
        )


def _is_protocol(holder: object) -> bool:
    """Whether it is a protocol's method (`x.__array__`) that somebody is just calling: only our value's method is meant."""
    return type(holder) is types.MethodType and holder.__name__.startswith("__") and (
        kind_of(holder.__func__.__code__.co_filename) == INTERNAL)


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _referents(holder: Any) -> list[object]:
    return list(holder.flat) if is_object_array(holder) else gc.get_referents(holder)


class _Untracked:
    """Arrays of objects, and the dicts and tuples around them, which the collector knows nothing of."""

    def __init__(self, wanted: bool) -> None:
        self.things: dict[int, Any] = {}
        self.holders: dict[int, list[int]] = {}
        numpy = sys.modules.get("numpy")
        if wanted and numpy is not None:
            self._collect(numpy.ndarray)

    def _collect(self, array: type) -> None:
        objects = gc.get_objects()
        if len(objects) > MAX_OBJECTS:
            return
        reached = gc.get_referents(*objects)
        loose = {id(item): item for item in reached if type(item) in (dict, tuple) and not gc.is_tracked(item)}
        arrays: list[Any] = [item for item in reached if type(item) is array]
        arrays += [item for item in gc.get_referents(*loose.values()) if type(item) is array]
        known = {id(item): item for item in arrays if item.dtype == object}
        self.things.update(known)
        self._index_elements()
        for container in loose.values() if known else ():
            for item in gc.get_referents(container):
                if id(item) in known:
                    self.things[id(container)] = container
                    self.holders.setdefault(id(item), []).append(id(container))

    def _index_elements(self) -> None:
        left = MAX_ARRAY_ELEMENTS
        for key, item in self.things.items():
            left -= item.size
            if left < 0:
                return
            for element in item.flat:
                self.holders.setdefault(id(element), []).append(key)

    def of(self, key: int) -> list[object]:
        return [self.things[holder] for holder in self.holders.get(key, ())]
