"""The ledger of random keys: which are used up, and a report when one is used again.

Keys are known by the identity of their arrays, typed ones and arrays of words alike. What an operation does with its
keys, and a jitted function with its arguments, is asked of `analyse.key_flow`; of a jitted function once, as a summary
of its jaxpr.
"""
from __future__ import annotations

import ast
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.analyse.key_flow import (
    NOTHING,
    Flow,
    KeyFlow,
    Operands,
    fresh,
    holds_keys,
    is_library,
    jaxpr_concerns_keys,
    known_by_identity,
    may_hold_words,
)
from perspicax.analyse.key_identity import (
    Cells,
    Key,
    KeyTracker,
    Reused,
    Step,
    Use,
    Word,
    cells_of,
    copy_of,
    fold,
    join_words,
    split_words,
)
from perspicax.core.array import Array
from perspicax.core.config import debug_key_reuse, local
from perspicax.core.jaxpr import ClosedJaxpr, jaxprs_in
from perspicax.core.key_words import KeyCopies, KeyUse, key_name, use_at
from perspicax.core.primitive import Primitive
from perspicax.core.sanitizing import WatchingTrace
from perspicax.core.trace import Trace
from perspicax.core.tracer import Tracer, get_aval
from perspicax.core.tracer_errors import KeyReuseError
from perspicax.diagnose.expression import located
from perspicax.diagnose.source import user_place, user_stack
from perspicax.sanitize.findings import KeyReuse
from perspicax.sanitize.reading import called
from perspicax.sanitize.telling import found as tell
from perspicax.transform.jit_primitive import argument_names
from perspicax.xla.array import ArrayImpl, copies_noted

SMALL = 1 << 12  # elements of an index that is looked at


# -- arrays and their keys

class Ledger:
    """The keys of the arrays that are alive."""

    __slots__ = ("_arrays", "_lock")

    def __init__(self) -> None:
        self._arrays: dict[int, tuple[weakref.ref, Cells]] = {}
        self._lock = threading.RLock()

    def find(self, x: Any) -> Cells | None:
        """The keys of an array that was seen before."""
        found = self._arrays.get(id(x))
        return found[1] if found is not None and found[0]() is x else None

    def cells(self, x: Any) -> Cells | None:
        """The keys of an array; new ones where it was not seen before."""
        with self._lock:
            found = self.find(x)
            if found is None and isinstance(x, (Array, np.ndarray)) and not isinstance(x, Tracer):
                found = fresh(get_aval(x))
                if found is not None:
                    _tell_copies(x, found)
                    self.enter(x, found)
            return found

    def enter(self, x: Any, cells: Cells) -> None:
        """Note the keys of an array."""
        key = id(x)
        with self._lock:
            self._arrays[key] = weakref.ref(x, lambda _: self._arrays.pop(key, None)), cells

    def note_copy(self, x: Any, copy: Any) -> None:
        """A copy holds the same keys."""
        cells = self.cells(x) if holds_keys(x.aval) else self.find(x)
        if cells is not None:
            self.enter(copy, cells)

    def flow(self, x: Any) -> Flow:
        """What is known of an operand."""
        if isinstance(x, Tracer):
            return NOTHING
        aval: Any = get_aval(x)
        if holds_keys(aval):
            return Flow(self.cells(x))
        cells = self.cells(x) if may_hold_words(aval) else self.find(x)
        if aval.extended or aval.size > SMALL:
            return Flow(cells, ("array", id(x)))
        if isinstance(x, ArrayImpl) and x.is_deleted():
            return Flow(cells)
        return Flow(cells, None, x.value() if type(x) is ArrayImpl else np.asarray(x, aval.dtype))


def _tell_copies(x: Any, cells: Cells) -> None:
    """Let equal rows of an array of words be copies of one key: so NumPy makes them (`np.stack([key, key])`).

    Seeds and splits give no rows twice. Rows of one number are padding, and what lies on several devices is one key for each.
    """
    if x.ndim < 2 or not 0 < x.size <= SMALL or not isinstance(cells.flat[0], Word):
        return
    if isinstance(x, ArrayImpl) and (x._place is not None or x.is_deleted()):
        return
    rows = cells.reshape((-1, x.shape[-1]))
    first: dict[tuple[int, ...], int] = {}
    for i, words in enumerate(np.asarray(x).reshape(rows.shape).tolist()):
        j = first.setdefault(tuple(words), i)
        if j != i and len(set(words)) > 1:
            rows[i] = _array([copy_of(word) for word in rows[j]])


# -- jitted functions

class Summary(NamedTuple):
    """What a jaxpr does with the keys of its inputs.

    Attributes:
        uses: for each input and way to a use, the keys that are used up there, as their origins.
        results: for each result the origin of each of its keys, or `None`.
    """

    uses: tuple[tuple[tuple[int, Use], list[Any]], ...]
    results: tuple[Any, ...]


def summary(closed: ClosedJaxpr, folds: bool = False) -> Summary:
    """The summary of a jaxpr; made once, with `folds` and without."""
    return closed.derive(("keys", folds), lambda: _summarised(closed, folds))


def _summarised(closed: ClosedJaxpr, folds: bool) -> Summary:
    flow = KeyFlow(sealed=is_library(closed), folds=folds)
    flows = [_input(aval, i) for i, aval in enumerate(closed.in_avals)]
    outs = flow.run(closed, flows)
    uses: dict[tuple[int, Use], list[Any]] = {}
    for key in flow.tracker.trail:
        origin = _origin(key)
        if key.use is not None and origin is not None:
            uses.setdefault((_argument(origin), key.use), []).append(origin)
    return Summary(tuple(uses.items()), tuple([None if f.cells is None else _origins(f.cells) for f in outs]))


def _input(aval: Any, index: int) -> Flow:
    cells = fresh(aval)
    if cells is None:
        return NOTHING
    kind = Key if holds_keys(aval) else Word
    return Flow(cells_of(cells.shape, lambda j: kind(origin=(index, j))))


def _origin(cell: Any) -> Any:
    """An input, or what it is made of; `None` of what is new."""
    if cell.root is not cell:
        origin = _origin(cell.root)
        return None if origin is None else ("copy", origin, id(cell), cell.copied)
    if isinstance(cell, Key):
        if cell.parent is not None:
            parent, number = cell.parent
            above = _origin(parent)
            return None if above is None else ("folded", above, number)
        origin = cell.origin
        if origin is None or origin[0] != "joined":
            return origin
        words = [w.origin for w in origin[1]]
        return None if None in words else ("joined", tuple(words))
    if cell.origin is not None:
        return cell.origin
    if cell.key is None or _origin(cell.key) is None:
        return None
    return "word", _origin(cell.key), cell.key.words.index(cell), len(cell.key.words)


def _argument(origin: Any) -> int:
    """Which argument an origin belongs to."""
    while not isinstance(origin[0], int):
        origin = origin[1][0] if origin[0] == "joined" else origin[1]
    return origin[0]


def _origins(cells: Cells) -> tuple:
    """The shape, and for each cell its origin, or a new key's number and use."""
    new: dict[int, int] = {}
    listed = []
    for cell in cells.reshape(-1):
        origin = _origin(cell)
        if origin is None and isinstance(cell, Key):
            origin = "new", new.setdefault(id(cell.root), len(new)), cell.root.use
            if cell.root is not cell:
                origin = "copy", origin, id(cell), cell.copied
        listed.append(origin)
    return cells.shape, tuple(listed)


class _Instance:
    """A summary for arguments: what its origins stand for."""

    __slots__ = ("call", "copies", "flows", "new")

    def __init__(self, flows: Sequence[Flow], call: Step) -> None:
        self.flows, self.call = flows, call
        self.new: dict[int, Key] = {}
        self.copies: dict[int, Any] = {}

    def cell(self, origin: Any) -> Any:
        match origin:
            case None:
                return Word()
            case ("copy", of, number, copied):
                found = self.copies.get(number)
                if found is None:
                    found = self.copies[number] = copy_of(self.cell(of), copied)
                return found
            case ("joined", words):
                return join_words(_array([self.cell(w) for w in words]), (len(words),)).reshape(-1)[0]
            case ("word", key, index, count):
                return split_words(_array([self.cell(key)]), (count,))[0, index]
            case ("folded", key, number):
                return fold(self.cell(key), number)
            case ("new", number, use):
                found = self.new.setdefault(number, Key())
                found.use = None if use is None else (self.call, *use)
                return found
        index, at = origin
        cells = self.flows[index].cells
        return Key() if cells is None else cells.reshape(-1)[at]


def _array(items: Sequence[Any]) -> Cells:
    return cells_of((len(items),), items.__getitem__)


# -- the trace

class LedgerTrace(WatchingTrace):
    """Looks at all that is run outside of staging, and hands it on."""

    __slots__ = ("ledger",)

    base = True

    def __init__(self, parent: Trace, ledger: Ledger | None = None) -> None:
        self.parent: Trace = parent
        self.dead = False
        self.debug = None
        self.ledger = ledger or Ledger()
        if ledger is None:
            known_by_identity[:] = [self.ledger.flow]
            copies_noted.append(self.ledger.note_copy)

    def ignores(self, closed: ClosedJaxpr) -> bool:
        parent: Any = self.parent
        return parent.ignores(closed) and not closed.derive("holds keys", lambda: (_holds_keys(closed),))[0]

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        params = primitive.unpack(values)
        if primitive.in_sight:  # it runs others, in sight of the ledger, as the user's functions do
            inside = primitive.inside(**params) if primitive.inside is not None else None
            if inside is None or not inside.again:
                return self.parent.process(primitive, args, values)  # type: ignore[union-attr]
            return self._hand_on(primitive, args, values)
        if not self._concerns(primitive, args, params):
            return self._hand_on(primitive, args, values)
        tracker = KeyTracker()
        try:
            flows = self._follow(primitive, args, params, tracker)
        except Reused as found:
            tracker.take_back(0)
            flows = ()
            self._report(found)
        try:
            out = self._hand_on(primitive, args, values)
        except BaseException:
            tracker.take_back(0)  # nothing was drawn
            raise
        self._enter(out if primitive.multiple_results else [out], flows)
        return out

    def runs(self, closed: ClosedJaxpr, arrays: Sequence[Any]) -> Callable[[Sequence[Any]], None] | None:
        """The keys that a compiled program uses up are used up each time that it is called."""
        if not _holds_keys(closed):
            return None
        tracker = KeyTracker()
        flows: Sequence[Flow] = ()
        try:
            flows = self._through(closed, [self.ledger.flow(x) for x in arrays], user_place(), tracker, _callers())
        except Reused as found:
            tracker.take_back(0)
            self._report(found)
        return lambda results: self._enter(results, flows)

    def _enter(self, results: Sequence[Any], flows: Sequence[Flow]) -> None:
        """Note the keys that results hold."""
        for x, flow in zip(results, flows):
            if flow.cells is not None and isinstance(x, ArrayImpl) and x.shape == flow.cells.shape:
                self.ledger.enter(x, flow.cells)

    def _concerns(self, primitive: Primitive, args: tuple, params: dict[str, Any]) -> bool:
        """Whether there is anything to note: an operand with keys, or a jaxpr that closes over some."""
        if any(isinstance(x, Array) and (holds_keys(x.aval) or may_hold_words(x.aval)) for x in args):
            return not any(isinstance(x, Tracer) for x in args)
        if primitive.name == "random_wrap":
            return True
        return any(map(_value_concerns, params.values()))

    def _follow(self, primitive: Primitive, args: tuple, params: dict[str, Any], tracker: KeyTracker) -> Sequence[Flow]:
        place = local.place or user_place()
        callers = _callers() if local.place is None else ()
        flows = [self.ledger.flow(x) for x in args]
        inside = primitive.inside(**params) if primitive.inside is not None else None
        if inside is not None and inside.kind == "call" and not inside.again:
            return self._through(inside.inner[0].jaxpr, flows, place, tracker, callers)
        flow = KeyFlow(tracker, folds=not debug_key_reuse.value)  # with that option, what JAX's own check sees
        flow.way = callers
        return flow.apply(primitive, params, [get_aval(x) for x in args], Operands(flow, None, args, flows), place)

    def _through(self, closed: ClosedJaxpr, flows: Sequence[Flow], place: Any, tracker: KeyTracker,
                 callers: Use) -> Sequence[Flow]:
        found = summary(closed, not debug_key_reuse.value)
        instance = _Instance(flows, Step(place))
        names = argument_names(closed, len(flows))
        for (argument, way), origins in found.uses:
            used = _array([instance.cell(o) for o in origins])
            tracker.use_up(used, (*callers, Step(place, names[argument]), *way))
        outs = []
        for result in found.results:
            if result is None:
                outs.append(NOTHING)
                continue
            shape, origins = result
            outs.append(Flow(_array([instance.cell(o) for o in origins]).reshape(shape)))
        return outs

    def _hand_on(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        """Run it, out of sight of the ledger: what an operation does within is known from its rule."""
        parent: Any = self.parent
        before = local.trace
        local.trace = parent
        try:
            return parent.process(primitive, args, values)
        finally:
            local.trace = before

    def _report(self, found: Reused) -> None:
        """Raise, or tell once for each pair of places.

        Raises:
            KeyReuseError: `jax_debug_key_reuse` is on.
        """
        if found.key.parent is not None and _is_meant(found):
            if _initialises(found.first):
                found.key.use = found.second  # what `init` drew does not excuse those that come after
            return
        first, second = meeting(found.first, found.second)
        copies = None if found.copied is None else KeyCopies(use_at(found.copied.place, "", "").place, found.copied.number)
        if debug_key_reuse.value:
            raise KeyReuseError(first=first, second=second, twice_in_one=found.twice_in_one, copies=copies) from None
        tell(KeyReuse(first=first, second=second, twice_in_one=found.twice_in_one, copies=copies))


def _is_meant(found: Reused) -> bool:
    """Whether a key that was made of a number twice is so on purpose.

    That is how a second network gets the parameters of the first, by `init`, and how the steps of a lifted loop share a key.
    """
    return any(step.turn for step in found.second) or _initialises(found.first) or _initialises(found.second)


def _initialises(way: Use) -> bool:
    """Whether a key was used within an `init` of a model."""
    calls = [located(step.place) for step in way if step.place is not None]
    return any("init" in called(found.node) for found in calls if found is not None)


MOST_CALLERS = 6


def _callers() -> Use:
    """The calls of the user's that led to the innermost one, outermost first: where two ways part is told by them."""
    stack = user_stack(MOST_CALLERS + 1)[1:]
    return tuple([Step((p.code, p.lasti)) for p in reversed(stack)])


def _value_concerns(value: Any) -> bool:
    """Whether a parameter holds programs that concern keys; asked once for each program, and not at each of its calls."""
    if type(value) is ClosedJaxpr:
        return value.derive("concerns keys", lambda: (jaxpr_concerns_keys(value.jaxpr),))[0]
    if isinstance(value, tuple | list):
        return any(map(_value_concerns, value))
    return any(map(jaxpr_concerns_keys, jaxprs_in(value)))


def _holds_keys(closed: ClosedJaxpr) -> bool:
    """Whether a program takes or uses keys, or what may be keys."""
    avals: list[Any] = [*closed.in_avals, *[get_aval(c) for c in closed.consts]]
    return any(holds_keys(a) or may_hold_words(a) for a in avals) or jaxpr_concerns_keys(closed.jaxpr)


def meeting(first: Use, second: Use) -> tuple[KeyUse, KeyUse]:
    """The two uses where their ways part: calls at different places, or else the operations within."""
    loop = next((step.turn for step in second if step.turn), "")
    for a, b in zip(first, second):
        if a.place is not None and b.place is not None and a.place != b.place:
            return use_at(a.place, a.parameter, ""), use_at(b.place, b.parameter, loop)
    a, b = _told(first), _told(second)
    return use_at(a.place, a.parameter, ""), use_at(b.place, b.parameter, loop)


def _told(way: Use) -> Step:
    """The step to tell of a use that comes again: the innermost that names the key, where it is the function's own.

    A function that uses a key that it was passed in a loop of its own is where the splitting belongs.
    """
    known = [step for step in reversed(way) if step.place is not None]
    named = [step for step in known if _name(step)]
    return next((step for step in named if not _is_passed(step) or _in_a_loop(step)),
                named[-1] if named else (known or [way[-1]])[0])


def _in_a_loop(step: Step) -> bool:
    """Whether a step stands in a loop of its function."""
    found = located(step.place)
    at = None if found is None else found.file.parent(found.node)
    while at is not None and not isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        if isinstance(at, ast.For | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return True
        at = found.file.parent(at) if found is not None else None
    return False


def _name(step: Step) -> str:
    return key_name(use_at(step.place, step.parameter, ""))


def _is_passed(step: Step) -> bool:
    """Whether the function that a step stands in got the key from another one, as far as the source tells."""
    code = step.place[0] if type(step.place) is tuple else None
    return code is not None and _name(step) in (*code.co_varnames[:code.co_argcount + code.co_kwonlyargcount],
                                                *code.co_freevars)


__all__ = ["Ledger", "LedgerTrace", "Summary", "meeting", "summary"]
