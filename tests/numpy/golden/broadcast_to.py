import perspicax.numpy as jnp

bias = jnp.ones(3)
wide = jnp.broadcast_to(bias, (3, 4))
