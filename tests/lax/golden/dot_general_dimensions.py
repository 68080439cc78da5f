import perspicax.numpy as jnp
from perspicax import lax

left = jnp.ones((4, 8))
right = jnp.ones((8, 3))
out = lax.dot_general(left, right, (((2,), (0,)), ((), ())))
