import perspicax as jax
import perspicax.numpy as jnp
from perspicax.experimental import checkify


def loss(w):
    return jnp.sqrt(w - 1).sum()


error, slope = jax.jit(checkify.checkify(jax.grad(loss), errors=checkify.nan_checks))(jnp.array([2.0, 0.5]))
error.throw()
