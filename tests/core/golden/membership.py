import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def weekend(day):
    return day in (5, 6)


weekend(3)
