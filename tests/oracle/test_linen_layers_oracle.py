"""Linen's layers beside Flax's: the same trees of parameters, the same values in them, the same results and gradients."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import flax.linen
import jax
import numpy as np
import pytest

import perspicax
import perspicax.flax.linen
from perspicax import random as our_random

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Side(NamedTuple):
    """The modules of one implementation."""

    jax: ModuleType
    jnp: ModuleType
    random: ModuleType
    nn: ModuleType


OURS = Side(perspicax, perspicax.numpy, our_random, perspicax.flax.linen)
THEIRS = Side(jax, jax.numpy, jax.random, flax.linen)


def noise(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Numbers that are the same at each call."""
    return np.random.default_rng(len(shape) + sum(shape)).standard_normal(shape).astype(dtype)


class Case(NamedTuple):
    """One layer, and how it is called."""

    name: str
    make: Callable[[Side], Any]
    inputs: tuple[Any, ...]
    call: dict[str, Any] = {}
    gradient: bool = False


X = noise(2, 4)
SEQ = noise(2, 5, 4)
IMAGE = noise(2, 6, 6, 4)
MASK = np.arange(5)[None, :, None] < np.array([3, 5])[:, None, None]
TOKENS = np.array([[0, 2, 1], [2, 2, -1]], np.int32)


def inside(make: Callable[[Side], Any]) -> Callable[[Side], Any]:
    """A layer within a compact module, so that it has a name."""
    def build(side: Side) -> Any:
        class Model(side.nn.Module):
            @side.nn.compact
            def __call__(self, *args: Any, **kwargs: Any) -> Any:
                return make(side)(*args, **kwargs)
        return Model()
    return build


CASES = [
    Case("Dense", lambda s: s.nn.Dense(3), (X,), gradient=True),
    Case("Dense without bias", lambda s: s.nn.Dense(3, use_bias=False), (SEQ,)),
    Case("Dense bfloat16", lambda s: s.nn.Dense(3, dtype=s.jnp.bfloat16), (X,)),
    Case("Dense parameters bfloat16", lambda s: s.nn.Dense(3, param_dtype=s.jnp.bfloat16), (X,)),
    Case("Dense of integers", lambda s: s.nn.Dense(3), (TOKENS,)),
    Case("Dense with dot_general", lambda s: s.nn.Dense(3, dot_general=lambda *a, **k: 2 * s.jax.lax.dot_general(*a, **k)),
         (X,)),
    Case("Dense inits", lambda s: s.nn.Dense(3, kernel_init=s.nn.initializers.orthogonal(),
                                            bias_init=s.nn.initializers.normal(0.1)), (X,)),
    Case("DenseGeneral", lambda s: s.nn.DenseGeneral((2, 3)), (SEQ,)),
    Case("DenseGeneral axes", lambda s: s.nn.DenseGeneral(3, axis=(-1, 1)), (SEQ,), gradient=True),
    Case("DenseGeneral batch", lambda s: s.nn.DenseGeneral((2, 3), axis=-1, batch_dims=(0,),
                                                          bias_init=s.nn.initializers.normal(1.)), (SEQ,)),
    Case("DenseGeneral batch 2", lambda s: s.nn.DenseGeneral(3, axis=(3,), batch_dims=(1, 0)), (IMAGE,)),
    Case("Einsum", lambda s: s.nn.Einsum((4, 2, 3), "bti,i...->bt..."), (SEQ,)),
    Case("Einsum dots", lambda s: s.nn.Einsum((5, 4, 3), "...ti, tio -> ...ot", bias_init=s.nn.initializers.normal(1.)),
         (SEQ,)),
    Case("Embed", lambda s: s.nn.Embed(3, 5), (TOKENS,), gradient=True),
    Case("Embed one", lambda s: s.nn.Embed(1, 5), (np.array([0, 0]),)),
    Case("Embed bfloat16", lambda s: s.nn.Embed(3, 5, dtype=s.jnp.bfloat16), (TOKENS,)),
    Case("Conv", lambda s: s.nn.Conv(3, (3, 3)), (IMAGE,), gradient=True),
    Case("Conv strides", lambda s: s.nn.Conv(3, (3, 2), strides=2, padding="VALID"), (IMAGE,)),
    Case("Conv circular", lambda s: s.nn.Conv(3, (3, 2), padding="CIRCULAR", kernel_dilation=(1, 2)), (IMAGE,)),
    Case("Conv reflect", lambda s: s.nn.Conv(3, (3, 2), padding="REFLECT"), (IMAGE,)),
    Case("Conv causal", lambda s: s.nn.Conv(3, 3, padding="CAUSAL", kernel_dilation=2), (SEQ,)),
    Case("Conv pads", lambda s: s.nn.Conv(3, (3, 3), padding=(1, (2, 0))), (IMAGE,)),
    Case("Conv groups", lambda s: s.nn.Conv(6, (3, 3), feature_group_count=2, use_bias=False), (IMAGE,)),
    Case("Conv input dilation", lambda s: s.nn.Conv(2, (3,), input_dilation=2, padding=1), (SEQ,)),
    Case("Conv no batch", lambda s: s.nn.Conv(3, (3,)), (X,)),
    Case("Conv batches", lambda s: s.nn.Conv(3, (3,)), (IMAGE,)),
    Case("Conv mask", lambda s: s.nn.Conv(3, (2,), mask=s.jnp.arange(24.).reshape(2, 4, 3) % 2), (SEQ,)),
    Case("ConvLocal", lambda s: s.nn.ConvLocal(3, (3,), strides=2), (SEQ,)),
    Case("ConvLocal circular", lambda s: s.nn.ConvLocal(3, (2, 2), padding="CIRCULAR"), (IMAGE,)),
    Case("ConvTranspose", lambda s: s.nn.ConvTranspose(3, (3, 3), strides=(2, 2)), (IMAGE,), gradient=True),
    Case("ConvTranspose circular", lambda s: s.nn.ConvTranspose(3, (3, 4), strides=(2, 1), padding="CIRCULAR"), (IMAGE,)),
    Case("ConvTranspose circular transposed", lambda s: s.nn.ConvTranspose(3, (4, 3), strides=(2, 3), padding="CIRCULAR",
                                                                         transpose_kernel=True), (IMAGE,)),
    Case("ConvTranspose valid", lambda s: s.nn.ConvTranspose(3, (3,), kernel_dilation=(2,), padding="VALID"), (X,)),
    Case("ConvTranspose pads", lambda s: s.nn.ConvTranspose(3, 3, padding=1, transpose_kernel=True), (SEQ,)),
    Case("BatchNorm", lambda s: s.nn.BatchNorm(), (IMAGE,), {"use_running_average": False}, gradient=True),
    Case("BatchNorm running", lambda s: s.nn.BatchNorm(use_running_average=True, momentum=.5), (X,)),
    Case("BatchNorm axis", lambda s: s.nn.BatchNorm(use_running_average=False, axis=1, use_fast_variance=False), (SEQ,)),
    Case("BatchNorm mask", lambda s: s.nn.BatchNorm(use_running_average=False), (SEQ,), {"mask": MASK}),
    Case("BatchNorm bfloat16", lambda s: s.nn.BatchNorm(use_running_average=False, dtype=s.jnp.bfloat16), (X,)),
    Case("BatchNorm narrow", lambda s: s.nn.BatchNorm(use_running_average=False, dtype=s.jnp.float16,
                                                      force_float32_reductions=False), (X.astype("float16"),)),
    Case("LayerNorm", lambda s: s.nn.LayerNorm(), (SEQ,), gradient=True),
    Case("LayerNorm bfloat16", lambda s: s.nn.LayerNorm(dtype=s.jnp.bfloat16), (SEQ,)),
    Case("LayerNorm axes", lambda s: s.nn.LayerNorm(reduction_axes=(2, 1), feature_axes=(-1, 1), use_scale=False), (SEQ,)),
    Case("LayerNorm mask", lambda s: s.nn.LayerNorm(reduction_axes=(1, 2)), (SEQ,), {"mask": MASK}),
    Case("RMSNorm", lambda s: s.nn.RMSNorm(scale_init=s.nn.initializers.normal(1.)), (SEQ,), gradient=True),
    Case("GroupNorm", lambda s: s.nn.GroupNorm(2, scale_init=s.nn.initializers.normal(1.)), (IMAGE,), gradient=True),
    Case("GroupNorm size", lambda s: s.nn.GroupNorm(None, 1, reduction_axes=(0, -1)), (IMAGE,)),
    Case("GroupNorm vector", lambda s: s.nn.GroupNorm(2), (X[0],)),
    Case("GroupNorm mask", lambda s: s.nn.GroupNorm(2), (SEQ,), {"mask": np.broadcast_to(MASK, SEQ.shape)}),
    Case("InstanceNorm", lambda s: s.nn.InstanceNorm(), (IMAGE,)),
    Case("InstanceNorm axes", lambda s: s.nn.InstanceNorm(feature_axes=(1, -1)), (IMAGE,)),
    Case("SpectralNorm", inside(lambda s: s.nn.SpectralNorm(s.nn.Dense(3), n_steps=2)), (X,), {"update_stats": True}),
    Case("SpectralNorm still", inside(lambda s: s.nn.SpectralNorm(s.nn.Conv(3, (2,)))), (X,), {"update_stats": False}),
    Case("SpectralNorm collection", lambda s: s.nn.SpectralNorm(s.nn.Dense(3), collection_name="kept", dtype=s.jnp.bfloat16),
         (X,), {"update_stats": True}),
    Case("WeightNorm", inside(lambda s: s.nn.WeightNorm(s.nn.Dense(3))), (X,), gradient=True),
    Case("WeightNorm all", lambda s: s.nn.WeightNorm(s.nn.Dense(3), variable_filter=None, feature_axes=None), (X,)),
    Case("WeightNorm axis", lambda s: s.nn.WeightNorm(s.nn.Dense(3), feature_axes=0, use_scale=False), (X,)),
    Case("Dropout", lambda s: s.nn.Dropout(0.3), (SEQ,), {"deterministic": False}, gradient=True),
    Case("Dropout still", lambda s: s.nn.Dropout(0.3, deterministic=True), (SEQ,)),
    Case("Dropout broadcast", lambda s: s.nn.Dropout(0.5, broadcast_dims=(1,), deterministic=False), (SEQ,)),
    Case("Dropout all", lambda s: s.nn.Dropout(1.0, deterministic=False), (SEQ,)),
    Case("MultiHeadAttention", lambda s: s.nn.MultiHeadAttention(2), (SEQ,), gradient=True),
    Case("MultiHeadAttention options", lambda s: s.nn.MultiHeadDotProductAttention(
        2, qkv_features=6, out_features=5, normalize_qk=True, use_bias=False, force_fp32_for_softmax=True,
        dtype=s.jnp.bfloat16), (SEQ, noise(2, 3, 4))),
    Case("MultiHeadAttention inits", lambda s: s.nn.MultiHeadAttention(
        2, out_kernel_init=s.nn.initializers.normal(), bias_init=s.nn.initializers.normal(),
        out_bias_init=s.nn.initializers.ones), (SEQ, noise(2, 3, 4), noise(2, 3, 2))),
    Case("MultiHeadAttention mask", lambda s: s.nn.MultiHeadAttention(2), (SEQ,), {"mask": np.tril(np.ones((2, 1, 5, 5)))}),
    Case("MultiHeadAttention dropout", lambda s: s.nn.MultiHeadAttention(2, dropout_rate=0.4, deterministic=False), (SEQ,)),
    Case("MultiHeadAttention dropout each", lambda s: s.nn.MultiHeadAttention(2, dropout_rate=0.4, broadcast_dropout=False),
         (SEQ,), {"deterministic": False, "sow_weights": True}),
    Case("SelfAttention", lambda s: s.nn.SelfAttention(4), (IMAGE,)),
    Case("LSTMCell", lambda s: s.nn.LSTMCell(3), ((noise(2, 3), noise(3, 2).T), X), gradient=True),
    Case("OptimizedLSTMCell", lambda s: s.nn.OptimizedLSTMCell(3, dtype=s.jnp.bfloat16), ((noise(2, 3), noise(3, 2).T), X)),
    Case("GRUCell", lambda s: s.nn.GRUCell(3, bias_init=s.nn.initializers.normal()), (noise(2, 3), X), gradient=True),
    Case("MGUCell", lambda s: s.nn.MGUCell(3), (noise(2, 3), X)),
    Case("MGUCell without reset", lambda s: s.nn.MGUCell(3, reset_gate=False), (noise(2, 3), X)),
    Case("SimpleCell", lambda s: s.nn.SimpleCell(3, residual=True), (noise(2, 3), X)),
    Case("ConvLSTMCell", lambda s: s.nn.ConvLSTMCell(3, (3,)), ((noise(2, 5, 3), noise(2, 5, 3)), SEQ)),
    Case("RNN", lambda s: s.nn.RNN(s.nn.OptimizedLSTMCell(3)), (SEQ,), gradient=True),
    Case("RNN options", lambda s: s.nn.RNN(s.nn.GRUCell(3, carry_init=s.nn.initializers.normal()), return_carry=True,
                                           reverse=True, keep_order=True, unroll=2), (SEQ,), {"seq_lengths": np.array([3, 5])}),
    Case("RNN time major", lambda s: s.nn.RNN(s.nn.SimpleCell(3), time_major=True, reverse=True), (SEQ,)),
    Case("RNN images", inside(lambda s: s.nn.RNN(s.nn.ConvLSTMCell(2, (3,)))), (IMAGE,)),
    Case("Bidirectional", lambda s: s.nn.Bidirectional(s.nn.RNN(s.nn.LSTMCell(3)), s.nn.RNN(s.nn.GRUCell(2)),
                                                       return_carry=True), (SEQ,), {"seq_lengths": np.array([3, 5])}),
    Case("PReLU", lambda s: s.nn.PReLU(), (X,), gradient=True),
    Case("Sequential", lambda s: s.nn.Sequential([s.nn.Dense(3), s.nn.relu, lambda x: (x, x), lambda a, b: {"inputs": a * b},
                                                  s.nn.Dense(2)]), (X,), gradient=True),
]


def rngs(side: Side) -> dict[str, Any]:
    return {"params": side.random.key(3), "dropout": side.random.key(4)}


MUTABLE = ["batch_stats", "cache", "intermediates", "kept"]
DRAWN = ("Dense", "Dense inits", "DenseGeneral batch", "Conv", "Embed", "SpectralNorm", "WeightNorm", "SimpleCell", "PReLU")
"""Cases whose first values are compared too; the others draw theirs in the same way."""


def made_by_init(side: Side, case: Case) -> tuple[Any, Any]:
    """The order of the variables that `init` makes; and their values, or their shapes and dtypes."""
    orders = []

    def init(inputs: Any) -> Any:
        variables = case.make(side).init(rngs(side), *inputs, **case.call)
        orders.append(order(variables))
        return variables

    drawn = case.name in DRAWN
    variables = side.jax.jit(init)(case.inputs) if drawn else side.jax.eval_shape(init, case.inputs)
    return orders[0], variables


def filled(shapes: Any) -> Any:
    """Variables of these shapes and dtypes, with numbers that are the same at each call; variances are positive."""
    def value(path: Any, leaf: Any) -> Any:
        if leaf.dtype.kind == "i":
            return np.zeros(leaf.shape, leaf.dtype)
        drawn = 0.5 * noise(*leaf.shape, dtype="float32")
        return (np.abs(drawn) + 0.1 if "var" in str(path[-1]) else drawn).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(value, shapes)


def run(side: Side, case: Case, variables: Any) -> tuple[Any, Any, Any]:
    """The result, what has changed, the gradient of the squares' sum. All in one `jit`, which takes less time."""
    module = case.make(side)

    def loss(variables: Any, inputs: Any) -> tuple[Any, Any]:
        out, changed = module.apply(variables, *inputs, mutable=MUTABLE, rngs={"dropout": side.random.key(5)}, **case.call)
        return sum(side.jnp.sum(leaf.astype("float32") ** 2) for leaf in side.jax.tree_util.tree_leaves(out)), (out, changed)

    def everything(variables: Any, inputs: Any) -> tuple[Any, Any, Any]:
        if not case.gradient:
            return *loss(variables, inputs)[1], None
        params = {"params": variables.get("params", {})}
        rest = {name: tree for name, tree in variables.items() if name != "params"}
        gradient, (out, changed) = side.jax.grad(lambda p: loss({**p, **rest}, inputs), has_aux=True)(params)
        return out, changed, gradient

    return side.jax.jit(everything)(variables, case.inputs)


def named(side: Side, tree: Any) -> list[tuple[str, Any]]:
    return [(side.jax.tree_util.keystr(path), leaf) for path, leaf in side.jax.tree_util.tree_leaves_with_path(tree)]


def assert_agree(ours: Any, theirs: Any, rtol: float, what: str) -> None:
    """The same names, shapes, dtypes; values within `rtol` of the largest."""
    a, b = named(OURS, ours), named(THEIRS, theirs)
    assert [name for name, _ in a] == [name for name, _ in b], what
    for (name, x), (_, y) in zip(a, b, strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype), f"{what}{name}: {x.dtype}{x.shape}, Flax {y.dtype}{y.shape}"
        if isinstance(y, jax.ShapeDtypeStruct):
            continue
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(y), initial=0.0)), err_msg=what + name)


def order(tree: Any) -> Any:
    """The names of a tree of variables, in the order in which they were made."""
    return [(name, order(inner)) for name, inner in tree.items()] if hasattr(tree, "items") else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layer_is_that_of_flax(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, variables = made_by_init(OURS, case)
        wanted_made, wanted_variables = made_by_init(THEIRS, case)
        values = filled(wanted_variables)
        out, changed, gradient = run(OURS, case, values)
        wanted_out, wanted_changed, wanted_gradient = run(THEIRS, case, values)
    assert made == wanted_made
    assert_agree(variables, wanted_variables, 1e-6, "variables")
    narrow = "bfloat16" in case.name or "narrow" in case.name or "options" in case.name
    assert_agree(out, wanted_out, 2e-2 if narrow else 2e-6, "result")
    assert_agree(changed, wanted_changed, 2e-2 if narrow else 2e-6, "changed")
    if case.gradient:
        assert_agree(gradient, wanted_gradient, 2e-5, "gradient")
