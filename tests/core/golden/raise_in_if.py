import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def invert(x):
    if x == 0:
        raise ValueError("division by zero")
    return 1.0 / x


invert(1.0)
