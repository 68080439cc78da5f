import jax


@jax.jit
def root(x):
    assert x >= 0, "x must not be negative"
    return x ** 2


root(1.0)
