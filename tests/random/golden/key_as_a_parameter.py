import perspicax as jax

key, other = jax.random.split(jax.random.key(0))
noise = jax.random.uniform(key, (3,), minval=other)
