import perspicax as jax
import perspicax.numpy as jnp

key = jax.random.key(0)
samples = jax.random.multivariate_normal(key, jnp.zeros((2, 3)), jnp.eye(3), shape=(5,))
