import perspicax as jax


@jax.jit
def dropout(key, x):
    return jax.random.bernoulli(key, 0.5, x.shape) * x


x = jax.numpy.ones(2)
rng = jax.random.key(0)
with jax.debug_key_reuse(True):
    hidden = dropout(rng, x)
    out = dropout(rng, hidden)
