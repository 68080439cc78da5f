import perspicax as jax
import perspicax.numpy as jnp


def predict(params, x):
    return params["w"] * x + params["b"]


jax.vmap(predict, in_axes=({"w": 0}, 0))({"w": jnp.ones(3), "b": jnp.ones(3)}, jnp.ones(3))
