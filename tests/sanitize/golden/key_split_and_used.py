import perspicax as jax


@jax.jit
def step(key):
    noise = jax.random.normal(key, (2,))
    key, subkey = jax.random.split(key)
    return noise, key, subkey


with jax.debug_key_reuse(True):
    step(jax.random.key(0))
