"""Histograms: how many values fall between edges."""
from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public
from perspicax.diagnose.report import Fix
from perspicax.lax.convert import convert
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import linspace
from perspicax.numpy.cumulative import diff
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, ReductionError, ShapeMismatchError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.joining import concatenate
from perspicax.numpy.logic import kind
from perspicax.numpy.operators import equal
from perspicax.numpy.promote import array_like, promote_args, promote_dtypes, to_inexact
from perspicax.numpy.reductions import max as max_
from perspicax.numpy.reductions import min as min_
from perspicax.numpy.reductions import sum as sum_
from perspicax.numpy.search import bincount, searchsorted
from perspicax.numpy.shapes import ravel


def _count_or_edges(bins: Any, function: str) -> Any:
    """A number of bins, or the vector of their edges.

    Raises:
        ConcretizationTypeError: a number of bins is traced.
    """
    if isinstance(bins, str):
        raise ArgumentKindError(says=f"`{function}` was given bins={bins!r}.",
                                why="the shape of the result would depend on values; the names of rules are NumPy's alone",
                                fixes=(Fix("let NumPy choose the edges first",
                                           code=f"bins = np.histogram_bin_edges(np.asarray(x), {bins!r})"),))
    bins = array_like(bins, function, 1)
    if np.ndim(bins) == 0:
        try:
            n = operator.index(static_value(bins, f"jnp.{function}", "bins"))
        except TypeError as error:
            if type(error) is not TypeError:  # a traced number has its own report
                raise
            raise ArgumentKindError(says=f"`{function}` was given bins={bins!r}.",
                                    why="it is a number of bins, or the vector of their edges") from None
        if n < 0:
            raise ArgumentValueError(says=f"`{function}` was given bins={n}.", why="a number of bins is at least 0")
        return n
    edges = asarray(bins)
    if edges.ndim != 1:
        raise ArgumentKindError(says=f"`{function}` was given bins of type {edges.aval.str_short()}.",  # type: ignore
                                why="edges of bins are a vector")
    return edges


def _edges(x: Any, bins: Any, limits: Any, function: str) -> Any:
    """The edges of the bins, floating."""
    count = _count_or_edges(bins, function)
    if not isinstance(count, int):
        edges = promote_args(function, count, inexact=True)[0]
        wanted = to_inexact(x.dtype)
        return convert(edges, wanted, False) if kind(edges) == "float" and wanted.kind != "c" else edges
    if limits is None:
        if x.size == 0:
            raise ReductionError(says=f"`{function}` was given no values, and no range.",
                                 why="the outer edges are the least and the largest value",
                                 fixes=(Fix("say where the bins lie", code=f"jnp.{function}(x, {count}, range=(0., 1.))"),))
        return fused_call(_even_edges, (ravel(x),), count=count)
    pair = asarray(limits) if not isinstance(limits, (list, tuple)) else asarray(list(limits))
    if pair.shape != (2,):
        raise ArgumentValueError(says=f"`{function}` was given range of type {pair.aval.str_short()}.",  # type: ignore
                                 why="it is the least and the largest edge")
    return fused_call(_even_edges, (ravel(x), pair), count=count)


def _even_edges(x: Any, limits: Any = None, *, count: int) -> Any:
    low, high = (min_(x), max_(x)) if limits is None else (limits[0], limits[1])
    (low, high) = promote_dtypes(low, high, inexact=True)
    if kind(x) == "float" and limits is not None:
        low, high = convert(low, x.dtype, False), convert(high, x.dtype, False)
    same = equal(low, high)
    return linspace(where3(same, low - 0.5, low), where3(same, high + 0.5, high), count + 1, dtype=low.dtype)


@public
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """The edges between which `histogram` counts.

    Args:
        a: array.
        bins: a number of bins of equal width, or the vector of their edges.
        range: the least and the largest edge; by default the least and the largest value.
        weights: make no difference.

    Returns:
        Vector of the edges, one more than there are bins.

    Raises:
        ConcretizationTypeError: a number of bins is traced; the shape of the result would depend on a value.
    """
    del weights
    return _edges(asarray(array_like(a, "histogram_bin_edges")), bins, range, "histogram_bin_edges")


@public
def histogram(a: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
              ) -> tuple[Array, Array]:
    """How many values fall between edges.

    Args:
        a: array of any shape; integers become floating.
        bins: a number of bins of equal width, or the vector of their edges, increasing.
        range: the least and the largest edge; by default the least and the largest value. Values outside do not count.
        weights: array of the shape of `a`: what each value counts; 1 by default.
        density: whether the counts are divided by their sum and by the widths, so that the integral is 1.

    Returns:
        `(counts, edges)`: a vector of floating numbers, and one with one entry more. An edge belongs to the bin above it,
        the last to the last bin.

    Raises:
        ConcretizationTypeError: a number of bins is traced; the shape of the result would depend on a value.
        ArgumentValueError: `weights` is of another shape than `a`.

    >>> histogram(jnp.array([1., 2., 2., 5.]), 2)
    (Array([3., 1.], dtype=float32), Array([1., 3., 5.], dtype=float32))
    """
    x = array_like(a, "histogram", 0)
    if weights is None:
        values = asarray(promote_args("histogram", x, inexact=True)[0])
        each: tuple[Any, ...] = ()
    else:
        w = array_like(weights, "histogram", 3)
        if np.shape(w) != np.shape(x):
            raise ArgumentValueError(says=f"`histogram` was given values of shape {np.shape(x)} and weights of shape "
                                          f"{np.shape(w)}.", why="there is one weight for each value")
        values, w = [asarray(v) for v in promote_dtypes(x, w, inexact=True)]
        each = (ravel(w),)
    edges = _edges(values, bins, range, "histogram")
    counts = fused_call(_histogram, (ravel(values), edges, *each))
    return (_as_density(counts, edges), edges) if density else (counts, edges)


def _as_density(counts: Any, edges: Any) -> Any:
    return counts / sum_(counts) / convert(diff(edges), counts.dtype, False)


def _bin_of(x: Any, edges: Any) -> Any:
    """1 for the first bin, 2 for the second, …; 0 and the number of edges for values outside."""
    place = searchsorted(edges, x, side="right")
    return where3(equal(x, edges[-1]), edges.shape[0] - 1, place)


def _histogram(x: Any, edges: Any, weights: Any = None) -> Any:
    n = edges.shape[0]
    weights = convert(np.ones(x.shape, bool), x.dtype, False) if weights is None else weights
    return bincount(_bin_of(x, edges), weights, length=n + 1)[1:n]


# -- of several variables

@public
def histogramdd(sample: Any, bins: Any = 10, range: Sequence[Any] | None = None, weights: Any = None,
                density: bool | None = None) -> tuple[Array, list[Array]]:
    """How many points fall into the boxes of a grid.

    Args:
        sample: matrix `[points, dimensions]`.
        bins: a number of bins for all dimensions; or a sequence that has for each dimension a number, or a vector of edges.
        range: for each dimension the least and the largest edge, or `None` for the least and the largest value.
        weights: vector `[points]`: what each point counts; 1 by default.
        density: whether the counts are divided by their sum and by the volumes, so that the integral is 1.

    Returns:
        `(counts, edges)`: an array with an axis for each dimension, int32 (int64 with `jax_enable_x64`), or of the dtype of the
        weights; and for each dimension the vector of edges.

    Raises:
        ConcretizationTypeError: a number of bins is traced; the shape of the result would depend on a value.
        ArgumentValueError: the arguments do not fit each other.
    """
    return _histogramdd("histogramdd", asarray(array_like(sample, "histogramdd")), bins, range, weights, density)


def _histogramdd(function: str, x: Any, bins: Any, limits: Any, weights: Any, density: Any) -> tuple[Any, list[Any]]:
    if x.ndim != 2:
        raise ArgumentValueError(says=f"`{function}` was given {x.aval.str_short()}.",
                                 why="it is a matrix of points: a row for each, a column for each dimension")
    points, dimensions = x.shape
    if limits is not None and (len(limits) != dimensions or any(v is not None and np.shape(v) != (2,) for v in limits)):
        raise ArgumentValueError(says=f"`{function}` was given range={limits!r} for {dimensions} dimensions.",
                                 why="there is a pair of edges, or None, for each")
    each = list(bins) if isinstance(bins, (list, tuple)) or np.ndim(bins) else [bins] * dimensions
    if len(each) != dimensions:
        raise ArgumentValueError(says=f"`{function}` was given {len(each)} bins for {dimensions} dimensions.",
                                 why="there is a number of bins for all, or for each a number or a vector of edges")
    w: tuple[Any, ...] = ()
    if weights is not None:
        w = (asarray(array_like(weights, function, 3)),)
        if w[0].shape != (points,):
            given = w[0].aval.str_short()
            raise ArgumentValueError(says=f"`{function}` was given weights of type {given} for {points} points.",
                                     why="there is one weight for each point")
    edges = [_edges(x[:, i], b, None if limits is None else limits[i], function) for i, b in enumerate(each)]
    counts = fused_call(_boxed, (x, tuple(edges), *w))
    if density:
        counts = counts / sum_(counts)
        for i, e in enumerate(edges):
            widths = diff(e)
            counts = counts / widths.reshape(tuple([-1 if k == i else 1 for k in builtins.range(dimensions)]))
    return counts, edges


def _boxed(x: Any, edges: tuple[Any, ...], weights: Any = None) -> Any:
    sizes = [e.shape[0] + 1 for e in edges]
    box: Any = 0
    for i, (e, n) in enumerate(zip(edges, sizes)):
        column, e = promote_dtypes(x[:, i], e)
        box = box * n + _bin_of(column, e)
    total = int(np.prod(sizes))
    counts = bincount(convert(box, dtypes.default_dtype("int"), False), weights, length=total).reshape(sizes)
    return counts[tuple([slice(1, n - 1) for n in sizes])]


@public
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Sequence[Any] | None = None, weights: Any = None,
                density: bool | None = None) -> tuple[Array, Array, Array]:
    """How many points of a plane fall into the boxes of a grid.

    Args:
        x: vector of first coordinates.
        y: vector of second coordinates, as many.
        bins: a number of bins, or a vector of edges, for both coordinates; or a pair with one for each.
        range: for each coordinate the least and the largest edge, or `None`.
        weights: vector: what each point counts; 1 by default.
        density: whether the counts are divided by their sum and by the areas, so that the integral is 1.

    Returns:
        `(counts, x_edges, y_edges)`: the first axis of the counts is that of `x`; see `histogramdd`.
    """
    first, second = [asarray(v) for v in promote_dtypes(array_like(x, "histogram2d", 0), array_like(y, "histogram2d", 1))]
    if first.ndim != 1 or first.shape != second.shape:
        raise ShapeMismatchError(says=f"`histogram2d` was given {first.aval.str_short()} and {second.aval.str_short()}.",
                                 why="they are vectors of the coordinates of the same points")
    if isinstance(bins, (list, tuple)):
        pair = list(bins) if len(bins) in (1, 2) else [asarray(bins)] * 2
    else:
        pair = [bins, bins] if np.ndim(bins) == 0 or len(bins) > 2 else list(bins)
    sample = concatenate([first[:, None], second[:, None]], 1)
    counts, (x_edges, y_edges) = _histogramdd("histogram2d", sample, pair, range, weights, density)
    return counts, x_edges, y_edges


__all__ = ["histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]
