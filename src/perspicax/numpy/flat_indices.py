"""Indices into an array as indices into its flattened elements, and back."""
from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer_errors import ConcretizationTypeError, static_value
from perspicax.diagnose.boundary import public
from perspicax.lax.convert import convert
from perspicax.numpy.argument_errors import IndexKindError, IndexRangeError
from perspicax.numpy.arithmetic import floor_divide, remainder
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.logic import kind
from perspicax.numpy.operators import add, multiply
from perspicax.numpy.promote import array_like, promote_args
from perspicax.numpy.search import known_value
from perspicax.numpy.selection import clip


def _sizes(shape: Any, function: str, argument: str) -> tuple[int, ...]:
    """The sizes of axes; a single number is a single axis."""
    given = shape if isinstance(shape, Sequence) else list(shape) if np.ndim(shape) else [shape]
    try:
        return tuple([operator.index(static_value(n, f"jnp.{function}", argument)) for n in given])
    except TypeError as error:
        if type(error) is not TypeError:  # a traced size has its own report
            raise
        raise ArgumentKindError(says=f"`{function}` was given {argument}={shape!r}.", why="sizes are integers") from None


def _integers(x: Any, function: str, index: int = 0) -> Any:
    x = asarray(x) if isinstance(x, (list, tuple)) else asarray(array_like(x, function, index))
    if kind(x) not in ("int", "uint", "bool"):
        raise IndexKindError.of(function, x, "indices", -1, x)
    return x


@public
def ravel_multi_index(multi_index: Sequence[Any], dims: Sequence[int], mode: str = "raise", order: str = "C", *,
                      dtype: Any = None) -> Array:
    """Indices along each axis as indices into the flattened array.

    Args:
        multi_index: for each axis an array of integers; they broadcast.
        dims: the sizes of the axes.
        mode: what becomes of indices that are out of bounds: "clip" takes the nearest, "wrap" counts on from the beginning,
            "raise" raises, for which the indices must be known.
        order: "C" where the last axis varies fastest in the flattened array, "F" where the first does.
        dtype: of the result; by default that in which the indices meet.

    Raises:
        ArgumentValueError: an index is out of bounds, with `mode="raise"`.
        ConcretizationTypeError: an index is traced, with `mode="raise"`.

    >>> ravel_multi_index((jnp.array([1, 2]), jnp.array([0, 3])), (3, 4))
    Array([ 4, 11], dtype=int32)
    """
    sizes = _sizes(dims, "ravel_multi_index", "dims")
    if len(multi_index) != len(sizes):
        raise ArgumentValueError(says=f"`ravel_multi_index` was given {len(multi_index)} arrays of indices and dims={sizes}.",
                                 why="there is one array of indices for each axis")
    if mode not in ("raise", "wrap", "clip"):
        raise ArgumentValueError(says=f"`ravel_multi_index` was given mode={mode!r}.", why='it is "raise", "wrap" or "clip"')
    if order not in ("C", "F"):
        raise ArgumentValueError(says=f"`ravel_multi_index` was given order={order!r}.", why='it is "C" or "F"')
    wanted = None if dtype is None else dtypes.requested_dtype(dtype, "ravel_multi_index")
    if not sizes:
        return asarray(np.zeros((), dtypes.default_dtype("int") if wanted is None else wanted))
    given = [_integers(x, "ravel_multi_index") for x in multi_index]
    bounded = [_bounded(x, n, mode, i) for i, (x, n) in enumerate(zip(given, sizes))]
    if wanted is not None:
        bounded = [convert(x, wanted, False) for x in bounded]
    xs = [asarray(x) for x in promote_args("ravel_multi_index", *bounded)]
    if kind(xs[0]) == "bool":
        xs = [convert(x, dtypes.default_dtype("int"), False) for x in xs]
    pairs = list(zip(xs, sizes))
    total: Any = None
    for x, n in pairs if order == "C" else reversed(pairs):
        total = x if total is None else add(multiply(total, np.asarray(n, x.dtype)), x)
    return total


def _bounded(x: Any, n: int, mode: str, axis: int) -> Any:
    if mode == "clip":
        return clip(x, 0, n - 1)
    if mode == "wrap":
        return remainder(x, np.asarray(n, x.dtype) if kind(x) != "bool" else n)
    value = known_value(x)
    if value is None:
        raise ConcretizationTypeError(x, question="mode")
    if value.size and not ((value >= 0) & (value < n)).all():
        raise IndexRangeError(function="ravel_multi_index", found=(int(value.min()), int(value.max())), count=n,
                              place=f" along axis {axis}")
    return x


@public
def unravel_index(indices: Any, shape: Any) -> tuple[Array, ...]:
    """Indices into a flattened array as indices along each of its axes.

    Args:
        indices: array of integers; negative ones count from the end.
        shape: the sizes of the axes.

    Returns:
        For each axis an array of the shape of `indices`. Indices that are out of bounds become the nearest that are not.

    >>> unravel_index(jnp.array([4, 11]), (3, 4))
    (Array([1, 2], dtype=int32), Array([0, 3], dtype=int32))
    """
    x = asarray(indices) if isinstance(indices, (list, tuple)) else asarray(array_like(indices, "unravel_index"))
    sizes = _sizes(shape, "unravel_index", "shape")
    total = math.prod(sizes)
    x = clip(x, -total, total - 1)
    found = []
    for i in range(len(sizes) - 1, -1, -1):
        found.append(remainder(x, sizes[i]))
        x = floor_divide(x, sizes[i])
    return tuple(found[::-1])


__all__ = ["ravel_multi_index", "unravel_index"]
