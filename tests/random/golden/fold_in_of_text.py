import perspicax as jax

key = jax.random.key(0)
layer = "encoder"
key = jax.random.fold_in(key, layer)
