from functools import partial

import perspicax as jax
import perspicax.numpy as jnp


@partial(jax.jit, static_argnames="sizes")
def init(key, sizes):
    return [jnp.zeros(n) for n in sizes]


init(0, sizes=[3, 4])
