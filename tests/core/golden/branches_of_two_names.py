import jax
import jax.numpy as jnp  # noqa: F401 (the fix in the report is written with this name)


@jax.jit
def step(x, v):
    if x > 0:
        v = -v
        bounced = True
    else:
        bounced = False
    return x + v, bounced


step(1.0, 2.0)
