"""Attention by products of queries with keys, as a function."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import perspicax.nn
import perspicax.numpy as jnp
import perspicax.random as random
from perspicax.flax.error_base import shape_of
from perspicax.flax.linen.dtypes import promote_dtype
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described
from perspicax.flax.typing import Array, Dtype, PrecisionLike, PRNGKey

__all__ = ["dot_product_attention", "dot_product_attention_weights"]

_AXES = "queries are [..., queries, heads, depth], keys and values [..., keys, heads, depth]"


def _check_same(what: str, **values: Any) -> None:
    """That something of shapes is the same for all operands."""
    found = {name: fact for name, (_, fact) in values.items()}
    if len(set(found.values())) > 1:
        drawn = "\n".join(f"    {name:<6} {described(array)}" for name, (array, _) in values.items())
        raise LayerInputError(says=f"The operands of attention differ in {what}:\n{drawn}", why=_AXES)


def _check_query_and_key(query: Any, key: Any) -> None:
    q, k = jnp.shape(query), jnp.shape(key)
    _check_same("their number of axes", query=(query, len(q)), key=(key, len(k)))
    if len(q) < 3:
        raise LayerInputError(says=f"The query of attention is {described(query)}; it has too few axes.", why=_AXES)
    _check_same("their batch axes", query=(query, q[:-3]), key=(key, k[:-3]))
    _check_same("the number of heads", query=(query, q[-2]), key=(key, k[-2]))


def dot_product_attention_weights(
        query: Array, key: Array, bias: Array | None = None, mask: Array | None = None, broadcast_dropout: bool = True,
        dropout_rng: PRNGKey | None = None, dropout_rate: float = 0.0, deterministic: bool = False,
        dtype: Dtype | None = None, precision: PrecisionLike = None, module: Any = None,
        force_fp32_for_softmax: bool = False, einsum_dot_general: Callable[..., Array] | None = None,
        einsum: Callable[..., Array] | None = None) -> Array:
    """How much each query looks at each key.

    Args:
        query: an array `[..., queries, heads, depth]`.
        key: an array `[..., keys, heads, depth]`.
        bias: added before the softmax; broadcasts to `[..., heads, queries, keys]`.
        mask: where it is 0 or false, the weight is 0; broadcasts likewise.
        broadcast_dropout: whether all batch entries and heads drop the same weights.
        dropout_rng: the key for dropout.
        dropout_rate: the probability with which a weight is dropped.
        deterministic: whether none is.
        dtype: the dtype of the computation; by default what query and key promote to.
        precision: of the product, as in `lax.dot_general`.
        module: a module that keeps the weights, before dropout, as `intermediates`: `attention_weights`.
        force_fp32_for_softmax: whether the softmax is computed in float32.
        einsum_dot_general: used by the product instead of `lax.dot_general`.
        einsum: used for the product instead of `jnp.einsum`; excludes `einsum_dot_general`.

    Returns:
        An array `[..., heads, queries, keys]`; the weights of each query sum to 1.

    Raises:
        LayerInputError: the operands do not fit.
        LayerOptionError: both `einsum` and `einsum_dot_general` were given, or dropout without a key.
    """
    query, key = promote_dtype(query, key, dtype=dtype)
    _check_query_and_key(query, key)
    _check_same("their depth", query=(query, query.shape[-1]), key=(key, key.shape[-1]))
    dtype = query.dtype
    query = query / jnp.sqrt(query.shape[-1]).astype(dtype)
    weights = _product("...qhd,...khd->...hqk", query, key, precision, einsum_dot_general, einsum)
    if bias is not None:
        weights = weights + bias
    if mask is not None:
        _check_mask(mask, weights.shape)
        weights = jnp.where(mask, weights, jnp.finfo(dtype).min)
    softmax: Any = perspicax.nn.softmax
    weights = softmax(weights.astype(jnp.float32)) if force_fp32_for_softmax and dtype != jnp.float32 else softmax(weights)
    weights = weights.astype(dtype)
    if module:
        module.sow("intermediates", "attention_weights", weights)
    if deterministic or dropout_rate <= 0.0:
        return weights
    if dropout_rng is None:
        raise LayerOptionError(says=f"Attention drops weights (`dropout_rate` is {dropout_rate}), and has no `dropout_rng`.",
                               why="what is dropped is drawn with a random key; with `deterministic=True` nothing is dropped")
    kept = 1.0 - dropout_rate
    shape = (1,) * (key.ndim - 2) + weights.shape[-2:] if broadcast_dropout else weights.shape
    return weights * (random.bernoulli(dropout_rng, kept, shape).astype(dtype) / jnp.asarray(kept, dtype))


def _product(equation: str, a: Any, b: Any, precision: PrecisionLike, dot_general: Any, einsum: Any) -> Any:
    if einsum is not None and dot_general is not None:
        raise LayerOptionError(says="Attention was given both its own `einsum` and `einsum_dot_general`.",
                               why="the second is used by `jnp.einsum`, which the first replaces")
    if einsum is not None:
        return einsum(equation, a, b, precision=precision)
    if dot_general is not None:
        return jnp.einsum(equation, a, b, precision=precision, _dot_general=dot_general)
    return jnp.einsum(equation, a, b, precision=precision)


def _check_mask(mask: Any, weights: tuple[int, ...]) -> None:
    try:
        fits = jnp.broadcast_shapes(jnp.shape(mask), weights) == weights
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise LayerInputError(says=f"The mask of attention, {described(mask)}, does not broadcast to the weights, "
                                   f"{shape_of(weights)}.",
                              why="weights have the axes [batch..., heads, queries, keys]; a mask that holds for all heads has "
                                  "size 1 there")


def dot_product_attention(
        query: Array, key: Array, value: Array, bias: Array | None = None, mask: Array | None = None,
        broadcast_dropout: bool = True, dropout_rng: PRNGKey | None = None, dropout_rate: float = 0.0,
        deterministic: bool = False, dtype: Dtype | None = None, precision: PrecisionLike = None, module: Any = None,
        force_fp32_for_softmax: bool = False, einsum_dot_general: Callable[..., Array] | None = None,
        qk_attn_weights_einsum: Callable[..., Array] | None = None,
        attn_weights_value_einsum: Callable[..., Array] | None = None) -> Array:
    """For each query the mean of the values, weighted by how well their keys fit.

    Args:
        query: an array `[..., queries, heads, depth]`.
        key: an array `[..., keys, heads, depth]`.
        value: an array `[..., keys, heads, value depth]`.
        bias: added before the softmax; broadcasts to `[..., heads, queries, keys]`.
        mask: where it is 0 or false, the weight is 0; broadcasts likewise.
        broadcast_dropout: whether all batch entries and heads drop the same weights.
        dropout_rng: the key for dropout.
        dropout_rate: the probability with which a weight is dropped.
        deterministic: whether none is.
        dtype: the dtype of the computation; by default what the operands promote to.
        precision: of the products, as in `lax.dot_general`.
        module: a module that keeps the weights as `intermediates`: `attention_weights`.
        force_fp32_for_softmax: whether the softmax is computed in float32.
        einsum_dot_general: used by the products instead of `lax.dot_general`.
        qk_attn_weights_einsum: used for the product of queries and keys instead of `jnp.einsum`.
        attn_weights_value_einsum: used for the product of weights and values; both or neither are given.

    Returns:
        An array `[..., queries, heads, value depth]`.

    Raises:
        LayerInputError: the operands do not fit.
        LayerOptionError: options exclude each other, or dropout has no key.

    Vaswani et al., Attention Is All You Need (2017).
    """
    if (qk_attn_weights_einsum is None) != (attn_weights_value_einsum is None):
        raise LayerOptionError(says="Attention was given one of `qk_attn_weights_einsum` and `attn_weights_value_einsum`.",
                               why="both of its products are replaced, or neither is")
    query, key, value = promote_dtype(query, key, value, dtype=dtype)
    _check_query_and_key(query, key)
    _check_same("their number of axes", key=(key, key.ndim), value=(value, value.ndim))
    _check_same("their batch axes", key=(key, key.shape[:-3]), value=(value, value.shape[:-3]))
    _check_same("the number of heads", key=(key, key.shape[-2]), value=(value, value.shape[-2]))
    _check_same("their length", key=(key, key.shape[-3]), value=(value, value.shape[-3]))
    weights = dot_product_attention_weights(
        query, key, bias, mask, broadcast_dropout, dropout_rng, dropout_rate, deterministic, query.dtype, precision, module,
        force_fp32_for_softmax, einsum_dot_general, qk_attn_weights_einsum)
    return _product("...hqk,...khd->...qhd", weights, value, precision, einsum_dot_general, attn_weights_value_einsum)
