import perspicax as jax

seed = 0
noise = jax.random.normal(seed, (3,))
