import jax
import jax.numpy as jnp


@jax.jit
def power(x, n):
    y = jnp.ones(())
    for _ in range(n):
        y = y * x
    return y


power(2.0, 3)
