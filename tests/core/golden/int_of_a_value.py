import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def bucket(x):
    return int(x * 10)


bucket(0.5)
