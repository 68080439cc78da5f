import perspicax as jax
import perspicax.numpy as jnp


def loss(w):
    error = w - 1
    return jnp.sum(error ** 2), error


jax.value_and_grad(loss)(jnp.ones(3))
