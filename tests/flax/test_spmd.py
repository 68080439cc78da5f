"""Logical axes and what they mean on a mesh."""
from __future__ import annotations

import threading

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import linen as nn
from perspicax.flax.core import spmd
from perspicax.flax.tree_errors import AxisRuleError
from perspicax.sharding import PartitionSpec

RULES = (("batch", "data"), ("embed", None), ("mlp", "model"))


def test_names_mean_what_the_rules_say() -> None:
    assert spmd.from_sharding_rules(("batch", "embed", "other", None, ("batch", "mlp")), RULES) == (
        "data", None, "other", None, ("batch", "mlp"))
    assert spmd.get_pspec(("batch", "mlp", "other"), RULES) == PartitionSpec("data", "model", "other")
    assert spmd.get_pspec(PartitionSpec("batch"), RULES) == PartitionSpec("data")
    assert spmd.get_pspec(None, RULES) is None
    assert spmd.map_sharding(lambda name: f"{name}!", ("a", None)) == PartitionSpec("a!", "None!")


def test_rules_hold_in_their_block_and_thread() -> None:
    seen: list[object] = []
    with spmd.logical_axis_rules(RULES):
        assert spmd.get_pspec(("mlp",)) == PartitionSpec("model")
        thread = threading.Thread(target=lambda: seen.append(spmd.get_logical_axis_rules()))
        thread.start()
        thread.join()
    assert (seen, spmd.get_logical_axis_rules()) == ([()], ())


def test_rules_are_joined_unless_they_contradict_each_other() -> None:
    assert spmd.composite_rules(RULES, (("new", "y"), ("batch", "data"))) == (*RULES, ("new", "y"))
    assert spmd.composite_rules(None, RULES) == RULES
    with pytest.raises(AxisRuleError, match="'batch' means 'data' by one rule and 'x' by another"):
        spmd.composite_rules(RULES, (("batch", "x"),))


def test_an_array_is_placed_on_a_mesh() -> None:
    mesh = jax.make_mesh((1,), ("data",))
    placed = spmd.shard_value(jnp.ones(2), ("batch",), RULES, mesh)
    assert placed.sharding.spec == PartitionSpec("data")
    np.testing.assert_array_equal(placed, [1, 1])
    assert spmd.shard_value(5, None, None, None) == 5
    with pytest.raises(AxisRuleError, match="no mesh"):
        spmd.shard_value(jnp.ones(2), ("batch",), RULES, None)
    sharding = jax.sharding.NamedSharding(mesh, PartitionSpec("data"))
    assert spmd.get_mesh(sharding) == mesh
    assert spmd.apply_rules(sharding, RULES) == sharding


def test_a_kernel_that_is_drawn_flat_has_the_names_of_its_axes_under_a_mesh() -> None:
    init = nn.with_logical_partitioning(nn.initializers.ones, ("embed", "mlp", None))
    with jax.set_mesh(jax.make_mesh((1, 1), ("data", "model"), axis_types=(jax.sharding.AxisType.Auto,) * 2)), \
            spmd.logical_axis_rules(RULES):
        kernel = nn.DenseGeneral((2, 3), kernel_init=init).init(jax.random.key(0), jnp.ones((1, 4)))["params"]["kernel"]
    assert (kernel.names, kernel.value.shape) == (("embed", "mlp", None), (4, 2, 3))
