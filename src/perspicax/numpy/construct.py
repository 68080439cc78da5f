"""`array` and `asarray`: arrays of what users have (numbers, nested lists, NumPy arrays, arrays, tracers).

What a user may still write to is copied. Values known now become arrays with a NumPy value at once, also while a
function is traced: they are constants there.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.promotion import lattice_result
from perspicax.core.trace import JaxprTrace
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import trim
from perspicax.diagnose.watched import casts_watched
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.result_sharding import placed_as
from perspicax.numpy.errors import NotConvertibleError, ShapeMismatchError, UnsupportedArgumentError
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl, place
from perspicax.xla.dispatch import check_results, checking

_SCALARS = (int, float, complex, bool)


def placement() -> Any:
    """Where a new array goes: `None` for wherever it is needed first, unless the user chose a default device, or a mesh."""
    return shardings.default_sharding() if checking.careful else None


def wrap(value: np.ndarray, weak_type: bool = False) -> ArrayImpl:
    """An array of a NumPy value that nobody else will write to, of canonical dtype."""
    return made_here(ShapedArray(value.shape, value.dtype, weak_type), value)


def made_here(aval: ShapedArray, value: np.ndarray) -> ArrayImpl:
    """An array of a new value, of the type `aval`, where new arrays go; on the current mesh, it is placed there for good."""
    placed = placement()
    return ArrayImpl(aval, None, value, placed, placed is not None and len(placed.devices) > 1)


def look_at(x: Any, function: str) -> None:
    """With `jax_debug_nans` or `jax_debug_infs`: raise where an array that `function` has made holds one.

    Raises:
        NonFiniteError: it does.
    """
    if isinstance(x, ArrayImpl):
        check_results([x], function)


def put(x: Any, device: Any) -> Any:
    """`x` on the device, or with the sharding, that a creation function was given; `x` itself for `None`.

    While a function is traced, a device is not a place for a value yet: there the array stays where the program runs.
    """
    if type(device) is shardings.PartitionSpec or (type(device) is shardings.NamedSharding and device.splits_types):
        return placed_as("out_sharding", device, x)
    if device is None or not isinstance(x, ArrayImpl):
        return x
    placed = device if hasattr(device, "devices_indices_map") else shardings.on_device(device)
    return place(x.value(), x.aval, placed, True)


def short(x: Any) -> str:
    """A value as a report shows it."""
    text = repr(x)
    return text if len(text) <= 60 else f"{text[:57]}..."


def array(object: Any, dtype: Any = None, copy: bool | None = True, order: str | None = "K",
          ndmin: int = 0, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array of numbers, nested lists, NumPy arrays or arrays.

    Args:
        object: what it is made of. Lists nest to any depth; all lists at one depth have the same length.
        dtype: of the result; by default that in which the elements meet (float32 for Python's floats).
        copy: whether the result has memory of its own. Memory that the caller could write to is copied in any case.
        order: "K"; arrays have no other order.
        ndmin: axes of size 1 are put in front until there are so many.
        device: a device, or a sharding, where the result is put.
        out_sharding: a sharding.

    Returns:
        Array; of weak type if `object` is a Python number and no dtype is given.

    Raises:
        NotConvertibleError: there are things in it that are no numbers, or its lists are ragged.
        IntegerRangeError: a Python integer does not fit.

    >>> array([[1, 2], [3, 4]], dtype="float32")
    Array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    try:
        if order not in ("K", None):
            raise UnsupportedArgumentError(function="array", argument=f"order={order!r}",
                                           why="the memory layout is XLA's affair; only order='K' is taken")
        x = make(object, dtype, "array")
        if x is object and copy:
            x = duplicate(x)
        if ndmin > len(x.aval.shape):
            x = lax_shape.broadcast_to_rank(x, ndmin)
        if checking.nans and not isinstance(object, Array):
            look_at(x, "array")
        return x if device is None and out_sharding is None else put(x, out_sharding if device is None else device)
    except Exception as error:
        trim(error)
        raise


def asarray(a: Any, dtype: Any = None, order: str | None = None, *, copy: bool | None = None, device: Any = None,
            out_sharding: Any = None) -> Array:
    """An array of numbers, nested lists or NumPy arrays; an array itself if it has the dtype already.

    Args:
        a: what it is made of; see `array`.
        dtype: of the result.
        order: "K" or `None`.
        copy: `True` for memory of its own in any case.
        device: a device, or a sharding, where the result is put.
        out_sharding: a sharding.

    Raises:
        NotConvertibleError: there are things in it that are no numbers, or its lists are ragged.
        IntegerRangeError: a Python integer does not fit.
    """
    try:
        if order not in ("K", None):
            raise UnsupportedArgumentError(function="asarray", argument=f"order={order!r}",
                                           why="the memory layout is XLA's affair; only order='K' is taken")
        x = make(a, dtype, "asarray")
        if x is a and copy:
            x = duplicate(x)
        return x if device is None and out_sharding is None else put(x, out_sharding if device is None else device)
    except Exception as error:
        trim(error)
        raise


def duplicate(x: Any) -> Any:
    """The same array with memory of its own."""
    if isinstance(x, ArrayImpl):
        return x.__copy__()
    return x  # a traced value has no memory yet


def make(x: Any, dtype: Any, where: str) -> Any:
    """The array that `array` and `asarray` return, before copying and placing."""
    if dtype is not None:
        dtype = dtypes.requested_dtype(dtype, where)
    if isinstance(x, Array):
        return x if dtype is None else convert(x, dtype, False)
    kind = type(x)
    if kind in _SCALARS:
        return of_scalar(x, dtype, where)
    if kind is np.ndarray or isinstance(x, (np.ndarray, np.generic)):
        return of_numpy(x, dtype, where)
    if kind is list or kind is tuple or isinstance(x, (list, tuple)):
        return of_nested(x, dtype, where)
    if hasattr(x, "__jax_array__"):
        return make(x.__jax_array__(), dtype, where)
    if isinstance(x, (int, float, complex)):  # a member of an enumeration, say
        return of_scalar(next(t for t in _SCALARS if isinstance(x, t))(x), dtype, where)  # type: ignore[arg-type]
    return of_other(x, dtype, where)


def of_scalar(x: Any, dtype: Any, where: str) -> ArrayImpl:
    """The array of a Python number."""
    weak = False
    if dtype is None:
        dtype = dtypes.python_scalar_dtype(type(x))
        weak = type(x) is not bool
    if type(x) is int:
        dtypes.check_int_fits(x, dtype)
    elif type(x) is complex and not dtypes.issubdtype(dtype, np.complexfloating) and dtype != np.dtype(bool):
        raise NotConvertibleError(function=where, value=f"{x} of dtype {dtypes.name_of(dtype)}", value_type="complex number")
    if isinstance(dtype, dtypes.ExtendedDType):
        raise NotConvertibleError(function=where, value=f"{x} of dtype {dtype.name}", value_type=type(x).__name__)
    return wrap(np.array(x, dtype), weak)


def of_numpy(x: Any, dtype: Any, where: str) -> ArrayImpl:
    """The array of a NumPy array or scalar: a copy."""
    if x.dtype.kind in "OUSMm":
        if x.dtype.kind == "O" and x.size:  # an object array may hold arrays and tracers: nested lists do, too
            return of_nested(x.tolist(), dtype, where) if x.ndim else make(x.item(), dtype, where)
        if dtype is None or x.dtype.kind in "Mm":
            raise NotConvertibleError(function=where, value=short(x), value_type=f"value of dtype {x.dtype}")
        return wrap(converted(x, dtype, where))
    target = dtypes.canonicalize_dtype(dtypes.check_numeric(x.dtype)) if dtype is None else dtype
    if isinstance(target, dtypes.ExtendedDType):
        raise NotConvertibleError(function=where, value=f"{short(x)} of dtype {target.name}", value_type="NumPy array")
    if casts_watched and dtype is None and target != x.dtype:
        casts_watched[0](np.asarray(x), target)
    return wrap(np.array(x, target, order="C", subok=False))


def converted(x: Any, dtype: Any, where: str) -> np.ndarray:
    """NumPy's array of this dtype.

    Raises:
        NotConvertibleError: it makes none.
    """
    try:
        return np.array(x, dtype, order="C", subok=False)
    except OverflowError:
        for v in leaves(x):
            if type(v) is int:
                dtypes.check_int_fits(v, dtype)
        raise
    except (TypeError, ValueError) as error:
        kind = "ragged" if "inhomogeneous" in str(error) else "type"
        raise NotConvertibleError(function=where, value=f"{short(x)} of dtype {dtypes.name_of(dtype)}",
                                  value_type=type(x).__name__, kind=kind) from None


def of_other(x: Any, dtype: Any, where: str) -> Any:
    """The array of anything else that NumPy understands: a range, a buffer, an object with `__array__`."""
    if x is None:
        raise NotConvertibleError(function=where, value="None", value_type="NoneType", kind="none")
    if isinstance(x, str) and dtype is not None:
        return wrap(converted(x, dtype, where))
    found = None
    if hasattr(x, "__array__") or hasattr(x, "__array_interface__") or (not isinstance(x, (str, bytes)) and (
            hasattr(x, "__buffer__") or _is_buffer(x) or (hasattr(x, "__len__") and hasattr(x, "__getitem__")))):
        if not isinstance(x, dict):
            found = np.asarray(x) if not _is_sequence(x) else None
            if found is None:
                return of_nested(list(x), dtype, where)
    if found is None or (found.dtype.kind in "OUSMmV" and found.dtype not in dtypes.NUMERIC):
        raise NotConvertibleError(function=where, value=short(x), value_type=type(x).__name__)
    return of_numpy(found, dtype, where)


def _is_sequence(x: Any) -> bool:
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not hasattr(x, "__array__") and not _is_buffer(x)


def _is_buffer(x: Any) -> bool:
    try:
        memoryview(x)
    except TypeError:
        return False
    return True


# -- nested lists

def leaves(x: Any) -> list[Any]:
    """What stands in nested lists, in order."""
    if not isinstance(x, (list, tuple)):
        return [x]
    found: list[Any] = []
    for v in x:
        if isinstance(v, (list, tuple)):
            found.extend(leaves(v))
        else:
            found.append(v)
    return found


def of_nested(x: Any, dtype: Any, where: str) -> Any:
    """The array of nested lists."""
    try:
        found = leaves(x)
    except RecursionError:
        raise NotConvertibleError(function=where, value=f"a {type(x).__name__}", value_type="list", kind="deep") from None
    kinds = set(map(type, found))
    if kinds <= _PLAIN:
        if dtype is None:
            kind = next((k for k in ("complex", "float", "int", "bool") if _PLAIN_TYPES[k] in kinds), "float")
            dtype = dtypes.default_dtype(kind)
        elif isinstance(dtype, dtypes.ExtendedDType):
            raise NotConvertibleError(function=where, value=f"{short(x)} of dtype {dtype.name}", value_type="list")
        return wrap(converted(x, dtype, where))
    items = [as_element(v, where, dtype) for v in found]
    if dtype is None:
        avals: Any = [get_aval(v) for v in items]
        pairs = list(dict.fromkeys([(a.dtype, a.weak_type) for a in avals]))
        if len(pairs) == 1 and isinstance(pairs[0][0], dtypes.ExtendedDType):
            dtype = pairs[0][0]
        else:
            dtype, _ = lattice_result([d for d, _ in pairs], [w for _, w in pairs])
    iterator = iter(items)
    if all(_is_host(v, dtype) for v in items):
        return wrap(converted(_mapped(x, lambda _: _host_value(next(iterator))), dtype, where))
    return _stacked(_mapped(x, lambda _: next(iterator)), dtype, where)


_PLAIN_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "complex": complex}
_PLAIN = frozenset(_PLAIN_TYPES.values())


def as_element(v: Any, where: str, dtype: Any) -> Any:
    """An element of a nested list as an operand."""
    if isinstance(v, (Array, *_SCALARS)):
        return v
    if isinstance(v, (np.ndarray, np.generic)) and v.dtype.kind not in "OUSMm":
        return v
    if v is None:
        raise NotConvertibleError(function=where, value="None", value_type="NoneType", kind="none")
    return make(v, dtype, where)


def _is_host(v: Any, dtype: Any) -> bool:
    """Whether NumPy puts an element in place bit for bit: it has its value in memory, and the right dtype."""
    if isinstance(v, ArrayImpl):
        return v.aval.dtype == dtype and not v.aval.extended and not v._committed
    return not isinstance(v, Tracer)


def _host_value(v: Any) -> Any:
    return v.value() if isinstance(v, ArrayImpl) else v


def _mapped(x: Any, f: Any) -> Any:
    return [_mapped(v, f) for v in x] if isinstance(x, (list, tuple)) else f(x)


def _stacked(x: Any, dtype: Any, where: str) -> Any:
    if not isinstance(x, list):
        if not isinstance(x, Array):
            x = make(x, None, where)
        return convert(x, dtype, False)
    items = [_stacked(v, dtype, where) for v in x]
    if not items:
        return wrap(np.zeros((0,), dtype))
    shape = items[0].aval.shape
    for v in items:
        if v.aval.shape != shape:
            raise ShapeMismatchError(
                says=f"`{where}` was given a list whose entries have different shapes: {shape} and {v.aval.shape}.",
                why="an array has the same number of entries along each axis everywhere")
    rank = len(shape)
    rows = [lax_shape.broadcast_in_dim(v, (1, *shape), range(1, rank + 1)) for v in items]
    return rows[0] if len(rows) == 1 else lax_shape.concatenate(rows, 0)


def scalar_class_call(x: Any, dtype: Any) -> Any:
    """What `jnp.float32(x)` does."""
    made = asarray(x, dtype)
    if checking.nans and not isinstance(x, Array):
        look_at(made, dtypes.name_of(dtype))
    return made


def recording() -> bool:
    """Whether a function is being traced to a jaxpr, so that new arrays are recorded in it, not made."""
    trace: Any = local.trace
    while trace.parent is not None:
        if isinstance(trace, JaxprTrace):
            return True
        trace = trace.parent
    return False


__all__ = ["ShapedArray", "array", "asarray", "duplicate", "make", "place", "placement", "put", "recording",
           "scalar_class_call", "wrap"]
