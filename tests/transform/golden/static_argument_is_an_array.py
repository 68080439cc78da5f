from functools import partial

import perspicax as jax
import perspicax.numpy as jnp


@partial(jax.jit, static_argnums=1)
def repeat(x, n):
    return jnp.tile(x, n)


repeat(jnp.ones(3), jnp.asarray(2))
