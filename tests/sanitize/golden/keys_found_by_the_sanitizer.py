import perspicax as jax

keys = jax.random.split(jax.random.key(0), 2)
with jax.sanitize("keys,error"):
    first = jax.random.normal(keys[0])
    second = jax.random.normal(keys[0])
