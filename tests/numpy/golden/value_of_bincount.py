import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def votes(choices):
    return jnp.bincount(choices)


votes(jnp.arange(4))
