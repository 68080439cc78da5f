"""What an index asks for, decided once for each shape and structure of the index.

`parse` takes an index apart into its structure (what is known without values: integers, slices, new axes, shapes of
index arrays) and the index arrays. `plan_of` finds, for a shape and a structure, how the result is laid out: which axis
of the operand each axis of the result comes from, by NumPy's rules. `numpy/indexing.py` carries plans out.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.provenance import provenance
from perspicax.core.symbolic import Size, as_size, largest, smallest, surely_less
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import NonConcreteBooleanIndexError
from perspicax.lax import shape as shapes
from perspicax.lax.gathering import GatherDimensionNumbers
from perspicax.lax.slicing import known
from perspicax.numpy.index_errors import (
    EmptyAxisError,
    IndexBroadcastError,
    IndexTypeError,
    ListIndexError,
    MaskShapeError,
    SeveralEllipsesError,
    SliceBoundError,
    SliceStepError,
    TooManyIndicesError,
    TracedSliceError,
    UnknownIndexError,
    type_text,
)

MAX_PLANS = 8192

# An item of a structure is an int, None, Ellipsis, ("s", start, stop, step), ("a", shape) for an index array, or
# ("b", n) for a boolean scalar, which is an index array of n = 0 or 1 zeros into a new axis of the operand.
Item = Any


# -- from an index to its structure

def parse(x: Array, index: Any) -> tuple[tuple[Item, ...], list[Any]]:
    """The structure of an index of `x`, and its index arrays (masks replaced by the indices of their true entries)."""
    if type(index) is not tuple:
        if isinstance(index, (list, tuple)) and not hasattr(index, "dtype"):
            if isinstance(index, list):
                raise ListIndexError(type_text=type_text(x), index_type="list")
            index = tuple(index)
        else:
            index = (index,)
    items: list[Any] = []
    plain = True
    for entry in index:
        kind = type(entry)
        if kind is int or entry is None or entry is Ellipsis:
            items.append(entry)
        elif kind is slice:
            items.append(_slice_item(x, entry))
        else:
            found = _entry(x, entry)
            plain = plain and type(found) is int
            items.append(found)
    return (tuple(items), []) if plain else _resolve(x, items)


def _slice_item(x: Array, s: slice) -> Item:
    bounds = []
    for bound in (s.start, s.stop, s.step):
        if bound is not None and type(bound) is not int:
            if isinstance(bound, Tracer) and bound.concrete() is None:
                raise TracedSliceError(type_text=type_text(x), origin=provenance(bound))
            try:
                bound = as_size(bound)
            except TypeError:
                raise SliceBoundError(type_text=type_text(x), bound=repr(bound)) from None
        bounds.append(bound)
    if bounds[2] == 0:
        raise SliceStepError(type_text=type_text(x))
    return ("s", *bounds)


def _entry(x: Array, entry: Any) -> Any:
    """An entry of an index as an int, a bool, or an array of integers or booleans."""
    if isinstance(entry, (bool, np.bool_)):
        return bool(entry)
    if isinstance(entry, np.integer):
        return int(entry)
    if isinstance(entry, str):
        raise IndexTypeError(type_text=type_text(x), index_type="str")
    if isinstance(entry, (list, tuple)):
        entry = _stacked(x, entry)
    if not isinstance(entry, (Array, np.ndarray)):
        if hasattr(entry, "__jax_array__"):
            entry = entry.__jax_array__()
        elif isinstance(entry, (float, complex, np.generic)):
            raise IndexTypeError(type_text=type_text(x), index_type=type(entry).__name__)
        elif hasattr(entry, "__index__"):
            return operator.index(entry)
        elif hasattr(entry, "__array__"):
            entry = np.asarray(entry)
        else:
            raise UnknownIndexError(type_text=type_text(x), index_type=type(entry).__name__)
    dtype = entry.dtype
    if dtype == np.dtype(bool):
        return entry
    if isinstance(dtype, dtypes.ExtendedDType) or not dtypes.issubdtype(dtype, np.integer):
        name = f"{dtype}[{','.join(map(str, entry.shape))}]"
        raise IndexTypeError(type_text=type_text(x), index_type=name, is_array=True)
    if type(entry) is np.ndarray and entry.ndim == 0:
        return int(entry)
    return entry


def _stacked(x: Array, entries: Sequence[Any]) -> Any:
    """A list within an index, as an array."""
    if not len(entries):
        return np.zeros(0, np.int32)
    if any(isinstance(e, Tracer) for e in entries):
        return shapes.concatenate([shapes.broadcast_in_dim(e, (1, *np.shape(e)), range(1, 1 + np.ndim(e)))
                                   for e in entries], 0)
    try:
        return np.asarray(entries)
    except ValueError:
        raise IndexTypeError(type_text=type_text(x), index_type="ragged list") from None


def _resolve(x: Array, items: list[Any]) -> tuple[tuple[Item, ...], list[Any]]:
    """Put index arrays in place of masks, which needs the axis that each entry indexes."""
    takes = [_taken(item) for item in items]
    spare = x.ndim - sum(takes)
    if spare < 0:
        raise TooManyIndicesError(type_text=type_text(x), rank=x.ndim, given=sum(takes))
    found: list[Item] = []
    arrays: list[Any] = []
    axis = 0
    for item, taken in zip(items, takes):
        if item is Ellipsis:
            axis += spare
        if isinstance(item, bool) or (isinstance(item, (Array, np.ndarray)) and item.dtype == np.dtype(bool)):
            mask = _known_mask(item)
            if mask.ndim == 0:
                n = int(mask)
                found.append(("b", n))
                arrays.append(np.zeros(n, np.int32))
            else:
                expected = x.shape[axis:axis + mask.ndim]
                if mask.shape != expected:
                    raise MaskShapeError(type_text=type_text(x), mask_shape=mask.shape, expected=expected, axis=axis)
                for where in mask.nonzero():
                    found.append(("a", where.shape))
                    arrays.append(where)
        elif isinstance(item, (Array, np.ndarray)):
            found.append(("a", item.shape))
            arrays.append(item)
        else:
            found.append(item)
        axis += taken
    return tuple(found), arrays


def _taken(item: Any) -> int:
    """How many axes of the operand an entry indexes."""
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, (Array, np.ndarray)) and item.dtype == np.dtype(bool):
        return item.ndim
    return 1


def _known_mask(item: Any) -> np.ndarray:
    mask = known(item)
    if mask is None:
        raise NonConcreteBooleanIndexError(item)
    return mask


# -- from a structure to a plan

class Windowed:
    """A part that is a box of the operand, in static or traced position.

    Attributes:
        slicing: parameters of `slice`, or `None` where all is taken.
        rev: axes to reverse then.
        dynamic: for each axis an int or the number of an index array; `None` where nothing is dynamic.
        sizes: of the box along each axis of the operand.
        squeeze: axes to leave out then.
        grow: parameters of `broadcast_in_dim` that adds the new axes, or `None`.
        strided: whether entries of the box are left out.
        shape: of the result.
        starts: where a static box begins.
    """

    __slots__ = ("dynamic", "grow", "rev", "shape", "sizes", "slicing", "squeeze", "starts", "strided")

    slicing: tuple | None
    rev: tuple[int, ...]
    dynamic: tuple | None
    sizes: tuple[int, ...]
    squeeze: tuple[int, ...]
    grow: tuple | None
    strided: bool
    shape: tuple[int, ...]
    starts: tuple[int, ...]


class Scattered:
    """A part that a gather reads and a scatter writes.

    Attributes:
        expand: places of the axes of size 1 that boolean scalars add to the operand.
        numbers: dimension numbers of the gather.
        slice_sizes: of a window.
        columns: for each component of the index vectors ("array", axis size, which), ("constant", value, axis size) or
            ("steps", axis of the batch, start, step, count).
        batch: shape of the index array without its last axis.
        group: axes of the batch that index arrays span.
        core: shape of the result without new axes.
        rev: axes of the result to reverse, before new axes are added.
        new: places of new axes in the result.
        shape: of the result.
        static: whether there is only one index vector, or one for each step: they are sorted and unique.
    """

    __slots__ = ("batch", "columns", "core", "expand", "group", "new", "numbers", "rev", "shape", "slice_sizes", "static")

    expand: tuple[int, ...]
    numbers: GatherDimensionNumbers
    slice_sizes: tuple[int, ...]
    columns: tuple[tuple, ...]
    batch: tuple[int, ...]
    group: tuple[int, ...]
    core: tuple[int, ...]
    rev: tuple[int, ...]
    new: tuple[int, ...]
    shape: tuple[int, ...]
    static: bool


class Entry:
    """One entry of an index after `...` is written out; `kind` is "int", "slice", "array", "new" or "gap".

    A gap is a `...` that stands for no axes.
    """

    __slots__ = ("axis", "count", "kind", "shape", "start", "step", "which")

    def __init__(self, kind: str, axis: int = -1, start: int = 0, step: int = 1, count: int = 1,
                 shape: tuple[int, ...] = (), which: int = -1) -> None:
        self.kind, self.axis, self.start, self.step, self.count = kind, axis, start, step, count
        self.shape, self.which = shape, which

    @property
    def low(self) -> int:
        """The first entry of a slice in the order of the operand."""
        return self.start if self.step > 0 else self.start + (self.count - 1) * self.step if self.count else 0

    @property
    def contiguous(self) -> bool:
        """Whether a slice takes entries that stand side by side."""
        return abs(self.step) == 1 or surely_less(self.count, 2)


class Plan:
    """How an index of one structure is carried out on arrays of one shape.

    Attributes:
        entries: the index, `...` written out.
        shape: of the operand with the axes that boolean scalars add.
        expand: places of those axes.
        inside: whether all integers lie inside (arrays aside).
        negative: whether some integer is negative.
        has_arrays: whether there are index arrays of at least one axis.
        has_scalars: whether there are index arrays without axes.
        group: the shape that the index arrays broadcast to.
    """

    __slots__ = ("_scattered", "_windowed", "entries", "expand", "group", "has_arrays", "has_scalars", "inside", "negative",
                 "shape")

    def __init__(self, shape: tuple[int, ...], items: tuple[Item, ...], text: str) -> None:
        self.entries, self.shape, self.expand = _entries(shape, items, text)
        self.inside = all(_is_inside(e.start, self.shape[e.axis]) for e in self.entries if e.kind == "int")
        self.negative = any(e.start < 0 for e in self.entries if e.kind == "int")
        arrays = [e for e in self.entries if e.kind == "array"]
        self.has_arrays = any(e.shape != () for e in arrays)
        self.has_scalars = any(e.shape == () for e in arrays)
        self.group = _group_shape([e.shape for e in arrays], text)
        self._windowed: Windowed | None = None
        self._scattered: dict[bool, Scattered] = {}

    def box(self, wrap: bool) -> bool:
        """Whether the part is a box of the operand at a static place inside it.

        Args:
            wrap: whether negative integers count from the end; otherwise they are outside.
        """
        return self.inside and not self.has_arrays and not self.has_scalars and (wrap or not self.negative)

    @property
    def windowed(self) -> Windowed:
        """The plan of a part that is a box of the operand (with steps)."""
        if self._windowed is None:
            self._windowed = _windowed(self)
        return self._windowed

    def scattered(self, wrap: bool) -> Scattered:
        """The plan with a gather or scatter; `wrap` says that negative integers count from the end."""
        found = self._scattered.get(wrap)
        if found is None:
            found = self._scattered[wrap] = _scattered(self, wrap)
        return found


_plans: dict[tuple, Plan] = {}


def plan_of(x: Array, items: tuple[Item, ...]) -> Plan:
    """The plan for a structure; kept."""
    key = (x.aval.shape, items)
    found = _plans.get(key)
    if found is None:
        found = Plan(x.shape, items, type_text(x))
        if len(_plans) >= MAX_PLANS:
            _plans.clear()
        _plans[key] = found
    return found


def _entries(shape: tuple[int, ...], items: tuple[Item, ...],
             text: str) -> tuple[tuple[Entry, ...], tuple[int, ...], tuple[int, ...]]:
    given = sum([item is not None and item is not Ellipsis and not (type(item) is tuple and item[0] == "b")
                 for item in items])
    dots = sum([item is Ellipsis for item in items])
    if given > len(shape):
        raise TooManyIndicesError(type_text=text, rank=len(shape), given=given)
    if dots > 1:
        raise SeveralEllipsesError(type_text=text)
    entries: list[Entry] = []
    wide: list[int] = []
    expand: list[int] = []
    axis = which = 0
    rest = len(shape) - given

    def take(item: Item) -> None:
        nonlocal axis, which
        size = shape[axis]
        wide.append(size)
        place = len(wide) - 1
        if type(item) is int:
            if size == 0:
                raise EmptyAxisError(type_text=text, axis=axis, index=str(item))
            entries.append(Entry("int", place, item))
        elif item[0] == "s":
            if type(size) is int:
                start, stop, step = slice(*item[1:]).indices(size)
                count = len(range(start, stop, step))
            else:
                start, step, count = _symbolic_range(item, size)
            entries.append(Entry("slice", place, start, step, count))
        else:
            if size == 0 and item[1] == ():
                raise EmptyAxisError(type_text=text, axis=axis, index="")
            entries.append(Entry("array", place, shape=item[1], which=which))
            which += 1
        axis += 1

    for item in items if dots else (*items, Ellipsis):
        if item is None:
            entries.append(Entry("new"))
        elif item is Ellipsis:
            for _ in range(rest):
                take(("s", None, None, None))
            if dots and rest == 0:
                entries.append(Entry("gap"))  # it still separates index arrays
        elif type(item) is tuple and item[0] == "b":
            expand.append(len(wide))
            wide.append(1)
            entries.append(Entry("array", len(wide) - 1, shape=(item[1],), which=which))
            which += 1
        else:
            take(item)
    return tuple(entries), tuple(wide), tuple(expand)


def _symbolic_range(item: Any, size: Size) -> tuple[Size, int, Size]:
    """Start, step and number of the entries of a slice of an axis of symbolic size."""
    start, stop, step = item[1:]
    step = 1 if step is None else operator.index(step)
    if step < 0:
        first, last = size - 1 if start is None else _clamped(start, size, -1), -1 if stop is None else _clamped(stop, size, -1)
        return first, step, largest(0, (first - last - step - 1) // -step)
    first, last = 0 if start is None else _clamped(start, size, 0), size if stop is None else _clamped(stop, size, 0)
    return first, step, largest(0, (last - first + step - 1) // step)


def _clamped(place: Size, size: Size, least: int) -> Size:
    """An end of a slice, counted from the start of the axis, within it (and one before it, in reverse: `least` is -1)."""
    place = as_size(place)
    if surely_less(place, 0):
        place = place + size
    return largest(least, smallest(place, size + least))


def _is_inside(place: int, size: Size) -> bool:
    """Whether an index is inside the axis, as far as is known."""
    return surely_less(-1 - size, place) and surely_less(place, size)


def _windowed(plan: Plan) -> Windowed:
    shape = plan.shape
    found = Windowed()
    rank = len(shape)
    low, high, steps, rev, squeeze = [0] * rank, list(shape), [1] * rank, [], []
    dynamic: list[Any] = [0] * rank
    sizes = list(shape)
    moving = not plan.inside or plan.has_scalars
    for e in plan.entries:
        a = e.axis
        if e.kind == "array" or (e.kind == "int" and moving):
            dynamic[a], sizes[a] = (("array", e.which) if e.kind == "array" else e.start), 1
            squeeze.append(a)
        elif e.kind == "int":
            low[a] = e.start + shape[a] if e.start < 0 else e.start
            high[a], sizes[a] = low[a] + 1, 1
            squeeze.append(a)
        elif e.kind == "slice":
            sizes[a] = e.count
            if e.step < 0 and not surely_less(e.count, 2):
                rev.append(a)
            if moving and e.contiguous and not (e.step < 0 and not surely_less(e.count, 2)):
                dynamic[a] = e.low
            else:
                low[a], steps[a] = e.low, 1 if surely_less(e.count, 2) else abs(e.step)
                high[a] = largest(low[a], low[a] + (e.count - 1) * steps[a] + 1) if e.count else low[a]
    unit = steps == [1] * rank
    whole = unit and low == [0] * rank and high == list(shape)
    found.slicing = None if whole else (tuple(low), tuple(high), None if unit else tuple(steps))
    found.rev, found.squeeze, found.sizes = tuple(rev), tuple(squeeze), tuple(sizes)
    found.dynamic = tuple(dynamic) if moving else None
    found.starts = tuple(low)
    kept = [e for e in plan.entries if e.kind in ("slice", "new")]
    found.shape = tuple([1 if e.kind == "new" else e.count for e in kept])
    old = tuple([i for i, e in enumerate(kept) if e.kind == "slice"])
    found.grow = (found.shape, old, None) if len(old) < len(kept) else None
    found.strided = not unit
    return found


def _layout(plan: Plan) -> list[Any]:
    """The axes of the result: an `Entry` for each slice and new axis, an int for each axis that index arrays span.

    The index arrays' axes stand where the arrays stand, or first when something stands between the arrays.
    """
    members = [i for i, e in enumerate(plan.entries) if e.kind in ("int", "array")] if plan.has_arrays else []
    together = bool(members) and members == list(range(members[0], members[-1] + 1))
    spanned = list(range(len(plan.group)))
    layout: list[Any] = [] if together else list(spanned)
    for i, e in enumerate(plan.entries):
        if e.kind in ("slice", "new"):
            layout.append(e)
        elif together and i == members[0]:
            layout.extend(spanned)
    return layout


def _group_shape(arrays: list[tuple[int, ...]], text: str) -> tuple[int, ...]:
    try:
        return shapes.broadcast_shapes(*arrays)
    except (ValueError, TypeError):
        raise IndexBroadcastError(type_text=text, shapes=tuple(arrays)) from None


def _scattered(plan: Plan, wrap: bool) -> Scattered:
    found = Scattered()
    group = plan.group
    layout = _layout(plan)
    found.expand, found.static = plan.expand, not plan.has_arrays
    found.shape = tuple([group[e] if type(e) is int else 1 if e.kind == "new" else e.count for e in layout])
    found.new = tuple([i for i, e in enumerate(layout) if type(e) is Entry and e.kind == "new"])
    inner = [e for e in layout if type(e) is int or e.kind == "slice"]
    found.core = tuple([n for i, n in enumerate(found.shape) if i not in found.new])
    batch: list[int] = []
    spans: list[int] = []
    offset: list[int] = []
    rev: list[int] = []
    steps: dict[int, int] = {}  # axis of the operand: axis of the batch that runs along it
    for i, e in enumerate(inner):
        if type(e) is int:
            spans.append(len(batch))
            batch.append(group[e])
            continue
        if e.step < 0 and not surely_less(e.count, 2):
            rev.append(i)
        if e.contiguous:
            offset.append(i)
        else:
            steps[e.axis] = len(batch)
            batch.append(e.count)
    sizes = [1] * len(plan.shape)
    columns: list[tuple] = []
    index_map: list[int] = []
    for e in plan.entries:
        a = e.axis
        if e.kind == "array":
            columns.append(("array", plan.shape[a], e.which))
        elif e.kind == "int":
            columns.append(("constant", e.start + plan.shape[a] if wrap and e.start < 0 else e.start, plan.shape[a]))
        elif e.kind == "slice" and a in steps:
            columns.append(("steps", steps[a], e.low, abs(e.step), e.count))
        else:
            if e.kind == "slice":
                sizes[a] = e.count
                if e.low:
                    columns.append(("constant", e.low, plan.shape[a]))
                    index_map.append(a)
            continue
        index_map.append(a)
    windows = {e.axis for e in inner if type(e) is Entry and e.contiguous}
    collapsed = tuple([a for a in range(len(plan.shape)) if a not in windows])
    found.numbers = GatherDimensionNumbers(tuple(offset), collapsed, tuple(index_map))
    found.slice_sizes, found.columns = tuple(sizes), tuple(columns)
    found.batch, found.group, found.rev = tuple(batch), tuple(spans), tuple(rev)
    return found


def size_of(shape: Sequence[int]) -> int:
    """The number of elements of a shape."""
    return math.prod(shape)


__all__ = ["Plan", "Scattered", "Windowed", "parse", "plan_of", "size_of"]
