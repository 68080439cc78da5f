import jax
import jax.numpy as jnp

cache = {}


@jax.jit
def lookup(x, key):
    if key in cache:
        return cache[key]
    return x


lookup(jnp.ones(3), 2)
