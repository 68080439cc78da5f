import perspicax as jax
import perspicax.numpy as jnp
from perspicax.extend import random as extended

mine = extended.define_prng_impl(
    key_shape=(1,),
    seed=lambda seed: jnp.array([seed], float),
    split=lambda key, shape: jnp.zeros((*shape, 1), jnp.uint32),
    random_bits=lambda key, width, shape: jnp.zeros(shape, jnp.uint32),
    fold_in=lambda key, data: key,
    name="mine",
)
key = jax.random.key(0, impl=mine)
