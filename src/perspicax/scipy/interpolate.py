"""Interpolation with SciPy's signatures: `jax.scipy.interpolate`."""
from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.tracer import Tracer
from perspicax.core.tree_register import register_pytree_node_class
from perspicax.diagnose.boundary import public_methods
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.promote import to_inexact

METHODS = ("linear", "nearest")


@register_pytree_node_class
@public_methods("__init__", "__call__")
class RegularGridInterpolator:
    """Values between the points of a rectangular grid.

    Args:
        points: one increasing (or decreasing) vector for each axis of the grid.
        values: array `[n1, …, nd, ...]`, real or complex.
        method: `"linear"` or `"nearest"`.
        bounds_error: must be false: a compiled program cannot raise.
        fill_value: what stands outside of the grid; `None` to go on with the outermost cells.

    Raises:
        ArgumentValueError: the sizes do not fit, a vector is not sorted, or there is no such method.
        UnsupportedArgumentError: `bounds_error` is true.

    >>> RegularGridInterpolator((jnp.array([0., 1.]),), jnp.array([0., 2.]))(jnp.array([[0.5]]))
    Array([1.], dtype=float32)
    """

    def __init__(self, points: Sequence[Any], values: Any, method: str = "linear", bounds_error: bool = False,
                 fill_value: Any = np.nan) -> None:
        _check_method(method)
        if bounds_error:
            raise UnsupportedArgumentError(function="RegularGridInterpolator", argument="bounds_error",
                                           why="a compiled program cannot raise; points outside give `fill_value`")
        values = asarray(values)
        if len(points) > values.ndim:
            raise ArgumentValueError(says=f"`RegularGridInterpolator` was given {len(points)} axes of points for values "
                                          f"{values.aval.str_short()}.", why="there is at most one for each axis")
        self.method, self.bounds_error, self.fill_value = method, bounds_error, fill_value
        self.values = values.astype(to_inexact(values.dtype))
        self.grid = tuple([self._axis(i, p) for i, p in enumerate(points)])

    def _axis(self, i: int, points: Any) -> Any:
        p = asarray(points)
        p = p.astype(to_inexact(p.dtype))
        if p.ndim != 1 or p.shape[0] != self.values.shape[i]:
            raise ArgumentValueError(says=f"`RegularGridInterpolator` was given points {p.aval.str_short()} for axis {i} of "
                                          f"values {self.values.aval.str_short()}.", why="it is a vector of the axis's size")
        if not isinstance(p, Tracer):
            steps = np.diff(np.asarray(p))
            if (steps < 0).all() and steps.size:
                self.values = jnp.flip(self.values, i)
                return jnp.flip(p)
            if not (steps > 0).all():
                raise ArgumentValueError(says=f"the points of axis {i} of a `RegularGridInterpolator` are not sorted.",
                                         why="they increase, or decrease, strictly")
        return p

    def __call__(self, xi: Any, method: str | None = None) -> Array:
        """Values at points.

        Args:
            xi: array `[..., d]` of points, or a tuple of `d` arrays that broadcast.
            method: in place of that of the interpolator.

        Returns:
            Array `[..., *rest]`, where `rest` are the axes of the values beyond the grid's.
        """
        method = self.method if method is None else method
        _check_method(method)
        dimension = len(self.grid)
        x = jnp.stack(jnp.broadcast_arrays(*[asarray(c) for c in xi]), axis=-1) if isinstance(xi, tuple) else asarray(xi)
        if x.ndim == 1 and dimension == 1 and x.shape[0] != 1:
            x = x[:, None]
        if x.ndim == 0 or x.shape[-1] != dimension:
            raise ArgumentValueError(says=f"a grid of {dimension} axes was asked for values at {x.aval.str_short()}.",
                                     why=f"the last axis holds {dimension} coordinates")
        shape = x.shape[:-1]
        found = _interpolated(self.grid, self.values, x.reshape(-1, dimension), method, self.fill_value)
        return found.reshape(shape + self.values.shape[dimension:])

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Grid, values and fill are data."""
        return (self.grid, self.values, self.fill_value), (self.method, self.bounds_error)

    @classmethod
    def tree_unflatten(cls, aux: tuple, children: tuple) -> RegularGridInterpolator:
        """The inverse of `tree_flatten`, without checks."""
        made = object.__new__(cls)
        made.grid, made.values, made.fill_value = children
        made.method, made.bounds_error = aux
        return made


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ArgumentValueError(says=f"`RegularGridInterpolator` was given method={method!r}.",
                                 why="it is 'linear' or 'nearest'")


def _interpolated(grid: tuple, values: Any, x: Any, method: str, fill: Any) -> Any:
    cells, outside = [], jnp.zeros(x.shape[:1], bool)
    for i, points in enumerate(grid):
        at = x[:, i]
        outside = outside | (at < points[0]) | (at > points[-1])
        last = max(points.shape[0] - 2, 0)
        below = jnp.clip(jnp.searchsorted(points, at) - 1, 0, last)
        above = jnp.minimum(below + 1, points.shape[0] - 1)
        width = points[above] - points[below]
        cells.append((below, above, (at - points[below]) / jnp.where(width == 0, 1, width)))
    rest = (1,) * (values.ndim - len(grid))
    if method == "nearest":
        found = values[tuple([jnp.where(w <= .5, low, high) for low, high, w in cells])]
    else:
        found = jnp.zeros((), values.dtype)
        for corner in itertools.product((0, 1), repeat=len(cells)):
            weight: Any = 1
            for high, (_, _, w) in zip(corner, cells):
                weight = weight * (w if high else 1 - w)
            value = values[tuple([cell[high] for high, cell in zip(corner, cells)])]
            found = found + value * weight.reshape(weight.shape + rest)
    if fill is None:
        return found
    return jnp.where(outside.reshape(outside.shape + rest), fill, found)


__all__ = ["RegularGridInterpolator"]
