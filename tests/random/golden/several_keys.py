import perspicax as jax

keys = jax.random.split(jax.random.key(0), 3)
noise = jax.random.normal(keys, (3,))
