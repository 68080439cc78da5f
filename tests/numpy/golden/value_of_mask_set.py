import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def clear(scores, padded, filler):
    return scores.at[padded].set(filler)


clear(jnp.ones(4), jnp.ones(4, bool), jnp.zeros(2))
