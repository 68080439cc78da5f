import jax
import jax.numpy as jnp

history = {}


def loss(weights, x):
    prediction = jnp.tanh(x @ weights)
    history["last"] = prediction
    return (prediction**2).mean()


jax.grad(loss)(jnp.ones(3), jnp.ones((5, 3)))
print("mean prediction:", history["last"].mean())
