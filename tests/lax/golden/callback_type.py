import numpy as np

import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def sort(x):
    return jax.pure_callback(np.argsort, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


try:
    sort(jnp.array([3.0, 1.0])).block_until_ready()
except jax.errors.JaxRuntimeError as error:
    raise error.__cause__ from None
