import perspicax as jax
import perspicax.numpy as jnp


def predict(params, x, y):
    return params * x + y


jax.vmap(predict, in_axes=(None, 0))(2.0, jnp.ones(3), jnp.ones(3))
