import perspicax as jax
import perspicax.numpy as jnp


def loss(w):
    return {"mse": jnp.sum(w ** 2), "l1": jnp.sum(jnp.abs(w))}


jax.grad(loss)(jnp.ones(3))
