import perspicax.numpy as jnp
from perspicax.experimental import checkify

x = jnp.arange(3)
checkify.check(x >= 0, "negative entries")
