import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def spread(weights):
    u, s, _ = jnp.linalg.svd(weights)
    return jnp.abs(u).sum() * s.max()


jax.grad(spread)(jnp.ones((3, 2)))
