import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
@jax.grad
def loss(x):
    def step(total, value):
        return total + jnp.sqrt(value) * 0, None

    return jax.lax.scan(step, 0.0, x)[0]


with jax.debug_nans(True):
    loss(jnp.zeros(2))
