import perspicax as jax
import perspicax.numpy as jnp


def step(params, batch):
    return params["w"] * batch


jax.pmap(step)({"w": jnp.ones(3)}, jnp.ones((8, 3)))
