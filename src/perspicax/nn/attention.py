"""`dot_product_attention`: each query looks at all keys, and gets the mean of their values, weighted by likeness."""
from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.diagnose.boundary import public
from perspicax.lax.markers import stop_gradient
from perspicax.lax.shape import broadcasted_iota
from perspicax.nn.errors import AttentionOperandError
from perspicax.nn.normalizing import softmax
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.log_sums import logsumexp


class _Sizes(NamedTuple):
    """Of attention: batch, queries, keys, heads of queries, heads of keys, features."""

    batch: int
    queries: int
    keys: int
    heads: int
    key_heads: int
    features: int


@public
def dot_product_attention(query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, *,
                          scale: Any = None, is_causal: bool = False, query_seq_lengths: Any = None,
                          key_value_seq_lengths: Any = None, local_window_size: Any = None,
                          implementation: str | None = None, return_residual: bool = False) -> Any:
    """`softmax(scale * query @ key + bias) @ value`, for several heads.

    Args:
        query: array `[b, t, n, h]`: batch, queries, heads, features; or `[t, n, h]`.
        key: array `[b, s, k, h]` of as many axes: each of its `k` heads serves `n / k` heads of the queries.
        value: array of the shape of `key`.
        bias: array that broadcasts to `[b, n, t, s]`, added to the logits.
        mask: boolean array that broadcasts to `[b, n, t, s]`: which keys each query looks at. A query that may look at
            none looks at all alike.
        scale: by which the products are multiplied; `1 / sqrt(h)` by default.
        is_causal: whether query `i` looks at keys up to `i` alone.
        query_seq_lengths: array `int32[b]`: how many of the queries count; what the others get is 0.
        key_value_seq_lengths: array `int32[b]`: how many of the keys are looked at.
        local_window_size: query `i` looks at keys `i - left … i + right` alone, where this is `(left, right)`, or one
            number for both.
        implementation: `"xla"`, or `None` for the best one there is; `"cudnn"` is not there.
        return_residual: whether to return the logarithms of the sums of the softmax too, which have no derivative.

    Returns:
        Array of the shape and dtype of `query`; with `return_residual` and an array `[b, t, n]`.

    Raises:
        AttentionOperandError: shapes or dtypes of the operands do not fit each other.
        ArgumentValueError: `implementation` or `local_window_size` is none of these.
        UnsupportedArgumentError: cuDNN is asked for.

    Logits and their softmax are computed in float32 at least. Vaswani et al., Attention Is All You Need (2017);
    heads that share keys: Ainslie et al., GQA (2023).
    """
    shape = np.shape(query)
    q, k, v = [_four_axes(x) for x in (query, key, value)]
    sizes = _sizes(q, k, v)
    _check_implementation(implementation)
    bias, mask = [None if x is None else _four_axes(x) for x in (bias, mask)]
    _check_broadcast("bias", bias, sizes)
    _check_broadcast("mask", mask, sizes)
    if mask is not None and mask.dtype != np.dtype(bool):
        raise AttentionOperandError(says=f"Attention was given the mask {mask.aval.str_short()}.",
                                    why="it says which keys are looked at: a boolean array")
    lengths = [_lengths(name, x, sizes.batch) for name, x in
               (("query_seq_lengths", query_seq_lengths), ("key_value_seq_lengths", key_value_seq_lengths))]
    factor = 1 / math.sqrt(sizes.features) if scale is None else scale
    outs = fused_call(_attention, (q, k, v, bias, mask, factor, *lengths), sizes=sizes, causal=bool(is_causal),
                      window=_window(local_window_size), residual=bool(return_residual))
    out = jnp.reshape(outs[0], shape)
    return (out, jnp.reshape(outs[1], shape[:-1])) if return_residual else out


# -- arguments

def _four_axes(x: Any) -> Any:
    x = jnp.asarray(x)
    return x if x.ndim >= 4 else jnp.reshape(x, (*(1,) * (4 - x.ndim), *x.shape))


def _sizes(q: Any, k: Any, v: Any) -> _Sizes:
    for name, x in (("query", q), ("key", k), ("value", v)):
        if x.ndim != 4:
            raise AttentionOperandError(says=f"Attention was given the {name} {x.aval.str_short()}.",
                                        why="it has the axes batch, sequence, heads and features, or these without batch")
    types = f"query {q.aval.str_short()}, key {k.aval.str_short()}, value {v.aval.str_short()}"
    (batch, queries, heads, features), (_, keys, key_heads, _) = q.shape, k.shape
    why = ""
    if k.shape != v.shape:
        why = "key and value have one shape: there is one value for each key"
    elif k.shape[0] != batch:
        why = f"the batches differ: {batch} of queries, {k.shape[0]} of keys"
    elif k.shape[3] != features:
        why = f"queries and keys are compared feature by feature, and have {features} and {k.shape[3]} of them"
    elif not key_heads or heads % key_heads:
        why = f"each head of the keys serves as many heads of the queries, but {heads} is no multiple of {key_heads}"
    elif not q.dtype == k.dtype == v.dtype:
        why = "query, key and value have one dtype"
    if why:
        raise AttentionOperandError(says=f"The operands of attention do not fit: {types}.", why=why)
    return _Sizes(batch, queries, keys, heads, key_heads, features)


def _check_implementation(implementation: Any) -> None:
    if implementation == "cudnn":
        raise UnsupportedArgumentError(function="dot_product_attention", argument='implementation="cudnn"',
                                       why='cuDNN needs a GPU, which is not there; "xla" computes the same')
    if implementation not in (None, "xla"):
        raise ArgumentValueError(says=f"`dot_product_attention` was given implementation={implementation!r}.",
                                 why='it is "xla", "cudnn" or None')


def _check_broadcast(name: str, x: Any, sizes: _Sizes) -> None:
    if x is None:
        return
    wanted = (sizes.batch, sizes.heads, sizes.queries, sizes.keys)
    if x.ndim != 4 or any(n not in (1, m) for n, m in zip(x.shape, wanted)):
        raise AttentionOperandError(says=f"Attention was given the {name} {x.aval.str_short()}.",
                                    why=f"it broadcasts to batch, heads, queries and keys: {wanted}")


def _lengths(name: str, x: Any, batch: int) -> Any:
    if x is None:
        return None
    x = jnp.asarray(x)
    if x.shape != (batch,) or x.dtype != np.dtype(np.int32):
        raise AttentionOperandError(says=f"Attention was given {name} of type {x.aval.str_short()}.",
                                    why=f"there is one length for each sequence of the batch: int32[{batch}]")
    return x


def _window(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(hasattr(n, "__index__") for n in pair):
        raise ArgumentValueError(says=f"`dot_product_attention` was given local_window_size={size!r}.",
                                 why="it is an integer, or a pair of them: how many keys before and behind")
    return int(pair[0]), int(pair[1])


# -- the computation

def _attention(q: Any, k: Any, v: Any, bias: Any, mask: Any, scale: Any, query_lengths: Any, key_lengths: Any, *,
               sizes: _Sizes, causal: bool, window: tuple[int, int] | None, residual: bool) -> list[Any]:
    groups = sizes.heads // sizes.key_heads
    wide = jnp.promote_types(q.dtype, dtypes.float32)
    if groups == 1:  # an axis more would cost a copy of the logits
        logits = jnp.expand_dims(jnp.einsum("btkh,bskh->bkts", q, k, preferred_element_type=wide), 2)
    else:
        q = jnp.reshape(q, (sizes.batch, sizes.queries, sizes.key_heads, groups, sizes.features))
        logits = jnp.einsum("btkgh,bskh->bkgts", q, k, preferred_element_type=wide)
    logits = jnp.multiply(logits, jnp.asarray(scale, logits.dtype))
    if bias is not None:
        logits = jnp.add(logits, _by_group(bias, sizes)).astype(logits.dtype)
    allowed = _allowed(mask, query_lengths, key_lengths, sizes, causal, window)
    if allowed is not None:  # not -inf: a query that may look at nothing would get NaN
        logits = jnp.where(allowed, logits, np.asarray(-0.7 * float(dtypes.finfo(logits.dtype).max), logits.dtype))
    weights = softmax(logits).astype(k.dtype)
    if groups == 1:
        out = jnp.expand_dims(jnp.einsum("bskh,bkts->btkh", v, jnp.squeeze(weights, 2), preferred_element_type=v.dtype), 3)
    else:
        out = jnp.einsum("bskh,bkgts->btkgh", v, weights, preferred_element_type=v.dtype)
    if query_lengths is not None:
        counted = _before(query_lengths, sizes.queries)[:, :, None, None, None]
        out = jnp.multiply(out, counted.astype(out.dtype))
    out = jnp.reshape(out, (sizes.batch, sizes.queries, sizes.heads, sizes.features))
    if not residual:
        return [out]
    sums = stop_gradient(logsumexp(logits, axis=-1)).astype(k.dtype)
    return [out, jnp.reshape(jnp.transpose(sums, (0, 3, 1, 2)), (sizes.batch, sizes.queries, sizes.heads))]


def _by_group(x: Any, sizes: _Sizes) -> Any:
    """`[b, n, t, s]` as `[b, k, n / k, t, s]`."""
    b, n, t, s = x.shape
    groups = (sizes.key_heads, sizes.heads // sizes.key_heads) if n != 1 else (1, 1)
    return jnp.reshape(x, (b, *groups, t, s))


def _before(lengths: Any, size: int) -> Any:
    """`[b, size]`: which places come before the end of each sequence."""
    return jnp.less(broadcasted_iota(np.int32, (1, size), 1), lengths[:, None])


def _allowed(mask: Any, query_lengths: Any, key_lengths: Any, sizes: _Sizes, causal: bool,
             window: tuple[int, int] | None) -> Any:
    """Which keys each query looks at: an array that broadcasts to `[b, k, n / k, t, s]`, or `None` for all."""
    found = [] if mask is None else [_by_group(mask, sizes)]
    at, to = [broadcasted_iota(np.int32, (sizes.queries, sizes.keys), i) for i in (0, 1)]
    if causal:
        found.append(jnp.greater_equal(at, to))
    if window is not None:
        left, right = window
        found.append(jnp.logical_and(jnp.less_equal(at, jnp.add(to, left)), jnp.greater_equal(at, jnp.subtract(to, right))))
    if query_lengths is not None:
        found.append(_before(query_lengths, sizes.queries)[:, None, None, :, None])
    if key_lengths is not None:
        found.append(_before(key_lengths, sizes.keys)[:, None, None, None, :])
    allowed = None
    for x in found:
        allowed = x if allowed is None else jnp.logical_and(allowed, x)
    return allowed


__all__ = ["dot_product_attention"]
