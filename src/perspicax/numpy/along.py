"""Functions of the user's applied along axes, or to the indices of an array."""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import indices
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.promote import array_like
from perspicax.numpy.shapes import expand_dims
from perspicax.transform.vmap import vmap


@public
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of vectors applied to each vector along an axis.

    Args:
        func1d: a function of a vector; it returns an array of any shape. It is vectorised, and called once.
        axis: the axis along which the vectors lie.
        arr: array.
        args: further arguments of the function, the same for all vectors.
        kwargs: further arguments of the function by name.

    Returns:
        Array: in place of `axis` it has the axes that the function returns.

    >>> apply_along_axis(jnp.sum, 0, jnp.ones((2, 3)))
    Array([2., 2., 2.], dtype=float32)
    """
    x = asarray(array_like(arr, "apply_along_axis", 2))
    place = one_axis(axis, x.ndim, "apply_along_axis")

    def applied(v: Any) -> Any:
        return func1d(v, *args, **kwargs)

    f: Callable[..., Any] = applied
    for _ in range(x.ndim - 1 - place):
        f = vmap(f, in_axes=1, out_axes=-1)
    for _ in range(place):
        f = vmap(f)
    return f(x)


@public
def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: Sequence[int]) -> Array:
    """A function of an array and an axis applied over several axes, one after the other.

    Args:
        func: a function of an array and an axis; it keeps the number of axes, or takes away that one.
        a: array.
        axes: the axes, or one.

    Returns:
        Array with as many axes as `a`: those that the function takes away come back with size 1.

    Raises:
        ArgumentValueError: the function returns an array with another number of axes.

    >>> apply_over_axes(jnp.sum, jnp.ones((2, 3, 4)), (0, 2))
    Array([[[8.],
            [8.],
            [8.]]], dtype=float32)
    """
    x = asarray(array_like(a, "apply_over_axes", 1))
    ndim = x.ndim
    given = tuple(axes) if hasattr(axes, "__iter__") else (axes,)
    for axis in given:
        place = one_axis(axis, ndim, "apply_over_axes")
        found = func(x, place)
        if found.ndim == ndim - 1:
            found = expand_dims(found, place)
        if found.ndim != ndim:
            raise ArgumentValueError(says=f"The function that `apply_over_axes` was given made {found.aval.str_short()} of "
                                          f"{x.aval.str_short()}.",
                                     why="it keeps the number of axes, or takes away the one that it is given")
        x = found
    return x


@public
def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """What a function makes of the indices of an array of a shape.

    Args:
        function: a function of an index for each axis; it is vectorised, and called once.
        shape: sequence of sizes.
        dtype: of the indices.
        kwargs: further arguments of the function by name.

    Returns:
        Array (or arrays, as the function returns them), of the shape, followed by the axes that the function returns.

    >>> fromfunction(lambda i, j: i + j, (2, 3), dtype=int)
    Array([[0, 1, 2],
           [1, 2, 3]], dtype=int32)
    """
    try:
        sizes = tuple([operator.index(n) for n in shape])
    except TypeError as error:
        if type(error) is not TypeError:  # a traced size has its own report
            raise
        raise ArgumentKindError(says=f"`fromfunction` was given the shape {shape!r}.",
                                why="a shape is a sequence of integers") from None

    def applied(*index: Any) -> Any:
        return function(*index, **kwargs)

    f: Callable[..., Any] = applied
    for i in range(len(sizes) - 1, -1, -1):
        f = vmap(f, in_axes=tuple([0 if k == i else None for k in range(len(sizes))]))
    grids = indices(sizes, dtype, sparse=True)
    return f(*[g.reshape(-1) for g in grids])


__all__ = ["apply_along_axis", "apply_over_axes", "fromfunction"]
