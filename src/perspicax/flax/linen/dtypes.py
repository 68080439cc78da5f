"""The dtype in which a layer computes."""
from __future__ import annotations

from typing import Any, Protocol

import perspicax.numpy as jnp
from perspicax.flax.linen.layer_errors import LayerOptionError
from perspicax.flax.typing import Dtype

__all__ = ["PromoteDtypeFn", "canonicalize_dtype", "promote_dtype"]


class PromoteDtypeFn(Protocol):
    """A function that brings several values to a common dtype, as `promote_dtype` does."""

    def __call__(self, *args: Any, dtype: Dtype | None = None, inexact: bool = True) -> list[Any]:
        """The values as arrays of one dtype; `None` stays `None`."""
        ...


def canonicalize_dtype(*args: Any, dtype: Any = None, inexact: bool = True) -> Any:
    """The dtype in which a layer computes with some values.

    Args:
        *args: the values: arrays, numbers, or `None`, which does not count.
        dtype: what the user has chosen; `None` for the dtype to which JAX promotes the values.
        inexact: whether it must be a floating or complex one. Integers then count as float32.

    Returns:
        A dtype.

    Raises:
        LayerOptionError: `dtype` was chosen, is not floating or complex, and must be.

    >>> canonicalize_dtype(jnp.ones(2, jnp.bfloat16), jnp.ones(2, jnp.float32))
    dtype('float32')
    """
    if dtype is None:
        dtype = jnp.result_type(*[x for x in args if x is not None])
        if inexact and not jnp.issubdtype(dtype, jnp.inexact):
            dtype = jnp.promote_types(jnp.float32, dtype)
    if inexact and not jnp.issubdtype(dtype, jnp.inexact):
        raise LayerOptionError(says=f"The dtype of a layer is {jnp.dtype(dtype).name}; it must be floating or complex.",
                               why="the layer multiplies and adds in this dtype, and its gradient must exist")
    return dtype


def promote_dtype(*args: Any, dtype: Dtype | None = None, inexact: bool = True) -> list[Any]:
    """Values as arrays of one dtype.

    Args:
        *args: the values; `None` stays `None`.
        dtype: the dtype; `None` for the one to which JAX promotes the values.
        inexact: whether it must be a floating or complex one.

    Returns:
        A list of the arrays.

    Raises:
        LayerOptionError: `dtype` must be floating or complex, and is not.
    """
    wanted = canonicalize_dtype(*args, dtype=dtype, inexact=inexact)
    return [None if x is None else jnp.asarray(x, wanted) for x in args]
