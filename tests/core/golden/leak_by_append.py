import jax
import jax.numpy as jnp

activations = []


def layer(x, scale):
    y = jnp.tanh(x * scale)
    activations.append(y)
    return y


@jax.jit
def network(x):
    return layer(layer(x, 0.5), 2.0).sum()


network(jnp.arange(4.0))
activations[1].sum() + 1
