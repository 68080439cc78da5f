"""Which line stored a value that has survived: the writes in reachable functions, matched with what keeps it.

A write is matched by identity where its container can be told (globals, closures, arguments, `self`), else by what it
does: then it is one that *may* have stored the value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from perspicax.diagnose.holders import Holder
from perspicax.diagnose.links import is_a, namespace_of
from perspicax.diagnose.meaning import FRESH, UNKNOWN, Bound, Item, Nested, Part, Scope, Some
from perspicax.diagnose.place import Span, node_span
from perspicax.diagnose.reach import reachable, scope_of_code, scopes_of_class
from perspicax.diagnose.report import Label
from perspicax.diagnose.steps import Kind, Step
from perspicax.diagnose.writes import METHODS, Into, Write, writes_in

__all__ = ["Keeping", "Match", "Store", "describe", "find_stores"]

MAX_LABELS = 4


class Match(IntEnum):
    """How sure it is that a line stored the value where it is kept."""

    CERTAIN = 0  # it names the holder
    POSSIBLE = 1  # it may name the holder: a parameter, an attribute of some object, an element of a container
    UNCALLED = 2  # it names the holder, in a method or nested function that is not seen to be called
    ELSEWHERE = 3  # it stores something under another name, from where the value can have been moved
    HANDED_OUT = 4  # it yields something


@dataclass(frozen=True)
class Store:
    """A line that stored, or may have stored, the value.

    Attributes:
        span: the statement.
        text: its source, the first line of it.
        function: the function it stands in.
        match: how sure that is.
        holder: path of the holder; empty where the line stores under another name.
    """

    span: Span
    text: str
    function: str
    match: Match
    holder: str = ""

    @property
    def certain(self) -> bool:
        """Whether the line names the holder."""
        return self.match is Match.CERTAIN


def find_stores(holders: Iterable[Holder], functions: Iterable[object]) -> tuple[Store, ...]:
    """The lines that may have stored the value into its holders.

    Args:
        holders: from `find_holders`.
        functions: the functions in which the value was made (the traced one); what they reach is searched too.

    Returns:
        For each holder its certain lines, or, where there is none, the possible ones. If no holder has any, the lines
        of functions that are not seen to be called, and those that store elsewhere: the value may have been moved
        since. Empty if nothing was found, or the search fails.
    """
    try:
        return _find(tuple(holders), functions)
    except Exception:  # the search must not replace the report of the leak; "cannot tell" is an answer
        return ()


def _find(holders: tuple[Holder, ...], functions: Iterable[object]) -> tuple[Store, ...]:
    asked = [holder for holder in holders if holder.kind is not Kind.LOCAL] or list(holders)
    scopes = reachable(functions)
    known = {scope.node for scope in scopes}
    for scope in _further_scopes(asked):
        if scope.node not in known:
            scopes.append(scope)
    written = [(scope, write) for scope in scopes for write in writes_in(scope)]
    found: dict[Span, Store] = {}
    for holder in asked:
        matches = [(_match(write, scope, holder), write, scope) for scope, write in written]
        best = min((match for match, _, _ in matches if match is not None), default=None)
        last = Match.ELSEWHERE if best is Match.UNCALLED else best
        for match, write, scope in matches:
            if match is not None and last is not None and match <= last:
                store = _store(write, scope, match, holder)
                found.setdefault(store.span, store)
                found[store.span] = min(found[store.span], store, key=lambda known: known.match)
    return _most_telling(found.values())


def _most_telling(found: Iterable[Store]) -> tuple[Store, ...]:
    stores = sorted(found, key=lambda store: (store.match, store.span.filename, store.span.line))
    if stores and stores[0].match <= Match.POSSIBLE:
        return tuple(store for store in stores if store.match <= Match.POSSIBLE)
    return tuple(store for store in stores if store.match <= Match.ELSEWHERE) or tuple(stores)


def _further_scopes(holders: list[Holder]) -> Iterator[Scope]:
    """Functions that the source does not show to be called: methods of a holder's class, a generator's own body."""
    for holder in holders:
        for step in holder.steps:
            owner = step.owner() if step.owner is not None else None
            if owner is not None and step.kind in (Kind.ATTRIBUTE, Kind.CLASS_ATTRIBUTE, Kind.THREAD_LOCAL):
                yield from scopes_of_class(owner)
            if step.code is not None:
                yield from scope_of_code(step.code)


def _store(write: Write, scope: Scope, match: Match, holder: Holder) -> Store:
    span = node_span(scope.file, write.node, scope.name)
    text = (scope.file.line(span.line) or "").strip()
    if span.column is not None and span.end_line == span.line:
        text = (scope.file.line(span.line) or "")[span.column : span.end_column]
    return Store(span, text, scope.name, match, holder.path if match <= Match.UNCALLED else "")


def _match(write: Write, scope: Scope, holder: Holder) -> Match | None:
    if not scope.namespace and write.into not in (Into.NAME, Into.YIELD):
        return None  # only the variables mean something in a function that is known by its source alone
    match = _sure_match(write, scope, holder)
    if scope.called or match is None:
        return match
    if match is Match.CERTAIN and write.into is Into.NAME:
        return match  # the variable itself, found by the code object that owns it
    return Match.UNCALLED if match <= Match.POSSIBLE else None


def _sure_match(write: Write, scope: Scope, holder: Holder) -> Match | None:
    match write.into:
        case Into.NAME:
            return _name_match(write, scope, holder)
        case Into.FIELD:
            fields = [f"{step.type_name}.{step.name}" for step in holder.steps if step.kind is Kind.CLASS_ATTRIBUTE]
            return Match.CERTAIN if write.name in fields else None
        case Into.CALL:
            function = scope.means(write.base)
            kept = holder.kind is Kind.CACHE and any(id(function) in step.ids for step in holder.steps)
            return Match.CERTAIN if kept else None
        case Into.RAISE:
            return Match.POSSIBLE if holder.kind is Kind.EXCEPTION else None
        case Into.YIELD:
            own = any(step.kind is Kind.GENERATOR and step.code is scope.code and step.name is None
                      for step in holder.steps)
            return Match.CERTAIN if own else Match.HANDED_OUT
    return _container_match(write, scope, holder)


def _name_match(write: Write, scope: Scope, holder: Holder) -> Match | None:
    name = write.name or ""
    if scope.outer_names.get(name) is ast.Global:
        named = any(step.kind is Kind.GLOBAL and step.name == name and id(scope.namespace) in step.ids
                    for step in holder.steps)
        return Match.CERTAIN if named else Match.ELSEWHERE
    cell = scope.cell(name)
    owner = scope.owner(name)
    if owner is None:
        if cell is not None and any(id(cell) in step.ids for step in holder.steps):
            return Match.CERTAIN
        same = any(step.kind is Kind.CLOSURE and step.name == name and _same_file(step, scope) for step in holder.steps)
        # A cell of the same name, in a function that is seen without its closure, may be the cell.
        return Match.POSSIBLE if same else Match.ELSEWHERE
    for step in holder.steps:
        if step.name == name and step.code is not None and _owns(owner, step):
            received = any(isinstance(part, ast.Yield) for value in write.values for part in ast.walk(value))
            # What a `yield` receives was sent by somebody else, whose line tells more.
            return Match.CERTAIN if step.kind is Kind.GENERATOR and not received else Match.POSSIBLE
    return None


def _same_file(step: Step, scope: Scope) -> bool:
    return step.code is not None and step.code.co_filename == scope.file.filename


def _owns(scope: Scope, step: Step) -> bool:
    """Whether the variable of `step` is a local variable of the function (or of its call, for a closure cell)."""
    code = step.code
    if code is None or code.co_filename != scope.file.filename:
        return False
    if step.kind is not Kind.CLOSURE:
        return scope.code is code
    start, end = scope.node.lineno, scope.node.end_lineno or scope.node.lineno
    return scope.code is not code and start <= code.co_firstlineno <= end


def _container_match(write: Write, scope: Scope, holder: Holder) -> Match | None:
    meaning = scope.means(write.base)
    kind = type(meaning)
    if meaning is FRESH or kind in (Bound, Nested):
        return None
    if meaning is UNKNOWN:
        return Match.POSSIBLE if any(_fits(write, step) for step in holder.steps) else _elsewhere(write)
    if kind is Some:
        same = any(_is_of(meaning.cls, step) and _writes_to(write, step) is Match.CERTAIN for step in holder.steps)
        if meaning.fresh:  # the line that keeps the new object is the one that leaks
            return Match.POSSIBLE if same else None
        return Match.CERTAIN if same else _elsewhere(write)
    if kind is Part:
        pairs = zip(holder.steps, holder.steps[1:])
        same = any(_is_of(meaning.of.cls, owner) and owner.name == meaning.name and _fits(write, inner)
                   for owner, inner in pairs)
        return Match.CERTAIN if same else _elsewhere(write)
    if kind is Item:
        around = any(id(meaning.of) in step.ids for step in holder.steps)
        return Match.POSSIBLE if around else _elsewhere(write)
    return _known_match(write, meaning, holder)


def _known_match(write: Write, container: Any, holder: Holder) -> Match | None:
    ids = {id(container)}
    if write.into is Into.ATTRIBUTE and not is_a(container, dict):
        ids.add(id(namespace_of(container)))
    ids.discard(id(None))
    for step in holder.steps:
        if ids & step.ids:
            match = _writes_to(write, step)
            if match is not None and holder.kind is Kind.GENERATOR and step is not holder.steps[-1]:
                return Match.POSSIBLE  # it keeps the generator; the value was stored by the generator itself
            if match is not None:
                return match
    return _elsewhere(write)


def _elsewhere(write: Write) -> Match | None:
    """A write to something else; of methods only those that containers have: `x.set(…)` may be anything."""
    if write.plain or (write.into is Into.CONTENTS and not METHODS.get(write.name or "")):
        return None
    return Match.ELSEWHERE


def _writes_to(write: Write, step: Step) -> Match | None:
    """Whether a write to the container of `step` can have written this very place in it."""
    if write.plain and step.kind is not Kind.DICT_KEY:
        return None
    match step.kind:
        case Kind.ATTRIBUTE | Kind.CLASS_ATTRIBUTE | Kind.THREAD_LOCAL | Kind.GLOBAL:
            if write.into in (Into.ATTRIBUTE, Into.ITEM) and write.name in (None, step.name):
                return Match.CERTAIN if write.name is not None else Match.POSSIBLE
            if write.into is Into.CONTENTS and write.name in ("put", "put_nowait") and step.name == "queue":
                return Match.CERTAIN  # the deque or list within a queue.Queue
            listed = write.into is Into.CONTENTS and write.name == "update" and step.name in (write.keys or {step.name})
            return Match.CERTAIN if listed else None
        case Kind.DICT | Kind.DICT_KEY:
            if write.into is Into.ITEM:
                return Match.CERTAIN if write.index in (None, step.key) or step.kind is Kind.DICT_KEY else None
            listed = write.keys is None or step.name in write.keys
            return Match.CERTAIN if write.into is Into.CONTENTS and listed else None
        case Kind.LIST | Kind.DEQUE | Kind.ARRAY if write.into is Into.ITEM:
            return Match.CERTAIN if write.index in (None, step.key, f"({step.key})") else Match.POSSIBLE
        case Kind.CONTEXT:
            return Match.CERTAIN if write.name == "set" else None
        case Kind.GENERATOR:
            return Match.CERTAIN if write.name == "send" else None
        case Kind.DEFAULT:
            return Match.CERTAIN if write.name in ("__defaults__", "__kwdefaults__") else None
        case Kind.EXCEPTION | Kind.PARTIAL if write.into is Into.ATTRIBUTE:
            return Match.CERTAIN if (step.key or "").startswith(write.name or "") else None
    return Match.CERTAIN if write.into is Into.CONTENTS and step.builtin else None


def _fits(write: Write, step: Step) -> bool:
    """Whether a write to an unknown container is of the kind that fills the container of `step`."""
    if write.into is Into.CONTENTS:
        return step.builtin in METHODS.get(write.name or "", ())
    if write.into is Into.ITEM and step.builtin not in ("list", "dict", "deque", "ndarray"):
        return False
    return _writes_to(write, step) is not None


def _is_of(cls: type, step: Step) -> bool:
    owner = step.owner() if step.owner is not None else None
    return owner is not None and (cls in owner.__mro__ or owner in cls.__mro__)


@dataclass(frozen=True)
class Keeping:
    """What a report says about a value that survived.

    Attributes:
        says: who keeps it: "the list `outs` (index 0) keeps it"; empty where nobody was found.
        primary: the line that stored it; `None` where it cannot be told, or several may have.
        labels: further lines that may have, each with a word on why.
        why: a sentence on the line, or that it cannot be told.
        path: the holder as an expression or in words; empty where nobody was found.
    """

    says: str
    primary: Span | None = None
    labels: tuple[Label, ...] = ()
    why: str = ""
    path: str = ""


def describe(holders: Iterable[Holder], stores: Iterable[Store]) -> Keeping:
    """Holders and stores in the words of a report.

    Args:
        holders: from `find_holders`, the most telling first.
        stores: from `find_stores`.

    Returns:
        A `Keeping` that names the first holder (and how many more there are), and the line if there is exactly one.
    """
    kept, lines = tuple(holders), tuple(stores)
    if not kept:
        return Keeping("", why="What keeps it cannot be told: nothing that Python can look into refers to it.")
    told = [holder for holder in kept if holder.kind is not Kind.LOCAL] or list(kept)
    stored = {store.holder for store in lines if store.match <= Match.POSSIBLE}
    told.sort(key=lambda holder: holder.path not in stored)  # a name that was only given to it later comes last
    says = "; ".join(holder.says for holder in told[:3])
    if len(told) > 3:
        says += "; and others"
    certain = [store for store in lines if store.certain]
    possible = [store for store in lines if store.match is Match.POSSIBLE]
    chosen = certain or possible or list(lines if lines and lines[-1].match is Match.UNCALLED else ())
    primary = chosen[0] if len(chosen) == 1 else None
    labels = tuple(Label(store.span, _label(store)) for store in lines[:MAX_LABELS] if store is not primary)
    return Keeping(says, primary.span if primary is not None else None, labels, _why(primary, lines), told[0].path)


def _label(store: Store) -> str:
    match store.match:
        case Match.CERTAIN:
            return "stores it here"
        case Match.POSSIBLE:
            return "may have stored it here"
        case Match.UNCALLED:
            return "may have stored it here, if this was called"
        case Match.ELSEWHERE:
            return "stores under another name; it may have been moved since"
        case Match.HANDED_OUT:
            return "hands it out here; who kept it then cannot be told"


def _why(primary: Store | None, stores: tuple[Store, ...]) -> str:
    if primary is not None:
        verb = "stored" if primary.certain else "may have stored"
        name = primary.function
        where = f" in {name}" if name == "a lambda" else f" in `{name}`" if name else ""
        return f"`{primary.text}`{where} {verb} it there."
    if any(store.match <= Match.POSSIBLE for store in stores):
        return "Several lines may have stored it there."
    if any(store.match is Match.UNCALLED for store in stores):
        return "Which of these lines stored it cannot be told: it may have been moved since."
    if stores:
        return "No line seen stores it there: it was stored under another name and moved since."
    return "The line that stored it cannot be told."
