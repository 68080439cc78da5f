from functools import partial

import perspicax as jax
import perspicax.numpy as jnp


@partial(jax.jit, static_argnames="training")
def apply(x, train):
    return x if train else -x


apply(jnp.ones(3), train=True)
