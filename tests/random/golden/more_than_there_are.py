import perspicax as jax

key = jax.random.key(0)
picked = jax.random.choice(key, 5, (7,), replace=False)
