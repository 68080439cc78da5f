import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def grade(x, strict=True):
    if x is None:
        y = 0.0
    elif x > 0.5:
        y = 1.0
    else:
        y = x
    return y


grade(1.0)
