import perspicax as jax
import perspicax.numpy as jnp

rows = jnp.ones((8, 3))
jax.lax.map(lambda row: row.sum(), rows, batch_size=-1)
