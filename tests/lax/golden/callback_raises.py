import numpy as np

import perspicax as jax
import perspicax.numpy as jnp


def look_up(index):
    return np.float32({0: 1.5}[int(index)])


@jax.jit
def price(index):
    return jax.pure_callback(look_up, jax.ShapeDtypeStruct((), jnp.float32), index)


print(price(7))
