import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def inside(x):
    if 0.0 < x < 1.0 and not x == 0.5:
        return x
    else:
        return -x


inside(1.0)
