import perspicax as jax
import perspicax.numpy as jnp


def predict(params, x):
    return params["w"] @ x + params["b"]


jax.vmap(predict)({"w": jnp.ones((4, 2, 3)), "b": jnp.ones((4, 2))}, jnp.ones((5, 3)))
