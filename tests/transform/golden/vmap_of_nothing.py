import perspicax as jax
import perspicax.numpy as jnp


def f(x):
    return x + 1


jax.vmap(f, in_axes=None)(jnp.ones(3))
