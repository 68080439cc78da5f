from functools import partial

import perspicax as jax
import perspicax.numpy as jnp


@partial(jax.jit, donate_argnums=0)
def update(state, gradient):
    return state - 0.1 * gradient


state = jnp.ones(3)
new = update(state, jnp.ones(3))
change = new - state
