import math
import jax
import jax.numpy as jnp


@jax.jit
def wave(t):
    return math.sin(t) + float(t)


wave(1.0)
