"""Tables of associated Legendre functions, which JAX retires: `sph_harm_y` computes single spherical harmonics."""
from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.diagnose.frames import warning_level
from perspicax.lax.loops import scan
from perspicax.numpy.argument_errors import ArgumentRankError
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import single_or_double


@public
def lpmn(m: int, n: int, z: Array) -> tuple[Array, Array]:
    """Associated Legendre functions of the first kind of all orders and degrees, and their derivatives.

    Args:
        m: the largest order.
        n: the largest degree; it must be `m`.
        z: vector of float32 or float64, from -1 to 1.

    Returns:
        Two arrays of shape `[m + 1, n + 1, len(z)]`: values, and derivatives by `z`.

    Raises:
        UnsupportedArgumentError: `m` is not `n`.

    With the phase of Condon and Shortley, by the recurrence in the degree (DLMF 14.10.3); derivatives by DLMF 14.10.5, and by
    their limits at -1 and 1.
    """
    largest, z = _checked("lpmn", m, n, z)
    return fused_call(_with_derivatives, (z,), largest=largest)


@public
def lpmn_values(m: int, n: int, z: Array, is_normalized: bool) -> Array:
    """Associated Legendre functions of the first kind of all orders and degrees.

    Args:
        m: the largest order.
        n: the largest degree; it must be `m`.
        z: vector of float32 or float64, from -1 to 1.
        is_normalized: whether they are scaled so that spherical harmonics made of them are orthonormal.

    Returns:
        Array of shape `[m + 1, n + 1, len(z)]`.

    Raises:
        UnsupportedArgumentError: `m` is not `n`.
    """
    largest, z = _checked("lpmn_values", m, n, z)
    return fused_call(_table, (z,), largest=largest, normalized=bool(is_normalized))


def _checked(function: str, m: int, n: int, z: Any) -> tuple[int, Any]:
    warnings.warn(f"`jax.scipy.special.{function}` is retired in JAX; `sph_harm_y` computes spherical harmonics",
                  DeprecationWarning, stacklevel=warning_level())
    x = single_or_double(function, z)
    if x.ndim != 1:
        raise ArgumentRankError(function=function, argument="z", index=2, type_text=x.aval.str_short(), wanted="it is a vector",
                                change="jnp.ravel({})", says_change="make a vector of it")
    if m != n:
        raise UnsupportedArgumentError(function=function, argument=f"m={m}",
                                       why=f"there are as many orders as degrees, and n={n}")
    if m < 0:
        raise ArgumentValueError(says=f"`{function}` was given m={m}.", why="an order is at least 0")
    return int(m), x


def _table(z: Any, *, largest: int, normalized: bool) -> Any:
    order, degree = np.arange(largest + 1.), np.arange(largest + 1.)[:, None]
    later = order < degree
    if normalized:
        a = np.sqrt(np.where(later, (4 * degree ** 2 - 1) / np.where(later, degree ** 2 - order ** 2, 1), 0))
        before = np.maximum((degree - 1) ** 2 - order ** 2, 0) / np.where(later, np.abs(4 * (degree - 1) ** 2 - 1), 1)
        b = a * np.sqrt(before)
        factors = -np.sqrt((2 * order + 1) / np.maximum(2 * order, 1))
    else:
        steps = np.where(later, degree - order, 1)
        a, b = np.where(later, (2 * degree - 1) / steps, 0), np.where(later, (degree + order - 1) / steps, 0)
        factors = 1 - 2 * order
    factors[0] = math.sqrt(1 / (4 * math.pi)) if normalized else 1
    sine = jnp.where(order[:, None] > 0, jnp.sqrt(1 - z * z), 1)
    first = jnp.cumprod(factors.astype(z.dtype)[:, None] * sine, axis=0)  # where order and degree are equal

    def step(state: Any, row: Any) -> Any:
        before, at = state
        a, b, diagonal = row
        value = jnp.where(diagonal[:, None], first, a[:, None] * z * at - b[:, None] * before)
        return (at, value), value

    nothing = jnp.zeros_like(first)
    rows = (jnp.asarray(a.astype(z.dtype)), jnp.asarray(b.astype(z.dtype)), jnp.eye(largest + 1, dtype=bool))
    return jnp.moveaxis(scan(step, (nothing, nothing), rows)[1], 0, 1)


def _with_derivatives(z: Any, *, largest: int) -> Any:
    values = _table(z, largest=largest, normalized=False)
    order, degree = np.arange(largest + 1.)[:, None], np.arange(largest + 1.)[None]
    before = jnp.pad(values[:, :-1], ((0, 0), (1, 0), (0, 0)))
    end = jnp.abs(z) == 1
    inside = (((order + degree).astype(z.dtype)[..., None] * before - degree.astype(z.dtype)[..., None] * z * values)
              / jnp.where(end, 1, 1 - z * z))
    products = degree * (degree + 1)
    limits = np.select([order == 0, order == 1, order == 2], [products / 2, np.inf, -products * (products - 2) / 4], 0.)
    limits = np.where(order <= degree, limits, 0)
    negative = (degree + (order != 1)) % 2 == 1  # at -1
    sign = jnp.where(negative[..., None] & (z < 0), -1, 1).astype(z.dtype)
    return values, jnp.where(end, sign * limits.astype(z.dtype)[..., None], inside)


__all__ = ["lpmn", "lpmn_values"]
