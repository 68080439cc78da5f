"""Attention as layers: `flax.linen.attention`."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import perspicax.lax as lax
import perspicax.numpy as jnp
from perspicax.diagnose.report import Fix
from perspicax.flax.error_base import shape_of
from perspicax.flax.linen import initializers
from perspicax.flax.linen.attention_weights import dot_product_attention, dot_product_attention_weights
from perspicax.flax.linen.dense import DenseGeneral, default_kernel_init
from perspicax.flax.linen.layer_errors import DECODE_ORDER, LayerInputError, layer_at
from perspicax.flax.linen.masks import combine_masks, make_attention_mask, make_causal_mask
from perspicax.flax.linen.module import Module, compact, merge_param, nowrap
from perspicax.flax.linen.normalization import LayerNorm
from perspicax.flax.typing import Array, DotGeneralT, Dtype, Initializer, PrecisionLike, PRNGKey

__all__ = [
    "MultiHeadAttention", "MultiHeadDotProductAttention", "SelfAttention", "combine_masks", "dot_product_attention",
    "dot_product_attention_weights", "make_attention_mask", "make_causal_mask",
]


class MultiHeadDotProductAttention(Module):
    """Attention with several heads.

    Attributes:
        num_heads: how many heads there are.
        dtype: the dtype of the computation; by default what inputs and parameters promote to.
        param_dtype: the dtype of the parameters.
        qkv_features: the depth of queries, keys and values, of all heads together; by default that of the inputs.
        out_features: the depth of the result; by default that of the inputs.
        broadcast_dropout: whether all batch entries and heads drop the same weights.
        dropout_rate: the probability with which a weight is dropped.
        deterministic: whether none is. May be given at the call instead.
        precision: of the products, as in `lax.dot_general`.
        kernel_init: the initializer of the kernels.
        out_kernel_init: that of the kernel of the result; by default `kernel_init`.
        bias_init: the initializer of the biases.
        out_bias_init: that of the bias of the result; by default `bias_init`.
        use_bias: whether there are biases.
        attention_fn: computes attention from queries, keys and values; takes what `dot_product_attention` does.
        decode: whether one token is taken at a time, and keys and values of those before are kept. `init` is then called
            with inputs of the full length.
        normalize_qk: whether queries and keys pass a `LayerNorm` of each head.
        force_fp32_for_softmax: whether the softmax is computed in float32.
        qkv_dot_general: used for queries, keys and values instead of `lax.dot_general`.
        out_dot_general: used for the result instead of `lax.dot_general`.
        qkv_dot_general_cls: a class of modules, used likewise.
        out_dot_general_cls: a class of modules, used likewise.
        qk_attn_weights_einsum_cls: makes what is used for the product of queries and keys instead of `jnp.einsum`.
        attn_weights_value_einsum_cls: makes what is used for the product of weights and values.

    Parameters: `query`, `key` and `value`, each a `DenseGeneral` with a kernel `[features, heads, depth]`; `out`, with one
    `[heads, depth, out_features]`; `query_ln` and `key_ln` with `normalize_qk`. Collection `cache` with `decode`:
    `cached_key`, `cached_value` and `cache_index`.
    """

    num_heads: int
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    qkv_features: int | None = None
    out_features: int | None = None
    broadcast_dropout: bool = True
    dropout_rate: float = 0.0
    deterministic: bool | None = None
    precision: PrecisionLike = None
    kernel_init: Initializer = default_kernel_init
    out_kernel_init: Initializer | None = None
    bias_init: Initializer = initializers.zeros_init()
    out_bias_init: Initializer | None = None
    use_bias: bool = True
    attention_fn: Callable[..., Array] = dot_product_attention
    decode: bool = False
    normalize_qk: bool = False
    force_fp32_for_softmax: bool = False
    qkv_dot_general: DotGeneralT | None = None
    out_dot_general: DotGeneralT | None = None
    qkv_dot_general_cls: Any = None
    out_dot_general_cls: Any = None
    qk_attn_weights_einsum_cls: Callable[..., Callable[..., Array]] | None = None
    attn_weights_value_einsum_cls: Callable[..., Callable[..., Array]] | None = None

    @compact
    def __call__(self, inputs_q: Array, inputs_k: Array | None = None, inputs_v: Array | None = None, *,
                 inputs_kv: Array | None = None, mask: Array | None = None, deterministic: bool | None = None,
                 dropout_rng: PRNGKey | None = None, sow_weights: bool = False) -> Array:
        """Apply the layer.

        Args:
            inputs_q: an array `[batch..., queries, features]`.
            inputs_k: an array `[batch..., keys, features]`; by default `inputs_q`.
            inputs_v: likewise; by default `inputs_k`.
            inputs_kv: both at once; the older way to give them.
            mask: where it is 0 or false, a query does not look at a key; broadcasts to `[batch..., heads, queries, keys]`.
            deterministic: as the field, one of which must be given where weights are dropped.
            dropout_rng: the key for dropout; by default one of the stream `dropout`.
            sow_weights: whether the weights are kept as `intermediates`: `attention_weights`.

        Returns:
            An array `[batch..., queries, out_features]`.

        Raises:
            LayerInputError: inputs were given twice, or do not fit the heads or the cache.
            MergeParamError: `deterministic` was given twice, or not at all.
        """
        inputs_k, inputs_v = self._inputs(inputs_q, inputs_k, inputs_v, inputs_kv)
        features = self.out_features or jnp.shape(inputs_q)[-1]
        query, key, value = self._projected(inputs_q, inputs_k, inputs_v)
        if self.normalize_qk:  # Dehghani et al., Scaling Vision Transformers to 22 Billion Parameters (2023)
            norm: Any = partial(LayerNorm, use_bias=False, dtype=self.dtype, param_dtype=self.param_dtype)
            query, key = norm(name="query_ln")(query), norm(name="key_ln")(key)
        if self.decode:
            key, value, mask = self._through_cache(query, key, value, mask)
        passes = True
        if self.dropout_rate > 0.0:
            passes = merge_param("deterministic", self.deterministic, deterministic)
            if not passes and dropout_rng is None:
                dropout_rng = self.make_rng("dropout")
        x = self._attended(query, key, value, mask=mask, dropout_rng=dropout_rng, deterministic=passes, sow_weights=sow_weights)
        project: Any = DenseGeneral
        return project(
            features=features, axis=(-2, -1), kernel_init=self.out_kernel_init or self.kernel_init,
            bias_init=self.out_bias_init or self.bias_init, use_bias=self.use_bias, dtype=self.dtype,
            param_dtype=self.param_dtype, precision=self.precision, dot_general=self.out_dot_general,
            dot_general_cls=self.out_dot_general_cls, name="out")(x)

    @nowrap
    def _inputs(self, inputs_q: Any, inputs_k: Any, inputs_v: Any, inputs_kv: Any) -> tuple[Any, Any]:
        """What keys and values are made of."""
        if inputs_kv is not None:
            if inputs_k is not None or inputs_v is not None:
                raise LayerInputError(says=f"{layer_at(self)[0].upper()}{layer_at(self)[1:]} was given `inputs_kv`, and "
                                           "`inputs_k` or `inputs_v` too.",
                                      why="`inputs_kv` stands for both of the others",
                                      fixes=(Fix(code="layer(inputs_q, inputs_k, inputs_v)"),))
            return inputs_kv, inputs_kv
        if inputs_k is None and inputs_v is not None:
            raise LayerInputError(says=f"{layer_at(self)[0].upper()}{layer_at(self)[1:]} was given `inputs_v` without "
                                       "`inputs_k`.",
                                  why="values are by default made of what keys are made of, and not the other way round",
                                  fixes=(Fix("for both from one input", code="layer(inputs_q, inputs_k)"),))
        inputs_k = inputs_q if inputs_k is None else inputs_k
        return inputs_k, inputs_k if inputs_v is None else inputs_v

    @nowrap
    def _projected(self, inputs_q: Any, inputs_k: Any, inputs_v: Any) -> tuple[Any, Any, Any]:
        """Queries, keys and values."""
        depth = self.qkv_features or jnp.shape(inputs_q)[-1]
        if depth % self.num_heads:
            field = "the field `qkv_features`" if self.qkv_features else "the last axis of the inputs"
            raise LayerInputError(
                says=f"{layer_at(self)[0].upper()}{layer_at(self)[1:]} has {self.num_heads} heads for {depth} features.",
                why=f"each head has its share of the features, which are {depth} by {field}; {depth} does not divide by "
                    f"{self.num_heads}",
                fixes=(Fix(code=f"qkv_features={-(-depth // self.num_heads) * self.num_heads}"),))
        project: Any = partial(
            DenseGeneral, axis=-1, features=(self.num_heads, depth // self.num_heads), kernel_init=self.kernel_init,
            bias_init=self.bias_init, use_bias=self.use_bias, dtype=self.dtype, param_dtype=self.param_dtype,
            precision=self.precision, dot_general=self.qkv_dot_general, dot_general_cls=self.qkv_dot_general_cls)
        return project(name="query")(inputs_q), project(name="key")(inputs_k), project(name="value")(inputs_v)

    @nowrap
    def _through_cache(self, query: Any, key: Any, value: Any, mask: Any) -> tuple[Any, Any, Any]:
        """Keys and values of all tokens so far, and the mask that hides the places to come."""
        filled = self.has_variable("cache", "cached_key")  # `init` makes the cache, and computes as without one
        cached_key: Any = self.variable("cache", "cached_key", jnp.zeros, key.shape, key.dtype)
        cached_value: Any = self.variable("cache", "cached_value", jnp.zeros, value.shape, value.dtype)
        index: Any = self.variable("cache", "cache_index", lambda: jnp.array(0, dtype=jnp.int32))
        if not filled:
            return key, value, mask
        *batch, length, heads, depth = cached_key.value.shape
        expected = (*batch, 1, heads, depth)
        if query.shape != expected:
            raise LayerInputError(
                says=f"The query of {layer_at(self)} has shape {shape_of(query.shape)}; with its cache it must have "
                     f"{shape_of(expected)}.",
                why=DECODE_ORDER, fixes=(Fix("one token at a time", code="layer.apply(variables, x[:, i:i + 1], "
                                                                         "mutable=['cache'])"),))
        at = index.value
        zero = jnp.zeros((), at.dtype)
        start = (*[zero] * len(batch), at, zero, zero)
        cached_key.value = key = lax.dynamic_update_slice(cached_key.value, key, start)
        cached_value.value = value = lax.dynamic_update_slice(cached_value.value, value, start)
        index.value = at + 1
        seen = jnp.broadcast_to(jnp.arange(length) <= at, (*batch, 1, 1, length))
        return key, value, combine_masks(mask, seen)

    @nowrap
    def _attended(self, query: Any, key: Any, value: Any, *, mask: Any, dropout_rng: Any, deterministic: bool,
                  sow_weights: bool) -> Any:
        options: dict[str, Any] = {}
        if self.qk_attn_weights_einsum_cls is not None:
            options["qk_attn_weights_einsum"] = self.qk_attn_weights_einsum_cls()
        if self.attn_weights_value_einsum_cls is not None:
            options["attn_weights_value_einsum"] = self.attn_weights_value_einsum_cls()
        if self.force_fp32_for_softmax:
            options["force_fp32_for_softmax"] = True  # a user's `attention_fn` may not know it
        if sow_weights:
            options["module"] = self
        return self.attention_fn(
            query, key, value, mask=mask, dropout_rng=dropout_rng, dropout_rate=self.dropout_rate,
            broadcast_dropout=self.broadcast_dropout, deterministic=deterministic, dtype=self.dtype,
            precision=self.precision, **options)


class MultiHeadAttention(MultiHeadDotProductAttention):
    """Attention with several heads: `MultiHeadDotProductAttention` by a shorter name."""


class SelfAttention(MultiHeadDotProductAttention):
    """Attention of one input to itself, with several heads. `MultiHeadAttention` called with one input does the same."""

    @compact
    def __call__(self, inputs_q: Array, mask: Array | None = None, deterministic: bool | None = None,  # type: ignore[override]
                 dropout_rng: PRNGKey | None = None, sow_weights: bool = False) -> Array:
        """Apply the layer.

        Args:
            inputs_q: an array `[batch..., tokens, features]`.
            mask: where it is 0 or false, a token does not look at another; broadcasts to `[batch..., heads, tokens, tokens]`.
            deterministic: as the field, one of which must be given where weights are dropped.
            dropout_rng: the key for dropout; by default one of the stream `dropout`.
            sow_weights: whether the weights are kept as `intermediates`: `attention_weights`.

        Returns:
            An array `[batch..., tokens, out_features]`.
        """
        return super().__call__(inputs_q, mask=mask, deterministic=deterministic, dropout_rng=dropout_rng,
                                sow_weights=sow_weights)
