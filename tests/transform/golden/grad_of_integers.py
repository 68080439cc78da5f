import perspicax as jax
import perspicax.numpy as jnp


def loss(steps, scale):
    return jnp.sum(steps * scale)


jax.grad(loss)(jnp.arange(3), 2.0)
