"""Linen's layers: laws that need no other implementation, and what is reported when an input does not fit."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import perspicax
import perspicax.numpy as jnp
from perspicax import random
from perspicax.flax import linen as nn
from perspicax.flax.errors import ScopeParamShapeError
from perspicax.flax.linen.errors import TransformArgumentError
from perspicax.flax.linen.layer_errors import LayerCombinationError, LayerInputError, LayerOptionError

KEY = random.key(0)
SEQ = np.random.default_rng(0).standard_normal((2, 5, 8)).astype("float32")


def test_decoding_token_by_token_is_causal_attention() -> None:
    layer = nn.MultiHeadAttention(2, decode=True)
    variables = layer.init(KEY, SEQ)
    step = perspicax.jit(lambda variables, x: layer.apply(variables, x, mutable=["cache"]))
    outputs = []
    for i in range(SEQ.shape[1]):
        out, changed = step(variables, SEQ[:, i:i + 1])
        variables = {**variables, **changed}
        outputs.append(np.asarray(out))
    whole = nn.MultiHeadAttention(2).apply({"params": variables["params"]}, SEQ, mask=nn.make_causal_mask(SEQ[..., 0]))
    np.testing.assert_allclose(np.concatenate(outputs, axis=1), np.asarray(whole), atol=2e-6)
    assert int(variables["cache"]["cache_index"]) == 5


def test_the_two_lstm_cells_have_the_same_parameters_and_results() -> None:
    carry, x = (SEQ[:, 0, :3], SEQ[:, 1, :3]), SEQ[:, 2]
    variables = nn.LSTMCell(3).init(KEY, carry, x)
    plain, fast = nn.LSTMCell(3).apply(variables, carry, x), nn.OptimizedLSTMCell(3).apply(variables, carry, x)
    np.testing.assert_allclose(np.asarray(plain[1]), np.asarray(fast[1]), atol=1e-6)


def test_an_rnn_is_its_cell_step_by_step() -> None:
    rnn = nn.RNN(nn.GRUCell(3), return_carry=True)
    variables = rnn.init(KEY, SEQ)
    carry, outputs = rnn.apply(variables, SEQ, seq_lengths=np.array([2, 5]))
    cell, state = nn.GRUCell(3), np.zeros((2, 3), "float32")
    states = []
    for i in range(SEQ.shape[1]):
        state, _ = cell.apply({"params": variables["params"]["cell"]}, state, SEQ[:, i])
        states.append(np.asarray(state))
    np.testing.assert_allclose(np.asarray(outputs), np.stack(states, 1), atol=1e-6)
    np.testing.assert_allclose(np.asarray(carry), [states[1][0], states[4][1]], atol=1e-6)


def test_batch_norm_remembers_the_mean_of_the_batch() -> None:
    layer = nn.BatchNorm(use_running_average=False, momentum=0.75)
    y, changed = layer.apply(layer.init(KEY, SEQ), SEQ, mutable=["batch_stats"])
    np.testing.assert_allclose(np.asarray(changed["batch_stats"]["mean"]), 0.25 * SEQ.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(np.asarray(y).mean((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(np.asarray(y).std((0, 1)), 1, atol=1e-3)


def test_a_circular_convolution_moves_with_its_input() -> None:
    layer = nn.Conv(3, (3,), padding="CIRCULAR")
    variables = layer.init(KEY, SEQ)
    moved = layer.apply(variables, np.roll(SEQ, 2, axis=1))
    np.testing.assert_allclose(np.asarray(moved), np.roll(np.asarray(layer.apply(variables, SEQ)), 2, axis=1), atol=1e-6)


def test_a_causal_convolution_does_not_see_what_comes_later() -> None:
    layer = nn.Conv(3, (3,), padding="CAUSAL")
    variables = layer.init(KEY, SEQ)
    later = SEQ.copy()
    later[:, 3:] = 7
    first = np.asarray(layer.apply(variables, SEQ))[:, :3]
    np.testing.assert_array_equal(first, np.asarray(layer.apply(variables, later))[:, :3])


def test_dropout_keeps_the_mean() -> None:
    y = nn.Dropout(0.25, deterministic=False).apply({}, jnp.ones((100, 100)), rngs={"dropout": KEY})
    values, counts = np.unique(np.asarray(y), return_counts=True)
    np.testing.assert_allclose(values, [0, 1 / 0.75], rtol=1e-6)
    assert abs(counts[0] / 1e4 - 0.25) < 5 * (0.25 * 0.75 / 1e4) ** 0.5  # five standard deviations


def test_pooling_windows() -> None:
    x = jnp.array([[1.0], [5.0], [3.0]])
    np.testing.assert_array_equal(nn.max_pool(x, (2,)), [[5], [5]])
    np.testing.assert_array_equal(nn.pooling.min_pool(x, (2,)), [[1], [3]])
    np.testing.assert_array_equal(nn.avg_pool(x, (2,), padding="SAME"), [[3], [4], [1.5]])
    np.testing.assert_array_equal(nn.avg_pool(x, (2,), padding="SAME", count_include_pad=False), [[3], [4], [3]])


def test_batch_apply_makes_leading_axes_one() -> None:
    seen = []
    out = nn.BatchApply(lambda x, scale: seen.append(x.shape) or x.sum(-1) * scale)(SEQ, 2.0)
    assert seen == [(10, 8)]
    np.testing.assert_allclose(np.asarray(out), 2 * SEQ.sum(-1), rtol=1e-5)


def test_masks() -> None:
    causal = nn.make_causal_mask(jnp.ones((2, 3)))
    assert causal.shape == (2, 1, 3, 3)
    np.testing.assert_array_equal(causal[0, 0], np.tril(np.ones((3, 3))))
    padding = nn.make_attention_mask(jnp.array([[1, 1, 0]]), jnp.array([[1, 0, 1]]), dtype=bool)
    both = nn.combine_masks(causal, None, padding)
    np.testing.assert_array_equal(both[0, 0], [[1, 0, 0], [1, 0, 0], [0, 0, 0]])
    assert nn.combine_masks(None) is None


def test_initializers_made_by_a_call() -> None:
    np.testing.assert_array_equal(nn.initializers.zeros_init()(KEY, (2,), jnp.float32), [0, 0])
    np.testing.assert_array_equal(nn.initializers.ones_init()(KEY, (2,), jnp.float32), [1, 1])


def test_attend_is_the_product_with_the_table() -> None:
    layer = nn.Embed(4, 8)
    variables = layer.init(KEY, np.array([1]))
    logits = layer.apply(variables, SEQ, method="attend")
    np.testing.assert_allclose(np.asarray(logits), SEQ @ np.asarray(variables["params"]["embedding"]).T, atol=1e-5)


def test_a_wrong_number_of_features_names_layer_and_field() -> None:
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(3, name="head")(x)

    variables = Model().init(KEY, jnp.ones((2, 4)))
    with pytest.raises(ScopeParamShapeError) as caught:
        Model().apply(variables, jnp.ones((2, 6)))
    error = caught.value
    assert (error.layer, error.origins[0]) == ("Dense", "the last axis of the inputs")
    assert "`params['head']['kernel']`" in str(error) and "4 when the parameter was made, 6 now" in " ".join(str(error).split())


MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.Conv(3, (3, 3)).init(KEY, jnp.ones((2, 6))), LayerInputError, "float32[2, 6]"),
    (lambda: nn.Conv(3, (3, 3), padding=((1, 1),)).init(KEY, jnp.ones((1, 2, 6, 1))), LayerOptionError, "((1, 1),)"),
    (lambda: nn.Conv(3, (3, 3), padding="CAUSAL").init(KEY, jnp.ones((1, 2, 6, 1))), LayerOptionError, "CAUSAL"),
    (lambda: nn.Conv(3, (3,), mask=jnp.ones((3, 3))).init(KEY, SEQ), LayerOptionError, "[3, 3]"),
    (lambda: nn.Conv(3, (3,), feature_group_count=3).init(KEY, SEQ), LayerInputError, "8 channels"),
    (lambda: nn.ConvLocal(4, (3,), feature_group_count=2).init(KEY, SEQ), LayerCombinationError, "feature_group_count"),
    (lambda: nn.Dense(3).init(KEY, 1.0), LayerInputError, "Dense"),
    (lambda: nn.Dense(3, dtype=jnp.int32).init(KEY, SEQ), LayerOptionError, "int32"),
    (lambda: nn.DenseGeneral(3, batch_dims=(1,)).init(KEY, SEQ), LayerOptionError, "(1,)"),
    (lambda: nn.Einsum((8, 3), "bti,io").init(KEY, SEQ), LayerOptionError, "bti,io"),
    (lambda: nn.Embed(3, 4).init(KEY, SEQ), LayerInputError, "integers"),
    (lambda: nn.GroupNorm(3).init(KEY, SEQ), LayerInputError, "8 channels"),
    (lambda: nn.GroupNorm(group_size=4).init(KEY, SEQ), LayerOptionError, "both"),
    (lambda: nn.InstanceNorm(feature_axes=(0, 2)).init(KEY, SEQ), LayerOptionError, "batch"),
    (lambda: nn.LayerNorm(reduction_axes=4).init(KEY, SEQ), LayerInputError, "no axis 4"),
    (lambda: nn.MultiHeadAttention(3).init(KEY, SEQ), LayerInputError, "3 heads"),
    (lambda: nn.MultiHeadAttention(2).init(KEY, SEQ, None, SEQ), LayerInputError, "inputs_v"),
    (lambda: nn.dot_product_attention(jnp.ones((5, 1, 8)), jnp.ones((5, 1, 7)), jnp.ones((5, 1, 7))), LayerInputError, "depth"),
    (lambda: nn.Sequential([]).apply({}, 1.0), LayerOptionError, "no layers"),
    (lambda: nn.Sequential(nn.Dense(3)), LayerOptionError, "list or tuple"),
    (lambda: nn.max_pool(SEQ, (2,), strides=(1, 1)), LayerOptionError, "2 strides"),
    (lambda: nn.BatchApply(lambda x: x)(1.0), LayerInputError, "2 axes"),
    (lambda: nn.RNN(nn.GRUCell(3)).init(KEY, jnp.ones(4)), LayerInputError, "float32[4]"),
    (lambda: nn.RNN(nn.GRUCell).init(KEY, SEQ), LayerInputError, "is the class GRUCell"),
    (lambda: nn.LSTMCell(3).init(KEY, jnp.ones((2, 3, 3)).T, jnp.ones((2, 3))), LayerInputError, "must be a pair"),
    (lambda: nn.while_loop(bool, abs, SEQ, 3), TransformArgumentError, "an array float32[2,5,8]"),
]


@pytest.mark.parametrize("call, error, text", MISTAKES)
def test_a_mistake_is_reported_with_its_facts(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert text in " ".join(str(caught.value).split("\n  -->")[0].split())


def test_attention_uses_the_product_that_it_is_given() -> None:
    x = jnp.ones((3, 1, 4))
    calls = []

    def doubled(*args: Any, **kwargs: Any) -> Any:
        calls.append(args[2])
        return 2 * perspicax.lax.dot_general(*args, **kwargs)

    out = nn.dot_product_attention(x, x, x, einsum_dot_general=doubled)
    assert len(calls) == 2
    np.testing.assert_allclose(np.asarray(out), 2, rtol=1e-6)  # the weights of equal keys are equal, doubled or not


def test_a_mask_of_dropout_is_drawn_once_though_value_and_gradient_read_it() -> None:
    layer = nn.Dropout(0.3, deterministic=False)

    def loss(x: Any, key: Any) -> Any:
        kept = layer.apply({}, x, rngs={"dropout": key})
        return (kept.T @ kept).sum() + kept.sum()

    def rounds(function: Any) -> int:
        return perspicax.jit(function).lower(jnp.ones((4, 4)), random.key(0)).compile().as_text().count(" xor(")

    mask = rounds(lambda x, key: layer.apply({}, x, rngs={"dropout": key}))
    assert mask > 40, "a key for the layer, then bits for each element"
    assert rounds(perspicax.value_and_grad(loss)) == mask


def test_a_table_of_one_vector_gives_it_for_every_number() -> None:
    table = nn.Embed(1, 2)
    variables = table.init(random.key(0), jnp.array([0]))
    row = variables["params"]["embedding"][0]
    found = table.apply(variables, jnp.array([[0, 4], [-1, 0]]))
    np.testing.assert_array_equal(found, np.broadcast_to(row, (2, 2, 2)))
    np.testing.assert_array_equal(table.apply(variables, 0), row)


def test_what_is_no_layer_is_told_by_its_place() -> None:
    layers: Any = [nn.Dense(3), 3]
    with pytest.raises(LayerOptionError, match=r"an int as `layers\[1\]`"):
        nn.Sequential(layers).init(random.key(0), jnp.ones((1, 2)))


def test_interceptors_see_the_calls_of_a_layer_and_not_its_helpers() -> None:
    seen: list[str] = []

    def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        seen.append(f"{type(context.module).__name__}.{context.method_name}")
        return call(*args, **kwargs)

    layers = [cls for cls in [getattr(nn, name) for name in dir(nn)] if isinstance(cls, type) and issubclass(cls, nn.Module)]
    helpers = [f"{cls.__name__}.{name}" for cls in layers for name, value in vars(cls).items()
               if name.startswith("_") and not name.startswith("__") and getattr(value, "_wraps_method", False)]
    assert len(layers) > 30 and helpers == []
    with nn.intercept_methods(note):
        nn.Conv(2, (3,), padding="CAUSAL").init(KEY, SEQ)
    assert seen == ["Conv.__call__"]
