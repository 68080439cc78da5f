import jax
import jax.numpy as jnp


@jax.jit
def pad(x, n):
    return jnp.zeros(n) + x


pad(1.0, 3)
