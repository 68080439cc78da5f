import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def inside(x, low, high):
    ok = low < x and x < high
    return ok


inside(1.0, 0.0, 2.0)
