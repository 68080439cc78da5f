import jax
import jax.numpy as jnp
import numpy as np


x = np.arange(10)


@jax.jit
def func(i):
    return x[i]


func(0)
