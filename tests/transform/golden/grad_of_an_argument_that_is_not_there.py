import perspicax as jax
import perspicax.numpy as jnp


def loss(w, x):
    return jnp.sum(w * x)


jax.grad(loss, argnums=2)(jnp.ones(3), jnp.ones(3))
