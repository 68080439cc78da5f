import perspicax as jax

keys = jax.random.split(jax.random.key(0), 3)
more = jax.random.split(keys)
