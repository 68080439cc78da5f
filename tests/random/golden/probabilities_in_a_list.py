import perspicax as jax

key = jax.random.key(0)
weights = [0.5, 0.25, 0.25]
picked = jax.random.choice(key, 3, (4,), p=weights)
