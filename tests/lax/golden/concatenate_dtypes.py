import perspicax.numpy as jnp
from perspicax import lax

weights = jnp.ones((2, 3))
counts = jnp.ones((1, 3), jnp.int32)
lax.concatenate([weights, counts], 0)
