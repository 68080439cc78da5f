"""Indexing: `x[index]`, and `x.at[index]` for arrays with a part changed.

Three ways lead to a result. On the host, NumPy indexes the value (a view, or an exact copy) when it is known and small
enough. Otherwise the plan of the index (`index_plan.py`) is carried out: a box of the operand by `slice` or
`dynamic_slice`, everything else by one gather or scatter.
"""
from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from types import EllipsisType, NoneType
from typing import Any, NoReturn

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.core.dtype_errors import IntegerRangeError
from perspicax.core.promotion import result_type
from perspicax.core.symbolic import surely_less
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public, public_methods, trim
from perspicax.diagnose.frames import warning_level
from perspicax.lax import convert, elementwise, slicing
from perspicax.lax import shape as shapes
from perspicax.lax.compare import clamp
from perspicax.lax.gathering import GatherScatterMode, gather_p, static_fill
from perspicax.lax.result_sharding import out_placed, released
from perspicax.lax.scattering import (
    ScatterDimensionNumbers,
    scatter_add_p,
    scatter_apply,
    scatter_max_p,
    scatter_min_p,
    scatter_mul_p,
    scatter_p,
    scatter_sub_p,
)
from perspicax.lax.symbolic_sizes import size_in
from perspicax.numpy import arithmetic, operators
from perspicax.numpy.dynamic_slices import SlicedUpdateRef, has_slices, read_slices
from perspicax.numpy.hosted import computed, type_at
from perspicax.numpy.index_errors import ContainsError, ItemAssignmentError, UpdateCallError, UpdateShapeError, type_text
from perspicax.numpy.index_plan import Plan, Scattered, parse, plan_of, size_of
from perspicax.numpy.promote import array_like
from perspicax.xla.array import NUMPY_AXES, ArrayImpl
from perspicax.xla.array_errors import ArrayConversionError
from perspicax.xla.dispatch import HOST_LIMIT, checking

_EVALUATOR = evaluator()
_FILLING = (GatherScatterMode.FILL_OR_DROP, GatherScatterMode.ONE_HOT)
_INT32 = np.dtype(np.int32)
_INT32_MAX = 2**31 - 1


# -- on the host

def _on_host(x: ArrayImpl) -> bool:
    """Whether NumPy may work on the value of `x`: it lives on one CPU device, and NumPy has such arrays."""
    place = x._place
    if len(x.aval.shape) > NUMPY_AXES:
        return False
    if place is None:
        return not checking.device
    return len(place[0].devices) == 1 and place[0].devices[0].platform == "cpu"


def _placed(made: ArrayImpl, like: ArrayImpl) -> ArrayImpl:
    """`made`, placed as `like` is."""
    made._place = like._place
    return made


def _host_index(x: ArrayImpl, index: Any) -> Any:
    """An index of `x` as NumPy takes it, with `...` so that the result is an array; `None` where NumPy might differ."""
    if type(index) is not tuple:
        index = (index,)
    found: list[Any] = []
    dots = False
    for entry in index:
        kind = type(entry)
        if kind is int or entry is None:
            found.append(entry)
        elif kind is slice:
            for bound in (entry.start, entry.stop, entry.step):
                if bound is not None and type(bound) is not int:
                    return None
            if entry.step == 0:
                return None
            found.append(entry)
        elif entry is Ellipsis:
            if dots:
                return None
            dots = True
            found.append(entry)
        elif kind is ArrayImpl or kind is np.ndarray:
            if (kind is ArrayImpl and entry.aval.extended) or entry.dtype.kind not in "iub" or entry.size > HOST_LIMIT:
                return None
            if kind is ArrayImpl:
                if entry._place is not None and entry._place != x._place:
                    return None
                entry = entry.value()
            found.append(entry)
        elif kind is bool or kind is np.bool_ or isinstance(entry, np.integer):
            found.append(entry)
        else:
            return None
    if not dots:
        found.append(Ellipsis)
    return tuple(found)


def _host_leading(x: ArrayImpl, index: Any) -> ArrayImpl | None:
    """`x[index]` for an integer or a plain slice of the first axis of a small array, in as few steps as can be."""
    aval = x.aval
    shape = aval.shape
    if not shape or aval.size > HOST_LIMIT or len(shape) > NUMPY_AXES:
        return None
    kind = type(index)
    if kind is int:
        if not -shape[0] <= index < shape[0]:
            return None
        value = x._np
        part = (x.value() if value is None else value)[index, ...]
        out = aval.unbatched(0)
    elif kind is slice:
        start, stop, step = index.start, index.stop, index.step
        if not ((start is None or type(start) is int) and (stop is None or type(stop) is int)
                and (step is None or (type(step) is int and step != 0))):
            return None
        value = x._np
        part = (x.value() if value is None else value)[index]
        out = type_at(aval, part.shape if not aval.extended else (part.shape[0], *shape[1:]))
    else:
        return None
    made = ArrayImpl(out, None, part)
    made._place = x._place
    return made


def _host_getitem(x: ArrayImpl, index: Any) -> ArrayImpl | None:
    """`x[index]` by NumPy; `None` where the plan has to decide (indices outside, mistakes, large parts)."""
    aval = x.aval
    if len(aval.shape) > NUMPY_AXES:
        return None
    if aval.extended and (type(index) is tuple or not aval.shape):
        return None  # the words of its elements are further axes
    where = _host_index(x, index)
    if where is None or (aval.extended and type(where[0]) not in (int, slice)):
        return None
    value = x._np
    if value is None:
        value = x.value()
    try:
        part = value[where]
    except (IndexError, ValueError):
        return None
    if aval.size > HOST_LIMIT:
        if part.size > HOST_LIMIT:
            return None
        part = part.copy()  # a view would keep all of the large array alive
    shape = part.shape[:part.ndim - len(aval.dtype.physical_shape)] if aval.extended else part.shape
    return _placed(ArrayImpl(type_at(aval, shape), None, part), x)


def getitem(x: Any, index: Any) -> Any:
    """`x[index]`: by NumPy's rules, with JAX's exceptions.

    Args:
        x: array of any shape.
        index: integers, slices, `None`, `...`, arrays of integers, masks whose values are known, or a tuple of them.

    Returns:
        Array of `x`'s dtype. An integer outside of its axis gives the nearest entry.

    Raises:
        TooManyIndicesError: there are more indices than axes.
        IndexTypeError: an index is of another type (a list, a float, a string).
        MaskShapeError: a mask does not have the shape of what it indexes.
        NonConcreteBooleanIndexError: a mask is traced.

    Differs: NumPy raises for an index outside; turn the `bounds` sanitizer on to be told.
    """
    if type(x) is ArrayImpl and local.trace is _EVALUATOR and _on_host(x):
        found = _host_leading(x, index)
        if found is None:
            found = _host_getitem(x, index)
        if found is not None:
            return found
    try:
        if has_slices(index):
            return read_slices(x, index)
        items, arrays = parse(x, index)
        return _read(x, plan_of(x, items), arrays, None, None, False, False, True)
    except Exception as error:
        trim(error)
        raise


# -- carrying out a plan: reading

def _read(x: Any, plan: Plan, arrays: list[Any], mode: GatherScatterMode | None, fill_value: Any, is_sorted: bool,
          unique: bool, wrap: bool) -> Any:
    chosen = mode or GatherScatterMode.PROMISE_IN_BOUNDS
    fixed = plan.inside and not plan.has_scalars  # a negative integer that does not count from the end may be among them
    if plan.box(wrap) or not (plan.has_arrays or fixed or chosen in _FILLING):
        return _read_box(x, plan, arrays, wrap, mode is GatherScatterMode.CLIP)
    found = plan.scattered(wrap)
    aval = x.aval
    if size_of(found.shape) == 0 and not aval.extended:
        return shapes.broadcast_in_dim(np.zeros((), aval.dtype), found.shape, ())
    fill = static_fill(fill_value, aval.dtype) if chosen is GatherScatterMode.FILL_OR_DROP else None
    if found.expand:
        x = shapes.expand_dims(x, found.expand)
    part = local.trace.process(gather_p, (x, _index_matrix(found, arrays, wrap)), (
        found.numbers, found.slice_sizes, is_sorted or found.static, unique or found.static, chosen, fill))
    if found.rev:
        part = shapes.rev(part, found.rev)
    return shapes.expand_dims(part, found.new) if found.new else part


def _read_box(x: Any, plan: Plan, arrays: list[Any], wrap: bool, clip: bool = False) -> Any:
    """A box of entries. XLA clips where it starts; what the user asked to be clipped is clipped here, so that no check finds
    it outside."""
    box = plan.windowed
    process = local.trace.process
    if box.slicing is not None:
        x = process(slicing.slice_p, (x,), box.slicing)
    if box.rev:
        x = process(shapes.rev_p, (x,), (box.rev,))
    if box.dynamic is not None:
        starts = []
        for start, size, window in zip(box.dynamic, plan.shape, box.sizes):
            if type(start) is int:
                found = size_in(_counted(start, size, wrap), _INT32)
            else:
                found = _as_index(arrays[start[1]], size, wrap)
            starts.append(clamp(_INT32.type(0), found, size_in(size - window, _INT32)) if clip else found)
        x = process(slicing.dynamic_slice_p, (x, *starts), (box.sizes,))
    if box.squeeze:
        x = process(shapes.squeeze_p, (x,), (box.squeeze,))
    return process(shapes.broadcast_in_dim_p, (x,), box.grow) if box.grow else x


def _counted(index: int, size: int, wrap: bool) -> int:
    """A static index as XLA gets it: from the end when negative.

    Raises:
        IntegerRangeError: it does not fit the dtype of indices.
    """
    if type(index) is int and not -_INT32_MAX <= index <= _INT32_MAX:
        raise IntegerRangeError(value=str(index)[:40], dtype="int32")
    return index + size if wrap and index < 0 else index


def _as_index(index: Any, size: int, wrap: bool) -> Any:
    """An index array as int32, negative entries counted from the end."""
    if type(index) is ArrayImpl and local.trace is _EVALUATOR and _on_host(index):
        index = index.value()
    if isinstance(index, np.ndarray):
        wide = index.astype(np.int64)
        if wrap:
            wide = np.where(wide < 0, wide + size, wide)
        return wide.clip(-_INT32_MAX, _INT32_MAX).astype(_INT32)
    if index.dtype.itemsize < 4 or not dtypes.issubdtype(index.dtype, np.signedinteger):
        wrap = wrap and dtypes.issubdtype(index.dtype, np.signedinteger)
        index = convert.convert_element_type(index, _INT32)
    if wrap:
        index = slicing.from_end(index, size)
    return index if index.dtype == _INT32 else convert.convert_element_type(index, _INT32)


def _index_matrix(plan: Scattered, arrays: list[Any], wrap: bool) -> Any:
    """The index vectors, along the last axis; a NumPy array where all of it is known."""
    rank = len(plan.batch)
    columns = []
    for column in plan.columns:
        if column[0] == "constant":
            value: Any = size_in(_counted(column[1], column[2], False), _INT32)
            dims: tuple[int, ...] = ()
        elif column[0] == "steps":
            _, axis, start, step, count = column
            value, dims = _steps(start, step, count), (axis,)
        else:
            value = _as_index(arrays[column[2]], column[1], wrap)
            dims = plan.group[len(plan.group) - np.ndim(value):]
        columns.append((value, dims))
    if not columns:
        return np.zeros((*plan.batch, 0), _INT32)
    if all(isinstance(value, np.ndarray) for value, _ in columns):
        spread = [np.broadcast_to(value.reshape([value.shape[dims.index(i)] if i in dims else 1 for i in range(rank)]),
                                  plan.batch) for value, dims in columns]
        return np.stack(spread, -1)
    return shapes.concatenate([shapes.broadcast_in_dim(value, (*plan.batch, 1), dims) for value, dims in columns], rank)


def _steps(start: int, step: int, count: int) -> Any:
    if surely_less(count, 65) or local.trace is _EVALUATOR:
        return np.arange(start, start + step * count, step, dtype=_INT32)
    scaled = elementwise.mul(shapes.iota(_INT32, count), np.asarray(step, _INT32))  # a program should hold no long constants
    return elementwise.add(scaled, size_in(start, _INT32))


# -- carrying out a plan: writing

class _Update:
    """One way to update: its scatter, how it combines whole parts, and NumPy's function for integers."""

    __slots__ = ("combine", "name", "primitive", "ufunc")

    def __init__(self, name: str, primitive: Any, combine: Callable[[Any, Any], Any] | None, ufunc: Any) -> None:
        self.name, self.primitive, self.combine, self.ufunc = name, primitive, combine, ufunc


_SET = _Update("set", scatter_p, None, None)
_ADD = _Update("add", scatter_add_p, elementwise.add, np.add)
_SUBTRACT = _Update("subtract", scatter_sub_p, elementwise.sub, np.subtract)
_MULTIPLY = _Update("multiply", scatter_mul_p, elementwise.mul, np.multiply)
_MIN = _Update("min", scatter_min_p, elementwise.min, np.minimum)
_MAX = _Update("max", scatter_max_p, elementwise.max, np.maximum)


def _host_value(values: Any, x: ArrayImpl) -> Any:
    """What NumPy assigns into an array like `x` so that the bits are XLA's; `None` where it might not."""
    dtype = x.aval.dtype
    kind = type(values)
    if kind is ArrayImpl:
        same = values.aval.dtype == dtype and (values._place is None or values._place == x._place)
        return values.value() if same else None
    if kind is np.ndarray or isinstance(values, np.generic):
        return values if values.dtype == dtype else None
    try:
        if (kind is float and dtype.kind == "f" and dtype.itemsize >= 4) or (kind is bool and dtype.kind == "b"):
            return dtype.type(values)
        if kind is int and (dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize >= 4)):
            get_aval(values)
            return np.array(values, dtype)
    except OverflowError:
        return None
    return None


def _host_update(x: ArrayImpl, index: Any, values: Any, how: _Update) -> ArrayImpl | None:
    """The update by NumPy; `None` where the plan has to decide."""
    aval = x.aval
    if aval.extended or aval.size > HOST_LIMIT:
        return None
    where = _host_index(x, index)
    if where is None:
        return None
    new = _host_value(values, x)
    if new is None:
        return None
    if how.ufunc is not None and aval.dtype.kind not in "iu":
        return _box_update(x, where, new, how) if aval.dtype.kind in "fc" else None
    result = x.value().copy()
    try:
        if new.ndim and new.ndim > result[where].ndim:
            return None
        if how.ufunc is None:
            result[where] = new
        else:
            how.ufunc.at(result, where, new)
    except (IndexError, ValueError):  # an index outside, or a mistake: the plan knows what to do
        return None
    return _placed(ArrayImpl(aval, None, result), x)


_BASIC = frozenset((int, slice, NoneType, EllipsisType))


def _box_update(x: ArrayImpl, where: tuple, new: Any, how: _Update) -> ArrayImpl | None:
    """The update of a part in which no entry occurs twice: XLA combines it with the values, NumPy puts it back."""
    if x._place is not None or checking.careful or how.combine is None or not _BASIC.issuperset(map(type, where)):
        return None
    value = x.value()
    try:
        part = value[where]
        wide = np.empty(part.shape, part.dtype)
        wide[...] = new
    except (IndexError, ValueError):
        return None
    if np.ndim(new) > part.ndim:  # NumPy drops leading axes of size 1
        return None
    result = value.copy()
    result[where] = how.combine(computed(part), computed(wide)).value()
    return ArrayImpl(x.aval, None, result)


def _write(x: Any, index: Any, values: Any, how: _Update, mode: Any, is_sorted: bool, unique: bool, wrap: bool) -> Any:
    """`x` with `values` combined into the part at `index`."""
    chosen = GatherScatterMode.from_any(mode)
    if type(x) is ArrayImpl and local.trace is _EVALUATOR and wrap and _on_host(x):
        found = _host_update(x, index, values, how)
        if found is not None:
            return found
    items, arrays = parse(x, index)
    plan = plan_of(x, items)
    aval = x.aval
    if isinstance(values, (list, tuple)):
        values = _listed(values)
    y = array_like(values, f"at[...].{how.name}")
    y_aval: Any = get_aval(y)
    shape = plan.windowed.shape if plan.box(wrap) else plan.scattered(wrap).shape
    if len(y_aval.shape) > len(shape) or any(m not in (1, n) for m, n in zip(y_aval.shape[::-1], shape[::-1])):
        raise UpdateShapeError(type_text=type_text(x), shape=y_aval.shape, part=shape)
    x, y = _promoted(x, y, how)
    y = shapes.broadcast_in_dim(y, shape, range(len(shape) - len(y_aval.shape), len(shape)))
    if size_of(shape) == 0:
        return _back(x, aval)
    if plan.box(wrap) and not plan.windowed.strided:
        part = y if how.combine is None else how.combine(_read_box(x, plan, [], wrap), y)
        return _back(_put_box(x, plan, part), aval)
    return _back(_put(x, plan.scattered(wrap), arrays, y, how, chosen, is_sorted, unique, wrap), aval)


def _listed(values: Any) -> Any:
    """A list of numbers (or of arrays) as an array."""
    if any(isinstance(v, Array) for v in values):
        return shapes.concatenate([shapes.expand_dims(v, (0,)) if isinstance(v, Array) else np.asarray([v]) for v in values], 0)
    found = np.asarray(values)
    dtype: Any = dtypes.canonicalize_dtype(found.dtype) if found.dtype.kind in "biufc" else found.dtype
    return found.astype(dtype)


def _promoted(x: Any, y: Any, how: _Update) -> tuple[Any, Any]:
    """Operand and values with one dtype."""
    aval: Any = x.aval
    y_aval: Any = get_aval(y)
    if y_aval.dtype == aval.dtype or aval.extended or y_aval.extended:
        return x, y if isinstance(y, (Array, np.ndarray)) else np.asarray(y, y_aval.dtype)
    dtype = result_type(x, y)
    if dtype != aval.dtype:
        warnings.warn(
            f"`at[...].{how.name}` of {y_aval.str_short()} into {aval.str_short()}: the result is computed as {dtype} and cut "
            f"back to {dtypes.name_of(aval.dtype)}. JAX will make this an error; convert the values yourself.",
            FutureWarning, stacklevel=warning_level())
        x = convert.convert_element_type(x, dtype)
    return x, convert.convert_element_type(y, dtype)


def _back(x: Any, aval: Any) -> Any:
    """The result as the type of the array that was updated."""
    return x if x.aval is aval else convert.convert_to(x, aval)


def _put_box(x: Any, plan: Plan, part: Any) -> Any:
    """`x` with a box replaced, which lies inside it at a static place."""
    box = plan.windowed
    part = shapes.reshape(part, box.sizes)
    if box.rev:
        part = shapes.rev(part, box.rev)
    if box.slicing is None:
        return part if isinstance(part, Array) else shapes.broadcast_in_dim(part, box.sizes, range(len(box.sizes)))
    starts = [size_in(start, _INT32) for start in box.starts]
    return local.trace.process(slicing.dynamic_update_slice_p, (x, part, *starts), ())


def _put(x: Any, plan: Scattered, arrays: list[Any], y: Any, how: _Update, mode: GatherScatterMode, is_sorted: bool,
         unique: bool, wrap: bool) -> Any:
    """`x` with `y` scattered into it."""
    y = shapes.reshape(y, plan.core)
    if plan.rev:
        y = shapes.rev(y, plan.rev)
    if plan.expand:
        x = shapes.expand_dims(x, plan.expand)
    numbers = ScatterDimensionNumbers(*plan.numbers)
    x = local.trace.process(how.primitive, (x, _index_matrix(plan, arrays, wrap), y), (
        numbers, is_sorted or plan.static, unique or plan.static, mode, None, ()))
    return shapes.squeeze(x, plan.expand) if plan.expand else x


# -- x.at[index]

_UPDATES = ("get", "set", "add", "subtract", "multiply", "mul", "min", "max", "divide", "power", "apply")


class IndexUpdateHelper:
    """`x.at`: index it, and say what becomes of that part. `x` itself does not change."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def __getitem__(self, index: Any) -> IndexUpdateRef:
        made: Any = SlicedUpdateRef if has_slices(index) else IndexUpdateRef  # both have the methods of the second
        return made(self.array, index)

    def __repr__(self) -> str:
        return f"<.at of {type_text(self.array)}: index it, then .get(), .set(values), .add(values), …>"

    @public
    def __getattr__(self, name: str) -> NoReturn:
        if name not in _UPDATES:
            raise AttributeError(f"`.at` has no attribute {name!r}: index it first, `x.at[index]`")
        raise UpdateCallError(form="unindexed", type_text=type_text(self.array), method=name)

    @public
    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UpdateCallError(form="called", type_text=type_text(self.array))

    @public
    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise UpdateCallError(form="assigned", type_text=type_text(self.array))


def _index_text(index: Any) -> str:
    """An index as it is written."""
    if isinstance(index, tuple):
        return ", ".join(map(_index_text, index)) + ("," if len(index) == 1 else "") if index else "()"
    if isinstance(index, slice):
        parts = ["" if v is None else repr(v) for v in (index.start, index.stop)]
        return ":".join(parts) + ("" if index.step is None else f":{index.step!r}")
    if index is Ellipsis:
        return "..."
    return type_text(index) if isinstance(index, Array) else repr(index)


def _refused(method: str) -> Callable[[Any, Any], NoReturn]:
    """What `x.at[index] += value` and its like do."""
    @public
    def refuse(self: IndexUpdateRef, value: Any) -> NoReturn:
        raise UpdateCallError(form="assigned", type_text=type_text(self.array), method=method)

    return refuse


@public_methods(*_UPDATES)
class IndexUpdateRef:
    """`x.at[index]`: a part of an array, to be read or changed; each method returns a new array.

    All methods take, by keyword: `mode`, what happens at an index outside (`"drop"` and `"fill"`, `"clip"`,
    `"promise_in_bounds"`, `"one_hot"`); `indices_are_sorted` and `unique_indices`, promises that let XLA be faster;
    `wrap_negative_indices`, whether a negative index counts from the end.
    """

    __slots__ = ("array", "index")

    def __init__(self, array: Any, index: Any) -> None:
        self.array = array
        self.index = index

    def __repr__(self) -> str:
        return f"<.at[{_index_text(self.index)}] of {type_text(self.array)}: .get(), .set(values), .add(values), …>"

    def get(self, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
            fill_value: Any = None, out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The part itself: `x[index]` with a choice of what is read outside.

        Args:
            indices_are_sorted: promises that the indices increase.
            unique_indices: promises that no entry is read twice.
            mode: `"fill"` reads `fill_value` outside, `"clip"` the nearest entry.
            fill_value: NaN, the least signed, the largest unsigned integer, or true by default.
            out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.
            wrap_negative_indices: whether a negative index counts from the end.
        """
        if out_sharding is not None:
            return self._placed("get", out_sharding, (), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices, fill_value=fill_value)
        x, index = self.array, self.index
        if mode is None and wrap_negative_indices and not (indices_are_sorted or unique_indices):
            return getitem(x, index)
        chosen = None if mode is None else GatherScatterMode.from_any(mode)
        items, arrays = parse(x, index)
        plan = plan_of(x, items)
        return _read(x, plan, arrays, chosen, fill_value, indices_are_sorted, unique_indices, wrap_negative_indices)

    def set(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
            out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with the part replaced: `x[index] = values`. Of several values for an entry one wins."""
        if out_sharding is not None:
            return self._placed("set", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return self._update(_SET, values, mode, indices_are_sorted, unique_indices, wrap_negative_indices)

    def add(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
            out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with values added to the part; all of them where an index occurs several times."""
        if out_sharding is not None:
            return self._placed("add", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return self._update(_ADD, values, mode, indices_are_sorted, unique_indices, wrap_negative_indices)

    def subtract(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
                 out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with values subtracted from the part."""
        if out_sharding is not None:
            return self._placed("subtract", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return self._update(_SUBTRACT, values, mode, indices_are_sorted, unique_indices, wrap_negative_indices)

    def multiply(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
                 out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with the part multiplied by values."""
        if out_sharding is not None:
            return self._placed("multiply", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return self._update(_MULTIPLY, values, mode, indices_are_sorted, unique_indices, wrap_negative_indices)

    mul = multiply

    def min(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
            out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with the minimum of the part and values."""
        if out_sharding is not None:
            return self._placed("min", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return self._update(_MIN, values, mode, indices_are_sorted, unique_indices, wrap_negative_indices)

    def max(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
            out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with the maximum of the part and values."""
        if out_sharding is not None:
            return self._placed("max", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return self._update(_MAX, values, mode, indices_are_sorted, unique_indices, wrap_negative_indices)

    def divide(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
               out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with the part divided by values; integers become floating."""
        if out_sharding is not None:
            return self._placed("divide", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return operators.true_divide(self.array, self._ones(
            values, mode, indices_are_sorted, unique_indices, wrap_negative_indices))

    def power(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False, mode: Any = None,
              out_sharding: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with the part raised to the powers `values`."""
        if out_sharding is not None:
            return self._placed("power", out_sharding, (values,), indices_are_sorted=indices_are_sorted,
                                unique_indices=unique_indices, mode=mode,
                                wrap_negative_indices=wrap_negative_indices)
        return arithmetic.power(self.array, self._ones(
            values, mode, indices_are_sorted, unique_indices, wrap_negative_indices))

    def apply(self, func: Callable[[Any], Any], *, indices_are_sorted: bool = False, unique_indices: bool = False,
              mode: Any = None, wrap_negative_indices: bool = True) -> Any:
        """The array with an elementwise function applied to the part; as often as an index occurs.

        Differs: at a static place the function gets the whole part at once, and may be differentiated.
        """
        x = self.array
        items, arrays = parse(x, self.index)
        plan = plan_of(x, items)
        if plan.box(wrap_negative_indices):
            part = func(_read_box(x, plan, [], True))
            if np.shape(part) == plan.windowed.shape:
                return _write(x, self.index, part, _SET, mode, indices_are_sorted, unique_indices, True)
        found = plan.scattered(wrap_negative_indices)
        if size_of(found.shape) == 0:
            return x
        expanded = shapes.expand_dims(x, found.expand) if found.expand else x
        result = scatter_apply(
            expanded, _index_matrix(found, arrays, wrap_negative_indices), func,
            ScatterDimensionNumbers(*found.numbers), update_shape=found.core, mode=mode,
            indices_are_sorted=indices_are_sorted or found.static, unique_indices=unique_indices or found.static)
        return shapes.squeeze(result, found.expand) if found.expand else result

    def _ones(self, values: Any, mode: Any, is_sorted: bool, unique: bool, wrap: bool) -> Any:
        """Ones like the array, multiplied by `values` in the part."""
        aval = self.array.aval
        ones = shapes.broadcast_in_dim(np.ones((), aval.dtype), aval.shape, ())
        return IndexUpdateRef(ones, self.index)._update(_MULTIPLY, values, mode, is_sorted, unique, wrap)

    __iadd__, __isub__, __imul__ = _refused("add"), _refused("subtract"), _refused("multiply")
    __itruediv__, __ipow__ = _refused("divide"), _refused("power")

    def _placed(self, method: str, out_sharding: Any, values: tuple, **options: Any) -> Any:
        """What a method returns, told how it lies."""
        index = self.index if isinstance(self.index, tuple) else (self.index,)

        def apply(x: Any, *rest: Any) -> Any:
            ref = IndexUpdateRef(x, rest[:len(index)] if isinstance(self.index, tuple) else rest[0])
            return getattr(ref, method)(*rest[len(index):], **options)

        return out_placed(f"at[...].{method}", out_sharding, apply, self.array, *index, *values)

    def _update(self, how: _Update, values: Any, mode: Any, is_sorted: bool, unique: bool, wrap: bool) -> Any:
        try:
            return _write(self.array, self.index, values, how, mode, is_sorted, unique, wrap)
        except Exception as error:
            trim(error)
            raise


def at(x: Any) -> IndexUpdateHelper:
    """`x.at`, by whose index a part is updated: `x.at[1].set(0.)`."""
    return IndexUpdateHelper(x)


# -- what Python's own protocols ask

@public
def setitem_error(x: Any, index: Any, value: Any) -> NoReturn:
    """`x[index] = value`: the report that shows what to write instead."""
    raise ItemAssignmentError(type_text=type_text(x))


def length(x: Any) -> int:
    """`len(x)`: the size of the first axis."""
    shape = x.aval.shape
    if shape:
        return shape[0]
    try:
        raise ArrayConversionError(wanted="len", type_text=type_text(x))
    except ArrayConversionError as error:
        trim(error)
        raise


@public
def iterate(x: Any) -> Iterator[Any]:
    """The entries of the first axis."""
    shape = x.aval.shape
    if not shape:
        raise ArrayConversionError(wanted="iter", type_text=type_text(x))
    if type(x) is ArrayImpl and x.aval.explicit is not None:
        # each entry is on some of the devices; there is nothing that its type could keep
        here = x.is_fully_addressable and not x.aval.explicit.spec.unreduced
        x = ArrayImpl(x.aval.laid(None), None, x.value(), None, False) if here else released(x)
    return _entries(x, shape[0])


def _entries(x: Any, count: int) -> Iterator[Any]:
    try:
        for i in range(count):
            yield getitem(x, i)
    except Exception as error:
        trim(error)
        raise


@public
def contains(x: Any, item: Any) -> bool:
    """`item in x`: whether an entry of a vector is equal.

    Raises:
        ContainsError: `x` is no vector.
    """
    if len(x.aval.shape) != 1:
        raise ContainsError(type_text=type_text(x))
    return bool((x == item).any())


INDEX_METHODS: dict[str, Any] = {
    "__getitem__": getitem, "__setitem__": setitem_error, "__len__": length, "__iter__": iterate,
    "__contains__": contains,
    "at": property(at, doc="Index it, and say what becomes of that part: `x.at[1].set(0.)`, `x.at[i].add(v)`."),
}
"""What `Array` gets from here."""

__all__ = ["INDEX_METHODS", "IndexUpdateHelper", "IndexUpdateRef", "at", "getitem", "iterate", "length", "setitem_error"]
