import perspicax as jax

key = jax.random.key(0)
noise = jax.random.normal(key, (3,), dtype="int32")
