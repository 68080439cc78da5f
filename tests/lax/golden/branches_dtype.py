import perspicax as jax
import perspicax.numpy as jnp


def shrink(x):
    return {"value": x / 2, "steps": 1}


def keep(x):
    return {"value": x, "steps": 0.0}


jax.lax.cond(True, shrink, keep, jnp.ones(3))
