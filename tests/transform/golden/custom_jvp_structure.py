import perspicax as jax


@jax.custom_jvp
def pair(x):
    return x, 2 * x


@pair.defjvp
def pair_jvp(primals, tangents):
    x, = primals
    dx, = tangents
    return pair(x), dx


jax.jvp(pair, (1.0,), (1.0,))
