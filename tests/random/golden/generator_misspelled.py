import perspicax as jax

key = jax.random.key(0, impl="threefry")
