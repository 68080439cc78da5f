import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def func(x):
    return min(x, 0)


func(2)
