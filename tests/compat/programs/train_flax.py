"""Trains a small network of Linen and one of NNX, both of the installed Flax, and prints losses and results."""
import json

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import nnx
from flax.training import train_state

dice = np.random.default_rng(0)
X, Y = dice.normal(size=(16, 6)).astype(np.float32), dice.normal(size=(16, 3)).astype(np.float32)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(8, use_bias=False)(x)  # before a BatchNorm, a bias has no gradient but rounding
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(0.2, deterministic=not train)(nn.relu(x))
        return nn.Dense(3)(x)


class State(train_state.TrainState):
    batch_stats: dict


net = Net()
variables = net.init(jax.random.key(0), X, False)
state = State.create(apply_fn=net.apply, params=variables["params"], tx=optax.adam(0.02), batch_stats=variables["batch_stats"])


@jax.jit
def linen_step(state, key):
    def loss(params):
        y, changed = state.apply_fn({"params": params, "batch_stats": state.batch_stats}, X, True, rngs={"dropout": key},
                                    mutable=["batch_stats"])
        return jnp.mean((y - Y) ** 2), changed

    (value, changed), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
    return state.apply_gradients(grads=grads, batch_stats=changed["batch_stats"]), value


linen_losses = []
for i in range(5):
    state, value = linen_step(state, jax.random.fold_in(jax.random.key(1), i))
    linen_losses.append(float(value))


class Model(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(6, 8, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.last = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(self.drop(nnx.relu(self.norm(self.first(x)))))


model = Model(nnx.Rngs(0))
optimizer = nnx.Optimizer(model, optax.adam(0.02), wrt=nnx.Param)


@nnx.jit
def nnx_step(model, optimizer):
    value, grads = nnx.value_and_grad(lambda model: jnp.mean((model(X) - Y) ** 2))(model)
    optimizer.update(model, grads)
    return value


model.train()
nnx_losses = [float(nnx_step(model, optimizer)) for _ in range(5)]
model.eval()
variables = {"params": state.params, "batch_stats": state.batch_stats}
print(json.dumps({"whose": jax.__name__, "flax": flax.__name__, "linen": linen_losses, "nnx": nnx_losses,
                  "linen result": np.asarray(net.apply(variables, X, False)).tolist(),
                  "nnx result": np.asarray(model(X)).tolist()}))
