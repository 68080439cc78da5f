import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def blank(rows):
    return jnp.zeros((rows, 3))


blank(3)
