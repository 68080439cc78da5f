import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def window(signal, start):
    return signal[start:start + 3]


window(jnp.ones(8), 2)
