import jax
import jax.numpy as jnp


@jax.jit
def loss(x):
    total = x.sum().item()
    return total * 2.0


loss(jnp.ones(3))
