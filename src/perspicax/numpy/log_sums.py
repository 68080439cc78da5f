"""`logsumexp`: sums of numbers that are given by their logarithms."""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.compare import is_finite, select
from perspicax.lax.convert import real
from perspicax.lax.elementwise import mul, sign, sub
from perspicax.lax.families import zeros_like
from perspicax.lax.markers import stop_gradient
from perspicax.lax.shape import broadcast_shapes
from perspicax.numpy.axes import reduced_axes
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import promote_args


@public
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False,
              where: Any = None) -> Any:
    """`log(sum(b * exp(a)))` along axes, safe against overflow.

    Args:
        a: array of any shape; integers become floating.
        axis: an axis, or several; all by default.
        b: weights, which broadcast against `a`; 1 by default.
        keepdims: whether the axes stay, with size 1.
        return_sign: whether to return the logarithm of the sum's absolute value, and its sign.
        where: boolean array that broadcasts to `a`: which elements count.

    Returns:
        Array of the inexact dtype of `a` and `b`, without the axes: `-inf` for an empty sum, NaN for a negative one. With
        `return_sign` two arrays; the sign of a complex sum is a complex number of absolute value 1.

    Raises:
        AxisError: `axis` names no axis.
        BroadcastError: `a` and `b`, or `where`, do not broadcast.

    The largest exponent is subtracted first (Blanchard, Higham and Higham, IMA J. Numer. Anal. 41, 2021).

    >>> logsumexp(jnp.array([1000., 1000.]))
    Array(1000.6931, dtype=float32)
    """
    if b is None:
        x, = promote_args("logsumexp", a, inexact=True)
    else:
        x, b = promote_args("logsumexp", a, b, inexact=True)
    shape = broadcast_shapes(x.shape, () if b is None else b.shape)
    axes = reduced_axes(axis, len(shape), "logsumexp")
    return fused_call(_logsumexp, (x, b, where), axes=axes, keepdims=bool(keepdims), return_sign=bool(return_sign))


def _logsumexp(a: Any, b: Any, where: Any, *, axes: tuple[int, ...], keepdims: bool, return_sign: bool) -> Any:
    a = jnp.asarray(a)
    is_complex = a.dtype.kind == "c"
    if where is not None:
        a = jnp.where(where, a, 0)  # so that no infinity stands where nothing counts
    if b is not None:
        a = jnp.where(jnp.not_equal(b, 0), a, -np.inf)
    largest = jnp.max(real(a) if is_complex else a, axis=axes, keepdims=keepdims, where=where, initial=-np.inf)
    # an infinite one would make NaN of every term; nor is it a constant that depends on `a`, for derivatives
    largest = stop_gradient(select(is_finite(largest), largest, zeros_like(largest)))
    below = largest if keepdims else jnp.expand_dims(largest, axes)
    terms = jnp.exp(sub(a, below.astype(a.dtype)))  # as it is: of a weak type the derivative is that of the result
    if b is not None:
        terms = mul(terms, b)
    total = jnp.sum(terms, axis=axes, keepdims=keepdims, where=where)
    signs = sign(total) if return_sign or (b is not None and not is_complex) else None
    if return_sign or not is_complex:
        total = jnp.abs(total)
    logarithm = jnp.log(total)
    logarithm = jnp.add(logarithm, largest.astype(logarithm.dtype))
    if return_sign:
        return logarithm, signs
    if signs is not None:
        return jnp.where(jnp.less(signs, 0), np.nan, logarithm)
    return logarithm


def count(x: Any, axes: tuple[int, ...], where: Any, keepdims: bool, dtype: Any) -> Any:
    """How many elements are summed along the axes: a number, or an array where a mask decides."""
    shape = get_aval(x).shape  # type: ignore[attr-defined]
    if where is None:
        return int(np.prod([shape[i] for i in axes], dtype=np.int64))
    return jnp.sum(jnp.broadcast_to(where, shape), axis=axes, keepdims=keepdims, dtype=dtype)


__all__ = ["count", "logsumexp"]
