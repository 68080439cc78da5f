import perspicax as jax
import perspicax.numpy as jnp


def accumulate(i, total):
    return total + jnp.arange(3.0) * i


jax.lax.fori_loop(0, 10, accumulate, jnp.float32(0))
