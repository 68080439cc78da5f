import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def inside(x, low, high):
    ok = low < x and x < high
    return ok


inside(1.0, 0.0, 2.0)
