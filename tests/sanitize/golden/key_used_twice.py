import perspicax as jax

key = jax.random.key(0)
with jax.debug_key_reuse(True):
    weights = jax.random.normal(key, (2,))
    bias = jax.random.normal(key, (2,))
