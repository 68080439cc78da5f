"""The same elements in another shape or order: reshape, transpose, new and dropped axes, broadcasting, reversal."""
from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.core.symbolic import SymbolicSize, as_size
from perspicax.core.symbolic_errors import InconclusiveDimensionOperation
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public, trim
from perspicax.lax import shape as lax_shape
from perspicax.lax.result_sharding import out_placed
from perspicax.lax.shape import reshape_p, transpose_p
from perspicax.numpy import creation
from perspicax.numpy.axes import many_axes, one_axis, several
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import (
    ArgumentKindError,
    ArgumentValueError,
    AxisError,
    BroadcastError,
    ReshapeError,
    UnsupportedArgumentError,
)
from perspicax.numpy.hosted import host_value, moved
from perspicax.numpy.plans import axis_of, planned
from perspicax.numpy.promote import array_like, broadcast_shape_of, joined_shapes
from perspicax.xla.array import NUMPY_AXES, ArrayImpl, beyond_numpy
from perspicax.xla.dispatch import HOST_LIMIT, checking

MAX_PLANS = 16384
_ALL = (-1,)
_EVALUATOR = evaluator()
_reshapes: dict[tuple, Any] = {}
_transposes: dict[tuple, tuple[int, ...] | None] = {}


# -- reshape

def reshaped(x: Any, shape: Any) -> Any:
    """The elements of the array `x` in another shape, of which one size may be -1."""
    kind = type(shape)
    if kind is int:
        shape = (shape,)
    elif kind is not tuple:
        shape = _as_shape(x, shape)
    aval = x.aval
    try:
        out = _reshapes.get((aval, shape))
    except TypeError:  # a size that has no hash: traced, or none at all
        out = None
    if out is None or not _integers(shape):
        out = _reshape_type(aval, shape)
    if out is aval or (aval.explicit is not None and out.shape == aval.shape):
        return x
    if type(x) is ArrayImpl and local.trace is _EVALUATOR and x._place is None and not checking.device \
            and aval.size <= HOST_LIMIT and not aval.extended and not beyond_numpy(aval) and not beyond_numpy(out):
        value = x._np
        return ArrayImpl(out, None, (x.value() if value is None else value).reshape(out.shape))
    return local.trace.process(reshape_p, (x,), (out.shape, None, None))


def _integers(shape: tuple) -> bool:
    """Whether all sizes are Python integers: `2.0` is equal to `2`, and would find its entry."""
    for n in shape:
        if type(n) is not int:
            return False
    return True


def _as_shape(x: Any, shape: Any) -> tuple:
    if isinstance(shape, (str, dict, set)) or (not hasattr(shape, "__iter__") and not hasattr(shape, "__index__")):
        raise ReshapeError(type_text=x.aval.str_short(), shape=(shape,), size=x.aval.size, kind="type")
    if (isinstance(shape, Array) and shape.ndim == 0) or not hasattr(shape, "__iter__"):
        return (shape,)
    if isinstance(shape, np.ndarray):
        return tuple(shape.tolist()) if shape.ndim else (shape.item(),)
    return tuple(shape)


def _reshape_type(aval: Any, shape: tuple) -> Any:
    """The type of the result; kept, also under the shape with its -1."""
    sizes = []
    for n in shape:
        try:
            sizes.append(as_size(n))
        except TypeError as error:
            if isinstance(n, Tracer) and type(error) is not TypeError:  # a traced size has its own report
                raise
            raise ReshapeError(type_text=aval.str_short(), shape=shape, size=aval.size, kind="type") from None
    wanted = tuple(sizes)
    unknown = wanted.count(-1)
    known = math.prod([n for n in wanted if n != -1])
    if unknown > 1:
        raise ReshapeError(type_text=aval.str_short(), shape=wanted, size=aval.size, kind="unknown")
    if any(n < -1 for n in wanted):
        raise ReshapeError(type_text=aval.str_short(), shape=wanted, size=aval.size, kind="negative")
    if unknown:
        rest = 1 if known == 0 else aval.size % known
        if type(rest) is SymbolicSize:
            raise InconclusiveDimensionOperation(
                says=f"Whether {aval.str_short()} can be reshaped to {wanted} depends on the size, which is not known while "
                     "the function is traced.",
                why=f"-1 stands for {aval.size} elements divided by {known}, which must leave no remainder; a constraint can "
                    "state that, such as `mod(b, 3) == 0`")
        if rest:
            raise ReshapeError(type_text=aval.str_short(), shape=wanted, size=aval.size)
        full = tuple([aval.size // known if n == -1 else n for n in wanted])
    else:
        full = wanted
        if known != aval.size:
            raise ReshapeError(type_text=aval.str_short(), shape=wanted, size=aval.size)
    out = aval.at_shape(full)
    if len(_reshapes) >= MAX_PLANS:
        _reshapes.clear()
    if _integers(shape):
        _reshapes[aval, shape] = out
    return out


def reshape(a: Any, shape: Any, order: str = "C", *, copy: bool | None = None, out_sharding: Any = None) -> Array:
    """The elements of an array in another shape.

    Args:
        a: array.
        shape: with as many elements; one size may be -1, and is what is left.
        order: "C" for the last axis to vary fastest, "F" for the first.
        copy: whether the result has memory of its own; arrays never change, so it makes no difference.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Raises:
        ReshapeError: the number of elements differs.
    """
    try:
        if out_sharding is not None:
            return _placed_reshape(asarray(array_like(a, "reshape")), shape, order, out_sharding)
        x = a if isinstance(a, Array) else asarray(array_like(a, "reshape"))
        if order == "C":
            return reshaped(x, shape)
        return _fortran(x, shape, order)
    except Exception as error:
        trim(error)
        raise


def _placed_reshape(x: Any, shape: Any, order: str, out_sharding: Any) -> Any:
    """`reshape`, told how the result lies."""
    if order != "C":
        return out_placed("reshape", out_sharding, lambda y: _fortran(y, shape, order), x)
    sizes = (shape,) if isinstance(shape, int) else _as_shape(x, shape)
    return lax_shape.reshape(x, _reshape_type(x.aval, tuple(sizes)).shape, out_sharding=out_sharding)


def _fortran(x: Any, shape: Any, order: str) -> Any:
    if order == "A":
        raise UnsupportedArgumentError(function="reshape", argument="order='A'", why="arrays have no memory layout that a "
                                                                                    "user could see; say \"C\" or \"F\"")
    if order != "F":
        raise ArgumentValueError(says=f"`reshape` was given order={order!r}.", why="it is \"C\" or \"F\"")
    shape = _as_shape(x, shape) if not isinstance(shape, int) else (shape,)
    backwards = reshaped(transpose(x), tuple(shape)[::-1])
    return transpose(backwards)


def reshape_method(self: Any, *args: Any, order: str = "C", copy: bool | None = None, out_sharding: Any = None) -> Any:
    """The elements in another shape; see `jax.numpy.reshape`.

    Args:
        args: the sizes, or one sequence of them.
    """
    try:
        shape = args[0] if len(args) == 1 else args
        if out_sharding is not None:
            return _placed_reshape(self, shape, order, out_sharding)
        return reshaped(self, shape) if order == "C" else _fortran(self, shape, order)
    except Exception as error:
        trim(error)
        raise


@public
def ravel(a: Any, order: str = "C", *, out_sharding: Any = None) -> Array:
    """The elements of an array along one axis.

    Args:
        a: array.
        order: "C" for the last axis to vary fastest, "F" for the first.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.
    """
    if type(a) is ArrayImpl and order == "C" and out_sharding is None and a.aval.size:
        return reshaped(a, _ALL)
    x = asarray(array_like(a, "ravel"))
    if out_sharding is not None:
        return _placed_reshape(x, (x.size,), order, out_sharding)
    if order == "K":
        raise UnsupportedArgumentError(function="ravel", argument="order='K'", why="arrays have no memory layout that a user "
                                                                                  "could see; say \"C\" or \"F\"")
    return reshaped(x, (-1,)) if order == "C" and x.size else reshape(x, (x.size,), order)


# -- order of the axes

def transpose(a: Any, axes: Any = None) -> Array:
    """The axes of an array in another order.

    Args:
        a: array.
        axes: axis `i` of the result is axis `axes[i]` of `a`; reversed by default.

    Raises:
        AxisError: `axes` is no permutation of the axes.
    """
    try:
        x = a if isinstance(a, Array) else asarray(array_like(a, "transpose"))
        return transposed(x, axes)
    except Exception as error:
        trim(error)
        raise


@public
def permute_dims(a: Any, /, axes: Any) -> Array:
    """The axes of an array in another order, all of which are named; see `transpose`.

    Args:
        a: array.
        axes: axis `i` of the result is axis `axes[i]` of `a`.
    """
    x = asarray(array_like(a, "permute_dims"))
    if axes is None:
        raise AxisError(function="permute_dims", axis=axes, ndim=x.ndim, kind="type")
    return transposed(x, axes)


def transposed(x: Any, axes: Any) -> Any:
    """`transpose` of an array."""
    ndim = len(x.aval.shape)
    kind = type(axes)
    if kind is not tuple and axes is not None:
        axes = tuple(axes) if hasattr(axes, "__iter__") else (axes,)
    try:
        order = _transposes.get((ndim, axes), _NEW)
    except TypeError:  # an axis that cannot be hashed
        order = _permutation(ndim, axes)
    if order is _NEW:
        order = _permutation(ndim, axes)
        if len(_transposes) >= MAX_PLANS:
            _transposes.clear()
        _transposes[ndim, axes] = order
    return x if order is None else local.trace.process(transpose_p, (x,), (order,))


_NEW: Any = object()


def _permutation(ndim: int, axes: Any) -> tuple[int, ...] | None:
    """The permutation; `None` for the one that changes nothing."""
    if axes is None:
        order = tuple(range(ndim - 1, -1, -1))
    else:
        order = many_axes(axes, ndim, "transpose")
        if len(order) != ndim:
            raise AxisError(function="transpose", axis=order, ndim=ndim, kind="permutation")
    return None if order == tuple(range(ndim)) else order


def transpose_method(self: Any, *args: Any) -> Any:
    """The axes in another order; see `jax.numpy.transpose`.

    Args:
        args: the axes, or one sequence of them; reversed by default.
    """
    try:
        if not args:
            return transposed(self, None)
        if len(args) == 1 and (args[0] is None or isinstance(args[0], (tuple, list))):
            return transposed(self, args[0])
        return transposed(self, args)
    except Exception as error:
        trim(error)
        raise


@public
def matrix_transpose(x: Any, /) -> Array:
    """The last two axes exchanged.

    Args:
        x: array of at least two axes.
    """
    x = asarray(array_like(x, "matrix_transpose"))
    if x.ndim < 2:
        raise ArgumentValueError(says=f"`matrix_transpose` was given {x.aval.str_short()}.",
                                 why="a matrix, or a stack of them, has at least two axes")
    return transposed(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _swap(a: Any, axis1: Any, axis2: Any) -> Any:
    i, j = axis_of(axis1, a), axis_of(axis2, a)
    if i is None or j is None or i == j:
        return None
    order = list(range(a.ndim))
    order[i], order[j] = j, i
    return lambda x: x.transpose(order)


@planned(_swap)
def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """Two axes exchanged.

    Args:
        a: array.
        axis1: an axis.
        axis2: an axis.
    """
    x = asarray(array_like(a, "swapaxes"))
    i, j = one_axis(axis1, x.ndim, "swapaxes"), one_axis(axis2, x.ndim, "swapaxes")
    order = list(range(x.ndim))
    order[i], order[j] = j, i
    return transposed(x, tuple(order))


def _move(a: Any, source: Any, destination: Any) -> Any:
    i, j = axis_of(source, a), axis_of(destination, a)
    if i is None or j is None or i == j:
        return None
    order = [k for k in range(a.ndim) if k != i]
    order.insert(j, i)
    return lambda x: x.transpose(order)


@planned(_move)
def moveaxis(a: Any, source: Any, destination: Any) -> Array:
    """Axes moved to other places; the others keep their order.

    Args:
        a: array.
        source: an axis, or a sequence of axes.
        destination: where each of them goes.
    """
    x = asarray(array_like(a, "moveaxis"))
    sources, targets = [many_axes(v if v is not None else (v,), x.ndim, "moveaxis") for v in (source, destination)]
    if len(sources) != len(targets):
        raise AxisError(function="moveaxis", axis=f"{len(sources)} sources and {len(targets)} destinations", ndim=x.ndim,
                        kind="count")
    order = [i for i in range(x.ndim) if i not in sources]
    for target, origin in sorted(zip(targets, sources)):
        order.insert(target, origin)
    return transposed(x, tuple(order))


@public
def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """An axis moved before another; `moveaxis` says more plainly where to.

    Args:
        a: array.
        axis: the axis.
        start: the axis before which it goes.
    """
    x = asarray(array_like(a, "rollaxis"))
    origin = one_axis(axis, x.ndim, "rollaxis")
    place = operator.index(start)
    if not -x.ndim <= place <= x.ndim:
        raise AxisError(function="rollaxis", axis=place, ndim=x.ndim)
    place += x.ndim if place < 0 else 0
    return moveaxis(x, origin, place - 1 if origin < place else place)


# -- axes of size 1

def _grow(a: Any, axis: Any) -> Any:
    ndim = a.ndim + 1
    if type(axis) is not int or not -ndim <= axis < ndim or ndim > NUMPY_AXES:
        return None
    place = axis % ndim
    shape = (*a.shape[:place], 1, *a.shape[place:])
    return lambda x: x.reshape(shape)


@planned(_grow)
def expand_dims(a: Any, axis: Any) -> Array:
    """New axes of size 1.

    Args:
        a: array.
        axis: where they stand in the result: an integer, or several.
    """
    x = asarray(array_like(a, "expand_dims"))
    given = several(axis)
    if axis is None:
        raise AxisError(function="expand_dims", axis=axis, ndim=x.ndim, kind="type")
    places = many_axes(axis if given is None else given, x.ndim + (1 if given is None else len(given)), "expand_dims")
    value = host_value(x) if x.ndim + len(places) <= NUMPY_AXES else None
    if value is not None:
        return moved(x, np.expand_dims(value, places))
    return lax_shape.expand_dims(x, places)


def _shrink(a: Any, axis: Any = None) -> Any:
    places = [i for i, n in enumerate(a.shape) if n == 1] if axis is None else [axis_of(axis, a)]
    if not places or any(i is None or a.shape[i] != 1 for i in places):
        return None
    shape = tuple([n for i, n in enumerate(a.shape) if i not in places])
    return lambda x: x.reshape(shape)


@planned(_shrink)
def squeeze(a: Any, axis: Any = None) -> Array:
    """An array without axes of size 1.

    Args:
        a: array.
        axis: which to leave out; all of size 1 by default.
    """
    x = asarray(array_like(a, "squeeze"))
    if axis is None:
        places: tuple[int, ...] = tuple([i for i, n in enumerate(x.shape) if n == 1])
    else:
        places = many_axes(axis, x.ndim, "squeeze")
        for i in places:
            if x.shape[i] != 1:
                raise ArgumentValueError(says=f"`squeeze` cannot leave out axis {i} of {x.aval.str_short()}.",
                                         why=f"its size is {x.shape[i]}, not 1")
    return lax_shape.squeeze(x, places) if places else x


def _at_least(function: str, arrays: tuple, grow: Any) -> Any:
    if len(arrays) == 1 and isinstance(arrays[0], (tuple, list)):
        found = [grow(asarray(x)) for x in arrays[0]]
        return found
    found = [grow(asarray(array_like(x, function, i))) for i, x in enumerate(arrays)]
    return found[0] if len(found) == 1 else found


@public
def atleast_1d(*arys: Any) -> Any:
    """Arrays of at least one axis; a list of them where several are given."""
    return _at_least("atleast_1d", arys, lambda x: lax_shape.broadcast_in_dim(x, (1,), ()) if x.ndim == 0 else x)


@public
def atleast_2d(*arys: Any) -> Any:
    """Arrays of at least two axes, new ones in front; a list of them where several are given."""
    return _at_least("atleast_2d", arys, lambda x: lax_shape.broadcast_to_rank(x, 2) if x.ndim < 2 else x)


@public
def atleast_3d(*arys: Any) -> Any:
    """Arrays of at least three axes; vectors become `[1, n, 1]`, matrices `[m, n, 1]`."""
    def grow(x: Any) -> Any:
        if x.ndim >= 3:
            return x
        sizes, places = {0: ((1, 1, 1), ()), 1: ((1, *x.shape, 1), (1,)), 2: ((*x.shape, 1), (0, 1))}[x.ndim]
        return lax_shape.broadcast_in_dim(x, sizes, places)

    return _at_least("atleast_3d", arys, grow)


# -- broadcasting

def _widen(array: Any, shape: Any) -> Any:
    old = array.shape
    if not isinstance(shape, (tuple, list)) or any(type(n) is not int or n < 0 for n in shape) or tuple(shape) == old:
        return None
    shape = tuple(shape)
    rank = len(shape) - len(old)
    if rank < 0 or any(m not in (1, n) for m, n in zip(old, shape[rank:])) or math.prod(shape) > HOST_LIMIT \
            or len(shape) > NUMPY_AXES:
        return None

    def act(x: np.ndarray) -> np.ndarray:
        found = np.empty(shape, x.dtype)
        found[...] = x
        return found

    return act


@planned(_widen)
def broadcast_to(array: Any, shape: Any, *, out_sharding: Any = None) -> Array:
    """An array repeated along axes of size 1, and along new leading axes.

    Args:
        array: array.
        shape: of the result.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Raises:
        ArgumentValueError: the array does not broadcast to it.
    """
    if out_sharding is not None:
        return out_placed("broadcast_to", out_sharding, lambda y: broadcast_to(y, shape),
                          asarray(array_like(array, "broadcast_to")))
    x = array if isinstance(array, Array) else asarray(array_like(array, "broadcast_to"))
    return creation.broadcast_to(x, creation._shape(shape), "broadcast_to")


@public
def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    Args:
        shapes: integers, or sequences of integers.

    Raises:
        BroadcastError: they do not broadcast.
    """
    avals = [_ONE.at_shape(creation._shape(s)) for s in shapes]
    found = joined_shapes(avals)
    if found is None:
        raise BroadcastError.of("broadcast_shapes", avals)
    return found


_ONE: Any = get_aval(np.float32(0))


@public
def broadcast_arrays(*args: Any) -> list[Array]:
    """Arrays repeated to the one shape that they broadcast to."""
    xs = [asarray(array_like(x, "broadcast_arrays", i)) for i, x in enumerate(args)]
    if not xs:
        return []
    avals = [x.aval for x in xs]
    shape = joined_shapes(avals)
    if shape is None:
        raise BroadcastError.of("broadcast_arrays", avals)
    return [creation.broadcast_to(x, shape, "broadcast_arrays") for x in xs]


# -- reversal

def _reverse(m: Any, axis: Any = None) -> Any:
    axes = range(m.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    places = [axis_of(i, m) for i in axes]
    if not places or None in places or len(set(places)) < len(places):
        return None
    parts = tuple([slice(None, None, -1) if i in places else slice(None) for i in range(m.ndim)])
    return lambda x: x[parts]


@planned(_reverse)
def flip(m: Any, axis: Any = None) -> Array:
    """The order of the entries along axes reversed.

    Args:
        m: array.
        axis: an axis, or several; all by default.
    """
    x = asarray(array_like(m, "flip"))
    places = many_axes(axis, x.ndim, "flip")
    return lax_shape.rev(x, places) if places else x


def _flipped(m: Any, axis: int, function: str) -> Any:
    x = asarray(array_like(m, function))
    if x.ndim <= axis:
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()}.",
                                 why=f"it needs at least {axis + 1} {'axes' if axis else 'axis'}")
    return lax_shape.rev(x, (axis,))


@public
def fliplr(m: Any) -> Array:
    """The order of the columns reversed."""
    return _flipped(m, 1, "fliplr")


@public
def flipud(m: Any) -> Array:
    """The order of the rows reversed."""
    return _flipped(m, 0, "flipud")


@public
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """An array turned by right angles in the plane of two axes.

    Args:
        m: array of at least two axes.
        k: how often, from the first axis towards the second.
        axes: the two axes.
    """
    x = asarray(array_like(m, "rot90"))
    first, second = [one_axis(a, x.ndim, "rot90") for a in axes]
    if first == second:
        raise AxisError(function="rot90", axis=tuple(axes), ndim=x.ndim, kind="repeated")
    match k % 4:
        case 0:
            return x
        case 1:
            return swapaxes(lax_shape.rev(x, (second,)), first, second)
        case 2:
            return lax_shape.rev(x, (first, second))
        case _:
            return lax_shape.rev(swapaxes(x, first, second), (second,))


# -- what shapes are

@public
def shape(a: Any) -> tuple[int, ...]:
    """The shape of an array or number."""
    return _aval_of(a, "shape").shape


@public
def ndim(a: Any) -> int:
    """The number of axes of an array or number."""
    return len(_aval_of(a, "ndim").shape)


@public
def size(a: Any, axis: Any = None) -> int:
    """The number of elements.

    Args:
        a: array or number.
        axis: count along these axes only.
    """
    found = _aval_of(a, "size")
    return math.prod([found.shape[i] for i in many_axes(axis, len(found.shape), "size")])


def _aval_of(a: Any, function: str) -> Any:
    if isinstance(a, (list, tuple)):  # JAX takes them still, with a warning that it will not
        return np.empty(np.shape(a))
    if hasattr(a, "shape") and not isinstance(a, Array):
        return a
    return get_aval(array_like(a, function))


__all__ = ["ArgumentKindError", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_shape_of",
           "broadcast_shapes", "broadcast_to", "expand_dims", "flip", "fliplr", "flipud", "matrix_transpose", "moveaxis",
           "ndim", "ravel", "reshape", "reshaped", "rollaxis", "rot90", "shape", "size", "squeeze", "swapaxes", "transpose"]
