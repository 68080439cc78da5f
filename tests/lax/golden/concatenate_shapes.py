import perspicax.numpy as jnp
from perspicax import lax

weights = jnp.ones((2, 3))
more = jnp.ones((3, 2))
lax.concatenate([weights, more], dimension=0)
