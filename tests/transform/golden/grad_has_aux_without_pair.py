import perspicax as jax
import perspicax.numpy as jnp


def loss(weights, xs):
    predictions = xs @ weights
    return jnp.mean(predictions ** 2)


jax.grad(loss, has_aux=True)(jnp.ones(3), jnp.ones((4, 3)))
