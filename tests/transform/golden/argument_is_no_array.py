import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def train(config, x):
    return x * config["rate"]


train({"rate": 0.1, "optimizer": "adam"}, jnp.ones(3))
