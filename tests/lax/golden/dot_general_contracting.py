import perspicax.numpy as jnp
from perspicax import lax

left = jnp.ones((4, 8, 16))
right = jnp.ones((4, 32, 8))
out = lax.dot_general(left, right, (((2,), (1,)), ((0,), (0,))))
