import perspicax as jax
import perspicax.numpy as jnp


def without_group(x):
    return x - jax.lax.psum(x, "i", axis_index_groups=[[0, 1], [2, 3]])


jax.vmap(without_group, axis_name="i")(jnp.arange(4.0))
