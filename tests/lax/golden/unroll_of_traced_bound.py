import perspicax as jax


@jax.jit
def double(n, x):
    return jax.lax.fori_loop(0, n, lambda i, value: value * 2, x, unroll=4)


double(3, 1.0)
