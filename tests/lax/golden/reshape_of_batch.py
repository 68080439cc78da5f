import perspicax as jax
import perspicax.numpy as jnp
from perspicax import lax


def add(x, y):
    return lax.add(x, y)


jax.vmap(add)(jnp.ones((4, 3)), jnp.ones((4, 2)))
