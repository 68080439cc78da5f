import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def active_rows(scores):
    rows = jnp.nonzero(scores > 0.5)[0]
    return rows + 1


active_rows(jnp.ones(4))
