import perspicax as jax
import perspicax.numpy as jnp

jax.jacrev(lambda x: x * 2.0)(jnp.arange(3))
