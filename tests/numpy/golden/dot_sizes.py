import perspicax.numpy as jnp

a = jnp.ones((3, 4))
b = jnp.ones(3)
product = jnp.dot(a, b)
