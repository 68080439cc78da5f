import perspicax.numpy as jnp

first = jnp.arange(3)
second = jnp.arange(4)
table = jnp.vstack([first, second])
