import jax
import jax.numpy as jnp
import numpy as np


def carrier(t, frequency):
    phase = 2 * 3.14 * frequency * t
    return np.sin(phase)


@jax.jit
def modulate(t, message):
    return (1.0 + 0.5 * message) * carrier(t, 4.0)


modulate(jnp.arange(8.0), jnp.arange(8.0))
