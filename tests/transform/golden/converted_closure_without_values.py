import perspicax as jax
import perspicax.numpy as jnp


def solve(scale):
    def step(x):
        return x * jnp.sin(scale)

    converted, values = jax.closure_convert(step, 1.0)
    return converted(2.0), values


jax.grad(solve)(3.0)
