"""Masks of attention: which query may look at which key."""
from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import perspicax.numpy as jnp
from perspicax.flax.linen.layer_errors import LayerInputError, described
from perspicax.flax.typing import Array, Dtype

__all__ = ["combine_masks", "make_attention_mask", "make_causal_mask"]


def make_attention_mask(query_input: Array, key_input: Array, pairwise_fn: Callable[..., Any] = jnp.multiply,
                        extra_batch_dims: int = 0, dtype: Dtype = jnp.float32) -> Array:
    """A mask from a number for each query and one for each key.

    Args:
        query_input: an array `[..., queries]`, e.g. 1 for a token and 0 for padding.
        key_input: an array `[..., keys]`.
        pairwise_fn: what becomes of a pair of numbers.
        extra_batch_dims: how many axes of size 1 are added in front.
        dtype: the dtype of the mask.

    Returns:
        An array `[..., 1, queries, keys]`, whose axis of size 1 stands for all heads.

    >>> make_attention_mask(jnp.array([1, 1, 0]), jnp.array([1, 1, 0]))[0]
    Array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    pairs = pairwise_fn(jnp.expand_dims(query_input, -1), jnp.expand_dims(key_input, -2))
    mask = jnp.expand_dims(pairs, (*range(extra_batch_dims), extra_batch_dims + jnp.ndim(pairs) - 2))
    return jnp.asarray(mask, dtype)


def make_causal_mask(x: Array, extra_batch_dims: int = 0, dtype: Dtype = jnp.float32) -> Array:
    """A mask by which each token looks at itself and at those before it.

    Args:
        x: an array `[..., tokens]`, of which only the shape matters.
        extra_batch_dims: how many axes of size 1 are added in front.
        dtype: the dtype of the mask.

    Returns:
        An array `[..., 1, tokens, tokens]`.
    """
    places = jnp.broadcast_to(jnp.arange(jnp.shape(x)[-1], dtype=jnp.int32), jnp.shape(x))
    return make_attention_mask(places, places, jnp.greater_equal, extra_batch_dims, dtype)


def combine_masks(*masks: Array | None, dtype: Dtype = jnp.float32) -> Array | None:
    """The mask of what all of several masks let through.

    Args:
        *masks: arrays with equally many axes; `None` lets all through.
        dtype: the dtype of the mask.

    Returns:
        An array, or `None` if no mask was given.

    Raises:
        LayerInputError: the masks do not have equally many axes.
    """
    given: list[Any] = [mask for mask in masks if mask is not None]
    if not given:
        return None
    if len({jnp.ndim(mask) for mask in given}) > 1:
        raise LayerInputError(says=f"Masks of different numbers of axes were combined: {', '.join(map(described, given))}.",
                              why="a mask of attention has the axes [batch..., heads, queries, keys]; where it holds for all "
                                  "heads, that axis has size 1")
    return jnp.asarray(reduce(jnp.logical_and, given), dtype)
