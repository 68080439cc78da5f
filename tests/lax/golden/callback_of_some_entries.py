import perspicax as jax
import perspicax.numpy as jnp
from perspicax.experimental import io_callback


def noted(x):
    return jax.lax.cond(x > 0, lambda: io_callback(print, None, x), lambda: None)


jax.vmap(noted)(jnp.ones(2))
