"""What the special functions do with their operands first, and the sums that they are made of."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.lax.convert import convert
from perspicax.lax.loops import fori_loop
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.promote import array_like, promote_args

SERVED = (np.dtype(np.float32), np.dtype(np.float64))


def inexact(function: str, *xs: Any) -> list[Any]:
    """Operands as arrays of one floating or complex dtype, of one rank or scalars.

    Raises:
        NotArrayLikeError: one of them is a list, None, …
        BroadcastError: they do not broadcast.
    """
    return [asarray(x) for x in promote_args(function, *xs, inexact=True)]


def floating(function: str, *xs: Any) -> list[Any]:
    """The same, of a real dtype.

    Raises:
        ArgumentValueError: they are complex.
    """
    found = inexact(function, *xs)
    if found[0].dtype.kind == "c":
        raise ArgumentValueError(says=f"`{function}` was given {found[0].aval.str_short()}.", why="it takes real numbers")
    return found


def single_or_double(function: str, x: Any) -> Any:
    """An array of float32 or float64: JAX takes no other dtype here, whose tables and limits are for these two.

    Raises:
        ArgumentKindError: it is of another dtype.
    """
    x = asarray(array_like(x, function))
    if x.dtype not in SERVED:
        raise ArgumentKindError(says=f"`{function}` was given {x.aval.str_short()}.", why="it takes float32 and float64")
    return x


def strong(x: Any) -> Any:
    """The same array with a dtype that counts in promotions."""
    return convert(x, x.dtype, False) if x.aval.weak_type else x


def in_single(f: Callable[..., Any], *xs: Any) -> Any:
    """`f(*xs)`, computed in float32 where the operands are of a narrower dtype, and returned in theirs."""
    narrow = xs[0].dtype
    if dtypes.finfo(narrow).bits >= 32:
        return f(*xs)
    return f(*[x.astype(np.float32) for x in xs]).astype(narrow)


def is_double(x: Any) -> bool:
    """Whether 53 bits of the significand are wanted, rather than 24."""
    return x.dtype in (np.dtype(np.float64), np.dtype(np.complex128))


def horner(x: Any, coefficients: Sequence[float]) -> Any:
    """The polynomial with these coefficients, lowest power first."""
    found = jnp.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        found = found * x + c
    return found


def backward(count: int, step: Callable[[Any, Any], Any], start: Any) -> Any:
    """`step(n, value)` for n = count, count - 1, …, 1, where n is a number of the dtype of `value`."""
    real = np.dtype(np.finfo(start.dtype).dtype)

    def body(i: Any, value: Any) -> Any:
        return step((count - i).astype(real), value)

    return fori_loop(0, count, body, start)


__all__ = ["backward", "floating", "horner", "in_single", "inexact", "is_double", "single_or_double", "strong"]
