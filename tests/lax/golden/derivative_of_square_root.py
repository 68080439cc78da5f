import perspicax as jax
import perspicax.numpy as jnp
from perspicax.scipy import linalg


def whiten(covariance):
    return linalg.sqrtm(covariance).real.trace()


jax.grad(whiten)(jnp.eye(3))
