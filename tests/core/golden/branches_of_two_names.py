import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def step(x, v):
    if x > 0:
        v = -v
        bounced = True
    else:
        bounced = False
    return x + v, bounced


step(1.0, 2.0)
