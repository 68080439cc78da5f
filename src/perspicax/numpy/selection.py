"""Choosing among arrays, and taking entries by index."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local, state_key
from perspicax.core.tracer import get_aval
from perspicax.core.tracer_errors import ConcretizationTypeError
from perspicax.diagnose.boundary import public, trim
from perspicax.diagnose.report import Fix
from perspicax.lax import compare, elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.compare import select_n
from perspicax.lax.convert import convert
from perspicax.lax.gathering import GatherDimensionNumbers, GatherScatterMode, gather_p, static_fill
from perspicax.lax.symbolic_sizes import size_in
from perspicax.numpy.argument_errors import IndexKindError, IndexRangeError
from perspicax.numpy.arithmetic import remainder
from perspicax.numpy.axes import one_axis
from perspicax.numpy.choice import spread, where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import broadcast_to
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, BroadcastError, UfuncDtypeError
from perspicax.numpy.hosted import host_value, moved
from perspicax.numpy.indexing import at
from perspicax.numpy.logic import kind, refuse, truth
from perspicax.numpy.operators import maximum, minimum
from perspicax.numpy.plans import axis_of, planned
from perspicax.numpy.promote import array_like, broadcast_shape_of, joined_shapes, promote_dtypes
from perspicax.numpy.repeating import resize
from perspicax.numpy.search import index_dtype, known_value, nonzero
from perspicax.numpy.shapes import ravel, reshaped
from perspicax.transform.errors import with_article
from perspicax.xla.array import NUMPY_AXES
from perspicax.xla.dispatch import HOST_LIMIT

_MODES = {None: GatherScatterMode.FILL_OR_DROP, "fill": GatherScatterMode.FILL_OR_DROP, "wrap": GatherScatterMode.CLIP,
          "clip": GatherScatterMode.CLIP, "raise": None, "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS}


# -- between bounds

def clip(arr: Any = None, /, min: Any = None, max: Any = None) -> Array:
    """Elements brought into the range from `min` to `max`.

    Args:
        arr: real array.
        min: lower bound, an array that broadcasts, or `None`.
        max: upper bound likewise; where the bounds cross it wins.

    Raises:
        UfuncDtypeError: an argument is complex.
    """
    try:
        x = array_like(arr, "clip")
        for v in (x, min, max):
            if v is not None and kind(array_like(v, "clip", 1)) == "complex":
                raise UfuncDtypeError(function="clip", type_text=get_aval(v).str_short(),  # type: ignore[attr-defined]
                                      kind="complex numbers are not ordered")
        x = asarray(x)
        if min is not None:
            x = maximum(min, x)
        if max is not None:
            x = minimum(max, x)
        return x
    except Exception as error:
        trim(error)
        raise


# -- among several

@public
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """For each element the choice whose condition holds first, or the default.

    Args:
        condlist: a sequence of boolean arrays, or one array whose entries along the first axis they are.
        choicelist: as many arrays; all broadcast.
        default: array.
    """
    if len(condlist) != len(choicelist):
        raise ArgumentValueError(says=f"`select` was given {len(condlist)} conditions and {len(choicelist)} choices.",
                                 why="each condition has one choice")
    if not len(condlist):
        raise ArgumentValueError(says="`select` was given no conditions.", why="there is nothing to choose from")
    choices = promote_dtypes(*[array_like(c, "select", 1) for c in choicelist], array_like(default, "select", 2))
    conditions = [truth(c, "select") for c in condlist]
    shape = broadcast_shape_of("select", [get_aval(x) for x in (*conditions, *choices)], any_rank=True)
    found = _spread_to(asarray(choices[-1]), shape)
    for condition, choice in zip(reversed(conditions), reversed(choices[:-1])):
        found = where3(condition, choice, found)
    return found


def _spread_to(x: Any, shape: tuple) -> Any:
    return x if x.shape == shape else spread(x, x.shape, shape)


@public
def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Array:
    """For each element of an array of indices the element of that choice.

    Args:
        a: array of integers.
        choices: sequence of arrays, or one array, whose entries are taken; all broadcast.
        out: is not supported.
        mode: "wrap" counts on from the beginning, "clip" takes the nearest index; "raise" needs values that are known.
    """
    refuse("choose", out=out)
    index = asarray(array_like(a, "choose", 0))
    if kind(index) not in ("int", "uint"):
        raise IndexKindError.of("choose", index, "a", 0, a)
    if isinstance(choices, (Array, np.ndarray)):
        if choices.ndim == 0:
            raise ArgumentKindError(says=f"`choose` was given {get_aval(choices).str_short()} as choices.",  # type: ignore[attr-defined]
                                    why="they are a sequence of arrays, or an array whose entries are taken")
        choices = [asarray(choices)[i] for i in range(choices.shape[0])]
    if isinstance(choices, (str, dict)) or not hasattr(choices, "__iter__"):
        raise ArgumentKindError(says=f"`choose` was given {with_article(type(choices).__name__)} as choices.",
                                why="they are a sequence of arrays, or an array whose entries are taken")
    given = [array_like(c, "choose", 1, (i,)) for i, c in enumerate(choices)]
    if not given:
        raise ArgumentValueError(says="`choose` was given no choices.", why="there is nothing to choose from")
    cases = [asarray(c) for c in promote_dtypes(*given)]
    shape = broadcast_shape_of("choose", [index.aval, *[c.aval for c in cases]], any_rank=True)
    index = _bounded(index, len(cases), mode)
    which = convert(_spread_to(index, shape), np.dtype(np.int32), False)
    return select_n(which, *[convert(_spread_to(c, shape), c.dtype, False) for c in cases])


def _bounded(index: Any, n: int, mode: str) -> Any:
    """Indices of n choices, by a mode of NumPy."""
    if mode == "raise":
        value = known_value(index)
        if value is None:
            raise ConcretizationTypeError(index, question="mode")
        if value.size and not ((value >= 0) & (value < n)).all():
            raise IndexRangeError(function="choose", found=(int(value.min()), int(value.max())), count=n)
        return index
    if mode == "wrap":
        return remainder(index, np.asarray(n, index.dtype))
    if mode == "clip":
        return clip(index, 0, n - 1)
    raise ArgumentValueError(says=f"`choose` was given mode={mode!r}.", why='it is "raise", "wrap" or "clip"')


@public
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """For each element the function (or value) whose condition holds last.

    Args:
        x: array.
        condlist: boolean arrays.
        funclist: a function of arrays, or a value, for each; one more is for where no condition holds.
        args: further arguments of the functions.
        kw: further arguments of the functions.

    All functions are computed on all elements.
    """
    x = asarray(array_like(x, "piecewise"))
    conditions = [truth(c, "piecewise") for c in _conditions(condlist)]
    if len(funclist) not in (len(conditions), len(conditions) + 1):
        raise ArgumentValueError(says=f"`piecewise` was given {len(conditions)} conditions and {len(funclist)} functions.",
                                 why="there are as many functions as conditions, or one more")
    functions = list(funclist)
    otherwise = functions.pop() if len(functions) == len(conditions) + 1 else 0
    found = convert(_applied(otherwise, x, args, kw), x.dtype, False)
    found = broadcast_to(found, x.shape, "piecewise")
    for condition, f in zip(conditions, functions):
        found = where3(condition, convert(_applied(f, x, args, kw), x.dtype, False), found)
    return found


def _conditions(condlist: Any) -> Sequence[Any]:
    """The conditions: a sequence of arrays, or the entries of one array."""
    if isinstance(condlist, (list, tuple)):
        return condlist
    stacked = asarray(condlist)
    if not stacked.ndim:
        raise ArgumentKindError(says="`piecewise` was given a single truth value as conditions.",
                                why="there is one condition for each function, in a sequence")
    return [stacked[i] for i in range(stacked.shape[0])]


def _applied(f: Any, x: Any, args: tuple, kw: dict) -> Any:
    return asarray(f(x, *args, **kw) if callable(f) else f)


# -- by index

_takes: dict[tuple, Any] = {}


def _read(a: Any, indices: Any, axis: Any = None, mode: Any = None) -> Any:
    if not isinstance(indices, ShapedArray) or not isinstance(a, ShapedArray) or mode not in (None, "fill") or not indices.size:
        return None
    whole = a.size if axis is None else a.shape[axis] if axis_of(axis, a) is not None else None
    if whole is None or indices.dtype.kind not in "iu" or indices.dtype.itemsize > (8 if indices.dtype.kind == "i" else 4):
        return None
    if a.size * indices.size > max(whole, 1) * HOST_LIMIT or max(a.ndim - 1, 0) + indices.ndim > NUMPY_AXES:
        return None

    def act(x: np.ndarray, at: np.ndarray) -> Any:
        try:
            return x.take(at, axis)
        except IndexError:  # one lies outside, which reads a fill value
            return NotImplemented

    return act


@planned(_read)
def take(a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str | None = None,
         unique_indices: bool = False, indices_are_sorted: bool = False, fill_value: Any = None) -> Array:
    """The entries at `indices` along an axis.

    Args:
        a: array.
        indices: array of integers; negative ones count from the end.
        axis: the axis; of the flattened array by default.
        out: is not supported.
        mode: what is read outside: "fill" a fill value (the default), "clip" the nearest entry, "wrap" counts on from the
            beginning.
        unique_indices: promises that no entry is read twice.
        indices_are_sorted: promises that the indices increase.
        fill_value: what "fill" reads: NaN, the least signed, the largest unsigned integer, or true by default.
    """
    refuse("take", out=out)
    if mode == "raise":
        raise UnsupportedModeError(says="`take` does not support mode='raise'.",
                                   why="a compiled program cannot raise; mode='fill' reads NaN outside")
    if mode not in _MODES:
        raise ArgumentValueError(says=f"`take` was given mode={mode!r}.",
                                 why='it is "fill", "clip", "wrap" or "promise_in_bounds"')
    x = asarray(array_like(a, "take", 0))
    index = asarray(array_like(indices, "take", 1))
    if kind(index) == "bool":
        index = convert(index, index_dtype(), False)
    if kind(index) not in ("int", "uint"):
        raise IndexKindError.of("take", index, "indices", 1, indices)
    if axis is None:
        x, place = ravel(x), 0
    else:
        place = one_axis(axis, x.ndim, "take")
    return _take(x, index, place, mode, unique_indices, indices_are_sorted, fill_value)


class UnsupportedModeError(ArgumentValueError, NotImplementedError):
    """A mode of NumPy's was given that compiled programs cannot have."""


def wrapped(index: Any, n: int) -> Any:
    """Indices that count from the end where they are negative."""
    if kind(index) != "int":
        return index
    return compare.select(compare.lt(index, np.zeros((), index.dtype)), elementwise.add(index, size_in(n, index.dtype)),
                          index)


def _take(x: Any, index: Any, axis: int, mode: str | None, unique: bool, is_sorted: bool, fill_value: Any) -> Any:
    n = x.shape[axis]
    value, at = host_value(x), host_value(index)
    if value is not None and at is not None and at.size and x.aval.size * at.size <= max(n, 1) * HOST_LIMIT:
        if mode != "clip" or at.min() >= 0:
            try:
                return moved(x, value.take(at, axis))
            except (IndexError, TypeError):  # something lies outside, where modes differ; NumPy refuses uint64
                pass
    index = remainder(index, size_in(n, index.dtype)) if mode == "wrap" else \
        index if mode == "clip" else wrapped(index, n)
    chosen: Any = _MODES[mode]
    if n == 0 and index.size:
        raise EmptyTakeError(says=f"`take` was given indices along axis {axis} of {x.aval.str_short()}, which is empty.",
                             why="there is nothing to take")
    key = (state_key(), x.aval, index.aval, axis, chosen)
    numbers = _takes.get(key)
    if numbers is None:
        offset = (*range(axis), *range(axis + index.ndim, x.ndim - 1 + index.ndim))
        sizes = tuple([1 if i == axis else m for i, m in enumerate(x.shape)])
        numbers = _takes[key] = (GatherDimensionNumbers(offset, (axis,), (axis,), (), ()), sizes)
    rows = lax_shape.broadcast_in_dim(index, (*index.shape, 1), range(index.ndim))
    fill = static_fill(fill_value, x.dtype) if chosen is GatherScatterMode.FILL_OR_DROP else None
    return local.trace.process(gather_p, (x, rows), (numbers[0], numbers[1], bool(is_sorted), bool(unique), chosen, fill))


class EmptyTakeError(ArgumentValueError, IndexError):
    """Entries were to be taken of an axis that has none."""


@public
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1, mode: Any = None, fill_value: Any = None, *,
                    wrap_negative_indices: bool | None = None) -> Array:
    """For each place of an array of indices the entry at that index along an axis.

    Args:
        arr: array.
        indices: array of integers with as many axes; the other axes broadcast.
        axis: the axis; `None` for the flattened array.
        mode: what is read outside: "fill" a fill value (the default), "clip" the nearest entry.
        fill_value: what "fill" reads.
        wrap_negative_indices: whether negative indices count from the end.
    """
    x = asarray(array_like(arr, "take_along_axis", 0))
    index = asarray(array_like(indices, "take_along_axis", 1))
    if kind(index) not in ("int", "uint"):
        raise IndexKindError.of("take_along_axis", index, "indices", 1, indices)
    if axis is None:
        if index.ndim != 1:
            raise ArgumentValueError(says=f"`take_along_axis` was given indices of shape {index.shape} and axis=None.",
                                     why="into the flattened array goes a vector of indices")
        x, axis = ravel(x), 0
    if x.ndim != index.ndim:
        raise ArgumentValueError(says=f"`take_along_axis` was given {x.aval.str_short()} and indices of shape "
                                      f"{index.shape}.", why="both have the same number of axes")
    place = one_axis(axis, x.ndim, "take_along_axis")
    if wrap_negative_indices is not False:
        index = wrapped(index, x.shape[place])
    chosen = GatherScatterMode.from_any(mode)
    beside = [_without(v.aval, place) for v in (x, index)]
    if joined_shapes(beside) is None:
        raise BroadcastError.of("take_along_axis", (x.aval, index.aval), place - x.ndim)
    shape = broadcast_shape_of("take_along_axis", beside)
    sizes = (*shape[:place], index.shape[place], *shape[place + 1:])
    if not x.shape[place]:  # there is nothing to take
        return lax_shape.broadcast_in_dim(np.zeros((), x.dtype), sizes, ())
    return _along(x, index, place, sizes, chosen, fill_value)


def _without(aval: Any, axis: int) -> Any:
    return aval.at_shape((*aval.shape[:axis], 1, *aval.shape[axis + 1:]))


def _along(x: Any, index: Any, axis: int, sizes: tuple, mode: Any, fill_value: Any) -> Any:
    """A gather whose batch axes are the other axes."""
    batch = tuple([i for i in range(x.ndim) if i != axis])
    index = _spread_to(index, sizes)
    x = _spread_to(x, (*sizes[:axis], x.shape[axis], *sizes[axis + 1:]))
    rows = reshaped(index, (*sizes, 1))
    fill = static_fill(fill_value, x.dtype) if mode is GatherScatterMode.FILL_OR_DROP else None
    numbers = GatherDimensionNumbers((), (axis,), (axis,), batch, batch)
    return local.trace.process(gather_p, (x, rows), (numbers, (1,) * x.ndim, False, False, mode, fill))


def _not_in_place(function: str, inplace: bool) -> None:
    if inplace:
        raise InPlaceError(says=f"`{function}` cannot write into its argument.",
                           why="arrays never change",
                           fixes=(Fix("let it return the changed array", code=f"x = jnp.{function}(x, ..., inplace=False)"),))


class InPlaceError(ArgumentValueError):
    """A function was asked to change an array."""


@public
def put(a: Any, ind: Any, v: Any, mode: str | None = None, *, inplace: bool = True) -> Array:
    """An array with values at indices into the flattened array.

    Args:
        a: array.
        ind: array of integers.
        v: values; repeated as often as needed.
        mode: what happens outside: "clip", "wrap", or `None` for nothing.
        inplace: must be False: arrays never change.
    """
    _not_in_place("put", inplace)
    x = asarray(array_like(a, "put", 0))
    index, values = ravel(asarray(ind)), ravel(asarray(v))
    if not index.size or not values.size:
        return x
    values = resize(values, (index.size,))
    if mode == "clip":
        index = clip(index, 0, x.size - 1)
    elif mode == "wrap":
        index = remainder(index, np.asarray(x.size, index.dtype))
    elif mode is not None:
        raise UnsupportedModeError(says=f"`put` was given mode={mode!r}.", why='it is None, "clip" or "wrap"')
    return reshaped(at(ravel(x))[index].set(values, mode="drop"), x.shape)


@public
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None, inplace: bool = True, *,
                   mode: str | None = None) -> Array:
    """An array with values at the indices along an axis; see `take_along_axis`.

    Args:
        arr: array.
        indices: array of integers with as many axes.
        values: array that broadcasts to the shape of the indices.
        axis: the axis; `None` for the flattened array.
        inplace: must be False: arrays never change.
        mode: what happens outside; see `x.at`.
    """
    _not_in_place("put_along_axis", inplace)
    x = asarray(array_like(arr, "put_along_axis", 0))
    index = asarray(array_like(indices, "put_along_axis", 1))
    if axis is None:
        return reshaped(at(ravel(x))[ravel(index)].set(values, mode=mode), x.shape)
    place = one_axis(axis, x.ndim, "put_along_axis")
    where = tuple([index if i == place else lax_shape.broadcasted_iota(
        index_dtype(), tuple([n if k == i else 1 for k in range(x.ndim)]), i) for i, n in enumerate(x.shape)])
    return at(x)[where].set(values, mode=mode)


@public
def place(arr: Any, mask: Any, vals: Any, *, inplace: bool = True) -> Array:
    """An array with values, in turn, where a mask holds.

    Args:
        arr: array.
        mask: boolean array of the same size.
        vals: values; repeated as often as needed.
        inplace: must be False: arrays never change.
    """
    _not_in_place("place", inplace)
    x = asarray(array_like(arr, "place", 0))
    values = ravel(asarray(vals))
    if not x.size:
        return x
    if not values.size:
        raise ArgumentValueError(says="`place` was given no values.", why="there is nothing to put where the mask holds")
    index = nonzero(ravel(truth(mask, "place", 1)), size=x.size, fill_value=x.size)[0]
    return reshaped(at(ravel(x))[index].set(resize(values, (x.size,)), mode="drop"), x.shape)


@public
def compress(condition: Any, a: Any, axis: int | None = None, *, size: int | None = None, fill_value: Any = 0,
             out: None = None) -> Array:
    """The entries along an axis for which a condition holds.

    Args:
        condition: vector of truth values, not longer than the axis.
        a: array.
        axis: the axis; `None` for the elements along one axis.
        size: of the result along the axis; needed where the condition is traced.
        fill_value: what fills it up to `size`.
        out: is not supported.
    """
    refuse("compress", out=out)
    mask = truth(condition, "compress", 0)
    x = asarray(array_like(a, "compress", 1))
    if mask.ndim != 1:
        raise ArgumentValueError(says=f"`compress` was given a condition of shape {mask.shape}.", why="it is a vector")
    if axis is None:
        x, axis = ravel(x), 0
    where = one_axis(axis, x.ndim, "compress")
    known = known_value(mask)
    if known is not None and known[x.shape[where]:].any():
        raise ArgumentValueError(says=f"`compress` was given a condition of {mask.shape[0]} entries for an axis of size "
                                      f"{x.shape[where]}, and one of those beyond its end is true.",
                                 why="the entries of the condition say which of those along the axis are taken")
    index = nonzero(mask[:x.shape[where]], size=size, fill_value=x.shape[where])[0]
    return _take(x, index, where, None, False, True, fill_value) if index.size or x.shape[where] else \
        lax_shape.broadcast_in_dim(np.zeros((), x.dtype), tuple([0 if i == where else n for i, n in enumerate(x.shape)]), ())


@public
def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = 0) -> Array:
    """The elements for which a condition holds; see `compress`."""
    return compress(ravel(asarray(condition)), ravel(arr), size=size, fill_value=fill_value)


__all__ = ["choose", "clip", "compress", "extract", "piecewise",
           "place", "put", "put_along_axis", "select", "take", "take_along_axis"]
