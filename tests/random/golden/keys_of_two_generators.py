import perspicax as jax
import perspicax.numpy as jnp

key = jax.random.key(0)
other = jax.random.key(0, impl="rbg")
both = jnp.stack([key, other])
