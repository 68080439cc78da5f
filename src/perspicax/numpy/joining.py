"""Arrays put together, and cut apart."""
from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.core.symbolic import SymbolicSize
from perspicax.core.symbolic_errors import InconclusiveDimensionOperation
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public, trim
from perspicax.diagnose.report import Fix
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.join_errors import JoinError, SplitError
from perspicax.lax.shape import concatenate_p
from perspicax.lax.slicing import slice_in_dim
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, ShapeMismatchError
from perspicax.numpy.hosted import host_value, moved
from perspicax.numpy.logic import refuse
from perspicax.numpy.plans import planned
from perspicax.numpy.promote import array_like, promote_dtypes
from perspicax.numpy.shapes import atleast_1d, atleast_2d, atleast_3d, ravel
from perspicax.xla.array import NUMPY_AXES
from perspicax.xla.dispatch import HOST_LIMIT

MAX_PLANS = 8192
_ready: dict[tuple, int] = {}


def concatenate(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Array:
    """Arrays put one behind the other along an axis.

    Args:
        arrays: sequence of arrays with the same number of axes, alike in all sizes but along `axis`; or one array, whose
            entries are taken.
        axis: the axis; `None` for the elements of all of them along one axis.
        dtype: of the result; that in which they meet by default.

    Raises:
        ShapeMismatchError: there are none.
        JoinError: their shapes do not fit.
    """
    try:
        if dtype is None and (type(arrays) is list or type(arrays) is tuple):
            key = (axis, *[x.aval if isinstance(x, Array) else None for x in arrays])
            place = _ready.get(key)
            if place is not None:
                return arrays[0] if len(arrays) == 1 else local.trace.process(concatenate_p, tuple(arrays), (place,))
        return concatenated(arrays, axis, dtype)
    except Exception as error:
        trim(error)
        raise


def sequence_of(arrays: Any, function: str) -> list[Any]:
    """The arrays of a sequence, or the entries of one array."""
    if isinstance(arrays, (Array, np.ndarray)):
        x = asarray(arrays)
        if x.ndim == 0:
            raise ShapeMismatchError(says=f"`{function}` was given a scalar.", why="it takes a sequence of arrays")
        return [lax_shape.squeeze(slice_in_dim(x, i, i + 1), (0,)) for i in range(x.shape[0])]
    if isinstance(arrays, (str, dict)) or not hasattr(arrays, "__iter__"):
        raise ArgumentKindError(says=f"`{function}` was given a {type(arrays).__name__}.",
                                why="it takes a sequence of arrays")
    found = [array_like(x, function, i) for i, x in enumerate(arrays)]
    if not found:
        raise ShapeMismatchError(says=f"`{function}` was given no arrays.",
                                 why="the shape and dtype of the result are not known then")
    return found


def _dtype_only(dtype: Any, function: str) -> Any:
    """What follows the sequence of arrays; `vstack(x, y)` has an array there."""
    if isinstance(dtype, (Array, np.ndarray, Tracer)):
        raise ArgumentValueError(says=f"`{function}` was given arrays one by one.", why="it takes one sequence of them; what "
                                 "follows the sequence is the dtype of the result",
                                 fixes=(Fix("make a list of them", code=f"jnp.{function}([x, y])"),))
    return dtype


def _promoted(xs: Sequence[Any], dtype: Any, function: str) -> list[Any]:
    if dtype is None:
        return [asarray(x) for x in promote_dtypes(*xs)]
    wanted = dtypes.requested_dtype(dtype, function)
    return [convert(x, wanted, False) for x in xs]


def concatenated(arrays: Any, axis: int | None, dtype: Any, original: Sequence[Any] = (), **within: Any) -> Any:
    """`concatenate`; `original` has the types of the arrays before they were given more axes, `within` more for a report."""
    given = sequence_of(arrays, "concatenate")
    xs = _promoted(given, dtype, "concatenate")
    if axis is None:
        xs = [ravel(x) for x in xs]
        place = 0
    else:
        if xs[0].ndim == 0:
            raise ShapeMismatchError(says="`concatenate` was given scalars.", why="they have no axis to be joined along; "
                                                                                 "`jnp.stack` makes one")
        place = one_axis(axis, xs[0].ndim, "concatenate")
        key = (axis, *[x.aval if isinstance(x, Array) else None for x in given])
        if None not in key and all(x is y for x, y in zip(xs, given)):
            if len(xs) == 1 or not _misfit(xs, place):
                if len(_ready) >= MAX_PLANS:
                    _ready.clear()
                _ready[key] = place
    if _misfit(xs, place):
        avals = tuple([x.aval for x in xs])
        raise JoinError(operation="concatenate", avals=avals, axis=place, given=tuple(original) or avals, **within)
    return xs[0] if len(xs) == 1 else local.trace.process(concatenate_p, tuple(xs), (place,))


def _misfit(xs: Sequence[Any], place: int) -> bool:
    """Whether arrays cannot be joined."""
    first = xs[0].aval
    for x in xs[1:]:
        if x.aval.ndim != first.ndim or any(m != n and k != place for k, (m, n) in enumerate(zip(first.shape, x.aval.shape))):
            return True
    return False


def _stacked(arrays: Any, axis: Any = 0) -> Any:
    if type(arrays) is not list or any(a is not arrays[0] for a in arrays):
        return None
    first, count = arrays[0], len(arrays)
    rank = first.ndim + 1
    if type(axis) is not int or not -rank <= axis < rank or rank > NUMPY_AXES or first.size * count > HOST_LIMIT:
        return None
    place = axis % rank
    shape = (*first.shape[:place], count, *first.shape[place:])
    rows = [(*(slice(None),) * place, i) for i in range(count)]

    def act(*values: np.ndarray) -> np.ndarray:
        found = np.empty(shape, first.dtype)
        for row, value in zip(rows, values):
            found[row] = value
        return found

    return act


@planned(_stacked)
def stack(arrays: Any, axis: int = 0, out: None = None, dtype: Any = None) -> Array:
    """Arrays of one shape put together along a new axis.

    Args:
        arrays: sequence of arrays, or one array, whose entries are taken.
        axis: where the new axis stands in the result.
        out: is not supported.
        dtype: of the result; that in which they meet by default.

    Raises:
        ShapeMismatchError: there are none.
        JoinError: their shapes differ.
    """
    refuse("stack", out=out)
    xs = _promoted(sequence_of(arrays, "stack"), dtype, "stack")
    shape = xs[0].aval.shape
    for x in xs:
        if x.aval.shape != shape:
            raise JoinError(operation="stack", avals=tuple([x.aval for x in xs]), axis=axis)
    rank = len(shape) + 1
    place = one_axis(axis, rank, "stack")
    sizes = (*shape[:place], 1, *shape[place:])
    kept = (*range(place), *range(place + 1, rank))
    rows = tuple([lax_shape.broadcast_in_dim(x, sizes, kept) for x in xs])
    return rows[0] if len(rows) == 1 else local.trace.process(concatenate_p, rows, (place,))


def _grown(tup: Any, function: str, grow: Callable[..., Any]) -> tuple[list[Any], list[Any]]:
    """The arrays with as many axes as they are joined with, and their types before."""
    xs = sequence_of(tup, function)
    return [grow(x) for x in xs], [get_aval(x) for x in xs]


@public
def vstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined along their first axis; vectors are rows.

    Args:
        tup: sequence of arrays.
        dtype: of the result; that in which they meet by default.
    """
    xs, given = _grown(tup, "vstack", atleast_2d)
    return concatenated(xs, 0, _dtype_only(dtype, "vstack"), given)


@public
def hstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined along their second axis, vectors along their only one.

    Args:
        tup: sequence of arrays.
        dtype: of the result; that in which they meet by default.
    """
    xs, given = _grown(tup, "hstack", atleast_1d)
    return concatenated(xs, 0 if xs[0].ndim == 1 else 1, _dtype_only(dtype, "hstack"), given)


@public
def dstack(tup: Any, dtype: Any = None) -> Array:
    """Arrays joined along their third axis.

    Args:
        tup: sequence of arrays.
        dtype: of the result; that in which they meet by default.
    """
    xs, given = _grown(tup, "dstack", atleast_3d)
    return concatenated(xs, 2, _dtype_only(dtype, "dstack"), given)


@public
def column_stack(tup: Any) -> Array:
    """Vectors as the columns of a matrix; matrices are joined along their second axis.

    Args:
        tup: sequence of arrays.
    """
    def column(x: Any) -> Any:
        x = asarray(x)
        return lax_shape.reshape(x, (x.size, 1)) if x.ndim < 2 else x

    xs, given = _grown(tup, "column_stack", column)
    return concatenated(xs, 1, None, given)


@public
def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """Values put behind an array.

    Args:
        arr: array.
        values: array.
        axis: the axis; `None` for the elements of both along one axis.
    """
    return concatenated([array_like(arr, "append", 0), array_like(values, "append", 1)], axis, None)


# -- cutting

def _static_indices(indices: Any, function: str) -> list[int]:
    """Places where to cut, as integers; a traced one has its own report."""
    if isinstance(indices, Tracer):
        indices.__array__()
    listed = np.asarray(indices).tolist() if isinstance(indices, (Array, np.ndarray)) else indices
    try:
        return [operator.index(i) for i in listed]
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise ArgumentKindError(says=f"`{function}` was told to cut at {listed!r}.", why="the places where to cut are "
                                "integers") from None


def _split(ary: Any, indices_or_sections: Any, axis: int, function: str, equal: bool) -> list[Any]:
    x = asarray(array_like(ary, function))
    place = one_axis(axis, x.ndim, function)
    n = x.shape[place]
    if isinstance(indices_or_sections, (tuple, list)) or getattr(indices_or_sections, "ndim", 0) > 0:
        places = _static_indices(indices_or_sections, function)
        if type(n) is SymbolicSize:
            pairs = itertools.pairwise([None, *places, None])
            return [x[(slice(None),) * place + (slice(a, b),)] for a, b in pairs]
        cuts = [0, *places, n]
        bounds = [slice(a, b).indices(n)[:2] for a, b in itertools.pairwise(cuts)]
        sizes = [max(0, stop - start) for start, stop in bounds]
        if any(start + size != following[0] for (start, _), size, following in zip(bounds, sizes, bounds[1:])) \
                or sum(sizes) != n:
            return [slice_in_dim(x, start, start + size, 1, place) for (start, _), size in zip(bounds, sizes)]
        return _cut(x, sizes, place)
    sections = operator.index(indices_or_sections)
    if sections < 1:
        raise SplitError(operation=function, aval=x.aval, axis=place, pieces=sections)
    size, rest = divmod(n, sections)
    if type(rest) is SymbolicSize:
        raise InconclusiveDimensionOperation(
            says=f"Whether an axis of size {n} can be cut into {sections} pieces of one size depends on the size, which is not "
                 "known while the function is traced.",
            why=f"that is so where {sections} divides it; a constraint can state that, such as `mod(b, {sections}) == 0`")
    if rest and equal:
        raise SplitError(operation=function, aval=x.aval, axis=place, pieces=sections)
    return _cut(x, [size + 1] * rest + [size] * (sections - rest), place)


def _cut(x: Any, sizes: list[int], axis: int) -> list[Any]:
    """The array cut along an axis into pieces of these sizes, which make up the whole."""
    value = host_value(x)
    if value is None:
        return list(lax_shape.split(x, sizes, axis))
    before = (slice(None),) * axis
    stops = itertools.accumulate(sizes)
    return [moved(x, value[(*before, slice(stop - size, stop))]) for size, stop in zip(sizes, stops)]


@public
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """An array cut along an axis.

    Args:
        ary: array.
        indices_or_sections: a number of equal pieces, or the places where to cut.
        axis: the axis.

    Raises:
        SplitError: the size is not a multiple of the number of pieces.
    """
    return _split(ary, indices_or_sections, axis, "split", True)


@public
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """An array cut along an axis into pieces of nearly equal size; see `split`."""
    return _split(ary, indices_or_sections, axis, "array_split", False)


@public
def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """An array cut along its first axis; see `split`."""
    return _split(ary, indices_or_sections, 0, "vsplit", True)


@public
def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """An array cut along its second axis, a vector along its only one; see `split`."""
    x = asarray(array_like(ary, "hsplit"))
    return _split(x, indices_or_sections, 0 if x.ndim == 1 else 1, "hsplit", True)


@public
def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """An array cut along its third axis; see `split`."""
    return _split(ary, indices_or_sections, 2, "dsplit", True)


@public
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The entries along an axis as a tuple of arrays, without that axis.

    Args:
        x: array of at least one axis.
        axis: the axis.
    """
    x = asarray(array_like(x, "unstack"))
    if x.ndim == 0:
        raise ArgumentValueError(says="`unstack` was given a scalar.", why="it takes an array apart along an axis")
    place = one_axis(axis, x.ndim, "unstack")
    if x.shape[place] == 0:
        return ()
    return tuple([lax_shape.squeeze(piece, (place,)) for piece in _cut(x, [1] * x.shape[place], place)])


__all__ = ["append", "array_split", "column_stack", "concatenate", "concatenated", "dsplit", "dstack", "hsplit", "hstack",
           "split", "stack", "unstack", "vsplit", "vstack"]
