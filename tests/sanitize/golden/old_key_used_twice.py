import perspicax as jax


def init(rng):
    return jax.random.normal(rng, (2,)), jax.random.uniform(rng, (2,))


with jax.debug_key_reuse(True):
    params = init(jax.random.PRNGKey(0))
