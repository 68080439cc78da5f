import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def power(x, n):
    y = jnp.ones(())
    for i in range(n):
        y = y * x
    return y


power(2.0, 3)
