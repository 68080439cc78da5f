import perspicax as jax
import perspicax.numpy as jnp

counts = jax.new_ref(jnp.zeros(3))
counts[0] = 1
