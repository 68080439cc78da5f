import perspicax.numpy as jnp

x = jnp.ones((8, 3, 2))
turned = jnp.transpose(x, (0, 2))
