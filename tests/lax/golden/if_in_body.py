import perspicax as jax
import perspicax.numpy as jnp


def step(carry, x):
    if x > 0:
        carry = carry + x
    return carry, None


jax.lax.scan(step, 0.0, jnp.arange(3.0))
