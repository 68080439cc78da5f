import perspicax as jax
import perspicax.numpy as jnp

jax.debug.visualize_array_sharding(jnp.ones((2, 2, 2)))
