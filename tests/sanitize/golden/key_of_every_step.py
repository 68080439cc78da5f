import perspicax as jax

key = jax.random.key(0)


def step(total, x):
    return total + jax.random.normal(key), None


with jax.debug_key_reuse(True):
    jax.lax.scan(step, 0.0, jax.numpy.arange(3))
