import perspicax as jax
import perspicax.numpy as jnp

total = jax.new_ref(jnp.float32(0))


def add(x):
    total[...] += x
    return x


jax.vmap(add)(jnp.arange(3.0))
