import perspicax as jax
import perspicax.numpy as jnp

square = jax.linear_transpose(lambda x: x * x, jnp.ones(3))
square(jnp.ones(3))
