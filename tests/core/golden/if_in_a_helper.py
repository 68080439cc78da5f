import jax
import jax.numpy as jnp


def pick_longer(a, b):
    if a.sum() < b.sum():
        return b
    return a


@jax.jit
def merge_tracks(left, right):
    left, right = left ** 2, right ** 2
    return pick_longer(left, right) - 1.0


merge_tracks(jnp.ones(4), jnp.zeros(4))
