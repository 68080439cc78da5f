import jax
import jax.numpy as jnp

seen = []


def scale(x):
    y = x * 2.0
    seen.append(y)
    return y


jax.vmap(scale)(jnp.ones(3))
seen[0] + 1.0
