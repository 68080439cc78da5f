import perspicax.numpy as jnp

mask = jnp.ones((4, 3), bool)
scores = jnp.ones((4, 5))
kept = jnp.where(mask, scores, 0.0)
