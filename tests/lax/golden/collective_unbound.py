import perspicax as jax
import perspicax.numpy as jnp


def normalize(x):
    return x / jax.lax.psum(x, "bach")


jax.vmap(normalize, axis_name="batch")(jnp.ones(3))
