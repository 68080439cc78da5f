import perspicax as jax
import perspicax.numpy as jnp


def predict(params, x, mask):
    return jnp.dot(params["w"], x) + params["b"] * mask


jax.vmap(predict, in_axes=(None, 0, 0))({"w": jnp.ones(3), "b": 0.5}, jnp.ones((8, 3)), jnp.ones(7))
