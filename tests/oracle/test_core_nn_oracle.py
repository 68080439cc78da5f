"""Layers as functions of a scope: the same parameters and results as Flax's."""
from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.oracle

flax_core = pytest.importorskip("flax.core")
theirs_jax = pytest.importorskip("jax")

import flax.core.nn as their_nn  # noqa: E402

import perspicax as ours_jax  # noqa: E402
from perspicax.flax import core as our_core  # noqa: E402
from perspicax.flax.core import nn as our_nn  # noqa: E402

OURS = SimpleNamespace(jax=ours_jax, jnp=ours_jax.numpy, core=our_core, nn=our_nn)
THEIRS = SimpleNamespace(jax=theirs_jax, jnp=theirs_jax.numpy, core=flax_core, nn=their_nn)

RNG = np.random.RandomState(0)
X = RNG.randn(2, 6, 8).astype("float32")
Q = RNG.randn(2, 2, 3, 2, 4).astype("float32")
PAD = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]], bool)
SEGMENTS = np.array([[1, 1, 2, 2, 3, 3], [1, 1, 1, 2, 2, 2]])

Call = Callable[[Any, Any, Any], Any]


def attend(**options: Any) -> Call:
    return lambda w, scope, x: w.nn.multi_head_dot_product_attention(
        scope, x, options.get("kv", x), 2, **{name: value for name, value in options.items() if name != "kv"})


CALLS: dict[str, Call] = {
    "dense": lambda w, s, x: w.nn.dense(s, x, 3),
    "dense_bfloat16": lambda w, s, x: w.nn.dense(s, x, 3, bias=False, dtype="bfloat16"),
    "dense_general": lambda w, s, x: w.nn.dense_general(s, x, (2, 3), axis=(-1, 1)),
    "dense_general_batch": lambda w, s, x: w.nn.dense_general(s, x, (2, 3), axis=-1, batch_dims=(0,)),
    "conv": lambda w, s, x: w.nn.conv(s, x, 4, (3,)),
    "conv_options": lambda w, s, x: w.nn.conv(s, x, 4, (3,), strides=(2,), padding=[(1, 2)], input_dilation=(2,),
                                              kernel_dilation=(2,), feature_group_count=2, bias=False),
    "conv_transpose": lambda w, s, x: w.nn.conv_transpose(s, x, 4, (3,), strides=(2,)),
    "conv_transpose_options": lambda w, s, x: w.nn.conv_transpose(s, x, 4, (3,), padding="VALID", kernel_dilation=(2,)),
    "lookup": lambda w, s, x: w.nn.embedding(s, 5, 3).lookup(w.jnp.asarray([[1, 4]])),
    "attend": lambda w, s, x: w.nn.embedding(s, 5, 8).attend(x),
    "batch_norm": lambda w, s, x: w.nn.batch_norm(s, x),
    "batch_norm_kind": lambda w, s, x: w.nn.batch_norm(s, x, use_running_average=True, bias=False, kind="stats"),
    "batch_norm_axes": lambda w, s, x: w.nn.batch_norm(s, x, axis=(1, 2), scale=False, momentum=0.5),
    "layer_norm": lambda w, s, x: w.nn.layer_norm(s, x),
    "layer_norm_bfloat16": lambda w, s, x: w.nn.layer_norm(s, x, dtype="bfloat16", scale=False),
    "group_norm": lambda w, s, x: w.nn.group_norm(s, x, num_groups=4),
    "group_norm_size": lambda w, s, x: w.nn.group_norm(s, x, num_groups=None, group_size=2, scale=False),
    "dropout": lambda w, s, x: w.nn.dropout(s, x, 0.5),
    "dropout_all": lambda w, s, x: w.nn.dropout(s, x, 1.0),
    "dropout_key": lambda w, s, x: w.nn.dropout(s, x, 0.5, rng=w.jax.random.key(3)),
    "attention": attend(),
    "attention_causal": attend(kv=None, causal_mask=True),
    "attention_dropout": attend(dropout_rate=0.5),
    "attention_dropout_each": attend(dropout_rate=0.5, broadcast_dropout=False),
    "attention_options": attend(dropout_rate=0.5, deterministic=True, qkv_features=6, out_features=5, bias=False),
    "attention_padding": attend(padding_mask=PAD),
    "attention_padding_and_causal": attend(padding_mask=PAD[..., None], causal_mask=True),
    "attention_keys": attend(kv=X[:, :4], padding_mask=PAD[..., None], key_padding_mask=PAD[:, :4, None]),
    "attention_segments": attend(segmentation=SEGMENTS),
    "attention_axes": lambda w, s, x: w.nn.multi_head_dot_product_attention(
        s, x.reshape(2, 2, 3, 8), None, 2, attention_axis=(1, 2), causal_mask=True),
    "attention_one_axis": lambda w, s, x: w.nn.multi_head_dot_product_attention(
        s, x.reshape(2, 2, 3, 8), None, 2, attention_axis=(1,)),
    "products": lambda w, s, x: w.nn.dot_product_attention(s, *[w.jnp.asarray(Q)] * 3, bias=w.jnp.ones((2, 2, 2, 3, 2, 3)),
                                                           axis=(1, 2)),
    "products_dropout": lambda w, s, x: w.nn.dot_product_attention(s, *[w.jnp.asarray(Q)] * 3, axis=(2,), dropout_rate=0.3),
}


def made(w: Any, call: Call) -> dict[str, tuple[str, np.ndarray]]:
    """Variables and result, those of a further call as well, by path."""
    keys = {"params": w.jax.random.key(0), "dropout": w.jax.random.key(1)}
    x = w.jnp.asarray(X)
    out, variables = w.core.init(lambda s, x: call(w, s, x))(keys, x)
    again = w.core.apply(lambda s, x: call(w, s, x), mutable=True)(variables, x * 2 + 1, rngs={"dropout": keys["dropout"]})
    leaves = w.jax.tree_util.tree_flatten_with_path((out, variables, again))[0]
    return {w.jax.tree_util.keystr(path): (str(leaf.dtype), np.asarray(leaf, "float64")) for path, leaf in leaves}


@pytest.mark.parametrize("name", CALLS)
def test_both_make_the_same_variables_and_results(name: str) -> None:
    ours, theirs = made(OURS, CALLS[name]), made(THEIRS, CALLS[name])
    assert list(ours) == list(theirs)
    for path, (dtype, value) in theirs.items():
        assert ours[path][0] == dtype, path
        assert ours[path][1].shape == value.shape, path
        # Sums of at most 64 terms, of which one rounding each; bfloat16 has 8 bits.
        bound = 2.0**-7 if dtype == "bfloat16" else 2.0**-17
        np.testing.assert_allclose(ours[path][1], value, rtol=bound, atol=bound, err_msg=path)


def decoded(w: Any) -> np.ndarray:
    def call(scope: Any, x: Any) -> Any:
        return w.nn.multi_head_dot_product_attention(scope, x, None, 2, causal_mask=True, cache=True)

    x = w.jnp.asarray(X)
    _, variables = w.core.init(call)(w.jax.random.key(0), x)
    variables = {"params": variables["params"], "cache": {"entry": variables["cache"]["entry"]((2, 6))}}
    outs = []
    for i in range(6):
        out, changed = w.core.apply(call, mutable=["cache"])(variables, x[:, i:i + 1])
        variables = {**variables, **changed}
        outs.append(np.asarray(out))
    return np.concatenate(outs, axis=1)


def test_decoding_place_by_place_is_causal_attention_as_in_flax() -> None:
    ours, theirs = decoded(OURS), decoded(THEIRS)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    whole = our_core.init(lambda s, x: our_nn.multi_head_dot_product_attention(s, x, None, 2, causal_mask=True))(
        ours_jax.random.key(0), ours_jax.numpy.asarray(X))[0]
    np.testing.assert_allclose(ours, whole, rtol=1e-5, atol=1e-6)


def raised(w: Any, call: Call) -> type[Exception]:
    with pytest.raises((ValueError, TypeError, AssertionError)) as caught:
        w.core.init(lambda s, x: call(w, s, x))(w.jax.random.key(0), w.jnp.asarray(X))
    return caught.type


@pytest.mark.parametrize(("call", "text"), [
    (lambda w, s, x: w.nn.dense_general(s, x, 3, batch_dims=(1,)), "must be the\nfirst axes"),
    (lambda w, s, x: w.nn.conv(s, x[0], 4, (3,)), "float32[6, 8], and `kernel_size` has 1 axes"),
    (lambda w, s, x: w.nn.conv_transpose(s, x[0], 4, (3,)), "float32[6, 8], and `kernel_size`"),
    (lambda w, s, x: w.nn.embedding(s, 5, 3).lookup(x), "they must be integers"),
    (lambda w, s, x: w.nn.group_norm(s, x, num_groups=3), "the 8 channels of float32[2, 6, 8] into 3 groups"),
    (lambda w, s, x: w.nn.group_norm(s, x, num_groups=4, group_size=2), "both were given"),
    (lambda w, s, x: w.nn.multi_head_dot_product_attention(s, x, x, 3), "8 features cannot be divided into 3 heads"),
    (lambda w, s, x: w.nn.multi_head_dot_product_attention(s, x, x, 2, cache=True), "without `causal_mask=True`"),
    (lambda w, s, x: w.nn.dot_product_attention(s, *[w.jnp.asarray(Q)] * 3, axis=0), "axis 0 of float32[2, 2, 3, 2, 4]"),
    (lambda w, s, x: w.nn.dot_product_attention(s, Q, Q[:1], Q), "The operands of attention do not fit"),
])
def test_mistakes_raise_errors_that_programs_for_flax_catch(call: Call, text: str) -> None:
    error = raised(OURS, call)
    assert issubclass(error, raised(THEIRS, call)) or issubclass(error, (ValueError,))
    with pytest.raises(error) as caught:
        our_core.init(lambda s, x: call(OURS, s, x))(ours_jax.random.key(0), ours_jax.numpy.asarray(X))
    assert text.replace("\n", " ") in " ".join(str(caught.value).split())


def test_every_name_is_there() -> None:
    public = {name for name, value in vars(their_nn).items()
              if not name.startswith("_") and not isinstance(value, ModuleType)}
    assert public <= set(our_nn.__all__)
