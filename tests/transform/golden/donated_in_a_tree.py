from functools import partial

import perspicax as jax
import perspicax.numpy as jnp


@partial(jax.jit, donate_argnames="state")
def step(state, batch):
    return {"w": state["w"] + batch, "n": state["n"] + 1}


state = {"w": jnp.ones(3), "n": jnp.zeros(3)}
step(state, jnp.ones(3))
step(state, jnp.ones(3))
