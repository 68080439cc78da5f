"""Memories in types: results are where operands are, derivatives where their values are."""
from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.experimental.compute_on import compute_on, compute_on2
from perspicax.lax.memory_spaces import MemorySpaceError

HOST, DEVICE = jax.memory.Space.Host, jax.memory.Space.Device


def kinds(x: Any) -> list[tuple[str, str]]:
    """The types of arrays, and the memories that their shardings name."""
    return [(str(jax.typeof(leaf)), leaf.sharding.memory_kind) for leaf in jax.tree.leaves(x)]


def test_derivatives_are_where_their_values_are() -> None:
    x = jax.device_put(jnp.arange(3.0), HOST)

    def f(v: Any) -> Any:
        def step(c: Any, row: Any) -> tuple[Any, None]:
            return c + jax.device_put(row, DEVICE) ** 2, None
        return lax.scan(step, 0.0, v)[0]

    slope = jax.jit(jax.grad(f))(x)
    assert kinds(slope) == [("float32<host>[3]", "pinned_host")]
    assert slope.tolist() == [0.0, 2.0, 4.0]
    assert kinds(jax.jvp(jnp.negative, (x,), (jnp.ones(3),))) == kinds([x, x])
    assert np.diag(jax.jacfwd(jnp.square)(x)).tolist() == [0.0, 2.0, 4.0]
    assert kinds(jax.vjp(lambda a, b: (jax.device_put(a, DEVICE) * b).sum(), x, jnp.ones(3))[1](jnp.float32(1))) == [
        ("float32<host>[3]", "pinned_host"), ("float32[3]", "device")]


def test_what_is_computed_for_keys_and_indices_is_where_it_says() -> None:
    x = jax.device_put(jnp.arange(3.0), HOST)
    key = jax.device_put(jax.random.key(0), HOST)
    assert kinds(jax.random.bits(key, (2,))) == [("uint32[2]", "device")]
    assert kinds(jax.random.permutation(jax.random.key(0), x)) == [("float32[3]", "device")]
    assert kinds(x[jnp.array([2, 0])]) == [("float32<host>[2]", "pinned_host")]
    assert kinds(jax.jit(lambda v: v + 1, donate_argnums=0)(x)) == [("float32<host>[3]", "pinned_host")]


def test_what_the_host_computes_is_what_the_device_would() -> None:
    x = jnp.arange(3.0)

    def f(v: Any) -> Any:
        with compute_on("device_host"):
            return v * 3

    assert jax.jit(f)(x).tolist() == jax.grad(lambda v: (f(v) * x).sum())(x).tolist() == [0.0, 3.0, 6.0]
    doubled = compute_on("device_host")(jax.jit(lambda v: v * 2))
    assert jax.jit(doubled)(x).tolist() == [0.0, 2.0, 4.0]
    with pytest.raises(ValueError, match="was given 'nowhere'"), compute_on("nowhere"):
        pass
    kept = compute_on2(lambda v: (v + 1, v * 2), compute_type="device_host", out_memory_spaces=(HOST, DEVICE))
    assert kinds(jax.jit(kept)(x)) == [("float32<host>[3]", "pinned_host"), ("float32[3]", "device")]


def test_arrays_in_different_memories_are_told_apart() -> None:
    x, y = jax.device_put(jnp.arange(3.0), HOST), jnp.ones(3)
    with pytest.raises(MemorySpaceError, match=r"The operands of `x \* y` are in different memories") as told:
        x * y
    assert [a.str_short() for a in told.value.avals] == ["float32<host>[3]", "float32[3]"]
    assert "jax.device_put(x, jax.memory.Space.Device)" in str(told.value)
    assert kinds(x * y.sum()) == kinds(x)  # a scalar goes with either


def test_results_over_several_devices_stay_in_the_memory_of_their_operands() -> None:
    program = """
import numpy as np, perspicax as jax
jax.config.update("jax_num_cpu_devices", 2)
from perspicax.sharding import Mesh, NamedSharding, PartitionSpec as P
x = np.arange(4, dtype=np.float32)
spread = NamedSharding(Mesh(np.array(jax.devices()), ("i",)), P("i"))
host = jax.device_put(x, spread.with_memory_kind("pinned_host"))
other = jax.device_put(jax.device_put(x, jax.devices()[1]), jax.memory.Space.Host)
square = lambda a: (a * a).sum()
for y in (host, other):
    assert (y * 2 + y).aval.memory_space is jax.memory.Space.Host and (y + 1).sharding.memory_kind == "pinned_host"
    for slope in (jax.grad(square)(y), jax.jit(jax.grad(square))(y), jax.jacfwd(lambda a: a * a)(y).sum(0)):
        assert slope.sharding.device_set == y.sharding.device_set and slope.tolist() == (2 * x).tolist()
moved = jax.jit(lambda a: jax.device_put(a * 2, jax.memory.Space.Host))(jax.device_put(x, spread))
assert moved.sharding.memory_kind == "pinned_host" and jax.device_put(x, jax.memory.Space.Host).committed
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
