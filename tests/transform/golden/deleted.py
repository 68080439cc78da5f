import perspicax.numpy as jnp

x = jnp.ones(3)
x.delete()
print(x + 1)
