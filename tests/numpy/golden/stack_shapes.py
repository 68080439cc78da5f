import perspicax.numpy as jnp


def batch(*examples):
    return jnp.stack(examples)


batch(jnp.ones(3), jnp.ones(3), jnp.ones(4))
