import perspicax as jax
import perspicax.numpy as jnp


def count(x):
    return jnp.sum(x > 0)


jax.grad(count)(jnp.ones(3))
