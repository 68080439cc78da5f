"""Arrays as sets: unique elements, membership, union, intersection, differences.

The size of most results depends on values. Of values known now NumPy finds it; under a transformation `size` says it, and
what is missing is filled up.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import Tracer, get_aval
from perspicax.core.tracer_errors import sized_by_values
from perspicax.diagnose.boundary import public
from perspicax.diagnose.report import Fix
from perspicax.lax import compare, elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.bitwise import bitwise_and, bitwise_not, bitwise_or
from perspicax.lax.convert import convert
from perspicax.lax.cumulative import cumsum
from perspicax.lax.reductions import reduce_or, reduce_sum
from perspicax.lax.sorting import sort as lax_sort
from perspicax.numpy.axes import one_axis
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray, wrap
from perspicax.numpy.creation import filled
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.indexing import at
from perspicax.numpy.joining import concatenate
from perspicax.numpy.logic import kind
from perspicax.numpy.promote import array_like, promote_dtypes
from perspicax.numpy.search import argsort, index_dtype, known_value, nonzero, searchsorted, static_size
from perspicax.numpy.shapes import moveaxis, ravel, reshaped

_FLUSHED = frozenset(map(dtypes.to_dtype, ("bfloat16", "float32", "float64")))


@public
def unique(ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
           axis: int | None = None, *, equal_nan: bool = True, size: int | None = None, fill_value: Any = None,
           sorted: bool = True) -> Any:
    """The elements that occur, each once, in increasing order.

    Args:
        ar: array.
        return_index: whether to return where each occurs first.
        return_inverse: whether to return for each element its place among the unique ones.
        return_counts: whether to return how often each occurs.
        axis: compare the entries along this axis as wholes; `None` for single elements.
        equal_nan: whether NaN is one element.
        size: of the result; needed where `ar` is traced. What is over is cut off.
        fill_value: what fills the result up to `size`; the least element by default.
        sorted: is ignored: the result is sorted in any case.

    Raises:
        ConcretizationTypeError: `ar` is traced, and no size is given.
    """
    del sorted
    x = asarray(array_like(ar, "unique"))
    found = _unique(x, axis, equal_nan, size, fill_value, "jnp.unique")
    wanted = [v for v, asked in zip(found, (True, return_index, return_inverse, return_counts)) if asked]
    return wanted[0] if len(wanted) == 1 else tuple(wanted)


def _unique(x: Any, axis: int | None, equal_nan: bool, size: int | None, fill: Any, callee: str) -> list[Any]:
    """Unique entries, first indices, places, counts."""
    shape = x.shape
    place = 0 if axis is None else one_axis(axis, x.ndim, "unique")
    rows = ravel(x) if axis is None else moveaxis(x, place, 0)
    value = None if size is not None and isinstance(rows, Tracer) else known_value(rows)  # a size: so there is a derivative
    if size is not None and rows.shape[0] == 0 and fill is None and static_size(size, callee):
        raise ArgumentValueError(says=f"`{callee.removeprefix('jnp.')}` was given {x.aval.str_short()} and size={size!r}.",
                                 why="there is no entry that could fill the result",
                                 fixes=(Fix("say what fills it", code="fill_value=0"),))
    if value is None:
        if size is None:
            raise sized_by_values(x, callee)
        parts = list(fused_call(_unique_sized, (rows,), size=static_size(size, callee), equal_nan=bool(equal_nan)))
        if fill is not None:
            count = parts.pop()
            there = compare.lt(lax_shape.iota(count.dtype, parts[0].shape[0]), count)
            there = reshaped(there, (-1, *(1,) * (rows.ndim - 1)))
            parts[0] = where3(there, parts[0], convert(fill, rows.dtype, False))
    else:
        parts = _unique_known(value, equal_nan, size, fill, callee)
    values, index, inverse, counts = parts[:4]
    values = convert(values, values.dtype, x.aval.weak_type and fill is None)
    if axis is not None:
        values = moveaxis(values, 0, place)
    else:
        inverse = reshaped(inverse, shape)
    return [values, index, inverse, counts]


def _unique_known(value: np.ndarray, equal_nan: bool, size: int | None, fill: Any, callee: str) -> list[Any]:
    values, *rest = _unique_entries(value, equal_nan)
    index, inverse, counts = [v.astype(index_dtype()).reshape(-1) for v in rest]
    if size is not None:
        n = static_size(size, callee)
        missing = max(0, n - len(values))
        if missing:
            filling = np.asarray(values[0] if fill is None else known_value(fill)).astype(values.dtype)
            values = np.concatenate([values, np.broadcast_to(filling, (missing, *values.shape[1:]))])
        values = values[:n]
        index = np.concatenate([index[:n], np.full(missing, index[0] if len(index) else 0, index.dtype)])
        counts = np.concatenate([counts[:n], np.zeros(missing, counts.dtype)])
    return [wrap(np.ascontiguousarray(v)) for v in (values, index, inverse, counts)]


def _unique_entries(value: np.ndarray, equal_nan: bool) -> tuple[np.ndarray, ...]:
    """Unique entries along the first axis, first indices, places, counts."""
    same = _flushed(value)
    if same is not value:
        index, *rest = _unique_entries(same, equal_nan)[1:]
        return value[index], index, *rest
    if value.ndim > 1 and equal_nan and value.size:  # by rank, since NumPy tells rows with NaN apart
        ranks = _unique_entries(value.reshape(-1), True)[2].reshape(value.shape)
        _, index, inverse, counts = np.unique(ranks, True, True, True, axis=0)
        return value[index], index, inverse, counts
    if value.dtype.kind == "V":  # NumPy does not put the NaN of these last
        values, *rest = _unique_entries(value.astype(np.float32), equal_nan)
        return values.astype(value.dtype), *rest
    by: Any = {} if value.ndim == 1 else {"axis": 0}
    return np.unique(value, True, True, True, equal_nan=equal_nan, **by)


def _flushed(value: np.ndarray) -> np.ndarray:
    """0 for the subnormal numbers, which XLA compares as 0; `value` itself if there are none. Those of 16 and fewer bits are
    normal numbers where XLA compares them, but for those of bfloat16."""
    dtype = value.dtype
    if dtype.kind == "c":
        parts = np.ascontiguousarray(value).view(value.real.dtype)
        flushed = _flushed(parts)
        return value if flushed is parts else flushed.view(dtype)
    if dtype not in _FLUSHED:
        return value
    wide = value.astype(np.float32) if dtype.kind == "V" else value
    small = (np.abs(wide) < np.finfo(wide.dtype).smallest_normal) & (wide != 0)
    return np.where(small, np.zeros((), dtype), value) if small.any() else value


def _unique_sized(rows: Any, *, size: int, equal_nan: bool) -> tuple[Any, ...]:
    """Sort, mark what differs from the entry before, and collect what is marked; the number of these comes last."""
    n, dtype = rows.shape[0], index_dtype()
    if n == 0 or rows.size == 0:
        empty = filled(rows.aval.update(shape=(size, *rows.shape[1:]), weak_type=False), 0)
        none = lax_shape.broadcast_in_dim(np.zeros((), dtype), (size,), ())
        return empty, none, lax_shape.iota(dtype, 0), none, np.zeros((), dtype)
    flat = reshaped(rows, (n, -1))
    columns = [lax_shape.squeeze(v, (1,)) for v in lax_shape.split(flat, [1] * flat.shape[1], 1)]
    order = lax_sort((*columns, lax_shape.iota(dtype, n)), 0, True, len(columns))[-1]
    ordered = at(rows)[order].get(mode="promise_in_bounds")
    changed = reduce_or(reshaped(_differs(ordered[1:], ordered[:-1], equal_nan), (n - 1, -1)), (1,)) if n > 1 else \
        lax_shape.broadcast_in_dim(np.zeros((), bool), (0,), ())
    first = lax_shape.concatenate([lax_shape.broadcast_in_dim(np.ones((), bool), (1,), ()), changed], 0)
    count = reduce_sum(convert(first, dtype, False), (0,))
    starts = nonzero(first, size=size + 1, fill_value=n)[0]
    inside = compare.lt(lax_shape.iota(dtype, size), count)
    places = where3(inside, starts[:size], np.zeros((), dtype))
    values = at(ordered)[places].get(mode="clip")
    counts = where3(inside, elementwise.sub(starts[1:], starts[:size]), np.zeros((), dtype))
    ranks = elementwise.sub(cumsum(convert(first, dtype, False), 0), np.ones((), dtype))
    inverse = at(lax_shape.broadcast_in_dim(np.zeros((), dtype), (n,), ()))[order].set(ranks, unique_indices=True)
    return values, at(order)[places].get(mode="clip"), inverse, counts, count


def _differs(p: Any, q: Any, equal_nan: bool) -> Any:
    found = compare.ne(p, q)
    if not equal_nan or kind(p) not in ("float", "complex"):
        return found
    return bitwise_and(found, bitwise_not(bitwise_and(compare.ne(p, p), compare.ne(q, q))))


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Any
    inverse_indices: Any


def _of(x: Any, size: int | None, fill_value: Any, function: str) -> list[Any]:
    return _unique(asarray(array_like(x, function)), None, False, size, fill_value, f"jnp.{function}")


@public
def unique_all(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueAll:
    """Unique elements, where each occurs first, the place of each element among them, and their counts; see `unique`."""
    return UniqueAll(*_of(x, size, fill_value, "unique_all"))


@public
def unique_counts(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueCounts:
    """Unique elements and their counts; see `unique`."""
    values, _, _, counts = _of(x, size, fill_value, "unique_counts")
    return UniqueCounts(values, counts)


@public
def unique_inverse(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueInverse:
    """Unique elements, and the place of each element among them; see `unique`."""
    values, _, inverse, _ = _of(x, size, fill_value, "unique_inverse")
    return UniqueInverse(values, inverse)


@public
def unique_values(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> Array:
    """Unique elements; see `unique`."""
    return _of(x, size, fill_value, "unique_values")[0]


# -- two sets

@public
def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
         method: str = "auto") -> Array:
    """Whether elements are among those of another array.

    Args:
        element: array.
        test_elements: array.
        assume_unique: is ignored.
        invert: whether to ask if they are not.
        method: is taken as a hint and makes no difference.
    """
    del assume_unique
    if method not in ("auto", "compare_all", "binary_search", "sort"):
        raise ArgumentValueError(says=f"`isin` was given method={method!r}.",
                                 why='it is "auto", "compare_all", "binary_search" or "sort"')
    x, tests = [asarray(v) for v in promote_dtypes(array_like(element, "isin", 0), array_like(test_elements, "isin", 1))]
    found = convert(fused_call(_isin_keys if x.aval.extended else _isin, (x, ravel(tests))), np.dtype(bool), False)
    return bitwise_not(found) if invert else found


def _isin(x: Any, tests: Any) -> Any:
    if not tests.size:
        return lax_shape.broadcast_in_dim(np.zeros((), bool), x.shape, ())
    tests = lax_sort(tests, 0)
    return compare.eq(at(tests)[searchsorted(tests, x)].get(mode="clip"), x)


def _isin_keys(x: Any, tests: Any) -> Any:
    """`_isin` of what has no order: each element is compared with all."""
    pairs = compare.eq(lax_shape.broadcast_in_dim(x, (*x.shape, tests.size), range(x.ndim)),
                       lax_shape.broadcast_in_dim(tests, (*x.shape, tests.size), (x.ndim,)))
    return reduce_or(pairs, (x.ndim,))


def _two(function: str, ar1: Any, ar2: Any) -> tuple[Any, Any]:
    x, y = promote_dtypes(array_like(ar1, function, 0), array_like(ar2, function, 1))
    return ravel(x), ravel(y)


def _collected(x: Any, marked: Any, size: int | None, fill: Any, callee: str, source: Any) -> Any:
    """The entries that are marked; filled up to `size` with `fill`, or with the first of them (0 where there is none)."""
    if size is None:
        if isinstance(marked, Tracer) and known_value(marked) is None:
            raise sized_by_values(source, callee)
        return x[marked]
    n = static_size(size, callee)
    place = nonzero(marked, size=n, fill_value=0)[0]
    there = compare.lt(lax_shape.iota(index_dtype(), n), reduce_sum(convert(marked, index_dtype(), False), (0,)))
    values = at(x)[place].get(mode="clip") if x.size else filled(x.aval.update(shape=(n,)), 0)
    missing = where3(there[:1], values[:1], np.zeros((), x.dtype)) if fill is None else convert(fill, x.dtype, False)
    return where3(there, values, missing) if n else values


def _traced(*xs: Any) -> Any:
    return next((x for x in xs if isinstance(x, Tracer)), xs[0])


def _first_of_each(x: Any) -> Any:
    """A sorted vector's entries that differ from the one before."""
    if x.size < 2:
        return lax_shape.broadcast_in_dim(np.ones((), bool), x.shape, ())
    return lax_shape.concatenate([lax_shape.broadcast_in_dim(np.ones((), bool), (1,), ()), _differs(x[1:], x[:-1], True)], 0)


@public
def union1d(ar1: Any, ar2: Any, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The elements of one array or the other, each once, in increasing order; `size` as in `unique`."""
    x, y = _two("union1d", ar1, ar2)
    return _unique(concatenate([x, y]), None, True, size, fill_value, "jnp.union1d")[0]


@public
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False, *, size: int | None = None,
                fill_value: Any = None) -> Any:
    """The elements of both arrays, each once, in increasing order.

    Args:
        ar1: array.
        ar2: array.
        assume_unique: is ignored.
        return_indices: whether to return where they occur first in each.
        size: of the result; see `unique`.
        fill_value: what fills it up to `size`.
    """
    del assume_unique
    x, y = _two("intersect1d", ar1, ar2)
    order = argsort(x)
    ordered = x[order]
    marked = bitwise_and(_first_of_each(ordered), isin(ordered, y))
    found = _collected(ordered, marked, size, fill_value, "jnp.intersect1d", _traced(x, y))
    if not return_indices:
        return found
    first = _collected(order, marked, size, x.size, "jnp.intersect1d", _traced(x, y))
    there = argsort(y)
    second = at(there)[searchsorted(y[there], found)].get(mode="clip") if y.size else first
    if size is not None:
        count = reduce_sum(convert(marked, index_dtype(), False), (0,))
        inside = compare.lt(lax_shape.iota(index_dtype(), found.size), count)
        second = where3(inside, second, np.asarray(y.size, second.dtype))
    return found, first, second


@public
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The elements of the first array that are not in the second, each once, in increasing order.

    Args:
        ar1: array.
        ar2: array.
        assume_unique: whether the first has no element twice; it is not sorted then.
        size: of the result; see `unique`.
        fill_value: what fills it up to `size`; 0 by default.
    """
    x, y = _two("setdiff1d", ar1, ar2)
    if not assume_unique:
        x = lax_sort(x, 0)
    marked = bitwise_not(isin(x, y))
    if not assume_unique:
        marked = bitwise_and(marked, _first_of_each(x))
    found = _collected(x, marked, size, 0 if fill_value is None else fill_value, "jnp.setdiff1d", _traced(x, y))
    kept: Any = get_aval(ar1)
    return convert(found, kept.dtype, kept.weak_type)


@public
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False, *, size: int | None = None, fill_value: Any = None) -> Array:
    """The elements of just one of both arrays, each once, in increasing order; see `intersect1d`.

    NaN is unequal to itself: where both arrays have one, the result has two.
    """
    del assume_unique
    x, y = _two("setxor1d", ar1, ar2)
    both = lax_sort(concatenate([x, y]), 0)
    in_one = bitwise_not(bitwise_and(isin(both, x), isin(both, y)))
    first = _first_of_each(both)
    if both.size > 1 and kind(both) in ("float", "complex"):
        behind = lax_shape.concatenate([lax_shape.broadcast_in_dim(np.zeros((), bool), (1,), ()), first[:-1]], 0)
        twice = bitwise_and(reduce_or(compare.ne(x, x), (0,)), reduce_or(compare.ne(y, y), (0,)))
        first = bitwise_or(first, bitwise_and(bitwise_and(compare.ne(both, both), behind), twice))
    return _collected(both, bitwise_and(in_one, first), size, fill_value, "jnp.setxor1d", _traced(x, y))


__all__ = ["intersect1d", "isin", "setdiff1d", "setxor1d", "union1d", "unique", "unique_all",
           "unique_counts", "unique_inverse", "unique_values"]
