import perspicax as jax
import perspicax.numpy as jnp

key = jax.random.key(0)
weights = jnp.array([0.5, 0.5])
picked = jax.random.choice(key, 3, (4,), p=weights)
