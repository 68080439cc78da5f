import jax
import jax.numpy as jnp


def clip(gradient, limit):
    norm = jnp.linalg.norm(gradient)
    if norm > limit:
        gradient = gradient * (limit / norm)
    return gradient


@jax.jit
def update(weights, gradient):
    return weights - 0.1 * clip(gradient, 1.0)


update(jnp.ones(3), jnp.full(3, 4.0))
