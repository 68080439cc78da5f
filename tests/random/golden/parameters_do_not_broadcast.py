import perspicax as jax
import perspicax.numpy as jnp

key = jax.random.key(0)
samples = jax.random.beta(key, jnp.ones(3), jnp.ones(4))
