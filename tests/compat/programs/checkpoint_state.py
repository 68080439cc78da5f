"""Saves a TrainState with optax's state in both formats, or restores what another process saved, and prints its numbers."""
import json
import sys

import flax
import jax
import numpy as np
import optax
from flax.training import checkpoints, train_state

folder, action = sys.argv[1:3]
dice = np.random.default_rng(0)
params = {"dense": {"kernel": dice.normal(size=(3, 2)).astype(np.float32), "bias": np.zeros(2, np.float32)}}
tx = optax.chain(optax.clip(1.0), optax.adamw(0.1), optax.ema(0.9))
state = train_state.TrainState.create(apply_fn=len, params=jax.tree.map(jax.numpy.asarray, params), tx=tx)
if action == "save":
    for _ in range(3):
        state = state.apply_gradients(grads=jax.tree.map(jax.numpy.cos, state.params))
    for name, orbax in (("file", False), ("orbax", True)):
        flax.config.update("flax_use_orbax_checkpointing", orbax)
        checkpoints.save_checkpoint(f"{folder}/{name}", state, 3)
    found = {"file": state, "orbax": state}
else:
    found = {name: checkpoints.restore_checkpoint(f"{folder}/{name}", state) for name in ("file", "orbax")}
print(json.dumps({"whose": jax.__name__, **{name: [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(each)]
                                            for name, each in found.items()},
                  "structure": [jax.tree.structure(each) == jax.tree.structure(state) for each in found.values()]}))
