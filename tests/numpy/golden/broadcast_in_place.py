import perspicax.numpy as jnp

grid = jnp.zeros((4, 5))
row = jnp.ones(4)
grid = grid.at[0].set(row)
