import perspicax as jax

key = jax.random.key(0)
basis = jax.random.orthogonal(key, 5 / 2)
