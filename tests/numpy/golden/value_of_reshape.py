import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def by_head(hidden, heads):
    return hidden.reshape(heads, -1)


by_head(jnp.ones(12), 4)
