import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)

L = [1, 2, 3]


@jax.jit
def func(i):
    return L[i]


func(0)
