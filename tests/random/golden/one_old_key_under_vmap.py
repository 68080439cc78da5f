import perspicax as jax


def draw(key):
    return jax.random.normal(key, (2,))


jax.vmap(draw)(jax.random.PRNGKey(0))
