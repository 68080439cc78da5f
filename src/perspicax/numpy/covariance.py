"""Covariance and correlation of variables."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import complex as complex_of
from perspicax.lax.convert import conj, convert, imag, real
from perspicax.numpy.construct import asarray
from perspicax.numpy.diagonals import diagonal
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.joining import concatenate
from perspicax.numpy.logic import kind
from perspicax.numpy.operators import absolute, sqrt
from perspicax.numpy.products import matmul
from perspicax.numpy.promote import array_like, promote_dtypes
from perspicax.numpy.reductions import average
from perspicax.numpy.reductions import sum as sum_
from perspicax.numpy.selection import clip


class WeightsError(ArgumentValueError, RuntimeError):
    """Weights do not fit the observations."""


def _variables(m: Any, y: Any, rowvar: bool, function: str, dtype: Any) -> Any:
    """The matrix whose rows are variables."""
    names = ((m, "m"),) if y is None else ((m, "m"), (y, "y"))
    given = [array_like(v, function, i) for i, (v, _) in enumerate(names)]
    for v, (_, name) in zip(given, names):
        if np.ndim(v) > 2:
            raise ArgumentValueError(says=f"`{function}` was given {name} of type {get_aval(v).str_short()}.",  # type: ignore
                                     why="it is a vector, one variable, or a matrix of variables")
    xs = [asarray(v) for v in promote_dtypes(*given, inexact=True)]
    if dtype is not None:
        wanted = dtypes.requested_dtype(dtype, function)
        if not dtypes.issubdtype(wanted, np.inexact):
            raise ArgumentValueError(says=f"`{function}` was given dtype={dtypes.name_of(wanted)}.",
                                     why="the result has fractions: it is a floating or complex dtype")
        xs = [convert(x, wanted, False) for x in xs]
    rows = []
    for i, x in enumerate(xs):
        x = lax_shape.reshape(x, (1, x.size)) if x.ndim < 2 else x
        # a single row stays one, whatever `rowvar` says, where a second matrix joins the first
        rows.append(lax_shape.transpose(x, (1, 0)) if not rowvar and (x.shape[0] != 1 if i else xs[0].ndim == 2) else x)
    return rows[0] if len(rows) == 1 else concatenate(rows, 0)


def _weights(w: Any, n: int, name: str) -> Any:
    x = asarray(array_like(w, "cov", 5))
    if name == "fweights" and kind(x) not in ("int", "uint"):
        raise ArgumentKindError(says=f"`cov` was given fweights of type {x.aval.str_short()}.",  # type: ignore[attr-defined]
                                why="they say how often each observation occurs: integers")
    if x.shape != (n,):
        raise WeightsError(says=f"`cov` was given {name} of type {x.aval.str_short()} for {n} observations.",  # type: ignore
                           why="there is one weight for each observation")
    return x


@public
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None, fweights: Any = None,
        aweights: Any = None, dtype: Any = None) -> Array:
    """The covariances of variables.

    Args:
        m: matrix `[variables, observations]`, or vector of observations of one variable.
        y: further variables, with as many observations.
        rowvar: whether rows are variables; else columns are.
        bias: whether to divide by the number of observations n, not by n - 1.
        ddof: what is taken from the number of observations before dividing; counts more than `bias`.
        fweights: vector of integers: how often each observation occurs.
        aweights: vector: how much each observation counts. Of weights below 0 the sizes are taken.
        dtype: floating or complex dtype to compute in.

    Returns:
        Matrix `[variables, variables]`; a scalar for one variable; NaN without observations.

    Raises:
        ArgumentValueError: an array has more than two axes, or `dtype` has no fractions.
        WeightsError: there is not one weight for each observation.

    >>> cov(jnp.array([[1., 2., 3.], [3., 2., 1.]]))
    Array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    x = _variables(m, y, rowvar, "cov", dtype)
    n = x.shape[1]
    weights = tuple([_weights(w, n, name) for w, name in ((fweights, "fweights"), (aweights, "aweights")) if w is not None])
    names = tuple([name for w, name in ((fweights, "f"), (aweights, "a")) if w is not None])
    less: Any = (0 if bias else 1) if ddof is None else ddof
    if x.shape[0] == 0:
        return asarray(np.zeros((0, 0), dtypes.default_dtype("float")))
    if n == 0:
        return asarray(np.full((x.shape[0],) * 2 if x.shape[0] > 1 else (), np.nan, x.dtype))
    return fused_call(_cov, (x, less, *weights), names=names)


def _cov(x: Any, ddof: Any, *weights: Any, names: tuple[str, ...]) -> Any:
    w: Any = None
    for v in weights:
        v = absolute(v)
        w = v if w is None else w * v
    mean, total = average(x, axis=1, weights=w, returned=True)
    total = total[0]
    if names == ("f", "a") or names == ("a",):
        factor = total - ddof * sum_(w * absolute(weights[-1])) / total
    else:
        factor = total - ddof
    x = x - mean[:, None]
    other = lax_shape.transpose(x if w is None else x * w[None, :], (1, 0))
    found = matmul(x, conj(other) if kind(other) == "complex" else other) / factor
    return lax_shape.reshape(found, ()) if found.shape == (1, 1) else found


@public
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Array:
    """The correlations of variables, from -1 to 1.

    Args:
        x: matrix `[variables, observations]`, or vector of observations of one variable.
        y: further variables, with as many observations.
        rowvar: whether rows are variables; else columns are.
        dtype: floating or complex dtype to compute in.

    Returns:
        Matrix `[variables, variables]`; a scalar for one variable.

    Raises:
        ArgumentValueError: an array has more than two axes, or `dtype` has no fractions.
    """
    rows = _variables(x, y, rowvar, "corrcoef", dtype)
    if rows.shape[0] == 0:
        return asarray(np.zeros((0, 0), dtypes.default_dtype("float")))
    return fused_call(_corrcoef, (rows, 1))


def _corrcoef(x: Any, ddof: Any) -> Any:
    c = _cov(x, ddof, names=())
    if c.ndim == 0:
        return c / c
    spread = sqrt(real(diagonal(c)) if kind(c) == "complex" else diagonal(c))
    c = c / spread[:, None] / spread[None, :]
    if kind(c) == "complex":
        return complex_of(clip(real(c), -1, 1), clip(imag(c), -1, 1))
    return clip(c, -1, 1)


__all__ = ["corrcoef", "cov"]
