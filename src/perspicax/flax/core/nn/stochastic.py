"""Dropout as a function of a scope."""
from __future__ import annotations

from typing import Any

from perspicax.flax.core.scope import Scope
from perspicax.flax.linen.stochastic import Dropout
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import Array, PRNGKey

__all__ = ["dropout"]


@api_boundary
def dropout(scope: Scope, inputs: Array, rate: float, deterministic: bool = False, rng: PRNGKey | None = None) -> Array:
    """Set inputs to zero at random, and scale the others so that the mean stays.

    Args:
        scope: gives the random key, from the stream `dropout`.
        inputs: an array of any shape.
        rate: the probability with which an input is set to zero.
        deterministic: whether the inputs are returned as they are.
        rng: a random key, instead of one of the scope.

    Returns:
        An array of the same shape and dtype.

    Raises:
        InvalidRngError: a key is needed, and the scope has no such stream.
    """
    layer: Any = Dropout
    return layer(rate, deterministic=deterministic, parent=scope)(inputs, rng=rng)
