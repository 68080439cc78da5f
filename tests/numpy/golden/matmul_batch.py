import perspicax.numpy as jnp

queries = jnp.ones((4, 7, 16))
keys = jnp.ones((5, 16, 7))
scores = jnp.matmul(queries, keys)
