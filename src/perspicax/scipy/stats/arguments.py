"""How the functions of distributions are called: real operands of one dtype, one program."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import perspicax.numpy as jnp
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import floating


def evaluated(function: str, f: Callable[..., Any], *operands: Any) -> Any:
    """`f` of the operands as arrays of their common floating dtype.

    Args:
        function: what the user calls, `jsp.stats.norm.pdf`.
        f: a function at module level.
        operands: real arrays and numbers whose shapes broadcast.

    Raises:
        ArgumentValueError: they are complex.
        BroadcastError: they do not broadcast.
        NotArrayLikeError: one of them is a list, None, …
    """
    return fused_call(f, tuple(floating(function, *operands)))


def exponential(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function whose logarithm `f` is."""
    def call(*operands: Any) -> Any:
        return jnp.exp(f(*operands))

    return call


__all__ = ["evaluated", "exponential"]
