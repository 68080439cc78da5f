import perspicax as jax
import perspicax.numpy as jnp


def whiten(samples):
    covariance = samples.T @ samples[:, :3]
    return samples @ jnp.linalg.inv(covariance)


jax.jit(whiten)(jnp.ones((8, 4)))
