import perspicax as jax

words = jax.random.key_data(jax.random.key(0, impl="rbg"))
noise = jax.random.normal(words, (3,))
