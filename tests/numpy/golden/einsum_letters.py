import perspicax.numpy as jnp

x = jnp.ones((2, 5, 16))
y = jnp.einsum("bd->b", x)
