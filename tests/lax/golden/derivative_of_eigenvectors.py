import perspicax as jax
import perspicax.numpy as jnp


def alignment(rates):
    _, modes = jnp.linalg.eig(rates)
    return jnp.abs(modes).sum()


jax.grad(alignment)(jnp.eye(3))
