"""Functions of whole axes: softmax, its logarithm, means in log space, standardising, one-hot codes."""
from __future__ import annotations

import functools
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.config import config
from perspicax.core.symbolic import as_size
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public
from perspicax.lax.collectives import axis_index
from perspicax.lax.elementwise import rsqrt
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.markers import stop_gradient
from perspicax.lax.named_axes import listed, size_of
from perspicax.lax.shape import broadcasted_iota
from perspicax.nn.compiled import compiled
from perspicax.numpy.axes import one_axis, reduced_axes
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.hosted import computed, host_value
from perspicax.numpy.log_sums import count, logsumexp
from perspicax.numpy.promote import array_like, broadcast_shape_of, type_of
from perspicax.transform.custom import custom_jvp


def _operands(function: str, x: Any, axis: Any, where: Any) -> tuple[Any, tuple[int, ...], Any]:
    x = jnp.asarray(array_like(x, function))
    if where is not None:
        where = array_like(where, function, 1)
        broadcast_shape_of(function, (x.aval, type_of(where)))
    return x, reduced_axes(axis, x.ndim, function), where


def _largest(x: Any, axes: tuple[int, ...], where: Any) -> Any:
    """The largest element along the axes, from which nothing flows back: softmax does not depend on it."""
    integers = np.issubdtype(x.dtype, np.integer) if isinstance(x.dtype, np.dtype) else False
    lowest: Any = np.iinfo(x.dtype).min if integers else -np.inf
    return stop_gradient(jnp.max(x, axis=axes, where=where, keepdims=True, initial=lowest))


def _shifted(x: Any, axes: tuple[int, ...], where: Any) -> Any:
    """`x` less its largest element, and `-inf` where the mask does not hold."""
    return jnp.subtract(x if where is None else jnp.where(where, x, -np.inf), _largest(x, axes, where))


def _softmax(x: Any, where: Any, *, axes: tuple[int, ...]) -> Any:
    weights = jnp.exp(_shifted(x, axes, where))
    found = jnp.true_divide(weights, jnp.sum(weights, axis=axes, where=where, keepdims=True))
    return found if where is None else jnp.where(where, found, 0)


def _softmax_jvp(axes: tuple[int, ...], primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    y = _ruled_softmax(axes, *primals)
    t = tangents[0]
    return y, jnp.multiply(y, jnp.subtract(t, jnp.sum(jnp.multiply(y, t), axis=axes, where=primals[1], keepdims=True)))


_ruled_softmax: Any = custom_jvp(lambda axes, x, where: _softmax(x, where, axes=axes), nondiff_argnums=(0,))
_ruled_softmax.defjvp(_softmax_jvp)


@public
def softmax(x: Any, axis: Any = -1, where: Any = None) -> Array:
    """`exp(x) / sum(exp(x))` along axes: positive numbers that add up to 1.

    Args:
        x: array of any shape; integers become floating.
        axis: an axis, or several; `None` for all.
        where: boolean array that broadcasts to `x`: which elements count; the result is 0 elsewhere.

    Returns:
        Array of the shape of `x`.

    Raises:
        AxisError: there is no such axis.
        BroadcastError: `where` does not broadcast to `x`.

    The largest element is subtracted first, so that nothing overflows.

    >>> softmax(jnp.array([0., 0.]))
    Array([0.5, 0.5], dtype=float32)
    """
    x, axes, where = _operands("softmax", x, axis, where)
    if config.jax_softmax_custom_jvp:
        return _ruled_softmax(axes, x, where)
    return fused_call(_softmax, (x, where), axes=axes)


@compiled(static=("axis",))
def log_softmax(x: Any, axis: Any = -1, where: Any = None) -> Array:
    """The logarithm of `softmax`, exact where that is nearly 0.

    Args:
        x: array of any shape; integers become floating.
        axis: an axis, or a tuple of axes; `None` for all.
        where: boolean array that broadcasts to `x`: which elements count; the result is `-inf` elsewhere.

    Returns:
        Array of the shape of `x`.

    Raises:
        AxisError: there is no such axis.
        BroadcastError: `where` does not broadcast to `x`.
    """
    x, axes, where = _operands("log_softmax", x, axis, where)
    shifted = _shifted(x, axes, where)
    total = jnp.log(jnp.sum(jnp.exp(shifted), axis=axes, where=where, keepdims=True))
    found = jnp.subtract(shifted, total)
    return found if where is None else jnp.where(where, found, -np.inf)


@compiled(static=("axis", "keepdims"))
def logmeanexp(x: Any, axis: Any = None, where: Any = None, keepdims: bool = False) -> Array:
    """`log(mean(exp(x)))` along axes, safe against overflow.

    Args:
        x: array of any shape; integers become floating.
        axis: an axis, or a tuple of axes; `None` for all.
        where: boolean array that broadcasts to `x`: which elements count.
        keepdims: whether the axes stay, with size 1.
    """
    x = array_like(x, "logmeanexp")
    total = logsumexp(x, axis=axis, where=where, keepdims=keepdims)
    axes = reduced_axes(axis, np.ndim(x), "logmeanexp")
    n = count(x, axes, where, keepdims, dtypes.finfo(total.dtype).dtype)
    return jnp.subtract(total, jnp.log(jnp.asarray(n, total.dtype)))


@compiled(static=("axis", "algorithm"))
def standardize(x: Any, axis: Any = -1, mean: Any = None, variance: Any = None, epsilon: Any = 1e-5, where: Any = None, *,
                algorithm: str = "fast") -> Array:
    """`(x - mean) / sqrt(variance + epsilon)` along axes.

    Args:
        x: real array of any shape.
        axis: an axis, or a tuple of axes; `None` for all.
        mean: what to subtract; by default the mean along the axes.
        variance: by what to divide; by default the variance along the axes.
        epsilon: added to the variance, so that a constant axis gives zeros.
        where: boolean array that broadcasts to `x`: which elements count for mean and variance.
        algorithm: of the variance: `fast` is the mean of the squares less the square of the mean (one pass, not
            negative), `stable` the mean of the squared differences, which is exact where the mean is large.

    Returns:
        Array of the shape of `x`, of an inexact dtype.

    Raises:
        AxisError: there is no such axis.
        ArgumentValueError: the algorithm is none of these, or `x` is complex and `fast` is asked for.
    """
    if algorithm not in ("fast", "stable"):
        raise ArgumentValueError(says=f"`standardize` was given algorithm={algorithm!r}.", why="it is \"fast\" or \"stable\"")
    x, axes, where = _operands("standardize", x, axis, where)
    average = functools.partial(jnp.mean, axis=axes, keepdims=True, where=where)
    if mean is None:
        mean = average(x)
    if variance is None:
        if algorithm == "stable":
            variance = average(jnp.square(jnp.subtract(x, mean)))
        else:
            variance = jnp.clip(jnp.subtract(average(jnp.square(x)), jnp.square(mean)), 0)  # rounding may make it negative
    return jnp.multiply(jnp.subtract(x, mean), rsqrt(jnp.add(variance, epsilon)))


# -- one-hot codes

@public
def one_hot(x: Any, num_classes: int, *, dtype: Any = None, axis: Any = -1) -> Array:
    """Vectors with a 1 at an index and 0 elsewhere; all 0 for an index outside of `0 … num_classes - 1`.

    Args:
        x: array of indices, of any shape `[...]`.
        num_classes: the length of the vectors.
        dtype: of the result; the default floating dtype.
        axis: where the new axis stands; or the name of an axis of `vmap` of size `num_classes`, over which the vectors are
            spread.

    Returns:
        Array of shape `[..., num_classes]`, or of the shape of `x` where `axis` is a name.

    Raises:
        ConcretizationTypeError: `num_classes` is traced.
        OperationShapeError: `num_classes` is negative or no integer.
        AxisError: there is no such place for an axis.
        UnboundAxisError: there is no axis of such a name.
        ArgumentValueError: the axis of this name has another size.

    >>> one_hot(jnp.array([0, 2]), 3)
    Array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    classes = static_value(num_classes, "jax.nn.one_hot", "num_classes") if isinstance(num_classes, Tracer) else num_classes
    try:
        n = as_size(classes)
    except TypeError:
        n = -1
    if n < 0:
        raise OperationShapeError(says=f"`one_hot` was given num_classes={num_classes!r}.",
                                  why="the number of classes is an integer, at least 0")
    dtype = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, "jax.nn.one_hot")
    x = jnp.asarray(x)
    place: Any = axis
    if hasattr(axis, "__index__"):
        place = one_axis(axis, x.ndim + 1, "one_hot")
    elif (size := size_of("one_hot", listed(axis))) != n:
        raise ArgumentValueError(says=f"`one_hot` was given {n} classes along the axis {axis!r}.",
                                 why=f"the axis of this name has size {size}, and there is one class for each of it")
    value = host_value(x, n) if type(place) is int and not x.aval.extended and x.aval.dtype.kind in "iu" else None
    if value is not None:  # integers are compared exactly
        shape = value.shape
        numbers = np.arange(n).astype(value.dtype).reshape(n, *(1,) * (len(shape) - place))
        return computed((value.reshape(*shape[:place], 1, *shape[place:]) == numbers).astype(dtype))
    return _one_hot(x, n, dtype=dtype, axis=place)


@compiled(static=("num_classes", "dtype", "axis"))
def _one_hot(x: Any, num_classes: int, *, dtype: Any, axis: Any) -> Any:
    if not isinstance(axis, int):
        return jnp.equal(x, jnp.asarray(axis_index(axis), x.dtype)).astype(dtype)
    shape = [1] * (x.ndim + 1)
    shape[axis] = num_classes
    classes = broadcasted_iota(x.dtype, shape, axis)
    return jnp.equal(jnp.expand_dims(x, axis), classes).astype(dtype)


__all__ = ["log_softmax", "logmeanexp", "one_hot", "softmax", "standardize"]
