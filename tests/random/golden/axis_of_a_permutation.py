import perspicax as jax
import perspicax.numpy as jnp

key = jax.random.key(0)
shuffled = jax.random.permutation(key, jnp.zeros((3, 2)), axis=2)
