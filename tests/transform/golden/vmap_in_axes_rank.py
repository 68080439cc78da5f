import perspicax as jax
import perspicax.numpy as jnp


def scale(x, factor):
    return x * factor


jax.vmap(scale)(jnp.ones((4, 3)), 2.0)
