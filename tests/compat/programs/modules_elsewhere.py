"""Modules of Equinox and of Haiku, trained for a few steps; the numbers are printed as JSON."""
import json

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax


def with_equinox() -> dict:
    class Net(eqx.Module):
        layers: list
        activation: object = eqx.field(static=True)

        def __init__(self, key: jax.Array) -> None:
            first, second = jax.random.split(key)
            self.layers = [eqx.nn.Linear(3, 8, key=first), eqx.nn.Linear(8, 1, key=second)]
            self.activation = jax.nn.tanh

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.layers[1](self.activation(self.layers[0](x)))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(net: Net, x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.mean((jax.vmap(net)(x) - y) ** 2)

    x = jax.random.normal(jax.random.key(1), (16, 3))
    y = x.sum(1, keepdims=True)
    net = eqx.filter_jit(Net)(jax.random.key(0))
    optimizer = optax.adam(1e-2)
    state = optimizer.init(eqx.filter(net, eqx.is_array))
    losses = []

    @eqx.filter_jit
    def step(net: Net, state: optax.OptState) -> tuple:
        value, gradients = loss(net, x, y)
        updates, state = optimizer.update(gradients, state)
        return eqx.apply_updates(net, updates), state, value

    for _ in range(5):
        net, state, value = step(net, state)
        losses.append(float(value))

    @eqx.filter_jit
    def positive(x: jax.Array) -> jax.Array:
        return eqx.error_if(x, x < 0, "it is negative")

    try:
        positive(jnp.float32(-1)).block_until_ready()
        error = ""
    except Exception as raised:  # its class differs between releases
        error = str(raised)
    looped = jax.jit(jax.grad(lambda v: eqx.internal.while_loop(
        lambda c: c[0] < 5, lambda c: (c[0] + 1, c[1] * v), (0, v), max_steps=8, kind="checkpointed")[1]))(1.1)
    _, tangent = eqx.filter_jit(lambda: eqx.filter_jvp(net, (x[0],), (x[1],)))()
    return {"losses": losses, "refused": float("it is negative" in error), "looped": float(looped),
            "tangent": np.asarray(tangent).tolist()}


def with_haiku() -> dict:
    def forward(images: jax.Array, is_training: bool) -> jax.Array:
        x = hk.BatchNorm(True, True, 0.9)(hk.Conv2D(4, 3)(images), is_training)
        x = hk.dropout(hk.next_rng_key(), 0.1, jax.nn.relu(x))
        return hk.nets.MLP([8, 4])(hk.Flatten()(x))

    net = hk.transform_with_state(forward)

    @jax.jit  # all in one program: to compile many small ones is what takes time
    def run(key: jax.Array) -> tuple:
        keys = jax.random.split(key, 4)
        images = jax.random.normal(keys[0], (2, 6, 6, 1))
        params, state = net.init(keys[1], images, True)
        out, state = net.apply(params, state, keys[2], images, True)
        return out, jax.grad(lambda p: net.apply(p, state, keys[3], images, True)[0].sum())(params)

    out, gradients = run(jax.random.PRNGKey(0))
    return {"out": out.tolist(), "gradients": [np.abs(leaf).sum().item() for leaf in jax.tree.leaves(gradients)]}


print(json.dumps({"equinox": with_equinox(), "haiku": with_haiku()}))
