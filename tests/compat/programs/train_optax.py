"""Trains a small network with optax's optimizers, and prints losses and parameters."""
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax

dice = np.random.default_rng(0)
X, Y = dice.normal(size=(16, 6)).astype(np.float32), dice.normal(size=(16, 3)).astype(np.float32)
START = {"w1": dice.normal(size=(6, 8)).astype(np.float32) * 0.3, "b1": np.zeros(8, np.float32),
         "w2": dice.normal(size=(8, 3)).astype(np.float32) * 0.3}


def loss(params):
    hidden = jnp.tanh(X @ params["w1"] + params["b1"])
    return optax.l2_loss(hidden @ params["w2"], Y).mean()


OPTIMIZERS = {
    "adamw": optax.adamw(0.02, weight_decay=0.01),
    "momentum": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "lion": optax.lion(0.003),
    "adafactor": optax.adafactor(0.05, min_dim_size_to_factor=4),
    "chain": optax.chain(optax.clip_by_global_norm(0.1), optax.scale_by_adam(),
                         optax.add_decayed_weights(0.01, mask={"w1": True, "b1": False, "w2": True}),
                         optax.scale_by_schedule(optax.warmup_cosine_decay_schedule(0.0, -0.05, 3, 10))),
    "groups": optax.multi_transform({"slow": optax.sgd(0.01), "fast": optax.adam(0.05)},
                                    {"w1": "slow", "b1": "slow", "w2": "fast"}),
    "accumulated": optax.MultiSteps(optax.adam(0.05), every_k_schedule=2),
}


@jax.jit  # all in one program: to compile it is what takes time
def step(runs):
    after, losses = {}, {}
    for name, optimizer in OPTIMIZERS.items():
        params, state = runs[name]
        losses[name], grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params)
        after[name] = optax.apply_updates(params, updates), state
    return after, losses


start = jax.tree.map(jnp.asarray, START)
runs = {name: (start, optimizer.init(start)) for name, optimizer in OPTIMIZERS.items()}
found = {name: {"losses": []} for name in OPTIMIZERS}
for _ in range(10):
    runs, losses = step(runs)
    for name, value in losses.items():
        found[name]["losses"].append(float(value))
for name, (params, _) in runs.items():
    found[name]["params"] = {key: np.asarray(value).tolist() for key, value in params.items()}
found["whose"] = jax.__name__
print(json.dumps(found))
