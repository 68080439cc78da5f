import perspicax as jax
import perspicax.numpy as jnp


def unfinished(x):
    return x > 1e-3


jax.lax.while_loop(unfinished, lambda x: x / 2, jnp.ones(3))
