import numpy as np

import perspicax as jax
import perspicax.numpy as jnp

table = np.array([1.0, np.nan], np.float32)


@jax.jit
def lookup(x):
    return jnp.sin(x) + table


with jax.debug_nans(True):
    lookup(1.0)
