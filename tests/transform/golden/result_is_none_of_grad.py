import perspicax as jax
import perspicax.numpy as jnp


def loss(w):
    jnp.sum(w ** 2)


jax.grad(loss)(jnp.ones(3))
