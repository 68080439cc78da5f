import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def func(x):
    return min(x, 0)


func(2)
