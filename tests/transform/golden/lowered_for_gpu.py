import perspicax as jax


@jax.jit
def double(x):
    return 2 * x


double.trace(1.0).lower(lowering_platforms=("gpu",))
