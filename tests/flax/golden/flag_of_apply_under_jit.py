"""A Python truth value goes through `jax.jit(model.apply)`."""
import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import linen as nn


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dropout(0.1)(nn.Dense(2)(x), deterministic=not train)


model = Net()
forward = jax.jit(model.apply)
variables = model.init(jax.random.key(0), jnp.ones((1, 3)), False)
forward(variables, jnp.ones((1, 3)), True, rngs={"dropout": jax.random.key(1)})
