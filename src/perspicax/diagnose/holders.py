"""Who keeps a value that has survived the function that made it, in the words of the program that keeps it.

`outs[0]`, `model.state.h`, "the closure cell `last` of `remember`": from the graph of referrers, the shortest way
from a name that the user knows down to the value. What comes out holds text, ids and weak references only, so that
finding a leak does not prolong it.
"""

from __future__ import annotations

import contextvars
import gc
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from perspicax.diagnose.frames import INTERNAL, kind_of
from perspicax.diagnose.links import LRU_CACHE, How, is_a
from perspicax.diagnose.referrers import Edge, Local, Referrers
from perspicax.diagnose.source import shorten
from perspicax.diagnose.steps import Kind, Step, code_text, place_of, steps_of

__all__ = ["Holder", "Kind", "Step", "find_holders"]


@dataclass(frozen=True)
class Holder:
    """One place that keeps the value.

    Attributes:
        kind: what sort of place it is.
        path: the place as the user would write it (`outs[0]`), or named in words where no expression reaches it.
        container: what holds the value, without the place in it (`outs`); empty where nothing names it.
        root: where the path begins: "the local variable `outs` of `main`".
        type_name: type of what holds the value directly.
        function: the function that owns the cell, default argument, generator or local variable.
        steps: the way from the root down to the value, as facts for `find_stores`.
        passing: whether it is an unnamed list or iterator, as it is made in the middle of an expression.
    """

    kind: Kind
    path: str
    container: str
    root: str
    type_name: str
    function: str | None = None
    steps: tuple[Step, ...] = field(default=(), repr=False)
    passing: bool = False

    @property
    def says(self) -> str:
        """The holder in a sentence: "the list `outs` (index 0) keeps it"."""
        if self.kind is Kind.CACHE:
            return f"{self.path} keeps it {self.steps[-1].key}"
        if self.steps[0].kind in _PHRASED and len(self.steps) > 1 and self.root not in self.path:
            return f"{self._subject}, in {self.root}, keeps it"
        return f"{self._subject}{',' if self.kind in _LONG else ''} keeps it"

    @property
    def _subject(self) -> str:
        step = self.steps[-1]
        where = _quoted(self.container)
        match self.kind:
            case Kind.LIST | Kind.TUPLE | Kind.DEQUE:
                return f"{self._container(_sort(step))} (index {step.key})"
            case Kind.ARRAY:
                return f"{self._container('NumPy array')} (index {step.key})"
            case Kind.NAMED_TUPLE:
                return f"the field `{step.key}` of {where} ({_article(step.type_name)} `{step.type_name}`)"
            case Kind.DICT:
                return f"{self._container(_sort(step))} (key {step.key})"
            case Kind.DICT_KEY:
                return f"{self._container(_sort(step))} (as a key)"
            case Kind.SET:
                return self._container(_sort(step))
            case Kind.ATTRIBUTE if self.container and not self.container.startswith("a `"):
                return f"the attribute `{step.name}` of {where} ({_article(step.type_name)} `{step.type_name}`)"
            case Kind.PARTIAL:
                return f"the functools.partial {where} (its argument {_quoted(step.key)})"
            case Kind.METHOD:
                return f"the bound method {where}"
            case Kind.EXCEPTION:
                return f"the exception {where} ({_article(step.type_name)} `{step.type_name}`, `{step.key}`)"
            case Kind.GLOBAL:
                return self.root
            case Kind.THREAD_LOCAL:
                return f"the thread-local attribute {_quoted(self.path)}"
            case Kind.OBJECT:
                return f"an object of type `{step.type_name}`"
            case _:
                return self.path

    def _container(self, sort: str) -> str:
        named = not self.container.startswith("a `")
        return f"the {sort} {_quoted(self.container)}" if named else f"a {sort} that no name leads to"


_PHRASED = (Kind.CLOSURE, Kind.DEFAULT, Kind.GENERATOR, Kind.TRACEBACK, Kind.CACHE, Kind.CONTEXT)
_LONG = (Kind.GENERATOR, Kind.TRACEBACK)  # their words end in an inserted phrase


def _sort(step: Step) -> str:
    return step.type_name if step.type_name == step.builtin else f"`{step.type_name}`"


def _article(name: str) -> str:
    return "an" if name[:1] in "aeiouAEIOU" else "a"


def _quoted(text: str) -> str:
    return text if not text or text.startswith(("a ", "the ", "an ")) else f"`{text}`"


def find_holders(value: object, ignore: Iterable[object] = (), limit: int = 5, collected: bool = False) -> tuple[Holder, ...]:
    """The places that keep `value` alive, the most telling first.

    Args:
        value: an object that should have died.
        ignore: objects that do not count (a frame among them stands for its local variables); local variables and
            globals of Perspicax itself never count.
        limit: the most that are returned.
        collected: whether garbage was collected just now.

    Returns:
        One `Holder` for each place that holds the value itself; empty if nothing is found, or the search fails.

    Garbage that only waits for the collector is collected first, so that it is not taken for a holder. The result
    holds no reference to the value.
    """
    try:
        if not collected:
            gc.collect()
        found: tuple[Holder, ...] = ()
        for arrays in (False, True):
            graph = Referrers(value, ignore, arrays)
            graph.climb()
            found = _Naming(graph).holders()
            if any(holder.root and holder.kind is not Kind.LOCAL for holder in found):
                break
        return found[:limit]
    except Exception:  # the search reads objects of any make while other threads run; it must not replace the report
        return ()


@dataclass(frozen=True)
class _Root:
    """Where a chain of holders ends: at a name (`cost` says how good a name), or at nothing that a user knows."""

    text: str
    phrase: str
    cost: float
    local: Local | None = None


@dataclass(frozen=True)
class _Candidate:
    chain: tuple[Edge, ...]  # from the value upwards
    root: _Root
    cost: float


_FREE = frozenset({How.NAMESPACE, How.CLOSURE, How.DEFAULTS, How.KWDEFAULTS, How.FRAME, How.NEXT, How.THREAD})
_UNNAMED = 10.0
_SCRAP = 20.0  # an unnamed list or iterator is mostly one in the middle of an expression or of a loop


class _Naming:
    """Chooses for each direct holder of the value its best name, and words it."""

    def __init__(self, graph: Referrers) -> None:
        self.graph = graph

    def holders(self) -> tuple[Holder, ...]:
        best: dict[tuple[int, str], _Candidate] = {}
        for edge in self.graph.edges.get(self.graph.start, ()):
            candidate = min(self._candidates(edge), key=lambda found: found.cost, default=None)
            if candidate is not None:
                best.setdefault((edge.holder, edge.key), candidate)
        ranked = sorted(best.values(), key=lambda found: found.cost)
        if any(found.cost < _SCRAP for found in ranked):
            ranked = [found for found in ranked if found.cost < _SCRAP]
        worded = [self._word(found) for found in ranked]
        locals_ = sorted(self.graph.names(self.graph.start), key=lambda local: local.depth)
        worded += [_local_holder(local) for local in locals_]
        unique = {(holder.path, holder.root): holder for holder in reversed(worded)}
        return tuple(reversed(unique.values()))

    def _candidates(self, first: Edge) -> Iterator[_Candidate]:
        queue: list[tuple[Edge, ...]] = [(first,)]
        seen = {self.graph.start, first.holder}
        while queue:
            chain = queue.pop(0)
            length = sum(edge.how not in _FREE for edge in chain) + 3 * (How.FRAME in [edge.how for edge in chain])
            for root in self._roots(chain):
                yield _Candidate(chain, root, length + root.cost)
            if self.graph.is_end(chain[-1].holder):
                continue
            for edge in self.graph.edges.get(chain[-1].holder, ()):
                if edge.holder not in seen:
                    seen.add(edge.holder)
                    queue.append((*chain, edge))

    def _roots(self, chain: tuple[Edge, ...]) -> Iterator[_Root]:
        key = chain[-1].holder
        value = self.graph.objects[key]
        yield from self._local_roots(chain)
        if key in self.graph.modules and chain[-1].name is not None:
            file = _module_file(value, self.graph.modules[key])
            yield _Root(chain[-1].name, f"the global `{chain[-1].name}` in {file}", -1.0)  # its dict is no step
        elif is_a(value, type):
            yield _Root(value.__name__, f"the class `{value.__name__}`", 0.0)
        elif type(value) is types.FunctionType and kind_of(value.__code__.co_filename) == INTERNAL:
            return  # no name that a user knows: whoever keeps it may have one
        elif type(value) is types.FunctionType:
            named = "<" not in value.__qualname__
            yield _Root(_function_text(value), _function_phrase(value), 0.0 if named else 6.0)
        elif type(value) is LRU_CACHE:
            name = getattr(value, "__name__", "a function")
            yield _Root(name, f"the cache of `{name}`", 0.0)
        elif is_a(value, contextvars.Context):
            yield _Root("", "a context", 0.0)
        elif value is sys.exc_info()[1]:
            yield _Root("", f"the `{type(value).__name__}` being handled", 4.0)
        elif not self.graph.edges.get(key) and key not in self.graph.hidden:
            if type(value) not in (tuple, dict, types.CellType):  # those the interpreter makes for each call
                yield _Root("", "", _UNNAMED if _is_telling(value) else _SCRAP)

    def _local_roots(self, chain: tuple[Edge, ...]) -> Iterator[_Root]:
        for local in self.graph.names(chain[-1].holder):
            cost = 0.25 + local.depth / 10_000
            if local.name in ("self", "cls"):
                cost += 0.5  # the object's own view of itself: any other name tells more
            if chain[0].how is How.CONTENT and len(chain) == 1:
                cost += 1.0  # the function that writes to a cell tells more than the one that made it
            yield _Root(local.name, f"the local variable `{local.name}` of `{code_text(local.code)}`", cost, local)

    def _word(self, found: _Candidate) -> Holder:
        steps = list(steps_of(self.graph, found.chain, found.root.local))
        wording = _Wording(found.root)
        for step in reversed(steps):
            wording.add(step)
        direct = steps[0]
        function = code_text(direct.code) if direct.code is not None else None
        if function is None and found.root.local is not None:
            function = code_text(found.root.local.code)
        return Holder(
            direct.kind, wording.path, wording.container, wording.root, direct.type_name, function,
            tuple(reversed(steps)), found.cost >= _SCRAP,
        )


def _is_telling(value: object) -> bool:
    """Whether an object without a name is worth a word: it is the user's own, waits, or failed."""
    own = type(value).__module__ not in ("builtins", "collections", "itertools")
    return own or is_a(value, (BaseException, types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType,
                               types.MethodType))


def _local_holder(local: Local) -> Holder:
    function = code_text(local.code)
    phrase = f"the local variable `{local.name}` of `{function}`"
    step = Step(Kind.LOCAL, local.name, local.name, code=local.code)
    return Holder(Kind.LOCAL, phrase, "", phrase, "", function, (step,))


def _module_file(namespace: dict[str, object], name: str) -> str:
    file = namespace.get("__file__")
    return shorten(file).replace("\\", "/").rpartition("/")[2] if type(file) is str else name


def _function_text(function: types.FunctionType) -> str:
    return code_text(function.__code__)


def _function_phrase(function: types.FunctionType) -> str:
    text = _function_text(function)
    return text if text.startswith("the ") else f"the function `{text}`"


class _Wording:
    """The words for a way from a root down: each step makes the former place the container of the next."""

    def __init__(self, root: _Root) -> None:
        self.text = root.text
        self.root = root.phrase
        self.container = ""
        self.path = root.text

    def add(self, step: Step) -> None:
        holder = self.text or f"a `{step.type_name}` object"
        self.container = holder
        match step.kind:
            case Kind.GLOBAL:
                self._begin(step, f"global {step.name} in {self.root.rpartition(' in ')[2]}", self.root)
            case Kind.LOCAL:
                self._begin(step, self.root, self.root)
            case Kind.CLOSURE | Kind.DEFAULT:
                self._begin(step, f"the {step.kind} `{step.name}` of {self._function(step, holder)}")
            case Kind.GENERATOR | Kind.TRACEBACK | Kind.CACHE | Kind.CONTEXT:
                self._begin(step, self._suspended(step, holder))
            case Kind.CLASS_ATTRIBUTE if self.text:
                self._begin(step, f"the class attribute `{holder}.{step.name}`")
                self.text = f"{holder}.{step.name}"
            case Kind.ATTRIBUTE | Kind.THREAD_LOCAL if not self.text:
                self._begin(step, f"the attribute `{step.name}` of {holder}")
            case _:
                self.path = self.text = _appended(f"({holder.replace('`', '')})" if not self.text else holder, step)

    def _function(self, step: Step, holder: str) -> str:
        own = code_text(step.code) if step.code is not None else holder
        return _quoted(own) if holder == own or not self.text else f"{_quoted(own)} (in {_quoted(holder)})"

    def _suspended(self, step: Step, holder: str) -> str:
        match step.kind:
            case Kind.CACHE:
                return f"the cache of {_quoted(holder)} (functools.lru_cache)"
            case Kind.CONTEXT:
                return f"the context variable `{step.name}`" if step.name else "a context variable"
            case Kind.TRACEBACK:
                kept = f"the traceback of {_quoted(holder)}"
                return f"the local variable `{step.name}` of `{step.key}`, in {kept}"
        function = code_text(step.code) if step.code is not None else holder
        waiting = f", waiting at {place_of(step.code, step.line)}" if step.code is not None and step.line else ""
        held = f" (in {_quoted(self.text)})" if self.text else ""
        variable = f"the variable `{step.name}` of " if step.name else ""
        return f"{variable}the {step.type_name} `{function}`{held}{waiting}"

    def _begin(self, step: Step, path: str, root: str | None = None) -> None:
        self.path = path
        self.root = root if root is not None else path
        self.text = step.name or ""


def _appended(holder: str, step: Step) -> str:
    match step.kind:
        case Kind.LIST | Kind.TUPLE | Kind.DEQUE | Kind.DICT | Kind.ARRAY:
            return f"{holder}[{step.key}]"
        case Kind.SET:
            return f"{holder}.<element>"
        case Kind.DICT_KEY:
            return f"{holder}.<key>"
        case Kind.OBJECT:
            return f"{holder}.<inside>"
        case Kind.PARTIAL | Kind.EXCEPTION | Kind.METHOD:
            return f"{holder}.{step.key}"
    return f"{holder}.{step.name}"
