"""Arrays and steps over eight devices of the CPU; run by `workloads.py` in a process of its own."""

from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import best, best_fresh

LEAVES, LAYERS, WIDTH = 1000, 12, 64


def make_step(jax: ModuleType, constrain: Any) -> Any:
    """A new function: a training step of a deep perceptron, whose activations are constrained to the mesh."""
    jnp = jax.numpy

    def loss(weights: Any, x: Any) -> Any:
        for w, b in weights:
            x = constrain(jnp.tanh(x @ w + b))
        return (x ** 2).mean()

    def step(weights: Any, x: Any) -> Any:
        value, slopes = jax.value_and_grad(loss)(weights, x)
        return value, jax.tree.map(lambda w, s: w - 0.1 * s, weights, slopes)

    return step


def sharded(jax: ModuleType) -> dict[str, float]:
    """Placing many leaves, calling with many, tracing and lowering a step, and the step itself."""
    jax.config.update("jax_num_cpu_devices", 8)
    part = jax.sharding.PartitionSpec
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "model"))
    on = lambda *parts: jax.sharding.NamedSharding(mesh, part(*parts))
    leaves = [np.full((8, 4), float(i), np.float32) for i in range(LEAVES)]
    placing = best(lambda: jax.block_until_ready(jax.device_put(leaves, on("data", "model"))))
    some = jax.device_put(leaves[:100], on("data", "model"))
    add_one = jax.jit(lambda tree: [leaf + 1 for leaf in tree])
    some = add_one(some)
    calling = best(lambda: jax.block_until_ready(add_one(some)))

    fresh = lambda: jax.jit(make_step(jax, lambda x: jax.lax.with_sharding_constraint(x, on("data"))))
    weights = jax.device_put([(np.full((WIDTH, WIDTH), 0.01, np.float32), np.zeros(WIDTH, np.float32))] * LAYERS,
                             [(on(None, "model"), on("model"))] * LAYERS)
    x = jax.device_put(np.ones((32, WIDTH), np.float32), on("data"))
    lowering = best_fresh(fresh, lambda step: step.lower(weights, x), rounds=7)
    step = fresh()
    running = best(lambda: jax.block_until_ready(step(weights, x)))
    return {"sharded/put": placing * 1e3, "sharded/call": calling * 1e6, "sharded/lower": lowering * 1e3,
            "sharded/step": running * 1e6}
