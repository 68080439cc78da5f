import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def reciprocal(x):
    return jax.lax.cond(x < 1, lambda x: 1 / x, lambda x: x, x)


with jax.debug_infs(True):
    reciprocal(jnp.float32(0))
