import jax
import jax.numpy as jnp
import numpy as np


L = [1, 2, 3]


@jax.jit
def func(i):
    return L[i]


func(0)
