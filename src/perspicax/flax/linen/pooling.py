"""The largest, the smallest or the mean of each window, with the channels last."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import perspicax.lax as lax
import perspicax.numpy as jnp
from perspicax.diagnose.report import Fix
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described
from perspicax.flax.typing import Array

__all__ = ["avg_pool", "max_pool", "min_pool", "pool"]

Padding = str | Sequence[tuple[int, int]]


def pool(inputs: Array, init: Any, reduce_fn: Callable[..., Any], window_shape: Sequence[int],
         strides: Sequence[int] | None, padding: Padding) -> Array:
    """Reduce each window of the spatial axes.

    Args:
        inputs: an array `[..., *spatial, channels]`; the batch axes `...` may be missing.
        init: the value with which a window starts.
        reduce_fn: combines two values: `lax.max`.
        window_shape: the window's size along each spatial axis.
        strides: its step along each spatial axis; by default 1.
        padding: `"SAME"`, `"VALID"`, or a pair (before, after) for each spatial axis.

    Returns:
        An array `[..., *spatial, channels]`.

    Raises:
        LayerOptionError: window, strides or padding do not have one entry for each spatial axis.
        LayerInputError: the inputs have too few axes.
    """
    if isinstance(window_shape, int):
        raise LayerOptionError(says=f"The window is {window_shape}; it must have a size for each spatial axis.",
                               fixes=(Fix("for two spatial axes", code=f"window_shape=({window_shape}, {window_shape})"),))
    rank = len(window_shape)
    steps = (1,) * rank if strides is None else tuple(strides)
    _check_lengths(inputs, rank, steps, padding)
    batch = jnp.ndim(inputs) - rank - 1
    sides: Any = padding if isinstance(padding, str) else ((0, 0),) * max(batch, 1) + tuple(padding) + ((0, 0),)
    x = inputs if batch else jnp.expand_dims(inputs, 0)  # windows with a batch axis are what XLA is fast at
    ones = (1,) * max(batch, 1)
    y = lax.reduce_window(x, init, reduce_fn, (*ones, *window_shape, 1), (*ones, *steps, 1), sides)
    return y if batch else jnp.squeeze(y, 0)


def _check_lengths(inputs: Any, rank: int, strides: Sequence[int], padding: Any) -> None:
    given = None
    if len(strides) != rank:
        given = f"{len(strides)} strides"
    elif not isinstance(padding, str) and (
            len(padding) != rank or not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in padding)):
        given = f"the padding {padding!r}"
    if given:
        raise LayerOptionError(says=f"A window of {rank} axes was given {given}.",
                               why="strides have a number, and paddings a pair (before, after), for each axis of the window")
    if jnp.ndim(inputs) < rank + 1:
        raise LayerInputError(says=f"A window of {rank} axes was given for {described(inputs)}.",
                              why="the inputs have batch axes (any number), then the axes of the window, then the channels")


def avg_pool(inputs: Array, window_shape: Sequence[int], strides: Sequence[int] | None = None,
             padding: Padding = "VALID", count_include_pad: bool = True) -> Array:
    """The mean of each window.

    Args:
        inputs: an array `[..., *spatial, channels]`; the batch axes `...` may be missing.
        window_shape: the window's size along each spatial axis.
        strides: its step along each spatial axis; by default 1.
        padding: `"SAME"`, `"VALID"`, or a pair (before, after) for each spatial axis.
        count_include_pad: whether padding counts, as zeros.

    Returns:
        An array `[..., *spatial, channels]`.

    >>> avg_pool(jnp.array([[1.], [3.], [5.]]), (2,))
    Array([[2.],
           [4.]], dtype=float32)
    """
    sums = pool(inputs, 0.0, lax.add, window_shape, strides, padding)
    if count_include_pad:
        return sums / math.prod(window_shape)
    ones = jnp.ones((*jnp.shape(inputs)[:-1], 1))
    return sums / pool(ones, 0.0, lax.add, window_shape, strides, padding)


def max_pool(inputs: Array, window_shape: Sequence[int], strides: Sequence[int] | None = None,
             padding: Padding = "VALID") -> Array:
    """The largest value of each window.

    Args:
        inputs: an array `[..., *spatial, channels]`; the batch axes `...` may be missing.
        window_shape: the window's size along each spatial axis.
        strides: its step along each spatial axis; by default 1.
        padding: `"SAME"`, `"VALID"`, or a pair (before, after) for each spatial axis; padding is less than all values.

    Returns:
        An array `[..., *spatial, channels]`.
    """
    return pool(inputs, -jnp.inf, lax.max, window_shape, strides, padding)


def min_pool(inputs: Array, window_shape: Sequence[int], strides: Sequence[int] | None = None,
             padding: Padding = "VALID") -> Array:
    """The smallest value of each window.

    Args:
        inputs: an array `[..., *spatial, channels]`; the batch axes `...` may be missing.
        window_shape: the window's size along each spatial axis.
        strides: its step along each spatial axis; by default 1.
        padding: `"SAME"`, `"VALID"`, or a pair (before, after) for each spatial axis; padding is greater than all values.

    Returns:
        An array `[..., *spatial, channels]`.
    """
    return pool(inputs, jnp.inf, lax.min, window_shape, strides, padding)
