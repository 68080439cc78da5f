import perspicax as jax
import perspicax.numpy as jnp


def loss(z):
    return jnp.sum(z * z)


jax.grad(loss)(jnp.ones(3, complex))
