import perspicax as jax

key = jax.random.key(0, impl="rbg")
counts = jax.random.poisson(key, 3.0, (4,))
