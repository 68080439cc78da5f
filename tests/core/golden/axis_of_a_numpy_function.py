import jax
import jax.numpy as jnp
import numpy as np


def halves(block, axis):
    return np.split(block, 2, axis)


@jax.jit
def contrast(block, axis):
    first, second = halves(block, axis)
    return (first - second).mean()


contrast(jnp.ones((2, 6)), 1)
