import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def first_negative(values):
    places = jnp.where(values < 0)
    return places[0]


first_negative(jnp.ones(4))
