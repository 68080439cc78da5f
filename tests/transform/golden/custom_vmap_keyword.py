import perspicax as jax


@jax.custom_batching.custom_vmap
def scaled(x, *, factor):
    return x * factor


scaled(2.0, factor=3.0)
