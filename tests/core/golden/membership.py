import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def weekend(day):
    return day in (5, 6)


weekend(3)
