import jax


@jax.jit
def bucket(x):
    return int(x * 10)


bucket(0.5)
