import perspicax.numpy as jnp

batch = jnp.ones((30, 4))
parts = jnp.split(batch, 4)
