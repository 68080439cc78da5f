import perspicax as jax


@jax.custom_jvp(1)
def power(x, n):
    return x ** n
