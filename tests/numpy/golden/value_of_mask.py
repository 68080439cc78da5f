import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def above(scores, threshold):
    kept = scores[scores > threshold]
    return kept


above(jnp.ones(4), 0.5)
