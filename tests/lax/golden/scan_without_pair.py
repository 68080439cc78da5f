import perspicax as jax
import perspicax.numpy as jnp


def step(carry, x):
    return carry + x


jax.lax.scan(step, 0.0, jnp.arange(3.0))
