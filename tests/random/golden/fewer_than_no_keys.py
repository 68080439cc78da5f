import perspicax as jax

key = jax.random.key(0)
steps = 3
keys = jax.random.split(key, steps - 5)
