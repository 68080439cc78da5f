import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def dense(params, x):
    return x @ params["w"] + params["b"]


dense({"w": jnp.ones((10, 32)), "b": jnp.ones(10)}, jnp.ones((8, 32)))
