import perspicax.numpy as jnp

weights = jnp.ones((3, 3))
scaled = weights @ 2.0
