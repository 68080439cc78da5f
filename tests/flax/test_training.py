"""What training loops need: states, stopping, schedules, scales, prefetching."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any, NamedTuple

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import core, jax_utils, serialization, struct
from perspicax.flax.training import common_utils, lr_schedule
from perspicax.flax.training.dynamic_scale import DynamicScale
from perspicax.flax.training.early_stopping import EarlyStopping
from perspicax.flax.training.orbax_utils import is_multi_device_array, maybe_construct_transformations
from perspicax.flax.training.prefetch_iterator import PrefetchIterator
from perspicax.flax.training.train_state import OVERWRITE_WITH_GRADIENT, TrainState
from perspicax.flax.tree_errors import BatchSizesError


class Optimizer(NamedTuple):
    """As optax's: a pair of functions."""

    init: Any
    update: Any


def momentum(rate: float) -> Optimizer:
    def update(grads: Any, trace: Any, params: Any = None) -> Any:
        trace = jax.tree.map(lambda t, g: 0.5 * t + g, trace, grads)
        return jax.tree.map(lambda t: -rate * t, trace), trace

    return Optimizer(lambda params: jax.tree.map(jnp.zeros_like, params), update)


def test_an_update_moves_params_state_and_step() -> None:
    params = {"w": jnp.array([1.0, 2.0]), "h": jnp.array([1.0], jnp.bfloat16)}
    state = TrainState.create(apply_fn=len, params=params, tx=momentum(0.25))
    grads = {"w": jnp.array([1.0, -1.0]), "h": jnp.array([2.0], jnp.bfloat16)}
    for _ in range(2):
        state = jax.jit(lambda state, grads: state.apply_gradients(grads=grads))(state, grads)
    assert state.step == 2 and state.apply_fn is len
    assert state.params["w"].tolist() == [1 - 0.25 - 0.375, 2 + 0.25 + 0.375]
    assert state.params["h"].dtype == jnp.bfloat16, "parameters keep their dtype"
    assert state.opt_state["w"].tolist() == [1.5, -1.5]
    restored = serialization.from_bytes(state, serialization.to_bytes(state))
    assert restored.tx is state.tx and (restored.params["w"] == state.params["w"]).all() and restored.step == 2


def test_a_state_with_more_fields() -> None:
    class State(TrainState):
        batch_stats: Any = None
        key: Any = struct.field(default=0)

    state = State.create(apply_fn=len, params=core.freeze({"w": 1.0}), tx=momentum(1.0), batch_stats=3)
    state = state.apply_gradients(grads=core.freeze({"w": 2.0}), batch_stats=4, key=5)
    assert (state.batch_stats, state.key, float(state.params["w"])) == (4, 5, -1.0)


def test_a_collection_whose_gradient_is_its_next_value() -> None:
    params = {"params": {"w": jnp.array(1.0)}, OVERWRITE_WITH_GRADIENT: {"scale": jnp.array(5.0)}}
    state = TrainState.create(apply_fn=len, params=params, tx=momentum(1.0))
    assert list(state.opt_state) == ["w"]
    grads = {"params": {"w": jnp.array(0.5)}, OVERWRITE_WITH_GRADIENT: {"scale": jnp.array(7.0)}}
    state = state.apply_gradients(grads=grads)
    assert (float(state.params["params"]["w"]), float(state.params[OVERWRITE_WITH_GRADIENT]["scale"])) == (0.5, 7.0)


def test_stopping_after_patience() -> None:
    stop = EarlyStopping(min_delta=1e-3, patience=2)
    seen = []
    for loss in [4, 3, 3, 3, 2, 2, 2, 2, 1, 1]:
        stop = stop.update(loss)
        seen.append((stop.has_improved, stop.patience_count, stop.should_stop))
    assert [s[0] for s in seen] == [True, True, False, False, True, False, False, False, True, False]
    assert [s[1] for s in seen] == [0, 0, 1, 2, 0, 1, 2, 3, 0, 1]
    assert [s[2] for s in seen].index(True) == 7
    assert stop.reset() == EarlyStopping(min_delta=1e-3, patience=2)
    assert stop.best_metric == 1


def test_the_scale_grows_and_shrinks() -> None:
    scale = DynamicScale(growth_interval=2, scale=8.0, minimum_scale=1.0)
    good = scale.value_and_grad(lambda x: (x * 3.0, x), has_aux=True)
    scale, finite, (value, aux), grad = good(2.0)
    assert bool(finite) and (float(value), float(aux), float(grad)) == (6.0, 2.0, 3.0) and grad.dtype == jnp.float32
    bad = jax.jit(lambda scale, x: scale.value_and_grad(lambda x: x * jnp.inf)(x))
    scales = [float(scale.scale)]
    for step in "ggggbbbbb":
        scale, finite, _, _ = (scale.value_and_grad(lambda x: x * 3.0) if step == "g" else lambda x, s=scale: bad(s, x))(2.0)
        assert bool(finite) == (step == "g")
        scales.append(float(scale.scale))
    assert scales == [8, 8, 16, 16, 16, 8, 4, 2, 1, 1]
    assert int(scale.fin_steps) == 0


def test_schedules_rise_stay_and_fall() -> None:
    constant = lr_schedule.create_constant_learning_rate_schedule(0.5, 10, 2.0)
    assert [float(constant(step)) for step in (0, 10, 20, 99)] == [0, 0.25, 0.5, 0.5]
    stepped = lr_schedule.create_stepped_learning_rate_schedule(1.0, 10, [[1, 0.5], [2.5, 0.25]])
    assert [float(stepped(step)) for step in (0, 10, 11, 25, 26)] == [1, 1, 0.5, 0.5, 0.25]
    cosine = lr_schedule.create_cosine_learning_rate_schedule(1.0, 10, 4)
    np.testing.assert_allclose([float(cosine(step)) for step in (0, 20, 40)], [1, 0.5, 0], atol=1e-7)


def test_prefetched_items_come_in_order_ahead_of_time() -> None:
    taken: list[int] = []
    three = threading.Event()

    def source() -> Any:
        for i in range(6):
            taken.append(i)
            if i == 2:
                three.set()
            yield i

    items = PrefetchIterator(source(), buffer_size=3)
    assert three.wait(10), "three are taken before any was asked for"
    assert list(items) == [0, 1, 2, 3, 4, 5]
    assert taken == [0, 1, 2, 3, 4, 5]
    assert list(items) == []


def test_a_prefetched_error_is_raised_in_its_place_and_closing_ends() -> None:
    def source() -> Any:
        yield 1
        raise KeyError("broken")

    items = PrefetchIterator(source(), buffer_size=5)
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)
    endless = PrefetchIterator(iter(int, 1))
    assert next(endless) == 0
    endless.close()
    assert not endless._thread.is_alive()
    with pytest.raises(StopIteration):
        next(endless)


def test_helpers() -> None:
    assert common_utils.onehot(jnp.array([0, 2, 5]), 3).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert common_utils.onehot(jnp.array([[1]]), 2, on_value=3, off_value=-1).tolist() == [[[-1, 3]]]
    count = jax.local_device_count()
    assert common_utils.shard({"a": np.ones((4 * count, 3))})["a"].shape == (count, 4, 3)
    keys = common_utils.shard_prng_key(jax.random.key(0))
    assert keys.shape == (count,)
    assert common_utils.stack_forest([{"a": 1, "b": [2]}, {"a": 3, "b": [4]}])["b"][0].tolist() == [2, 4]
    metrics = common_utils.get_metrics([{"loss": jnp.full(count, step)} for step in (1.0, 2.0)])
    assert metrics["loss"].tolist() == [1.0, 2.0] and isinstance(metrics["loss"], jax.Array)


def test_stacked_trees_hold_arrays_also_under_jit() -> None:
    stacked = common_utils.stack_forest([{"a": np.ones(2, np.float32)}, {"a": np.zeros(2, np.float32)}])["a"]
    assert isinstance(stacked, jax.Array) and stacked.tolist() == [[1, 1], [0, 0]]
    traced = jax.jit(lambda x: (common_utils.stack_forest([x, x + 1]), common_utils.get_metrics([x[None], x[None] + 2])))(
        jnp.array(3.0))
    assert [found.tolist() for found in traced] == [[3, 4], [3, 5]]


def test_replicas_and_prefetching_to_devices() -> None:
    count = jax.local_device_count()
    tree = {"a": np.arange(3.0), "n": 2, "key": jax.random.key(1)}
    copies = jax_utils.replicate(tree)
    assert copies["a"].shape == (count, 3) and copies["n"].shape == (count,)
    assert len(copies["a"].sharding.device_set) == count
    back = jax_utils.unreplicate(copies)
    assert back["a"].tolist() == [0, 1, 2] and int(back["n"]) == 2 and back["key"] == tree["key"]
    asked = []

    def source() -> Any:
        for i in range(4):
            asked.append(i)
            yield {"x": np.full((count, 2), i)}

    items = jax_utils.prefetch_to_device(source(), 2)
    assert int(next(items)["x"][0, 0]) == 0 and asked == [0, 1]
    assert [int(item["x"].sum()) for item in items] == [2 * count, 4 * count, 6 * count]


def test_replicas_of_numbers_have_strong_types() -> None:
    copies = jax_utils.replicate({"rate": 0.5, "n": 3, "weak": jnp.asarray(2.0), "half": jnp.ones((), jnp.bfloat16)})
    assert {name: (str(x.dtype), x.weak_type) for name, x in copies.items()} == {
        "rate": ("float32", False), "n": ("int32", False), "weak": ("float32", True), "half": ("bfloat16", False)}
    assert (copies["rate"] * jnp.ones(1, jnp.bfloat16)).dtype == jnp.float32


UNREPLICATED = """
import numpy as np
import perspicax as jax, perspicax.numpy as jnp
from perspicax.flax import jax_utils
from perspicax.sharding import Mesh, NamedSharding, PartitionSpec

first = jax.devices()[0]
mesh = Mesh(np.array(jax.devices()), ("d",))
put = lambda x, *axes: jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))
tree = {"copies": jax_utils.replicate(np.arange(3.0)), "whole": put(jnp.array([0.0, 1.0])), "none": put(jnp.float32(4)),
        "key": jax_utils.replicate(jax.random.key(3))}
found = jax_utils.unreplicate(tree)
print(found["copies"].tolist(), found["whole"].tolist(), found["none"].tolist(), found["key"] == jax.random.key(3))
print({name: x.devices() == {first} for name, x in found.items()})
print((found["copies"] + jax.device_put(jnp.ones(3), first)).tolist())
try:
    jax_utils.unreplicate(put(jnp.arange(4.0), "d"))
except ValueError as error:
    print(type(error).__name__, "the first of them has [2]" in str(error))
"""


def test_one_copy_is_taken_from_two_devices() -> None:
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    ran = subprocess.run([sys.executable, "-c", UNREPLICATED], env=environment, capture_output=True, text=True, timeout=120)
    assert ran.stdout.splitlines() == [
        "[0.0, 1.0, 2.0] [0.0, 1.0] 4.0 True", "{'copies': True, 'key': True, 'none': True, 'whole': True}", "[1.0, 2.0, 3.0]",
        "TraversalError True"], ran.stderr


def test_one_copy_is_taken_from_one_device_and_while_tracing() -> None:
    found = jax_utils.unreplicate({"x": jnp.arange(3.0), "n": jnp.float32(2), "np": np.arange(2), "zero": np.float32(3)})
    assert {name: x.tolist() for name, x in found.items()} == {"x": 0.0, "n": 2.0, "np": 0, "zero": 3.0}
    assert float(jax.jit(jax_utils.unreplicate)(jnp.arange(3.0))) == 0


def test_batches_are_filled_up_split_and_cut_again() -> None:
    count = jax.local_device_count()
    seen = []

    def double(params: Any, x: Any, *, scale: Any) -> Any:
        seen.append(x.shape)
        return {"y": params * x * scale[..., None]}

    padded = jax_utils.pad_shard_unpad(double)
    x, scale = np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0, 3.0])
    for smallest in (None, 5):
        found = padded(2.0, x, scale=scale, min_device_batch=smallest)
        assert (found["y"] == 2 * x * scale[:, None]).all()
    assert seen == [(count, -(-3 // count), 2), (count, 5, 2)]
    total = jax_utils.pad_shard_unpad(lambda params, x: x.sum(), static_return=True)
    assert total(None, x) == 15
    with pytest.raises(BatchSizesError) as caught:
        padded(2.0, x, scale=scale[:2])
    assert caught.value.sizes == (2, 3)


def test_a_scan_along_any_axes() -> None:
    xs = np.arange(24.0).reshape(2, 3, 4)

    def body(carry: Any, x: Any) -> Any:
        return carry * 0.5 + x.sum(), x * 2

    for axes in [(0,), (1,), (2, 0), (0, 2), (-1, 1)]:
        carry = 0.0
        rest = [axis for axis in range(3) if axis not in [a % 3 for a in axes]]
        moved = xs.transpose(*[a % 3 for a in axes], *rest)
        for part in moved.reshape(int(np.prod(moved.shape[:len(axes)])), -1):
            carry = carry * 0.5 + part.sum()
        for keepdims in (False, True):
            found, ys = jax_utils.scan_in_dim(body, 0.0, xs, axis=axes, unroll=2, keepdims=keepdims)
            np.testing.assert_allclose(found, carry, rtol=1e-6)
            assert (ys == 2 * xs).all()


def test_part_of_a_function_runs_with_shapes() -> None:
    found, known = jax_utils.partial_eval_by_shape(lambda x, s: (x + s, jnp.ones(2) * s), [(2, 3)], 4)
    assert found.shape == (2, 3) and known.tolist() == [4, 4]


def test_what_orbax_is_told() -> None:
    assert not is_multi_device_array(jnp.ones(2)) and not is_multi_device_array(np.ones(2))
    assert maybe_construct_transformations({}, None) == {} and maybe_construct_transformations({}, {"a": 1}) == {"a": 1}
