import perspicax as jax

key = jax.random.key(0)
step = -1
key = jax.random.fold_in(key, step)
