import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def positions(length):
    return jnp.sin(jnp.arange(length) / 10)


positions(8)
