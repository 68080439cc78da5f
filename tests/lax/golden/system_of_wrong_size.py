import perspicax.numpy as jnp

stiffness = jnp.ones((5, 3, 3))
load = jnp.ones((5, 3))

jnp.linalg.solve(stiffness, load)
