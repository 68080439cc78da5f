"""New arrays: filled with a value, counting, with a diagonal, grids.

While nothing is traced they are made by NumPy at once; in a function that is traced they are recorded, so that the
program makes them and holds no copy.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray, canonical_shape
from perspicax.core.config import enable_x64, local, state_key
from perspicax.core.context import evaluator
from perspicax.core.promotion import result_type
from perspicax.core.symbolic import SymbolicSize, as_size, largest, surely_less
from perspicax.core.tracer import Tracer, get_aval
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public, trim
from perspicax.lax import compare, elementwise
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert, convert_element_type
from perspicax.lax.families import exact as exactly
from perspicax.lax.symbolic_sizes import size_in
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import array, asarray, look_at, made_here, make, put, recording, wrap
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, BroadcastToError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.operators import add, multiply, subtract, true_divide
from perspicax.numpy.plans import planned
from perspicax.numpy.promote import array_like, constant_maker, to_inexact
from perspicax.transform.hooks import lax
from perspicax.xla.array import ArrayImpl, beyond_numpy, on_host
from perspicax.xla.dispatch import checking
from perspicax.xla.explicit import part_of_type
from perspicax.xla.sharding import Sharding

_EVALUATOR = evaluator()
_NUMBERS = (int, float)
_FLOATS: dict[bool, Any] = {False: np.dtype(np.float32), True: np.dtype(np.float64)}


def _shape(shape: Any) -> tuple[int, ...]:
    if type(shape) is tuple:
        for n in shape:
            if type(n) is not int:
                return canonical_shape(shape)
        return shape
    if type(shape) is int:
        return (shape,)
    return canonical_shape(shape)


def filled(aval: ShapedArray, value: Any) -> Any:
    """An array of type `aval` with `value` (a number) everywhere; of random keys, in all of their words."""
    if aval.extended:
        from perspicax.lax.filling import full_of_elements  # for its weight: few programs need it

        return full_of_elements(aval.shape, value, aval.dtype)
    if (local.trace is not evaluator() and recording()) or beyond_numpy(aval):
        scalar = exactly(value, aval.dtype)
        made = lax_shape.broadcast_in_dim(scalar, aval.shape, ()) if aval.shape else convert(scalar, aval.dtype, False)
        return convert(made, aval.dtype, True) if aval.weak_type else made
    made = on_host(aval, lambda: np.zeros(aval.shape, aval.dtype) if value == 0 else np.full(aval.shape, value, aval.dtype))
    return made_here(aval, made)


def zeros(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array of zeros.

    Args:
        shape: an integer, or a sequence of integers.
        dtype: float32 by default (float64 with `jax_enable_x64`).
        device: a device, or a sharding, where it is put.
        out_sharding: a sharding.

    Raises:
        ShapeError: `shape` is none.
    """
    try:
        dtype = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, "zeros")
        made = filled(ShapedArray(_shape(shape), dtype), 0)
        return made if device is None and out_sharding is None else put(made, out_sharding if device is None else device)
    except Exception as error:
        trim(error)
        raise


def ones(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array of ones; see `zeros`."""
    try:
        dtype = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, "ones")
        made = filled(ShapedArray(_shape(shape), dtype), 1)
        return made if device is None and out_sharding is None else put(made, out_sharding if device is None else device)
    except Exception as error:
        trim(error)
        raise


@public
def empty(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array whose values do not matter: zeros; see `zeros`."""
    dtype = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, "empty")
    return _put(filled(ShapedArray(_shape(shape), dtype), 0), device, out_sharding)


def _put(x: Any, device: Any, out_sharding: Any) -> Any:
    return x if device is None and out_sharding is None else put(x, out_sharding if device is None else device)


@public
def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array with `fill_value` everywhere.

    Args:
        shape: an integer, or a sequence of integers.
        fill_value: a number, or an array that broadcasts to `shape`.
        dtype: that of `fill_value` by default, weak if that is.
        device: a device, or a sharding, where it is put.
        out_sharding: a sharding.
    """
    fill_value = array_like(fill_value, "full", 1)
    if dtype is not None:
        dtype = dtypes.requested_dtype(dtype, "full")
    made = _full(_shape(shape), fill_value, dtype)
    if checking.nans:
        look_at(made, "full")
    return _put(made, device, out_sharding)


def _full(sizes: tuple[int, ...], fill_value: Any, dtype: Any) -> Any:
    aval: Any = get_aval(fill_value)
    weak = dtype is None and aval.weak_type
    if isinstance(dtype, dtypes.ExtendedDType) and aval.shape == () and not aval.extended:
        return filled(ShapedArray(sizes, dtype), fill_value)
    if dtype is None:
        kept: Any = asarray(fill_value)
    else:  # a Python complex number is no real one, while an array of such numbers is cut down to its real part
        kept = make(fill_value, dtype, "full") if type(fill_value) is complex else asarray(fill_value).astype(dtype)  # type: ignore
    if aval.shape == () and isinstance(kept, ArrayImpl) and not aval.extended:
        return filled(ShapedArray(sizes, kept.aval.dtype, weak), kept.value()[()])
    return broadcast_to(kept, sizes)


def broadcast_to(x: Any, shape: tuple[int, ...], function: str = "full") -> Any:
    """An array repeated to `shape`.

    Raises:
        BroadcastToError: it does not broadcast to that.
    """
    old = x.aval.shape
    if old == shape:
        return x
    rank = len(shape) - len(old)
    if rank < 0 or any(m not in (1, n) for m, n in zip(old, shape[rank:])):
        raise BroadcastToError(function=function, aval=x.aval, shape=tuple(shape))
    return lax_shape.broadcast_in_dim(x, shape, range(rank, len(shape)))


# -- like another

def _like(a: Any, value: Any, dtype: Any, shape: Any, function: str, device: Any = None, out_sharding: Any = None) -> Any:
    if not hasattr(a, "shape") or not hasattr(a, "dtype"):
        a = array_like(a, function)
    own: Any = a.aval if isinstance(a, Array) else _described(a)
    aval = own if dtype is None else ShapedArray(own.shape, dtypes.requested_dtype(dtype, function))
    if shape is not None:
        aval = ShapedArray(_shape(shape), aval.dtype, aval.weak_type)
    made = filled(aval.laid(None).in_memory(None), value)
    alike = aval.shape == own.shape  # then it lies alike, too
    if alike and device is None and out_sharding is None and not isinstance(a, Array) \
            and isinstance(sharding := getattr(a, "sharding", None), Sharding):  # of what has but a shape, a dtype and this
        if isinstance(made, ArrayImpl):
            return put(made, sharding)
        explicit = part_of_type(sharding, aval.ndim)
        return made if explicit is None else lax().laid_as(made, explicit)
    if own.explicit is not None and alike and device is None and out_sharding is None and not isinstance(made, ArrayImpl):
        return lax().laid_as(made, own.explicit)
    if device is None and out_sharding is None and type(a) is ArrayImpl and isinstance(made, ArrayImpl) and alike \
            and a._sharding is not None and (a._committed or len(a._sharding.devices) > 1):
        return put(made, a._sharding)
    return _put(made, device, out_sharding)


def _described(a: Any) -> ShapedArray:
    """The type of a number, a NumPy array, or of what only has a shape and a dtype."""
    if isinstance(a, (np.ndarray, np.generic, int, float, complex)):
        return get_aval(a)  # type: ignore[return-value]
    return ShapedArray(tuple(a.shape), dtypes.jax_dtype(a.dtype), bool(getattr(a, "weak_type", False)))


def zeros_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """Zeros in the shape and dtype of `a`.

    Args:
        a: array, number, or anything with a shape and a dtype.
        dtype: in place of that of `a`.
        shape: in place of that of `a`.
        device: a device, or a sharding, where it is put; by default where `a` is.
        out_sharding: a sharding.
    """
    try:
        return _like(a, 0, dtype, shape, "zeros_like", device, out_sharding)
    except Exception as error:
        trim(error)
        raise


def ones_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """Ones in the shape and dtype of `a`; see `zeros_like`."""
    try:
        return _like(a, 1, dtype, shape, "ones_like", device, out_sharding)
    except Exception as error:
        trim(error)
        raise


@public
def empty_like(prototype: Any, dtype: Any = None, shape: Any = None, *, device: Any = None,
               out_sharding: Any = None) -> Array:
    """Zeros in the shape and dtype of `prototype`; see `zeros_like`."""
    return _like(prototype, 0, dtype, shape, "empty_like", device, out_sharding)


@public
def full_like(a: Any, fill_value: Any, dtype: Any = None, shape: Any = None, *, device: Any = None,
              out_sharding: Any = None) -> Array:
    """`fill_value` everywhere, in the shape and dtype of `a`; see `zeros_like`.

    Args:
        a: array, number, or anything with a shape and a dtype.
        fill_value: a number, or an array that broadcasts to the shape.
        dtype: in place of that of `a`.
        shape: in place of that of `a`.
        device: a device, or a sharding, where it is put; by default where `a` is.
        out_sharding: a sharding.
    """
    fill_value = array_like(fill_value, "full_like", 1)
    if isinstance(fill_value, (int, float, complex)) and not isinstance(fill_value, np.generic):
        if not hasattr(a, "shape") or not hasattr(a, "dtype"):
            a = array_like(a, "full_like")
        aval: Any = a.aval if isinstance(a, Array) else _described(a)
        wanted = aval.dtype if dtype is None else dtypes.requested_dtype(dtype, "full_like")
        if isinstance(wanted, dtypes.ExtendedDType):
            return _like(a, fill_value, dtype, shape, "full_like", device, out_sharding)
        value = make(fill_value, wanted, "full_like").value()[()]
        made = _like(a, value, dtype, shape, "full_like", device, out_sharding)
        if checking.nans:
            look_at(made, "full_like")
        return made
    like = _like(a, 0, dtype, shape, "full_like")
    made = broadcast_to(convert(fill_value, like.aval.dtype, like.aval.weak_type), like.aval.shape, "full_like")
    if device is None and out_sharding is None and np.ndim(fill_value) == 0:
        if type(made) is not ArrayImpl:
            return made if like.aval.explicit is None else lax().laid_as(made, like.aval.explicit)
        if type(like) is ArrayImpl and like._committed:
            return put(made, like._sharding)
    return _put(made, device, out_sharding)


# -- counting

def _bound(x: Any, name: str) -> Any:
    """A bound of `arange` as a number."""
    if isinstance(x, (int, float, SymbolicSize)) or x is None:
        return x
    if isinstance(x, Tracer):
        x = static_value(x, "jnp.arange", name.partition(" ")[2])
    if isinstance(x, (list, tuple)):
        raise ArgumentKindError(says=f"`arange` was given {name} of {x!r}.", why="its bounds are numbers")
    if isinstance(x, Array):
        x = x.value()  # type: ignore[attr-defined]
    found = np.asarray(x)
    if found.shape != () or found.dtype.kind in "OUSMmV":
        raise ArgumentValueError(says=f"`arange` was given {name} of shape {found.shape}.", why="its bounds are numbers")
    return found[()]


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None, *, device: Any = None,
           out_sharding: Any = None) -> Array:
    """`start`, `start + step`, … up to, but without, `stop`.

    Args:
        start: the first value; with one argument alone it is the end, and 0 the start.
        stop: the end, which is left out.
        step: the distance of two values, not 0; 1 by default.
        dtype: that in which the bounds meet, by default.
        device: a device, or a sharding, where it is put.
        out_sharding: a sharding.

    Returns:
        Array of `ceil((stop - start) / step)` values, `start + i * step` computed in the dtype.

    Raises:
        ConcretizationTypeError: a bound is traced; the shape of the result would depend on a value.
    """
    try:
        if type(start) is int and stop is None and step is None and dtype is None:
            return _put(_counted(max(start, 0), dtypes.default_dtype("int")), device, out_sharding)
        return _put(_arange(start, stop, step, dtype), device, out_sharding)
    except Exception as error:
        trim(error)
        raise


def _counted(n: int, dtype: Any) -> Any:
    if local.trace is not evaluator() and recording():
        return lax_shape.broadcasted_iota(dtype, (n,), 0)
    if n < 2**31:
        return wrap(np.arange(n, dtype=dtype))
    return wrap(on_host(ShapedArray((n,), dtype), lambda: np.arange(n).astype(dtype)))  # beyond, they wrap around


def _arange(start: Any, stop: Any, step: Any, dtype: Any) -> Any:
    start, stop, step = _bound(start, "a start"), _bound(stop, "a stop"), _bound(step, "a step")
    given = [v for v in (start, stop, step) if v is not None]
    if start is None:
        raise ArgumentKindError(says="`arange` was given None as a start.", why="its bounds are numbers")
    if dtype is None:
        dtype = result_type(*[0 if isinstance(v, SymbolicSize) else v for v in given])
    else:
        dtype = dtypes.requested_dtype(dtype, "arange")
    if any(isinstance(v, (complex, np.complexfloating)) for v in given):
        raise ArgumentValueError(says="`arange` was given complex bounds.", why="complex numbers are not ordered")
    if dtype == np.dtype(bool):
        raise ArgumentKindError(says="`arange` was given booleans.", why="it counts in numbers; `int(x)` makes one")
    if stop is None:
        start, stop = 0, start
    if step is not None and step == 0:
        raise ZeroStepError(says="`arange` was given the step 0.", why="then there is no end")
    if any(isinstance(v, SymbolicSize) for v in given):
        return _symbolic_arange(start, stop, 1 if step is None else step, dtype)
    count = max(0, math.ceil((stop - start) / (1 if step is None else step)))
    exact = not dtypes.issubdtype(dtype, np.inexact)
    if start == 0 and step is None:
        return _counted_as(count, dtype)
    if exact and not (local.trace is not evaluator() and recording()):
        first, by = int(start), int(1 if step is None else step)
        return wrap(on_host(ShapedArray((count,), dtype), lambda: (
            first + np.arange(count, dtype=np.int64) * by).astype(dtype)))  # type: ignore[arg-type]
    work = dtype if exact or dtype.itemsize >= 4 else np.dtype(np.float32)  # type: ignore[union-attr]
    made = lax_shape.broadcasted_iota(work, (count,), 0)
    if step is not None and step != 1:
        made = elementwise.mul(_bound_in(work, step), made)
    if start != 0 or (not exact and step is not None):
        made = elementwise.add(_bound_in(work, start), made)
    return convert_element_type(made, dtype)


def _symbolic_arange(start: Any, stop: Any, step: Any, dtype: Any) -> Any:
    """`arange` with a symbolic size among its bounds, which are integers or sizes."""
    step = as_size(step)
    last = step - 1 if surely_less(0, step) else step + 1
    made = lax_shape.broadcasted_iota(dtype, (largest(0, (as_size(stop) - as_size(start) + last) // step),), 0)
    made = made if step == 1 else elementwise.mul(made, size_in(step, dtype))
    return made if start == 0 else elementwise.add(made, size_in(start, dtype))


def _bound_in(dtype: Any, bound: Any) -> np.ndarray:
    """A bound in the dtype counted in; integers that it does not hold wrap around."""
    return np.asarray(bound).astype(dtype)


def _counted_as(count: int, dtype: Any) -> Any:
    """0, 1, … in a dtype that may not hold them all exactly: rounded from integers."""
    if local.trace is not evaluator() and recording() and dtype.itemsize >= 4:
        return lax_shape.broadcasted_iota(dtype, (count,), 0)
    return wrap(on_host(ShapedArray((count,), dtype), lambda: np.arange(count).astype(dtype)))


class ZeroStepError(ArgumentValueError, ZeroDivisionError):
    """A range was asked for whose step is 0."""


def _count(num: Any, function: str) -> int:
    try:
        n = as_size(static_value(num, f"jnp.{function}", "num"))
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise ArgumentKindError(says=f"`{function}` was asked for {num!r} values.", why="a number of values is an "
                                                                                       "integer") from None
    if n < 0:
        raise ArgumentValueError(says=f"`{function}` was asked for {n} values.", why="a number of values is at least 0")
    return n


@public
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
             axis: int = 0, *, device: Any = None) -> Any:
    """Values at equal distances between two others.

    Args:
        start: the first value, or an array of first values.
        stop: the last value, or an array that broadcasts with `start`.
        num: how many values.
        endpoint: whether `stop` is one of them.
        retstep: whether to return the distance too.
        dtype: floating by default; integers are rounded down.
        axis: where the new axis goes.
        device: a device, or a sharding, where it is put.

    Returns:
        Array whose axis `axis` has size `num`; with `retstep` a pair of it and the distance.
    """
    key = None
    if local.trace is _EVALUATOR and dtype is None and not retstep and not checking.careful:
        key = _line_key(start, stop, num, endpoint, axis)
        kept = _lines.get(key)
        if kept is not None:
            return _put(ArrayImpl(kept[0], None, kept[1]), device, None)
    n = _count(num, "linspace")
    start, stop = array_like(start, "linspace", 0), array_like(stop, "linspace", 1)
    if dtype is None:
        dtype = to_inexact(result_type(start, stop))
    else:
        dtype = dtypes.requested_dtype(dtype, "linspace")
    axis = operator.index(axis)
    bounds = _bound_array(start), _bound_array(stop)
    out, step = fused_call(_linspace, bounds, n=n, endpoint=bool(endpoint), dtype=dtype, axis=axis)
    if key is not None and type(out) is ArrayImpl and out.aval.size <= MAX_LINE:
        if len(_lines) >= MAX_LINES:
            _lines.clear()
        _lines[key] = out.aval, out.value()
    out = _put(out, device, None)
    return (out, step) if retstep else out


_bounds: dict[tuple, Callable[[Any], Array]] = {}
_lines: dict[Any, tuple[ShapedArray, np.ndarray]] = {}
MAX_LINES, MAX_LINE = 256, 4096


def _line_key(start: Any, stop: Any, num: Any, endpoint: Any, axis: Any) -> Any:
    """What tells a short line between two numbers from others: those that come again are kept; `None` for other bounds."""
    kinds = type(start), type(stop)
    if kinds[0] not in _NUMBERS or kinds[1] not in _NUMBERS or type(num) is not int or type(endpoint) is not bool \
            or type(axis) is not int:
        return None
    return start or repr(start), stop or repr(stop), kinds, num, endpoint, axis, state_key()  # 0.0 and -0.0 are equal


def _bound_array(x: Any) -> Array:
    """A bound as an array; those of Python's numbers are kept, so that they are brought to the device once."""
    if type(x) not in (int, float):
        return asarray(x)
    key = (type(x), enable_x64.value)
    made = _bounds.get(key)
    if made is None:
        aval: Any = asarray(x).aval  # type: ignore[attr-defined]
        made = _bounds[key] = constant_maker(aval.dtype, aval.weak_type)
    return made(x)


def _linspace(start: Any, stop: Any, *, n: int, endpoint: bool, dtype: Any, axis: int) -> tuple[Any, Any]:
    work = to_inexact(result_type(start, stop, dtype))
    start, stop = convert(start, work, False), convert(stop, work, False)
    shape = lax_shape.broadcast_shapes(start.shape, stop.shape)
    start, stop = broadcast_to(start, shape, "linspace"), broadcast_to(stop, shape, "linspace")
    divisions = n - 1 if endpoint else n
    step: Any = true_divide(subtract(stop, start), divisions) if divisions > 0 else filled(
        ShapedArray(shape, work), math.nan)
    rank = len(shape)
    real = work if not dtypes.issubdtype(work, np.complexfloating) else np.dtype(f"f{work.itemsize // 2}")
    if n == 0:
        out = filled(ShapedArray((0, *shape), work), 0)
    elif divisions == 0:
        out = lax_shape.broadcast_in_dim(start, (1, *shape), range(1, rank + 1))
    else:
        points = true_divide(convert(lax_shape.broadcasted_iota(_counting(real), (divisions,), 0), real, False), divisions)
        h = lax_shape.reshape(convert(points, work, False), (divisions, *(1,) * rank))
        start_row = lax_shape.reshape(start, (1, *shape))
        stop_row = lax_shape.reshape(stop, (1, *shape))
        out = add(multiply(start_row, subtract(1, h)), multiply(stop_row, h))
        if endpoint:
            out = lax_shape.concatenate([out, lax_shape.broadcast_in_dim(stop, (1, *shape), range(1, rank + 1))], 0)
    if dtypes.issubdtype(dtype, np.integer) and not dtypes.issubdtype(out.dtype, np.integer):
        out = elementwise.floor(out)
    out = convert(out, dtype, False)
    place = one_axis(axis, rank + 1, "linspace")
    if place:
        order = [*range(1, rank + 1)]
        order.insert(place, 0)
        out = lax_shape.transpose(out, order)
    return out, convert(step, dtype if not dtypes.issubdtype(dtype, np.integer) else work, False)


def _counting(real: Any) -> Any:
    return real if real.itemsize >= 4 else np.dtype(np.float32)


# -- matrices

def _size(n: Any, function: str) -> int:
    return _shape((n,))[0] if type(n) is int and n >= 0 else _checked_size(n, function)


def _checked_size(n: Any, function: str) -> int:
    size = _shape((n,))[0]
    if size < 0:
        raise ArgumentValueError(says=f"`{function}` was asked for {size} rows or columns.", why="a size is at least 0")
    return size


def diagonal_mask(rows: int, columns: int, k: Any, lower: bool) -> Any:
    """Where a matrix has its diagonal number `k`, or, with `lower`, all that lies on and below it."""
    k = diagonal_number(k)
    i = lax_shape.broadcasted_iota(np.int32, (rows, columns), 0)
    j = lax_shape.broadcasted_iota(np.int32, (rows, columns), 1)
    i = elementwise.add(i, convert(k, np.dtype(np.int32), False))
    return compare.ge(i, j) if lower else compare.eq(i, j)


def diagonal_number(k: Any) -> Any:
    """Which diagonal is meant: an integer, or an array of one.

    Raises:
        ArgumentKindError: it is a fraction, or no number.
    """
    aval: Any = k.aval if isinstance(k, Array) else None
    if aval is None:
        whole, given = hasattr(k, "__index__"), repr(k)
    else:
        whole, given = aval.shape == () and dtypes.kind_of(aval.dtype) in ("int", "uint", "bool"), aval.str_short()
    if not whole:
        raise ArgumentKindError(says=f"A diagonal was asked for by the number {given}.",
                                why="diagonals are counted in integers, from the main one, which is 0")
    return k


@public
def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = None, *, device: Any = None) -> Array:
    """A matrix with ones on a diagonal and zeros elsewhere.

    Args:
        N: number of rows.
        M: number of columns; as many as rows by default.
        k: which diagonal: above the main one for positive numbers, below for negative ones.
        dtype: float32 by default.
        device: a device, or a sharding, where it is put.
    """
    dtype = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, "eye")
    rows = _size(N, "eye")
    columns = rows if M is None else _size(M, "eye")
    if type(k) is int and (local.trace is evaluator() or not recording()):
        return _put(wrap(on_host(ShapedArray((rows, columns), dtype), lambda: np.eye(rows, columns, k, dtype))), device, None)
    return _put(convert(diagonal_mask(rows, columns, k, False), dtype, False), device, None)


@public
def identity(n: Any, dtype: Any = None) -> Array:
    """The identity matrix of `n` rows."""
    return eye(n, None, 0, dtype)


@public
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Array:
    """A matrix with ones on and below a diagonal; see `eye`."""
    dtype = np.dtype(np.float32) if dtype is None else dtypes.requested_dtype(dtype, "tri")
    rows = _size(N, "tri")
    columns = rows if M is None else _size(M, "tri")
    if type(k) is int and (local.trace is evaluator() or not recording()):
        return wrap(on_host(ShapedArray((rows, columns), dtype), lambda: np.tri(rows, columns, k).astype(dtype)))
    return convert(diagonal_mask(rows, columns, k, True), dtype, False)


def _triangle(m: Any, k: Any, function: str, lower: bool) -> Any:
    x = asarray(array_like(m, function))
    shape = x.aval.shape  # type: ignore[attr-defined]
    if len(shape) < 2:
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()}.",  # type: ignore[attr-defined]
                                 why="only matrices, and stacks of them, have triangles")
    k = diagonal_number(k)
    mask = diagonal_mask(shape[-2], shape[-1], k if lower else elementwise.sub(k, 1) if isinstance(k, Array) else k - 1, True)
    if len(shape) > 2:
        mask = lax_shape.broadcast_in_dim(mask, shape, (len(shape) - 2, len(shape) - 1))
    zeros_ = filled(x.aval, 0) if x.aval.explicit is x.aval.memory is None else lax().zeros(x.aval)  # type: ignore[attr-defined]
    return compare.select(mask, x, zeros_) if lower else compare.select(mask, zeros_, x)


def _plan_of_triangle(m: Any, k: Any, lower: bool) -> Any:
    if type(k) is not int or m.ndim < 2:
        return None
    mask = np.tri(m.shape[-2], m.shape[-1], k if lower else k - 1, bool)
    mask, zero = mask if lower else ~mask, np.zeros((), m.dtype)
    return lambda x: np.where(mask, x, zero)


@planned(lambda m, k=0: _plan_of_triangle(m, k, True))
def tril(m: Any, k: int = 0) -> Array:
    """A matrix (or a stack of them) with zeros above its diagonal number `k`."""
    return _triangle(m, k, "tril", True)


@planned(lambda m, k=0: _plan_of_triangle(m, k, False))
def triu(m: Any, k: int = 0) -> Array:
    """A matrix (or a stack of them) with zeros below its diagonal number `k`."""
    return _triangle(m, k, "triu", False)


# -- grids

@public
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Array]:
    """Grids of coordinates from coordinates along each axis.

    Args:
        xi: vectors, or scalars.
        copy: is ignored: arrays never change.
        sparse: whether axes along which a grid repeats have size 1.
        indexing: "xy" lets the first vector run along the second axis, "ij" along the first.
    """
    xs = [asarray(array_like(x, "meshgrid", i)) for i, x in enumerate(xi)]
    if indexing not in ("xy", "ij"):
        raise ArgumentValueError(says=f"`meshgrid` was given indexing={indexing!r}.", why="it is \"xy\" or \"ij\"")
    for x in xs:
        if x.ndim > 1:
            raise ArgumentValueError(says=f"`meshgrid` was given {x.aval.str_short()}.", why="it takes vectors")
    xs = [lax_shape.reshape(x, (1,)) if x.ndim == 0 else x for x in xs]
    places = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        places[:2] = [1, 0]
    sizes = [0] * len(xs)
    for x, place in zip(xs, places):
        sizes[place] = x.shape[0]
    found = []
    for x, place in zip(xs, places):
        target = [1] * len(xs) if sparse else list(sizes)
        target[place] = x.shape[0]
        found.append(lax_shape.broadcast_in_dim(x, tuple(target), (place,)))
    return found


@public
def indices(dimensions: Sequence[int], dtype: Any = None, sparse: bool = False) -> Any:
    """For each axis of a grid the index along it.

    Args:
        dimensions: sizes of the grid.
        dtype: int32 by default.
        sparse: whether to return a tuple of arrays, with size 1 along all other axes.
    """
    dtype = dtypes.default_dtype("int") if dtype is None else dtypes.requested_dtype(dtype, "indices")
    if not hasattr(dimensions, "__iter__"):
        raise ArgumentKindError(says=f"`indices` was given dimensions={dimensions!r}.", why="it is a sequence of sizes")
    sizes = _shape(tuple(dimensions))
    grids = []
    for i, n in enumerate(sizes):
        target = tuple([m if j == i or not sparse else 1 for j, m in enumerate(sizes)])
        grids.append(lax_shape.broadcasted_iota(dtype, target, i) if n else filled(ShapedArray(target, dtype), 0))
    if sparse:
        return tuple(grids)
    if not grids:
        return filled(ShapedArray((0,), dtype), 0)
    return lax_shape.concatenate([lax_shape.broadcast_in_dim(g, (1, *sizes), range(1, len(sizes) + 1)) for g in grids], 0)


__all__ = ["arange", "array", "empty", "empty_like", "eye", "filled", "full", "full_like", "identity", "indices", "linspace",
           "meshgrid", "ones", "ones_like", "tri", "tril", "triu", "zeros", "zeros_like"]
