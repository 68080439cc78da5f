import math

import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def wave(t):
    return math.sin(t) + float(t)


wave(1.0)
