import perspicax as jax
import perspicax.numpy as jnp

key = jax.random.key(0)
rates = jnp.ones(4)
counts = jax.random.poisson(key, rates, (3,))
