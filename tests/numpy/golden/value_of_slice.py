import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def newest(history, count):
    return history[:count] * 2


newest(jnp.ones(4), 2)
