"""Training helpers of Flax, and checkpoints of each that the other restores."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax.numpy as jnp
from perspicax import flax as perspicax_flax
from perspicax import random
from perspicax.flax.training import checkpoints, common_utils, dynamic_scale, early_stopping, lr_schedule

pytestmark = pytest.mark.oracle
jax = pytest.importorskip("jax")
flax = pytest.importorskip("flax")
pytest.importorskip("flax.training.checkpoints")


@pytest.fixture(params=[False, True], ids=["one file", "orbax"])
def format(request: pytest.FixtureRequest) -> Any:
    before = flax.config.flax_use_orbax_checkpointing
    flax.config.update("flax_use_orbax_checkpointing", request.param)
    if request.param:
        pytest.importorskip("tensorstore")
    yield request.param
    flax.config.update("flax_use_orbax_checkpointing", before)


def tree(numpy: Any) -> dict[str, Any]:
    return {"a": np.arange(3.0), "b": {"half": numpy.ones((2, 2), numpy.bfloat16), "n": 3, "f": 2.5,
                                      "pair": (1, numpy.arange(2)), "x.y": np.ones(1, np.int8)}, "none": None, "empty": {}}


def same(found: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        assert sorted(found) == sorted(wanted)
        for key in wanted:
            same(found[key], wanted[key])
    elif isinstance(wanted, tuple):
        assert isinstance(found, tuple)
        for a, b in zip(found, wanted):
            same(a, b)
    elif wanted is None:
        assert found is None
    else:
        a, b = np.asarray(found), np.asarray(wanted)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def test_what_flax_saved_is_restored(format: bool, tmp_path: Path) -> None:
    for step in (1, 2, 10):
        saved = {**tree(jax.numpy), "step": step}
        flax.training.checkpoints.save_checkpoint(tmp_path, saved, step, keep=2)
    assert checkpoints.available_steps(tmp_path) == [2, 10]
    wanted = {**tree(jnp), "step": 10}
    same(checkpoints.restore_checkpoint(tmp_path, wanted), wanted)
    free = checkpoints.restore_checkpoint(tmp_path, None, step=2)
    theirs = flax.training.checkpoints.restore_checkpoint(tmp_path, None, step=2)
    same(free, jax.tree.map(np.asarray, theirs))
    assert free["step"] == 2 and type(free["b"]["f"]) is type(theirs["b"]["f"])


def test_what_is_saved_flax_restores(format: bool, tmp_path: Path) -> None:
    for step in (1, 2, 10):
        checkpoints.save_checkpoint(tmp_path, {**tree(jnp), "step": step}, step, keep=2)
    wanted = {**tree(jax.numpy), "step": 10}
    same(flax.training.checkpoints.restore_checkpoint(tmp_path, wanted), wanted)
    assert flax.training.checkpoints.available_steps(tmp_path) == [2, 10]


def test_a_folder_that_flax_wrote_is_overwritten(tmp_path: Path) -> None:
    flax.config.update("flax_use_orbax_checkpointing", True)
    flax.training.checkpoints.save_checkpoint(tmp_path, {"w": np.ones(2)}, 3)
    checkpoints.save_checkpoint(tmp_path, {"w": np.zeros(2)}, 3, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_3"]
    assert (checkpoints.restore_checkpoint(tmp_path, None)["w"] == 0).all()


PATHS = ["a_10", "a_9", "a_-1", "a_1e5", "a_2.5", "a_", "b", "+3", "a+2", "1.5e-3", "1.5e3", "x/b_10/c_1", "x/b_9/c_2",
         "a_1.e5"]


@pytest.mark.parametrize("signed", [True, False])
def test_natural_order(signed: bool) -> None:
    assert checkpoints.natural_sort(PATHS, signed) == flax.training.checkpoints.natural_sort(PATHS, signed)


@pytest.mark.parametrize("path", ["gs://a//b/../c", "/a//b/", "s3://x/y/", "a/./b", "file:///a//b", "a", "."])
def test_paths(path: str) -> None:
    assert checkpoints.safe_normpath(path) == flax.training.checkpoints.safe_normpath(path)


@pytest.mark.parametrize("params", [
    {"Conv_0": {"w": 1}, "Dense_1": {"w": 2, "Norm_3": {}}, "Dense_10": 3, "Conv_2": 4, "head": 5, "a_b_7": 1, "Dense_x": 2},
    {"Dense_0": {"Dense_1": 1, "Dense_2": 2}, "Dense_1": 3}, {"x": (1, 2)}, 5])
def test_names_of_before_linen(params: Any) -> None:
    assert checkpoints.convert_pre_linen(params) == flax.training.checkpoints.convert_pre_linen(params)


@pytest.mark.parametrize("keep, every, steps", [(1, None, range(5)), (2, 4, range(12)), (3, 2.5, [1, 2, 3.5, 7, 8, 9, 20]),
                                                (1, 1, [0, 5, 6]), (2, 3, [-6, -2, 1, 4, 9])])
def test_the_same_ones_are_kept(keep: int, every: Any, steps: Any, tmp_path: Path) -> None:
    flax.config.update("flax_use_orbax_checkpointing", False)
    for name, module in (("ours", checkpoints), ("theirs", flax.training.checkpoints)):
        for step in steps:
            module.save_checkpoint(tmp_path / name, {"a": 1}, step, keep=keep, keep_every_n_steps=every)
    flax.config.update("flax_use_orbax_checkpointing", True)
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == sorted(p.name for p in (tmp_path / "theirs").iterdir())


def test_schedules() -> None:
    from flax.training import lr_schedule as theirs

    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("create_constant_learning_rate_schedule", (0.1, 10)), ("create_constant_learning_rate_schedule", (0.1, 10, 2.0)),
        ("create_cosine_learning_rate_schedule", (0.1, 10, 5, 1.0)),
        ("create_stepped_learning_rate_schedule", (0.1, 10, [[1, 0.5], [2.55, 0.1]], 0.5))]
    for name, arguments in calls:
        ours, other = getattr(lr_schedule, name)(*arguments), getattr(theirs, name)(*arguments)
        for step in (0, 1, 5, 9, 10, 11, 24, 25, 26, 27, 49, 50, 60):
            np.testing.assert_allclose(float(ours(step)), float(other(step)), rtol=1e-6, atol=1e-8)


def test_scales() -> None:
    from flax.training import dynamic_scale as theirs

    histories = []
    for module, numpy in ((dynamic_scale, jnp), (theirs, jax.numpy)):
        scale, history = module.DynamicScale(growth_interval=2, scale=4.0), []
        for x in (1.0, 2.0, 3.0, np.inf, np.nan, 1.0, 1.0, 1.0, 2.0):
            scale, finite, value, grad = scale.value_and_grad(lambda x: x * x)(numpy.float32(x))
            history.append([float(scale.scale), int(scale.fin_steps), bool(finite), float(value), float(grad)])
        histories.append(history)
    np.testing.assert_array_equal(*histories)


def test_stopping() -> None:
    from flax.training import early_stopping as theirs

    for options in ({}, {"patience": 2}, {"min_delta": 0.5, "patience": 1}):
        histories = []
        for module in (early_stopping, theirs):
            stop, history = module.EarlyStopping(**options), []
            for metric in (3.0, 2.9, 3.5, 2.2, 2.2, 2.2, 1.9, float("nan"), 1.0, 1.0, 0.1):
                stop = stop.update(metric)
                history.append((stop.has_improved, stop.best_metric, stop.patience_count, stop.should_stop))
            histories.append(history)
        assert histories[0] == histories[1]


def test_helpers() -> None:
    from flax.training import common_utils as theirs

    labels = np.array([[0, 2], [5, -1]])
    ours, other = common_utils.onehot(labels, 3, 2.0, -1.0), theirs.onehot(labels, 3, 2.0, -1.0)
    assert (np.asarray(ours) == np.asarray(other)).all() and str(ours.dtype) == str(other.dtype)
    key, their_key = common_utils.shard_prng_key(random.key(4)), theirs.shard_prng_key(jax.random.key(4))
    assert (np.asarray(random.key_data(key)) == np.asarray(jax.random.key_data(their_key))).all()


def test_replicas_stacks_parameters_and_paths_are_as_flaxs() -> None:
    ours, theirs = perspicax_flax.jax_utils, flax.jax_utils
    for value in (0.5, 3, True, 1j, np.float64(2), np.arange(3), np.int64(3)):
        found, wanted = ours.replicate({"a": value})["a"], theirs.replicate({"a": value})["a"]
        assert (str(found.dtype), found.weak_type, found.shape) == (str(wanted.dtype), wanted.weak_type, wanted.shape)
        back, their_back = ours.unreplicate(found), theirs.unreplicate(wanted)
        assert (back.shape, back.tolist()) == (their_back.shape, their_back.tolist())
    found, wanted = (helpers.stack_forest([{"a": 1.0}, {"a": 2.0}])["a"]
                     for helpers in (common_utils, pytest.importorskip("flax.training.common_utils")))
    assert (found.tolist(), str(found.dtype), found.weak_type) == (wanted.tolist(), str(wanted.dtype), wanted.weak_type)
    tree = {"kernel": 0, "bias": {"z": 1, "empty": {}, "a": 2}}
    found, wanted = (module.ModelParamTraversal(lambda name, value: True).set(["a", "z", "kernel"], tree)
                     for module in (perspicax_flax.traverse_util, flax.traverse_util))
    assert list(found) == list(wanted) and found == wanted
    for path in ("local:///opt/x", "gs:///a", "gs://a//b/", "file:///opt//x", "/a//b", "memory:///", "s3://b/../c"):
        assert checkpoints.safe_normpath(path) == flax.training.checkpoints.safe_normpath(path)
