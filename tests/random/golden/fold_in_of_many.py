import perspicax as jax

key = jax.random.key(0)
steps = jax.numpy.arange(3)
keys = jax.random.fold_in(key, steps)
