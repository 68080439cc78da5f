import jax
import jax.numpy as jnp


@jax.jit
def sum_of_positive(x):
    return x[x > 0].sum()


sum_of_positive(jnp.ones(5))
