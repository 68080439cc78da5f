import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def update(weights):
    return weights * 0.9


update(jnp.ones(4))
with jax.no_tracing():
    update(jnp.ones(5))
