import perspicax as jax
import perspicax.numpy as jnp


def loss(w, x):
    return (x @ w) ** 2


jax.grad(loss)(jnp.ones(3), jnp.ones((8, 3)))
