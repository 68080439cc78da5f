"""Follow random keys through jaxprs: which are used up, and which results are the same key again.

A jaxpr is gone through once, equation by equation, with `Key` objects for keys. Operations that move data are done on
the objects; `split` and draws use theirs up; everything else that makes a key makes a new one. Of a branch that may run
all are gone through, each from where the first began. A loop is gone through twice: what the second round finds used up
was used by the first.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.analyse.key_identity import (
    MAX_KEYS,
    Cells,
    Copies,
    Key,
    KeyTracker,
    Step,
    Use,
    Word,
    as_copies,
    cells_of,
    copied,
    copy_of,
    fold,
    fresh_keys,
    join_words,
    split_words,
)
from perspicax.core.context import evaluator, use_trace
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, SpreadPlace, Var, subjaxprs
from perspicax.core.primitive import Inside, Parts, Primitive
from perspicax.lax.random_bits import KeyDType
from perspicax.xla.array import ArrayImpl

UINT32 = np.dtype(np.uint32)
MAX_VALUE = 1 << 12  # elements of a value that is computed to tell which keys an index means
MAX_DEPTH = 40

MOVES = frozenset({
    "broadcast_in_dim", "concatenate", "dynamic_slice", "dynamic_update_slice", "gather", "pad", "reshape", "rev",
    "select_n", "slice", "split", "squeeze", "stack", "tile", "transpose", "unstack",
})
PASSES = frozenset({"copy", "copy_p", "device_put", "name", "optimization_barrier", "sharding_constraint", "stop_gradient",
                    "reduce_precision", "convert_element_type"})


class Flow(NamedTuple):
    """What is known of a value.

    Attributes:
        cells: its keys, or the words that may be those of keys; `None` where it has none.
        number: equal for values that are known to be equal, and nothing else.
        value: it, where it is known.
    """

    cells: Cells | None = None
    number: Hashable = None
    value: np.ndarray | None = None


NOTHING = Flow()


def holds_keys(aval: Any) -> bool:
    """Whether a type is that of keys."""
    return type(getattr(aval, "dtype", None)) is KeyDType


def may_hold_words(aval: Any) -> bool:
    """Whether a type may be that of keys without a dtype of their own."""
    return getattr(aval, "dtype", None) == UINT32 and aval.ndim > 0 and aval.shape[-1] in (2, 4) and aval.size <= MAX_KEYS


def fresh(aval: Any) -> Cells | None:
    """New keys, or new words, for a value of this type."""
    if holds_keys(aval):
        return fresh_keys(aval.shape) if aval.size <= MAX_KEYS else None
    return cells_of(aval.shape, lambda _: Word()) if may_hold_words(aval) else None


class Frame:
    """The values of one run of a jaxpr."""

    __slots__ = ("depth", "flows", "makers", "numbers")

    def __init__(self) -> None:
        self.flows: dict[Var, Flow] = {}
        self.makers: dict[Var, JaxprEqn] = {}
        self.numbers: dict[Var, Hashable] = {}
        self.depth = 0

    def cells(self, atom: Any) -> Cells | None:
        """The keys of a variable; made on first sight."""
        if isinstance(atom, Literal):
            return None
        flow = self.flows.get(atom, NOTHING)
        if flow.cells is None:
            made = fresh(atom.aval)
            if made is not None:
                self.flows[atom] = flow = flow._replace(cells=made)
        return flow.cells

    def value(self, atom: Any) -> np.ndarray | None:
        """The value of a variable where constants alone decide it."""
        if isinstance(atom, Literal):
            return np.asarray(atom.val, atom.aval.dtype)
        flow = self.flows.get(atom, NOTHING)
        eqn = self.makers.get(atom)
        if flow.value is not None or eqn is None or atom.aval.extended or self.depth > MAX_DEPTH:
            return flow.value
        self.depth += 1
        found = self._computed(eqn)
        self.depth -= 1
        if found is not None:
            self.flows[atom] = flow._replace(value=found)
        return found

    def _computed(self, eqn: JaxprEqn) -> np.ndarray | None:
        if "axis_name" in eqn.params or "axis_index_groups" in eqn.params:  # the device decides
            return None
        if eqn.effects or len(eqn.outvars) != 1 or any(v.aval.size > MAX_VALUE for v in (*eqn.invars, *eqn.outvars)) \
                or next(iter(subjaxprs(eqn)), None) is not None:
            return None
        values = [self.value(a) for a in eqn.invars]
        if any(x is None for x in values):
            return None
        return evaluated(eqn.primitive, values, eqn.values)  # type: ignore[arg-type]

    def number(self, atom: Any) -> Hashable:
        """What is equal for equal values."""
        if isinstance(atom, Literal):
            return "literal", str(atom.aval.dtype), repr(atom.val)
        found = self.numbers.get(atom)
        if found is None:
            flow, eqn = self.flows.get(atom, NOTHING), self.makers.get(atom)
            found = flow.number
            if found is None and eqn is not None and not eqn.effects and self.depth <= MAX_DEPTH:
                self.depth += 1
                found = _interned((eqn.primitive, eqn.values, eqn.outvars.index(atom), *[self.number(a) for a in eqn.invars]))
                self.depth -= 1
            self.numbers[atom] = found = atom if found is None else found
        return found


def _interned(key: tuple) -> Hashable:
    try:
        hash(key)
    except TypeError:  # a parameter that cannot be hashed
        return None
    return key


def evaluated(primitive: Primitive, values: Sequence[np.ndarray], params: tuple) -> np.ndarray | None:
    """A primitive of one result on known values."""
    with use_trace(evaluator()):
        out = evaluator().process(primitive, tuple(values), params)
    return out.value() if type(out) is ArrayImpl else np.asarray(out)


# -- the walk

class KeyFlow:
    """Goes through equations.

    Attributes:
        tracker: uses keys up.
        way: the calls that led to where it is.
        sealed: whether it is in a function of the library, whose equations have the places of whoever came first.
        folds: whether the same number makes the same key of a key again; else `fold_in` makes new ones.
    """

    __slots__ = ("folds", "sealed", "selected", "tracker", "way")

    def __init__(self, tracker: KeyTracker | None = None, sealed: bool = False, folds: bool = False) -> None:
        self.tracker = tracker or KeyTracker()
        self.folds = folds
        self.way: Use = ()
        self.sealed = sealed
        self.selected: dict[Hashable, tuple[Cells, Any]] = {}

    def run(self, closed: ClosedJaxpr, flows: Sequence[Flow], counters: bool = False) -> list[Flow]:
        """What is known of the results of a jaxpr on these inputs.

        Args:
            counters: whether the values of single integers are computed, which may be indices in what follows.

        Raises:
            Reused: a key is used up twice.
        """
        jaxpr = closed.jaxpr
        frame = Frame()
        for var, flow in zip(jaxpr.invars, flows):
            frame.flows[var] = flow
        for var, const in zip(jaxpr.constvars, closed.consts):
            frame.flows[var] = known(const)
        for eqn in jaxpr.eqns:
            self._step(eqn, frame)
        if counters:
            for atom in jaxpr.outvars:
                if atom.aval.shape == () and not atom.aval.extended and atom.aval.dtype.kind in "iu":
                    frame.value(atom)
        return [self._flow(a, frame) for a in jaxpr.outvars]

    def _flow(self, atom: Any, frame: Frame) -> Flow:
        if isinstance(atom, Literal):
            return Flow(None, frame.number(atom), frame.value(atom))
        return Flow(frame.cells(atom), frame.number(atom), frame.flows.get(atom, NOTHING).value)

    def _step(self, eqn: JaxprEqn, frame: Frame) -> None:
        for var in eqn.outvars:
            frame.makers[var] = eqn
        if not concerns_keys(eqn):
            return
        out = self.apply(eqn.primitive, eqn.params, [a.aval for a in eqn.invars],
                         Operands(self, frame, eqn.invars), eqn.place)
        for var, flow in zip(eqn.outvars, out):
            if flow is not NOTHING:
                frame.flows[var] = flow

    def apply(self, primitive: Primitive, params: dict[str, Any], avals: Sequence[Any], operands: Operands,
              place: Any) -> Sequence[Flow]:
        """What is known of the results of a primitive; keys that it uses up are marked.

        Raises:
            Reused: a key is used up twice.
        """
        name = primitive.name
        hook = primitive.sanitize.get("keys")
        if hook is not None:
            for index in hook(tuple(range(len(avals))), params):
                cells = operands.cells(index)
                if cells is not None:
                    self.tracker.use_up(cells, self.way if self.sealed else (*self.way, Step(place)))
        if name == "random_wrap":
            words = operands.cells(0)
            return () if words is None else (Flow(join_words(words, params["impl"].key_shape)),)
        if name == "random_unwrap":
            keys = operands.cells(0)
            return () if keys is None else (Flow(split_words(keys, avals[0].dtype.generator.key_shape)),)
        if name == "random_fold_in" and self.folds:
            return self._folded(operands)
        if name in PASSES:
            return [Flow(operands.cells(i)) for i in range(len(avals))]
        if name in MOVES:
            return self._move(primitive, params, avals, operands, place)
        if "parts" in primitive.extra:
            return self._each_part(primitive.extra["parts"](**params), operands, place)
        inside = primitive.inside(**params) if primitive.inside is not None else None
        return () if inside is None else self._within(inside, operands, place)

    def _folded(self, operands: Operands) -> Sequence[Flow]:
        """The same key for the same number, where that is known; else a new one."""
        keys, numbers = operands.cells(0), operands.value(1)
        if keys is None or numbers is None or numbers.ndim not in (0, keys.ndim):
            return ()
        each = np.broadcast_arrays(keys, numbers)
        made = [fold(key, int(n)) for key, n in zip(*[x.reshape(-1) for x in each])]
        return (Flow(_shaped(made, each[0].shape)),)

    # -- data that moves

    def _move(self, primitive: Primitive, params: dict[str, Any], avals: Sequence[Any], operands: Operands,
              place: Any) -> Sequence[Flow]:
        """The primitive itself on numbers in the place of keys; where an index is not known, new keys for each index.

        A key that stands in the result twice is another copy there, unless a transformation spread it along a batch.
        """
        cells = [operands.cells(i) for i in range(len(avals))]
        if all(c is None for c in cells):
            return ()
        moved = _moved_operands(primitive.name, len(avals))
        if any(cells[i] is None for i in moved):
            return ()
        rest = {i: operands.value(i) for i in range(len(avals)) if i not in moved}
        if any(v is None for v in rest.values()):
            return self._unknown(primitive, params, avals, operands, [cells[i] for i in moved])
        parts: list[Any] = [cells[i] for i in moved]
        if primitive.name in ("concatenate", "stack"):
            parts = as_copies(parts, place)
        table = np.concatenate([p.reshape(-1) for p in parts])
        start, numbered = 0, dict(rest)
        for i, part in zip(moved, parts):
            numbered[i] = np.arange(start, start + part.size, dtype=np.int32).reshape(part.shape)
            start += part.size
        if primitive.name == "gather":
            params = {**params, "fill_value": None}
        with use_trace(evaluator()):
            out = evaluator().process(primitive, tuple([numbered[i] for i in range(len(avals))]), primitive.pack(params))
        results = out if primitive.multiple_results else [out]
        found = []
        for x in results:
            places = np.asarray(x.value())
            spread = place is None or type(place) is SpreadPlace
            found.append(Flow(_shaped(_taken(table, places) if spread else copied(table, places, place), places.shape)))
        return found

    def _unknown(self, primitive: Primitive, params: dict[str, Any], avals: Sequence[Any], operands: Operands,
                 cells: Sequence[Any]) -> Sequence[Flow]:
        if primitive.multiple_results or primitive.name == "select_n":
            return ()
        out = primitive.infer(tuple(avals), primitive.pack(params))
        if len(cells) == 1:
            same = _any_of_copies(cells[0], out.shape)
            if same is not None:
                return (Flow(same),)
        moved = _moved_operands(primitive.name, len(avals))
        numbers = tuple([operands.number(i) for i in range(len(avals)) if i not in moved])
        identities = tuple([id(c) for part in cells for c in part.reshape(-1)])
        key = _interned((primitive, primitive.pack(params), numbers, identities))
        kept = None if key is None else self.selected.get(key)
        if kept is not None:
            return (Flow(kept[0]),)
        found = fresh(out)
        if found is not None and key is not None:
            self.selected[key] = found, cells  # which keeps alive whose ids are in the key
        return (Flow(found),)

    # -- jaxprs within

    def _within(self, inside: Inside, operands: Operands, place: Any) -> Sequence[Flow]:
        if inside.again:
            return ()  # what is computed again was drawn already, by the same key on purpose
        flows = operands.flows()
        if inside.kind == "loop":
            return self._loop(inside, flows, place)
        if inside.kind == "branch":
            return self._branches(inside, flows, place)
        inner, = inside.inner
        return self._into(inner.jaxpr, [flows[i] for _, i in inner.inputs], place)

    def _into(self, closed: ClosedJaxpr, flows: Sequence[Flow], place: Any, turn: str = "",
              counters: bool = False) -> list[Flow]:
        before = self.way, self.sealed
        if not self.sealed:
            self.way = (*self.way, Step(place, turn=turn))
            self.sealed = is_library(closed)
        try:
            return self.run(closed, flows, counters)
        finally:
            self.way, self.sealed = before

    def _each_part(self, parts: Parts, operands: Operands, place: Any) -> Sequence[Flow]:
        """A body that each device runs: once for each part of keys. Devices with the same keys draw the same, on purpose."""
        flows = operands.flows()
        with_keys = [i for i, flow in enumerate(flows) if flow.cells is not None]
        names = list(dict.fromkeys([name for i in with_keys for axis in parts.splits[i] for name in axis]))
        seen: set[tuple] = set()
        for coordinates in itertools.product(*[range(parts.sizes[name]) for name in names]):
            where = dict(zip(names, coordinates))
            inner = [flow if flow.cells is None and not any(parts.splits[i]) else NOTHING for i, flow in enumerate(flows)]
            for i in with_keys:
                cells: Any = flows[i].cells
                index = parts.slices(i, where, cells.shape)
                mark = (i, *[s.start for s in index])
                if mark not in seen:
                    seen.add(mark)
                    inner[i] = Flow(cells[(*index, ...)])
            self._into(parts.jaxpr, inner, place)
        return ()

    def _branches(self, inside: Inside, flows: Sequence[Flow], place: Any) -> Sequence[Flow]:
        """Each branch from the same state; afterwards all that any of them used up is used up."""
        uses: list[tuple[Key, Use]] = []
        outs: list[list[Flow]] = []
        for branch in inside.inner:
            mark = self.tracker.mark()
            outs.append(self._into(branch.jaxpr, [flows[i] for _, i in branch.inputs], place))
            uses += self.tracker.take_back(mark)
        self.tracker.put_back(uses)
        return [_either(column) for column in zip(*outs)]

    def _loop(self, inside: Inside, flows: Sequence[Flow], place: Any) -> Sequence[Flow]:
        """Two rounds, where there are two: what the second finds used up was used by the first.

        What changes from round to round is another value in each: a key that it selects is another key.
        """
        length = 2 if inside.length is None else inside.length
        order = range(length - 1, -1, -1) if inside.reverse else range(length)
        inputs = inside.inner[-1].inputs
        carry = {i: flows[i] for kind, i in inputs if kind == "carry"}
        carry = {i: _of_a_turn(f, object()) for i, f in carry.items()}
        stacked: list[list[Flow]] = []
        for turn, at in enumerate(order[:2]):
            out: list[Flow] = []
            for inner in inside.inner:
                fed = [carry[i] if kind == "carry" else _row(flows[i], at) if kind == "row" else flows[i]
                       for kind, i in inner.inputs]
                out = self._into(inner.jaxpr, fed, place, inside.word if turn else "", counters=True)
            stacked.append(out[len(carry):])
            carry = {i: _of_a_turn(f, old.number if f.number is old.number else object())
                     for (i, old), f in zip(carry.items(), out)}
        if not stacked:
            return ()
        self._rest_of_rows([flows[i] for kind, i in inputs if kind == "row"], order)
        return [*[Flow(f.cells) for f in carry.values()], *[_stack(column, order, place) for column in zip(*stacked)]]

    def _rest_of_rows(self, rows: Sequence[Flow], order: range) -> None:
        """What the first round used of its row, the others use of theirs."""
        for flow in rows:
            if flow.cells is None or len(order) < 3 or not flow.cells.size:
                continue
            cells = flow.cells
            if isinstance(cells.reshape(-1)[0], Word):
                cells = join_words(cells, cells.shape[-1:]) if cells.ndim > 1 else cells
                if isinstance(cells.reshape(-1)[0], Word):
                    continue
            for first, others in _aligned(cells, order):
                use = first.root.use
                if use is None:
                    continue
                for key in others:
                    if key.root.use is None:
                        key.root.use = use
                        self.tracker.trail.append(key.root)


class Operands:
    """The operands of one application: of an equation, or given."""

    __slots__ = ("atoms", "flow", "frame", "given")

    def __init__(self, flow: KeyFlow, frame: Frame | None, atoms: Sequence[Any], given: Sequence[Flow] = ()) -> None:
        self.flow, self.frame, self.atoms, self.given = flow, frame, atoms, given

    def cells(self, index: int) -> Cells | None:
        """The keys of an operand."""
        return self.given[index].cells if self.frame is None else self.frame.cells(self.atoms[index])

    def value(self, index: int) -> np.ndarray | None:
        """Its value, where that is known."""
        return self.given[index].value if self.frame is None else self.frame.value(self.atoms[index])

    def number(self, index: int) -> Hashable:
        """What is equal for equal operands."""
        return self.given[index].number if self.frame is None else self.frame.number(self.atoms[index])

    def flows(self) -> list[Flow]:
        """All that is known of them."""
        if self.frame is None:
            return list(self.given)
        return [self.flow._flow(a, self.frame) for a in self.atoms]


# -- helpers

def is_library(closed: ClosedJaxpr) -> bool:
    """Whether a jaxpr is that of a function of the library: it has no place in the user's code."""
    info = closed.jaxpr.debug_info
    return info is not None and info.transform == "jit" and info.place is None


def concerns_keys(eqn: JaxprEqn) -> bool:
    """Whether an equation may do something with keys."""
    if any(_may(v.aval) for v in eqn.invars) or any(_may(v.aval) for v in eqn.outvars):
        return True
    return any(jaxpr_concerns_keys(inner) for inner in subjaxprs(eqn))


def _may(aval: Any) -> bool:
    return holds_keys(aval) or getattr(aval, "dtype", None) == UINT32


def jaxpr_concerns_keys(jaxpr: Jaxpr) -> bool:
    """Whether keys come into a jaxpr, or are used in it."""
    return any(_may(v.aval) for v in (*jaxpr.invars, *jaxpr.constvars)) or any(concerns_keys(e) for e in jaxpr.eqns)


known_by_identity: list[Callable[[Any], Flow]] = []
"""What tells the keys of arrays outside of all jaxprs: the ledger of keys, while it is on."""


def known(x: Any) -> Flow:
    """What is known of an array that a jaxpr closes over."""
    return known_by_identity[0](x) if known_by_identity else NOTHING


def _moved_operands(name: str, count: int) -> list[int]:
    """Which operands a moving primitive takes its results from; the others say from where."""
    if name in ("concatenate", "stack", "pad"):
        return list(range(count))
    if name == "select_n":
        return list(range(1, count))
    return [0, 1] if name == "dynamic_update_slice" else [0]


def _taken(table: Cells, places: np.ndarray) -> list[Any]:
    return [table[at] if 0 <= at < len(table) else Key() for at in places.reshape(-1).tolist()]  # beyond the end: filled


def _shaped(cells: Sequence[Any], shape: tuple[int, ...]) -> Cells:
    return cells_of(shape, cells.__getitem__)


def _any_of_copies(cells: Cells, shape: tuple[int, ...]) -> Cells | None:
    """One key, taken at an index that is not known from copies of one key; `None` of others."""
    if not cells.size:
        return None
    is_word = isinstance(cells.reshape(-1)[0], Word)
    width = cells.shape[-1] if is_word and cells.ndim else 1
    if int(np.prod(shape)) != width or (is_word and shape[-1:] != (width,)):
        return None
    rows = cells.reshape((-1, width))
    if any(cell.root is not column[0].root for column in rows.T for cell in column):
        return None
    return _shaped([copy_of(cell) for cell in rows[0]], shape)


def _of_a_turn(flow: Flow, number: Hashable) -> Flow:
    """A value carried by a loop, as a round finds it."""
    return Flow(flow.cells, number, flow.value)


def _row(flow: Flow, at: int) -> Flow:
    """One entry along the first axis."""
    cells = None if flow.cells is None else flow.cells[at:at + 1].reshape(flow.cells.shape[1:])
    return Flow(cells, object(), None if flow.value is None or at >= len(flow.value) else flow.value[at])


def _either(flows: Sequence[Flow]) -> Flow:
    """The result of whichever branch ran: its keys where all agree, and used ones where all are used."""
    cells = [f.cells for f in flows]
    if any(c is None for c in cells):
        return NOTHING
    first: Any = cells[0]
    flat: list[Any] = [c.reshape(-1) for c in cells if c is not None]
    if all(all(a is b for a, b in zip(f, flat[0])) for f in flat[1:]):
        return Flow(first)
    return Flow(cells_of(first.shape, lambda i: _one_of([f[i] for f in flat])))


def _one_of(choices: Sequence[Any]) -> Any:
    if all(c is choices[0] for c in choices):
        return choices[0]
    if not isinstance(choices[0], Key):
        return Word()
    found = Key()
    if all(c.root.use is not None for c in choices):
        found.use = choices[0].root.use
    return found


def _stack(column: Sequence[Flow], order: range, place: Any) -> Flow:
    """What the rounds of a loop hand out, behind each other: new keys, used up where those of the rounds were."""
    if any(f.cells is None for f in column):
        return NOTHING
    last: Any = column[-1].cells
    if (len(order) * last.size) > MAX_KEYS or not last.size:
        return NOTHING
    if len(order) <= len(column):
        arrays: list[Any] = as_copies([f.cells for f in column], place)  # type: ignore[misc]
        return Flow(np.stack(arrays[::order.step]))
    first: Any = column[0].cells

    def make(i: int) -> Any:
        like = last.reshape(-1)[i % last.size]
        if like.root is first.reshape(-1)[i % last.size].root:
            return copy_of(like, Copies(place, len(order)))
        if not isinstance(like, Key):
            return Word()
        made = Key()
        made.use = like.root.use
        return made

    return Flow(cells_of((len(order), *last.shape), make))


def _aligned(cells: Cells, order: range) -> list[tuple[Any, list[Any]]]:
    """Each key of the first row, with those in its place in all rows from the third on."""
    flat = cells.reshape((len(order), -1))
    return [(flat[order[0], j], [flat[at, j] for at in order[2:]]) for j in range(flat.shape[1])]


__all__ = ["Flow", "KeyFlow", "NOTHING", "Operands", "concerns_keys", "fresh", "holds_keys", "is_library",
           "jaxpr_concerns_keys", "known_by_identity", "may_hold_words"]
