import perspicax as jax
import perspicax.numpy as jnp


@jax.custom_batching.custom_vmap
def double(x):
    return 2 * x


@double.def_vmap
def double_batch(axis_size, in_batched, x):
    return 2 * x


jax.vmap(double)(jnp.ones(3))
