import perspicax.numpy as jnp

x = jnp.ones((8, 3))
total = jnp.sum(x, axis=2)
