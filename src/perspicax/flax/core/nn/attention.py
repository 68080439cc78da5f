"""Attention by products of queries with keys, over any axes, as functions of a scope."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import perspicax.numpy as jnp
import perspicax.random as random
from perspicax import lax
from perspicax.flax import struct
from perspicax.flax.core.nn.linear import default_kernel_init, dense_general
from perspicax.flax.core.scope import Scope
from perspicax.flax.linen import initializers
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import Array, Dtype, Initializer, PrecisionLike, PRNGKey
from perspicax.nn import logsumexp

__all__ = ["CacheEntry", "dot_product_attention", "multi_head_dot_product_attention"]

_AXES = "queries, keys and values are [batch, dims..., heads, depth]; attention is over some of the axes `dims`"
_HIDDEN = -1e10  # added to the score of what may not be looked at: of its exponential nothing is left


@api_boundary
def dot_product_attention(scope: Scope, query: Array, key: Array, value: Array, dtype: Dtype = jnp.float32,
                          bias: Array | None = None, axis: int | Sequence[int] | None = None,
                          broadcast_dropout: bool = True, dropout_rng: PRNGKey | None = None, dropout_rate: float = 0.0,
                          deterministic: bool = False, precision: PrecisionLike = None) -> Array:
    """Means of values, each weighted by how well its key fits a query.

    Args:
        scope: gives the random key for dropout, from the stream `dropout`.
        query: an array `[batch, dims..., heads, depth]`.
        key: an array of as many axes, of the same batch and depth.
        value: an array `[batch, dims..., heads, channels]`, with the dims of `key`.
        dtype: the dtype of the weights.
        bias: added to the scores; it broadcasts to `[batch, other dims..., heads, query dims..., key dims...]`.
        axis: the axis or axes of `dims` that attention is over; all of them by default.
        broadcast_dropout: whether all batch entries, other dims and heads drop the same weights.
        dropout_rng: the key for dropout, instead of one of the scope.
        dropout_rate: the probability with which a weight is dropped.
        deterministic: whether none is.
        precision: of the products, as in `lax.dot_general`.

    Returns:
        An array `[batch, query dims..., heads, channels]`.

    Raises:
        LayerInputError: the operands do not fit.
        LayerOptionError: `axis` names none of `dims`.
        InvalidRngError: dropout needs a key, and the scope has no such stream.
    """
    axes = _attention_axes(query, key, value, axis)
    n, ndim = len(axes), jnp.ndim(query)
    kept = [i for i in range(ndim - 1) if i not in axes]  # batch, other dims and heads
    order = (*kept, *axes, ndim - 1)
    queries, keys, values = [jnp.transpose(x, order) for x in (query, key, value)]
    shared, depth = tuple(range(len(kept))), jnp.shape(query)[-1]
    scores: Any = lax.dot_general(queries / jnp.sqrt(depth).astype(dtype), keys,
                                  (((ndim - 1,), (ndim - 1,)), (shared, shared)), precision=precision)
    if bias is not None:
        scores = scores + bias
    over = tuple(range(scores.ndim - n, scores.ndim))
    weights: Any = jnp.exp(scores - logsumexp(scores, axis=over, keepdims=True)).astype(dtype)
    if dropout_rate > 0.0 and not deterministic:
        rng = scope.make_rng("dropout") if dropout_rng is None else dropout_rng
        shape = (1,) * len(kept) + weights.shape[-2 * n:] if broadcast_dropout else weights.shape
        share = 1.0 - dropout_rate
        weights = weights * (random.bernoulli(rng, share, shape).astype(weights.dtype) / jnp.asarray(share, dtype))
    places = tuple(range(len(kept), len(kept) + n))
    found = lax.dot_general(weights, values, ((over, places), (shared, shared)), precision=precision)
    return jnp.transpose(found, tuple([order.index(i) for i in range(ndim)]))


def _attention_axes(query: Any, key: Any, value: Any, axis: int | Sequence[int] | None) -> tuple[int, ...]:
    q, k, v = [jnp.shape(x) for x in (query, key, value)]
    if not (len(q) == len(k) == len(v) >= 3 and q[0] == k[0] and q[-1] == k[-1] and k[:-1] == v[:-1]):
        drawn = "\n".join([f"    {name:<6} {described(x)}" for name, x in (("query", query), ("key", key), ("value", value))])
        raise LayerInputError(says=f"The operands of attention do not fit:\n{drawn}",
                              why=_AXES + "; query and key have the same batch and depth, key and value all but the last axis")
    if axis is None:
        return tuple(range(1, len(k) - 2))
    axes = tuple(axis) if isinstance(axis, Iterable) else (axis,)
    for each in axes:
        if not 1 <= each < len(q) - 2:
            raise LayerOptionError(says=f"Attention was asked for over axis {each} of {described(query)}.", why=_AXES)
    return axes


class CacheEntry(struct.PyTreeNode):
    """What decoding remembers: keys and values of the places so far.

    Attributes:
        key: an array `[batch, dims..., heads, depth]`.
        value: an array of the same shape.
        i: the number of the next place.
    """

    key: Any
    value: Any
    i: Any


@api_boundary
def multi_head_dot_product_attention(
        scope: Scope, inputs_q: Array, inputs_kv: Array | None, num_heads: int, dtype: Dtype = jnp.float32,
        qkv_features: int | None = None, out_features: int | None = None,
        attention_axis: int | Sequence[int] | None = None, causal_mask: bool = False, padding_mask: Array | None = None,
        key_padding_mask: Array | None = None, segmentation: Array | None = None, key_segmentation: Array | None = None,
        cache: bool = False, broadcast_dropout: bool = True, dropout_rng: PRNGKey | None = None,
        dropout_rate: float = 0.0, deterministic: bool = False, precision: PrecisionLike = None,
        kernel_init: Initializer = default_kernel_init, bias_init: Initializer = initializers.zeros, bias: bool = True,
        attention_fn: Callable[..., Array] = dot_product_attention) -> Array:
    """Attention with several heads, each with queries, keys and values of its own.

    Args:
        scope: holds the parameters of the children `query`, `key`, `value` and `out`, and the cache.
        inputs_q: an array `[batch, dims..., features]`.
        inputs_kv: of what keys and values are made, of as many axes; `None` for `inputs_q`.
        num_heads: how many heads there are.
        dtype: the dtype of the computation.
        qkv_features: how many queries, keys and values there are in all heads together; by default as many as features.
        out_features: how many outputs there are; by default as many as features.
        attention_axis: the axis or axes of `dims` that attention is over; all of them by default.
        causal_mask: whether each place looks at itself and at those before it alone.
        padding_mask: which places of `inputs_q` are no padding, `[batch, dims...]` or `[batch, dims..., 1]`.
        key_padding_mask: the same for `inputs_kv`; by default `padding_mask`.
        segmentation: numbers of segments, for each place of `inputs_q`; places look at their own segment alone.
        key_segmentation: the same for `inputs_kv`; by default `segmentation`.
        cache: whether the collection `cache` holds keys and values of the places so far, and the input is the next place.
            Where it has none yet, a function of a shape `(batch, *dims)` (and a dtype) that makes an empty one is put
            there: `entry`, whose result the caller puts in its place.
        broadcast_dropout: whether all batch entries, other dims and heads drop the same weights.
        dropout_rng: the key for dropout, instead of one of the scope.
        dropout_rate: the probability with which a weight is dropped.
        deterministic: whether none is.
        precision: of the products, as in `lax.dot_general`.
        kernel_init: the initializer of the kernels.
        bias_init: the initializer of the biases.
        bias: whether biases are added.
        attention_fn: what makes outputs of queries, keys and values, as `dot_product_attention` does.

    Returns:
        An array `[batch, dims..., out_features]`.

    Raises:
        LayerOptionError: `cache` without `causal_mask`; the cache is not made.
        LayerInputError: the features cannot be divided into heads; the input is not one place, as decoding takes it.

    Vaswani et al., Attention Is All You Need (2017).
    """
    shape = jnp.shape(inputs_q)
    width = qkv_features or shape[-1]
    if cache and not causal_mask:
        raise LayerOptionError(says="Attention has `cache=True` without `causal_mask=True`.",
                               why="while places come one by one, none can look at those that come later")
    if width % num_heads:
        raise LayerInputError(says=f"{width} features cannot be divided into {num_heads} heads.",
                              why="each head has the same number of `qkv_features`")
    sources = inputs_q if inputs_kv is None else inputs_kv
    axes: Any = tuple(range(1, len(shape) - 1)) if attention_axis is None else attention_axis
    axes = tuple(axes) if isinstance(axes, Iterable) else (axes,)
    options: dict[str, Any] = {"kernel_init": kernel_init, "bias_init": bias_init, "bias": bias, "dtype": dtype,
                               "precision": precision}
    project = partial(dense_general, features=(num_heads, width // num_heads), **options)
    query: Any = scope.child(project, "query")(inputs_q)
    key, value = [scope.child(project, name)(sources) for name in ("key", "value")]
    entry = _advanced(scope, shape, key, value, axes) if cache else None
    if entry is not None:
        key, value = entry.key, entry.value
        so_far = jnp.arange(key.shape[1]) < entry.i
        key_padding_mask = jnp.broadcast_to(so_far, key.shape[:2])
    masks = [_causal_mask(key, axes, entry)] if causal_mask else []
    if padding_mask is not None:
        other = padding_mask if key_padding_mask is None else key_padding_mask
        masks.append(_pairs(padding_mask, other, query, key, axes, lambda a, b: (a > 0) & (b > 0)))
    if segmentation is not None:
        other = segmentation if key_segmentation is None else key_segmentation
        masks.append(_pairs(segmentation, other, query, key, axes, lambda a, b: a == b))
    scores = None
    if masks:
        seen = masks[0]
        for mask in masks[1:]:
            seen = jnp.logical_and(seen, mask)
        scores = jnp.where(seen, 0.0, _HIDDEN).astype(dtype)
    found = scope.child(attention_fn)(  # type: ignore[arg-type]
        query, key, value, dtype=dtype, axis=axes, bias=scores, precision=precision, dropout_rng=dropout_rng,
        dropout_rate=dropout_rate, broadcast_dropout=broadcast_dropout, deterministic=deterministic)
    return scope.child(dense_general, "out")(found, features=out_features or shape[-1], axis=(-2, -1), **options)


def _advanced(scope: Scope, shape: tuple[int, ...], key: Any, value: Any, axes: tuple[int, ...]) -> CacheEntry | None:
    """The cache with keys and values of one more place; `None` where there is none, and one can be made from now on."""
    if not scope.has_variable("cache", "entry"):
        ndim, tail = key.ndim, key.shape[-2:]

        def empty(shape: Sequence[int], dtype: Dtype = jnp.float32) -> CacheEntry:
            whole = (*shape, *tail)
            if len(whole) != ndim:
                raise LayerInputError(says=f"A cache of the shape {tuple(shape)} was asked for; it has {ndim - 2} axes.",
                                      why="they are the batch and the dims of the inputs")
            return CacheEntry(jnp.zeros(whole, dtype), jnp.zeros(whole, dtype), jnp.zeros((), jnp.uint32))

        scope.put_variable("cache", "entry", empty)
        return None
    entry: Any = scope.get_variable("cache", "entry")
    if not isinstance(entry, CacheEntry):
        raise LayerOptionError(says="The cache of attention has not been made yet.",
                               why="`init` leaves a function in the collection `cache` that makes it for the length wanted; "
                                   "decoding needs what that returns")
    sizes = entry.key.shape
    one = tuple([1 if i in axes else n for i, n in enumerate(sizes[:-2])])
    if shape[:-1] != one:
        raise LayerInputError(says=f"Attention with a cache takes inputs of shape {(*one, shape[-1])}, one place at a time; "
                                   f"this one has shape {shape}.",
                              why="the cache adds one place at each call")
    start, left, place = [0] * len(sizes), math.prod([sizes[i] for i in axes]), entry.i
    for i in axes:
        left //= sizes[i]
        start[i], place = place // left, place % left
    made = CacheEntry(lax.dynamic_update_slice(entry.key, key, start), lax.dynamic_update_slice(entry.value, value, start),
                      entry.i + jnp.uint32(1))
    scope.put_variable("cache", "entry", made)
    return made


def _causal_mask(key: Any, axes: tuple[int, ...], entry: CacheEntry | None) -> Any:
    """Which places may be looked at: those not later in the order of the axes."""
    sizes = tuple([key.shape[i] for i in axes])
    places = jnp.arange(math.prod(sizes))
    others = (1,) * (key.ndim - 1 - len(axes))
    if entry is not None:  # the query is the place that was just added
        return jnp.reshape(places < entry.i, (*others, *[1] * len(axes), *sizes))
    return jnp.reshape(places[:, None] >= places[None, :], (*others, *sizes, *sizes))


def _pairs(of_query: Any, of_key: Any, query: Any, key: Any, axes: tuple[int, ...], pair: Callable[[Any, Any], Any]) -> Any:
    """A mask for each query and key, from a number for each place of both: `[batch, other dims..., 1, ...]`."""
    n, kept = len(axes), [i for i in range(query.ndim - 2) if i not in axes]

    def arranged(numbers: Any, like: Any, before: tuple[int, ...], after: tuple[int, ...]) -> Any:
        places = jnp.reshape(numbers, like.shape[:-2])
        moved = jnp.transpose(places, (*kept, *axes))
        return jnp.reshape(moved, (*moved.shape[:len(kept)], 1, *before, *moved.shape[len(kept):], *after))

    return pair(arranged(of_query, query, (), (1,) * n), arranged(of_key, key, (1,) * n, ()))
