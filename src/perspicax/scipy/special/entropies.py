"""Logarithms that are 0 where their factor is, entropies, odds, and powers as Box and Cox take them."""
from __future__ import annotations

from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax.markers import stop_gradient
from perspicax.lax.transcendental import logistic
from perspicax.numpy.axes import reduced_axes
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import floating, inexact, strong
from perspicax.transform.custom import custom_jvp


@custom_jvp
def x_log_y(x: Any, y: Any) -> Any:
    """`xlogy` of arrays of one dtype."""
    zero = x == 0
    return jnp.where(zero, jnp.zeros_like(x), x * jnp.log(jnp.where(zero, jnp.ones_like(y), y)))


@x_log_y.defjvp
def _x_log_y_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x, y), (dx, dy) = primals, tangents
    return x_log_y(x, y), dx * jnp.log(y) + dy * (x / y)


def xlogy(x: Any, y: Any) -> Array:
    """`x log(y)`, and 0 where `x` is 0.

    Args:
        x: array of any shape.
        y: array; shapes broadcast.

    Returns:
        Array of the inexact dtype of both.
    """
    return fused_call(x_log_y, tuple(inexact("jsp.special.xlogy", x, y)))


@custom_jvp
def x_log1p_y(x: Any, y: Any) -> Any:
    """`xlog1py` of arrays of one dtype."""
    zero = x == 0
    return jnp.where(zero, jnp.zeros_like(x), x * jnp.log1p(jnp.where(zero, jnp.ones_like(y), y)))


@x_log1p_y.defjvp
def _x_log1p_y_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    (x, y), (dx, dy) = primals, tangents
    return x_log1p_y(x, y), dx * jnp.log1p(y) + dy * (x / (1 + y))


def xlog1py(x: Any, y: Any) -> Array:
    """`x log(1 + y)`, and 0 where `x` is 0.

    Args:
        x: array of any shape.
        y: array; shapes broadcast.

    Returns:
        Array of the inexact dtype of both.
    """
    return fused_call(x_log1p_y, tuple(inexact("jsp.special.xlog1py", x, y)))


def entr(x: Any) -> Array:
    """`-x log(x)`; 0 at 0, and `-inf` below.

    Args:
        x: real array of any shape; integers become floating.
    """
    return fused_call(_entr, tuple(floating("jsp.special.entr", x)))


def _entr(x: Any) -> Any:
    return jnp.where(x < 0, -np.inf, -x_log_y(x, x))


def _weak_scalar(found: Any) -> Any:
    """Only a number may be weakly typed."""
    return strong(found) if found.ndim else found


def kl_div(p: Any, q: Any) -> Array:
    """`p log(p/q) - p + q`, element by element; infinite outside of the domain.

    Args:
        p: real array of any shape, not negative.
        q: real array, not negative; shapes broadcast.
    """
    return _weak_scalar(fused_call(_kl_div, tuple(floating("jsp.special.kl_div", p, q))))


def _kl_div(p: Any, q: Any) -> Any:
    return _rel_entr(p, q) - p + q


def rel_entr(p: Any, q: Any) -> Array:
    """`p log(p/q)`, element by element; 0 where `p` is, infinite outside of the domain.

    Args:
        p: real array of any shape, not negative.
        q: real array, not negative; shapes broadcast.
    """
    return _weak_scalar(fused_call(_rel_entr, tuple(floating("jsp.special.rel_entr", p, q))))


def _rel_entr(p: Any, q: Any) -> Any:
    inside = (p > 0) & (q > 0)
    above, below = jnp.where(inside, p, 1), jnp.where(inside, q, 1)
    found = x_log_y(above, above / below)
    return jnp.where(inside, found, jnp.where((p == 0) & (q >= 0), 0, np.inf))


# -- odds

@custom_jvp
def log_odds(x: Any) -> Any:
    """`logit` of a floating array."""
    return jnp.log(x / (1 - x))


@log_odds.defjvp
def _log_odds_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    [x] = primals
    return log_odds(x), tangents[0] / (x * (1 - x))


def logit(x: Any) -> Array:
    """The logarithm of the odds, `log(x / (1 - x))`: the inverse of `expit`.

    Args:
        x: array of any shape, from 0 to 1; integers become floating.
    """
    return fused_call(log_odds, tuple(inexact("jsp.special.logit", x)))


def expit(x: Any) -> Array:
    """The logistic sigmoid, `1 / (1 + exp(-x))`.

    Args:
        x: array of any shape; integers become floating.
    """
    return logistic(*inexact("jsp.special.expit", x))


# -- powers

def boxcox(x: Any, lmbda: Any) -> Array:
    """`(x**lmbda - 1) / lmbda`, and its limit `log(x)` where `lmbda` is 0.

    Args:
        x: real array of any shape, not negative.
        lmbda: real array; shapes broadcast.

    Box and Cox, Journal of the Royal Statistical Society B 26, 1964.
    """
    return fused_call(_boxcox, tuple(floating("jsp.special.boxcox", x, lmbda)))


def _boxcox(x: Any, power: Any) -> Any:
    return _from_log(jnp.log(x), power)


def boxcox1p(x: Any, lmbda: Any) -> Array:
    """`((1 + x)**lmbda - 1) / lmbda`, and its limit `log(1 + x)` where `lmbda` is 0.

    Args:
        x: real array of any shape, at least -1.
        lmbda: real array; shapes broadcast.
    """
    return fused_call(_boxcox1p, tuple(floating("jsp.special.boxcox1p", x, lmbda)))


def _boxcox1p(x: Any, power: Any) -> Any:
    return _from_log(jnp.log1p(x), power)


def _from_log(log: Any, power: Any) -> Any:
    zero = power == 0
    return jnp.where(zero, log, jnp.expm1(power * log) / jnp.where(zero, 1, power))


# -- along axes

def softmax(x: Any, /, *, axis: Any = None) -> Array:
    """`exp(x) / sum(exp(x))` along axes.

    Args:
        x: array of any shape; integers become floating.
        axis: an axis, or several; all by default.

    Raises:
        AxisError: there is no such axis.
    """
    [x] = inexact("jsp.special.softmax", x)
    return fused_call(_softmax, (x,), axes=reduced_axes(axis, x.ndim, "jsp.special.softmax"))


def _below_largest(x: Any, axes: tuple[int, ...]) -> Any:
    return x - stop_gradient(jnp.max(x, axis=axes, keepdims=True, initial=-np.inf))


def _softmax(x: Any, *, axes: tuple[int, ...]) -> Any:
    weights = jnp.exp(_below_largest(x, axes))
    return weights / jnp.sum(weights, axis=axes, keepdims=True)


def log_softmax(x: Any, /, *, axis: Any = None) -> Array:
    """The logarithm of `softmax`.

    Args:
        x: array of any shape; integers become floating.
        axis: an axis, or several; all by default.

    Raises:
        AxisError: there is no such axis.
    """
    [x] = inexact("jsp.special.log_softmax", x)
    return fused_call(_log_softmax, (x,), axes=reduced_axes(axis, x.ndim, "jsp.special.log_softmax"))


def _log_softmax(x: Any, *, axes: tuple[int, ...]) -> Any:
    shifted = _below_largest(x, axes)
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=axes, keepdims=True))


__all__ = ["boxcox", "boxcox1p", "entr", "expit", "kl_div", "log_odds", "log_softmax", "logit", "rel_entr", "softmax",
           "x_log1p_y", "x_log_y", "xlog1py", "xlogy"]
