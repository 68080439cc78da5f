import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def features(params, x):
    return jnp.concatenate((params["bias"], x, params["scale"]), -1)


features({"bias": jnp.ones((2, 3)), "scale": jnp.ones((3, 2))}, jnp.ones((2, 5)))
