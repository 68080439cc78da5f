import perspicax.numpy as jnp

x = jnp.ones((2, 5))
y = jnp.einsum("ij,jk->ik", x)
